import { availableParallelism } from 'node:os'
import { isAbortOf } from '@arq-ts/protocol/jobs'
import type { Gate, GatedJob, Pass, Verdict } from '../gates/gate.ts'
import type { Logger } from '../logging/logger.ts'
import { SandboxPool } from './pool.ts'
import type { Turn } from './pool.ts'
import type { Member } from './member.ts'
import type { Sandbox, SandboxStats } from './sandbox.ts'

/** A task whose jobs run in a sandbox. */
interface SandboxedTask {
  name: string
  params?: unknown
  sandbox?: Sandbox | undefined
}

export interface SandboxesOptions {
  tasks: readonly SandboxedTask[]
  abortGraceMs: number
  log: Logger
  /** Gives Redis time in unix ms. */
  now: () => number
}

/**
 * The sandboxes of one worker, as a gate at the start of jobs: a job starts, and its timeout counts, once it has a thread
 * or process of its own.
 */
export class Sandboxes implements Gate {
  readonly #pools = new Map<string, SandboxPool>()
  readonly #now: () => number

  constructor({ abortGraceMs, log, now, tasks }: SandboxesOptions) {
    this.#now = now
    for (const { name, params, sandbox } of tasks) {
      if (!sandbox) continue
      const hasSchema = params !== undefined
      this.#pools.set(name, new SandboxPool({ functionName: name, hasSchema, sandbox, abortGraceMs, log }))
    }
  }

  /** The pools, by function. */
  get stats(): ReadonlyMap<string, SandboxStats> {
    return new Map([...this.#pools].map(([name, pool]) => [name, pool.stats]))
  }

  /**
   * Loads each module once, a few at a time.
   *
   * @throws SandboxLoadError for the first that cannot be loaded.
   */
  async load(): Promise<void> {
    const pools = [...this.#pools.values()]
    const width = availableParallelism()
    for (let from = 0; from < pools.length; from += width)
      await Promise.all(pools.slice(from, from + width).map((pool) => pool.start()))
  }

  passFor(job: GatedJob): Pass | undefined {
    const pool = this.#pools.get(job.task.name)
    return pool && new SandboxPass(pool, job, this.#now)
  }

  /** Returns jobs that wait to their queue, those that come later, too. */
  drain(): void {
    for (const pool of this.#pools.values()) pool.cancelAll()
  }

  /** Ends every thread and process. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop()))
  }
}

/** A job's wait for a member, and its use of it: created → waiting → admitted → ended. */
class SandboxPass implements Pass {
  readonly #pool: SandboxPool
  readonly #job: GatedJob
  readonly #now: () => number
  #turn: Turn | undefined
  #isAborted = false
  #member: Member | undefined

  constructor(pool: SandboxPool, job: GatedJob, now: () => number) {
    this.#pool = pool
    this.#job = job
    this.#now = now
  }

  async admit(): Promise<Verdict> {
    this.#turn = this.#pool.acquire()
    const acquired = await this.#turn.acquired
    this.#turn = undefined
    switch (acquired.kind) {
      case 'cancelled':
        return this.#isAborted ? { kind: 'drop', reason: 'aborted before start' } : { kind: 'return' }
      case 'failed':
        return { kind: 'hold', untilMs: this.#now() + acquired.pauseMs, by: 'sandbox', about: acquired.error.message }
      case 'member': {
        const { member } = acquired
        this.#member = member
        return { kind: 'admit', handler: (ctx, ...args) => member.run(ctx, args) }
      }
    }
  }

  abort(askedMs: number): void {
    if (!this.#turn || !isAbortOf(askedMs, this.#job.record)) return
    this.#isAborted = true
    this.#turn.cancel()
  }

  async renew(): Promise<void> {}

  async end(): Promise<void> {
    if (this.#member) this.#pool.release(this.#member)
  }
}
