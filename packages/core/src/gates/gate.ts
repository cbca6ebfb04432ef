import type { JobRecord } from '@arq-ts/protocol/jobs'
import type { AnyLimit } from '../limits/limit.ts'
import type { Claim } from '../redis/broker.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { JobContext } from '../tasks/context.ts'

/** Data of a task that gates use. */
export interface GatedTask {
  name: string
  limits: readonly AnyLimit[] | undefined
  sandbox?: Sandbox | undefined
  /** The handler's arguments after `ctx`. @throws ArgumentsError */
  bind(
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ): readonly unknown[] | Promise<readonly unknown[]>
}

/** Data for gates of a function that the worker does not have. */
export function unknownTask(name: string): GatedTask {
  return { name, limits: undefined, bind: (args) => args }
}

/** A claimed job that a capability has a say in. */
export interface GatedJob {
  claim: Claim
  record: JobRecord
  task: GatedTask
}

/**
 * A decision about a claimed job that has not started:
 *
 * - `admit`: it may start; `handler` runs it in place of the task's own
 * - `hold`: it goes back uncounted, with a score of `untilMs`; `by` and `about` say why, for `explain`
 * - `held`: the gate's own script has held it
 * - `return`: it goes back uncounted, as due as it was
 * - `drop`: it ends unrun, as superseded by what `reason` names
 * - `lost`: its lease is lost
 */
export type Verdict =
  | { kind: 'admit'; handler?: ((ctx: JobContext, ...args: readonly unknown[]) => unknown) | undefined }
  | { kind: 'hold'; untilMs: number; by: string; about: string }
  | { kind: 'held' }
  | { kind: 'return' }
  | { kind: 'drop'; reason: string }
  | { kind: 'lost' }

/** The end of a job, before it is stored. */
export interface EndingJob {
  success: boolean
  aborted: boolean
  /** The result or the error as workers store it, kept or not; null where no codec writes it. */
  result: Uint8Array | null
}

/** Share of one gate in one job, from its claim to its end: created → admitted → ended. */
export interface Pass {
  /** Decides whether the job may start. Whatever it throws is the error of the job's run. */
  admit(): Promise<Verdict>
  /** Ends the wait for `admit` of a job whose abort was asked for at `askedMs`, in unix ms; for gates that let jobs wait. */
  abort?(askedMs: number): void
  /** Ids of limits in which the job has a place. */
  readonly limitIds?: readonly string[] | undefined
  /** Extends what the job has with its lease. */
  renew(untilMs: number, leaseMs: number): Promise<void>
  /**
   * Notes how the job ends, while its lease holds and before the end is stored; undefined where nothing is to be noted.
   * A job that runs again ends again.
   */
  readonly ending?: ((ended: EndingJob) => Promise<void>) | undefined
  /** Gives back what the job has, once it is settled, held, lost or refused; called once. */
  end(): Promise<void>
}

/** One capability at the start and the end of jobs. */
export interface Gate {
  /** A pass for a job that the capability has a say in, or undefined. */
  passFor(job: GatedJob): Pass | undefined
  start?(): void
  stop?(): Promise<void>
  /** Resolves once nothing is under way that the end or the hold of a job began. */
  settled?(): Promise<void>
}

/**
 * The gates of a worker, asked in order; the last to admit decides, so a gate that counts starts comes last. A job whose
 * task and payload name no capability has no pass, and costs nothing.
 */
export class Gates {
  readonly #gates: readonly Gate[]

  constructor(gates: readonly Gate[]) {
    this.#gates = gates
  }

  passFor(job: GatedJob): Pass | undefined {
    const { limits, sandbox } = job.task
    if (limits === undefined && sandbox === undefined && job.record.mark === undefined) return undefined
    const passes = this.#gates.flatMap((gate) => gate.passFor(job) ?? [])
    return passes.length > 1 ? new JointPass(passes) : passes[0]
  }

  start(): void {
    for (const gate of this.#gates) gate.start?.()
  }

  async stop(): Promise<void> {
    for (const gate of this.#gates) await gate.stop?.()
  }

  async settled(): Promise<void> {
    for (const gate of this.#gates) await gate.settled?.()
  }
}

/** Several passes of one job: it starts when all admit it. */
class JointPass implements Pass {
  readonly #passes: readonly Pass[]
  readonly ending: Pass['ending']

  constructor(passes: readonly Pass[]) {
    this.#passes = passes
    if (passes.some((pass) => pass.ending))
      this.ending = async (ended) => {
        await Promise.all(passes.map((pass) => pass.ending?.(ended) ?? Promise.resolve()))
      }
  }

  get limitIds(): readonly string[] {
    return this.#passes.flatMap((pass) => pass.limitIds ?? [])
  }

  async admit(): Promise<Verdict> {
    let handler: Extract<Verdict, { kind: 'admit' }>['handler']
    for (const pass of this.#passes) {
      const verdict = await pass.admit()
      if (verdict.kind !== 'admit') return verdict
      handler ??= verdict.handler
    }
    return { kind: 'admit', handler }
  }

  abort(askedMs: number): void {
    for (const pass of this.#passes) pass.abort?.(askedMs)
  }

  async renew(untilMs: number, leaseMs: number): Promise<void> {
    await Promise.all(this.#passes.map((pass) => pass.renew(untilMs, leaseMs)))
  }

  async end(): Promise<void> {
    await Promise.all(this.#passes.map((pass) => pass.end()))
  }
}
