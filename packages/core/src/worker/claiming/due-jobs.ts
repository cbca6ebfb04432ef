import type { Broker } from '../../redis/broker.ts'
import type { PolledQueue } from './polled-queue.ts'
import { SkipList } from './skip-list.ts'
import { StartRate } from './start-rate.ts'

/** Due jobs of one queue that are set aside for this worker. */
export interface Found {
  jobIds: string[]
  /** There may be more that is due now. */
  isFull: boolean
  /** Time until the first job that is not due yet, in ms. */
  sleepMs: number
}

export interface DueJobsOptions {
  broker: Pick<Broker, 'reserve' | 'unreserve'>
  /** Slots of the worker. */
  capacity: number
  queueReadLimit: number
  /** False for a worker that is to start a limited number of jobs. */
  isPrefetching: boolean
  /** Fires when the worker stops. */
  signal: AbortSignal
  /** Called when jobs were prefetched in the background. */
  onRefilled: () => void
}

/**
 * Finds due jobs, and prefetches as many beyond the free slots as the worker starts within moments, so that no slot waits
 * for them. It passes over the jobs that the worker has handed back.
 */
export class DueJobs {
  readonly #options: DueJobsOptions
  readonly #skipList = new SkipList()
  readonly #startRate = new StartRate()

  constructor(options: DueJobsOptions) {
    this.#options = options
  }

  /** Counts jobs that were started; `nowMs` is monotonic. */
  started(count: number, nowMs: number): void {
    this.#startRate.add(count, nowMs)
  }

  /** Passes a job over for a while; see `SkipList`. */
  skip(queueName: string, jobId: string, nowMs: number, forMs?: number): void {
    this.#skipList.add(queueName, jobId, nowMs, forMs)
  }

  /** Passes a job over no longer. */
  unskip(queueName: string, jobId: string): void {
    this.#skipList.remove(queueName, jobId)
  }

  /** Due jobs for `want` slots: those that are prefetched, else those that Redis has. */
  async find(queue: PolledQueue, want: number): Promise<Found> {
    const { broker, capacity, queueReadLimit, signal } = this.#options
    if (queue.prefetched === 0) await queue.refilled()
    if (queue.prefetched > 0) {
      const jobIds = queue.take(want)
      if (queue.prefetched < capacity) this.#refill(queue)
      return { jobIds, isFull: true, sleepMs: Infinity }
    }
    const now = performance.now()
    const skipped = this.#skipList.of(queue.name, now)
    const ask = Math.max(want, Math.min(want + this.#extra(now), queueReadLimit))
    const { jobIds, nextDueMs, nowMs } = await broker.reserve(queue.name, ask, skipped, signal)
    const isFull = jobIds.length >= want
    queue.store(jobIds.splice(want))
    return { jobIds, isFull, sleepMs: nextDueMs === null ? Infinity : nextDueMs - nowMs }
  }

  /** Gives prefetched jobs to other workers. */
  async giveBack(queues: readonly PolledQueue[]): Promise<void> {
    for (const queue of queues) {
      const jobIds = queue.take()
      if (jobIds.length > 0) await this.#options.broker.unreserve(queue.name, jobIds)
    }
  }

  /** Jobs beyond its free slots that the worker starts within moments. */
  #extra(now: number): number {
    return this.#options.isPrefetching ? this.#startRate.perTurn(now) : 0
  }

  /** Prefetches more jobs while there are some left. */
  #refill(queue: PolledQueue): void {
    const { broker, onRefilled, queueReadLimit, signal } = this.#options
    const now = performance.now()
    const ask = Math.min(this.#extra(now), queueReadLimit)
    if (ask === 0 || queue.isRefilling) return
    const reserved = broker.reserve(queue.name, ask, this.#skipList.of(queue.name, now), signal)
    queue.refill(
      reserved.then(({ jobIds }) => jobIds),
      onRefilled,
    )
  }
}
