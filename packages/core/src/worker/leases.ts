import { ANSWER_LIMIT_MS } from '../partitions/bounded-calls.ts'
import { within } from '../time/interruptible-wait.ts'
import type { InFlightJob } from './in-flight-job.ts'
import type { LeaseKeeper } from './lease-keeper.ts'

/**
 * The leases of a worker: a keeper for each partition, so that a node which is away holds up only its own renewals.
 *
 * stopped → started → stopped
 */
export class Leases {
  readonly #keepers: readonly LeaseKeeper[]
  readonly #keeperOf: (job: InFlightJob) => LeaseKeeper

  constructor(keepers: readonly LeaseKeeper[], keeperOf: (job: InFlightJob) => LeaseKeeper) {
    this.#keepers = keepers
    this.#keeperOf = keeperOf
  }

  start(): void {
    for (const keeper of this.#keepers) keeper.start()
  }

  stop(): void {
    for (const keeper of this.#keepers) keeper.stop()
  }

  /** Renews every lease; after an outage, without waiting for the next turn. */
  async renewNow(): Promise<void> {
    await Promise.all(this.#keepers.map((keeper) => keeper.renewNow()))
  }

  /** Renews the lease of one job that may have lapsed; false where it is lost. */
  confirm(job: InFlightJob): Promise<boolean> {
    return this.#keeperOf(job).confirm(job)
  }

  /** Ends the run of a job that another worker may have taken. */
  lose(job: InFlightJob): void {
    this.#keeperOf(job).lose(job)
  }

  /**
   * Resolves when the worker may look for work, or when `signal` fires; see `LeaseKeeper`. With several partitions, the wait
   * for one is bounded.
   */
  async afterSleep(signal: AbortSignal): Promise<void> {
    const [only, ...others] = this.#keepers
    if (others.length === 0) return only!.afterSleep(signal)
    const overdue = this.#keepers.filter((keeper) => keeper.isOverdue)
    if (overdue.length > 0)
      await within(Promise.all(overdue.map((keeper) => keeper.afterSleep(signal))), ANSWER_LIMIT_MS)
  }
}
