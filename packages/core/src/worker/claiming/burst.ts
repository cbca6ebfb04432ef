import type { ServiceLog } from '../../logging/sparing-log.ts'
import { untilAborted } from '../../time/interruptible-wait.ts'

export interface BurstOptions {
  /** arq's `max_burst_jobs`: jobs to start at most; Infinity for no limit. */
  maxJobs: number
  log: ServiceLog
  /** Members of these queues: deferred and running jobs included. */
  countQueued: (queueNames: readonly string[]) => Promise<number>
  /** Names of the served queues that are paused. */
  pausedQueues: () => Promise<readonly string[]>
  queueNames: readonly string[]
  /** True while the worker itself is enqueuing jobs, as cron ticks are. */
  isEnqueuing: () => boolean
}

/**
 * The bounds of burst mode. As in arq, a burst is over when its limit is reached or no queue has a member, running and
 * deferred jobs included. Jobs of a paused queue do not start, so a burst does not wait for them.
 */
export class Burst {
  readonly #options: BurstOptions
  #left: number
  /** Queues that were paused at the end of the burst and still hold jobs. */
  pausedQueues: readonly string[] = []

  constructor(options: BurstOptions) {
    this.#options = options
    this.#left = options.maxJobs
  }

  /** Jobs that may still be started. */
  get left(): number {
    return this.#left
  }

  get isLimited(): boolean {
    return this.#options.maxJobs !== Infinity
  }

  /** Counts jobs that were started. */
  started(count: number): void {
    this.#left -= count
  }

  /**
   * Decides whether a burst is over. Ask while no job is in a slot. True once `signal` fires: the answer of a Redis that is
   * away has no end. Never rejects: one queue that cannot be counted must not keep the others from being polled.
   */
  async isOver(signal: AbortSignal): Promise<boolean> {
    try {
      return (await untilAborted(this.#isOver(), signal)) ?? true
    } catch (error) {
      if (!signal.aborted) this.#options.log.error({ err: error }, 'counting queued jobs failed')
      return false
    }
  }

  async #isOver(): Promise<boolean> {
    const { countQueued, isEnqueuing, log, pausedQueues, queueNames } = this.#options
    if (this.#left <= 0) return true
    if (isEnqueuing()) return false
    const queued = await countQueued(queueNames)
    // A tick may have begun to be enqueued meanwhile.
    if (isEnqueuing()) return false
    if (queued === 0) return true
    const paused = await pausedQueues()
    if (paused.length === 0 || (await countQueued(queueNames.filter((name) => !paused.includes(name)))) > 0)
      return false
    const held = await countQueued(paused)
    if (held === 0) return false
    this.pausedQueues = paused
    log.warn(
      `the burst ends with ${held} ${held === 1 ? 'job' : 'jobs'} left: ${paused.map((name) => `'${name}'`).join(', ')} ` +
        `${paused.length === 1 ? 'is' : 'are'} paused; resume with \`arq-ts queue resume\``,
    )
    return true
  }
}
