import type { Logger } from '../logging/logger.ts'
import type { SandboxLoadError } from '../errors.ts'
import { errorOfEnd, loadError, startPauseMs } from './ends.ts'
import type { HostEnd } from './ends.ts'
import { Member } from './member.ts'
import type { Sandbox, SandboxStats } from './sandbox.ts'

export interface PoolOptions {
  functionName: string
  hasSchema: boolean
  sandbox: Sandbox
  abortGraceMs: number
  log: Logger
}

/**
 * Answer to a job that asks for a member: the member; `cancelled`, where its wait was ended; `failed`, where none can
 * start: no other start is tried for `pauseMs`.
 */
export type Acquired =
  | { kind: 'member'; member: Member }
  | { kind: 'cancelled' }
  | { kind: 'failed'; error: SandboxLoadError; pauseMs: number }

/** A job's place in the line. */
export interface Turn {
  readonly acquired: Promise<Acquired>
  /** Ends the wait; nothing happens once it is over. */
  cancel(): void
}

/**
 * The threads or processes of one task. It grows while jobs wait, up to `max`; an idle member ends after `idleMs`; one that
 * has run `recycleAfter` jobs, or that died, is replaced as the next job asks. Members that fail to load are followed by a
 * pause that doubles.
 */
export class SandboxPool {
  readonly functionName: string
  readonly #options: PoolOptions
  readonly #members = new Set<Member>()
  /** The one that was idle last comes last: the others shrink. */
  readonly #idle = new Map<Member, NodeJS.Timeout>()
  readonly #line: ((acquired: Acquired) => void)[] = []
  #starting = 0
  #failures = 0
  #pausedUntilMs = 0
  #pauseTimer: NodeJS.Timeout | undefined
  #lastError: SandboxLoadError | undefined
  #isStopped = false
  #recycled = 0
  #died = 0

  constructor(options: PoolOptions) {
    this.functionName = options.functionName
    this.#options = options
  }

  get stats(): SandboxStats {
    const busy = [...this.#members].filter((member) => member.isBusy).length
    return {
      kind: this.#options.sandbox.kind,
      size: this.#members.size,
      busy,
      waiting: this.#line.length,
      recycled: this.#recycled,
      died: this.#died,
    }
  }

  /** Starts the first member, which waits for jobs. @throws SandboxLoadError */
  async start(): Promise<void> {
    const member = await this.#startMember()
    this.release(member)
  }

  /** Asks for a member: an idle one, or a new one, or the next that is released. */
  acquire(): Turn {
    let take: (acquired: Acquired) => void = () => {}
    const acquired = new Promise<Acquired>((resolve) => (take = resolve))
    this.#line.push(take)
    this.#serve()
    const cancel = () => {
      const at = this.#line.indexOf(take)
      if (at < 0) return
      this.#line.splice(at, 1)
      take({ kind: 'cancelled' })
    }
    return { acquired, cancel }
  }

  /** Takes a member back. One that still runs a job whose end nobody waits for is killed. */
  release(member: Member): void {
    if (member.hasEnded) return
    if (member.isBusy) return member.kill('its job ended without it')
    const { idleMs, recycleAfter } = this.#options.sandbox
    if (this.#isStopped) member.stop()
    else if (member.runs >= recycleAfter) {
      this.#recycled++
      member.stop()
    } else {
      const timer = setTimeout(() => this.#takeIdle(member)?.stop(), idleMs)
      timer.unref()
      this.#idle.set(member, timer)
      this.#serve()
    }
  }

  /** Ends all waits, and every member; resolves when they are gone. Idempotent. */
  async stop(): Promise<void> {
    this.cancelAll()
    for (const member of this.#members) member.stop()
    await Promise.all([...this.#members].map((member) => member.gone))
  }

  /** Ends the waits of all jobs, and of those that come later. */
  cancelAll(): void {
    this.#isStopped = true
    clearTimeout(this.#pauseTimer)
    for (const take of this.#line.splice(0)) take({ kind: 'cancelled' })
  }

  #takeIdle(member: Member | undefined): Member | undefined {
    if (!member) return undefined
    clearTimeout(this.#idle.get(member))
    return this.#idle.delete(member) ? member : undefined
  }

  /** Gives idle members to the jobs that wait, and starts further ones for the others. */
  #serve(): void {
    while (this.#line.length > 0) {
      if (this.#isStopped) return this.cancelAll()
      const member = this.#takeIdle([...this.#idle.keys()].at(-1))
      if (!member) break
      this.#line.shift()!({ kind: 'member', member })
    }
    const { max } = this.#options.sandbox
    while (this.#starting < this.#line.length && this.#members.size < max) {
      const pauseMs = this.#pausedUntilMs - performance.now()
      if (pauseMs > 0) return this.#refuse(pauseMs)
      this.#startMember().then(
        (member) => this.release(member),
        (error: Error) => {
          if (!this.#isStopped)
            this.#options.log.error({ err: error }, `${error.message}; it starts again after a pause`)
          this.#serve()
        },
      )
    }
  }

  /** With a member that may come free, jobs wait for it, or for the end of the pause; without one they are refused. */
  #refuse(pauseMs: number): void {
    const error = this.#lastError
    if (this.#members.size > 0 || !error) {
      clearTimeout(this.#pauseTimer)
      this.#pauseTimer = setTimeout(() => this.#serve(), pauseMs)
      this.#pauseTimer.unref()
      return
    }
    for (const take of this.#line.splice(0)) take({ kind: 'failed', error, pauseMs: Math.ceil(pauseMs) })
  }

  /** @throws SandboxLoadError */
  async #startMember(): Promise<Member> {
    const { sandbox } = this.#options
    this.#starting++
    let member: Member | undefined
    try {
      // It throws where the system has no process or memory left for it.
      const started: Member = new Member({ ...this.#options, onEnd: (...how) => this.#ended(started, ...how) })
      member = started
      this.#members.add(started)
      await started.ready
      this.#failures = 0
      return started
    } catch (error) {
      await member?.gone
      const failure = loadError(this.functionName, sandbox, error as Error)
      this.#pausedUntilMs = performance.now() + startPauseMs(++this.#failures)
      this.#lastError = failure
      throw failure
    } finally {
      this.#starting--
    }
  }

  #ended(member: Member, end: HostEnd, isUnexpected: boolean): void {
    this.#members.delete(member)
    this.#takeIdle(member)
    const { log, sandbox } = this.#options
    if (isUnexpected && !this.#isStopped) {
      this.#died++
      log.warn(
        { function: this.functionName },
        `a sandbox of '${this.functionName}' ended: ${errorOfEnd(end, sandbox).message}`,
      )
    }
    this.#serve()
  }
}
