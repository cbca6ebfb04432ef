import type { Logger } from '../logger.ts'
import type { Broker, Renewal } from '../redis/broker.ts'

const MAX_BATCH = 500

/** A claimed job whose lease is to be kept until it is settled. */
export interface Lease {
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
  readonly #leases = new Map<string, Lease>()
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

  hold(lease: Lease): void {
    this.#leases.set(lease.jobId, lease)
  }

  /** The token tells: the job may have been claimed anew meanwhile. */
  release(jobId: string, token: string): void {
    if (this.#leases.get(jobId)?.token === token) this.#leases.delete(jobId)
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
      const leases = [...this.#leases.values()]
      for (let from = 0; from < leases.length; from += MAX_BATCH)
        await this.#renew(leases.slice(from, from + MAX_BATCH))
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, 'renewing leases failed')
    }
  }

  async #renew(leases: Lease[]): Promise<void> {
    const now = this.#broker.clock.now()
    const renewals: Renewal[] = []
    for (const lease of leases) {
      const leaseMs = Math.min(this.#leaseMs, lease.deadlineMs - now)
      if (leaseMs > 0) renewals.push({ ...lease, leaseMs })
    }
    if (renewals.length === 0) return
    const held = await this.#broker.renew(renewals, this.#stopped.signal)
    renewals.forEach((renewal, i) => {
      const lease = this.#leases.get(renewal.jobId)
      // It may have been settled, or claimed anew, while the call was under way.
      if (held[i] || lease === undefined || lease.token !== renewal.token) return
      this.#leases.delete(renewal.jobId)
      this.#onLost(lease)
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
