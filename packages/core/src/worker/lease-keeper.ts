import type { ServiceLog } from '../logging/sparing-log.ts'
import type { Broker, Renewal } from '../redis/broker.ts'
import { untilAborted } from '../time/interruptible-wait.ts'
import type { InFlightJob } from './in-flight-job.ts'
import type { RunningJob, Slots } from './slots.ts'

const MAX_BATCH = 500

/** Jobs in flight whose leases are kept. */
type Jobs = Pick<Slots, 'has' | 'size'> & Iterable<InFlightJob>

/**
 * Renews the leases of all jobs in flight, by one call each third of their length, and reports those that were lost.
 * It also watches the event loop: a handler that blocks it stops every renewal, and users must hear of that.
 *
 * stopped → started → stopped
 */
export class LeaseKeeper {
  readonly #broker: Broker
  readonly #slots: Jobs
  readonly #leaseMs: number
  readonly #lagWarnMs: number
  readonly #log: ServiceLog
  readonly #onLost: (job: RunningJob) => void
  #timer: NodeJS.Timeout | undefined
  #renewing: Promise<void> | undefined
  /** True while a renewal is under way before which leases may have lapsed. */
  #isTakingUp = false
  /** The last turn, on the monotonic clock and on Redis's. */
  #lastTurnMs = performance.now()
  #lastTurnAtMs = 0
  #stopped = new AbortController()

  constructor(options: {
    broker: Broker
    slots: Jobs
    leaseMs: number
    lagWarnMs: number
    log: ServiceLog
    /** Called for a job that runs although its lease is lost. */
    onLost: (job: RunningJob) => void
  }) {
    this.#broker = options.broker
    this.#slots = options.slots
    this.#leaseMs = options.leaseMs
    this.#lagWarnMs = options.lagWarnMs
    this.#log = options.log
    this.#onLost = options.onLost
  }

  start(): void {
    const interval = this.#leaseMs / 3
    const tick = (plannedMs: number) => {
      const lateMs = performance.now() - plannedMs
      if (lateMs > this.#lagWarnMs) this.#warnOfLag(lateMs)
      void this.renewNow()
      const next = performance.now() + interval
      this.#timer = setTimeout(() => tick(next), interval)
    }
    const first = performance.now() + interval
    this.#timer = setTimeout(() => tick(first), interval)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#stopped.abort()
  }

  /** Renews every lease; after an outage, without waiting for the next turn. */
  renewNow(): Promise<void> {
    if (this.#renewing) return this.#renewing
    this.#isTakingUp = this.#mayHaveLapsed()
    this.#renewing = this.#renewAll().finally(() => {
      this.#renewing = undefined
      this.#isTakingUp = false
    })
    return this.#renewing
  }

  /** Renews the lease of one job that may have lapsed; false where it is lost. */
  async confirm(job: InFlightJob): Promise<boolean> {
    const isTaken = await job.taking
    if (!isTaken && !job.isLost) await this.#renew([job])
    return !job.isLost
  }

  /**
   * Takes up lapsed leases. Await it before you look for work, and before you claim it: a worker that slept past its leases
   * (stopped, or blocked), or whose Redis has set its clock ahead, would else find its own running jobs due, and run them
   * twice. Resolves when `signal` fires as well: while Redis is away, a renewal has no end.
   */
  async afterSleep(signal: AbortSignal): Promise<void> {
    if (this.#isTakingUp || this.#mayHaveLapsed()) await untilAborted(this.renewNow(), signal)
  }

  /** True if leases may have lapsed and no renewal is in progress. */
  get isOverdue(): boolean {
    return this.#renewing === undefined && this.#mayHaveLapsed()
  }

  #mayHaveLapsed(): boolean {
    const pastMs = Math.max(performance.now() - this.#lastTurnMs, this.#broker.clock.now() - this.#lastTurnAtMs)
    return pastMs > (this.#leaseMs * 2) / 3
  }

  async #renewAll(): Promise<void> {
    this.#lastTurnMs = performance.now()
    this.#lastTurnAtMs = this.#broker.clock.now()
    try {
      const jobs = [...this.#slots].filter((job) => !job.isLost && !job.taking)
      for (let from = 0; from < jobs.length; from += MAX_BATCH) await this.#renew(jobs.slice(from, from + MAX_BATCH))
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, 'renewing leases failed')
    }
  }

  async #renew(jobs: readonly InFlightJob[]): Promise<void> {
    const sentMs = performance.now()
    const renewed: InFlightJob[] = []
    const renewals: Renewal[] = []
    for (const job of jobs) {
      const leaseMs = Math.min(this.#leaseMs, Math.ceil(job.leaseDeadlineMs - sentMs))
      if (leaseMs <= 0) continue
      const { jobId, queueName, token, jobTry } = job.claim
      renewals.push({ jobId, queueName, token, jobTry, leaseMs })
      renewed.push(job)
    }
    if (renewals.length === 0) return
    const held = await this.#broker.renew(renewals, this.#stopped.signal)
    // Read after the reply, which says what time it is: a clock may have been set.
    const now = this.#broker.clock.now()
    for (const [i, job] of renewed.entries()) {
      const { leaseMs } = renewals[i]!
      if (!held[i]) {
        this.lose(job)
        continue
      }
      job.leasedUntilMs = sentMs + leaseMs
      job.pass?.renew(now + leaseMs, leaseMs).catch((error: unknown) => {
        if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, 'renewing the places of a job failed')
      })
    }
  }

  /**
   * Ends the run of a job that another worker may have taken. The settlement reports the loss for a job that is being
   * settled, or was settled during the call.
   */
  lose(job: InFlightJob): void {
    if (!this.#slots.has(job) || job.isLost || job.phase === 'settling') return
    job.isLost = true
    if (job.phase === 'running') this.#onLost(job as RunningJob)
  }

  #warnOfLag(lateMs: number): void {
    const risk =
      lateMs > (this.#leaseMs * 2) / 3
        ? `leases of ${this.#leaseMs} ms may have lapsed, and other workers may have taken the jobs`
        : `leases (${this.#leaseMs} ms) cannot be renewed meanwhile`
    this.#log.warn(
      { lateMs: Math.round(lateMs), running: this.#slots.size },
      `event loop blocked for ${(lateMs / 1000).toFixed(2)}s: ${risk}; move long computation to a worker thread`,
    )
  }
}
