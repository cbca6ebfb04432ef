import type { Logger } from '../logging/logger.ts'
import type { Broker, Claim, Renewal } from '../redis/broker.ts'
import { Roster } from './roster.ts'
import type { Placed } from './roster.ts'

const MAX_BATCH = 500

/** A claimed job whose lease is to be kept until it is settled. */
export interface Lease extends Placed {
  jobId: string
  queueName: string
  token: string
  jobTry: number
  /** Redis time in unix ms past which the lease is not extended: the job's own timeout, plus the grace to end. */
  deadlineMs: number
}

/**
 * Keeps the leases of all unsettled jobs, by one call each third of their length, and tells of those that were lost.
 * It also watches the event loop: a handler that blocks it stops every renewal, and users must hear of that.
 *
 * stopped → started → stopped
 */
export class LeaseKeeper {
  readonly #leases = new Roster<Lease>()
  readonly #broker: Broker
  readonly #leaseMs: number
  readonly #lagWarnMs: number
  readonly #log: Logger
  readonly #onLost: (lease: Lease) => void
  #timer: NodeJS.Timeout | undefined
  #renewing: Promise<void> | undefined
  #lastTurnMs = performance.now()
  #stopped = new AbortController()

  constructor(options: {
    broker: Broker
    leaseMs: number
    lagWarnMs: number
    log: Logger
    onLost: (lease: Lease) => void
  }) {
    this.#broker = options.broker
    this.#leaseMs = options.leaseMs
    this.#lagWarnMs = options.lagWarnMs
    this.#log = options.log
    this.#onLost = options.onLost
  }

  /** Keeps a job's lease until it is released; without a deadline unless it is given one. */
  hold({ jobId, queueName, token, jobTry }: Claim): Lease {
    const lease = { jobId, queueName, token, jobTry, deadlineMs: Infinity, place: -1 }
    this.#leases.add(lease)
    return lease
  }

  release(lease: Lease): void {
    this.#leases.delete(lease)
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
    this.#renewing ??= this.#renewAll().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  /**
   * To be awaited before work is looked for: a worker that slept past its leases (stopped, or blocked) must take them
   * up again first, or it would find its own running jobs due, and run them twice.
   */
  async afterSleep(): Promise<void> {
    if (performance.now() - this.#lastTurnMs > (this.#leaseMs * 2) / 3) await this.renewNow()
  }

  async #renewAll(): Promise<void> {
    this.#lastTurnMs = performance.now()
    try {
      const leases = [...this.#leases]
      for (let from = 0; from < leases.length; from += MAX_BATCH)
        await this.#renew(leases.slice(from, from + MAX_BATCH))
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, 'renewing leases failed')
    }
  }

  async #renew(leases: Lease[]): Promise<void> {
    const now = this.#broker.clock.now()
    const renewals: (Renewal & { lease: Lease })[] = []
    for (const lease of leases) {
      const leaseMs = Math.min(this.#leaseMs, lease.deadlineMs - now)
      if (leaseMs > 0) renewals.push({ ...lease, leaseMs, lease })
    }
    if (renewals.length === 0) return
    const held = await this.#broker.renew(renewals, this.#stopped.signal)
    renewals.forEach(({ lease }, i) => {
      // It may have been settled while the call was under way.
      if (!held[i] && this.#leases.delete(lease)) this.#onLost(lease)
    })
  }

  #warnOfLag(lateMs: number): void {
    const risk =
      lateMs > (this.#leaseMs * 2) / 3
        ? `leases of ${this.#leaseMs} ms may have lapsed, and other workers may have taken the jobs`
        : `leases (${this.#leaseMs} ms) cannot be renewed meanwhile`
    this.#log.warn(
      { lateMs: Math.round(lateMs), running: this.#leases.size },
      `event loop blocked for ${(lateMs / 1000).toFixed(2)}s: ${risk}; move long computation to a worker thread`,
    )
  }
}
