import { randomUUID } from 'node:crypto'
import type { Logger } from '../logger.ts'
import type { Broker, Claim } from '../redis/broker.ts'
import { pollOrder } from './poll-order.ts'
import type { WeightedQueue } from './poll-order.ts'
import { Wake } from './wake.ts'

/** How long a job handed back as unknown is left to other workers. */
const PASS_OVER_MS = 5_000
const MAX_PASSED_OVER = 1_000
/** After an unexpected fault of a poll, so that it cannot spin. */
const FAULT_PAUSE_MS = 500

export interface PollerOptions {
  broker: Broker
  log: Logger
  workerId: string
  queues: readonly WeightedQueue[]
  order: 'strict' | 'weighted'
  maxJobs: number
  queueReadLimit: number
  pollDelayMs: number
  leaseMs: number
  allowAbortJobs: boolean
  /** arq's `max_burst_jobs`; Infinity where there is no limit. */
  maxBurstJobs: number
  burst: boolean
  /** Awaited before each poll. */
  beforePoll: () => Promise<void>
  /** Starts a job; `onIdle` is to be called when its slot is free. */
  start: (claim: Claim, onIdle: () => void) => void
  /** How many members all queues have. */
  countQueued: () => Promise<number>
}

/**
 * Finds due jobs and claims as many as there are free slots.
 *
 * idle → polling ⇄ sleeping (until a wake-up, the next due time, or pollDelay) or starved (until a slot is free)
 * → stopped, or in burst mode done when the queues are empty
 */
export class Poller {
  readonly #o: PollerOptions
  readonly #wake = new Wake()
  readonly #passedOver = new Map<string, Map<string, number>>()
  #stopping = new AbortController()
  #busy = 0
  #started = 0
  #starved = false

  constructor(options: PollerOptions) {
    this.#o = options
  }

  /** Slots in use. */
  get busy(): number {
    return this.#busy
  }

  /** There may be new work: poll now. */
  notify(): void {
    this.#wake.notify()
  }

  stop(): void {
    this.#stopping.abort()
    this.#wake.notify()
  }

  /** Leaves a job to other workers for a while. */
  passOver(queueName: string, jobId: string): void {
    let ids = this.#passedOver.get(queueName)
    if (!ids) this.#passedOver.set(queueName, (ids = new Map()))
    if (ids.size >= MAX_PASSED_OVER) ids.delete(ids.keys().next().value as string)
    ids.set(jobId, performance.now() + PASS_OVER_MS)
  }

  /** Polls until `stop`, or in burst mode until nothing is left to do. Never rejects. */
  async run(): Promise<void> {
    const { burst, log, pollDelayMs } = this.#o
    while (!this.#stopping.signal.aborted) {
      try {
        if (burst && (await this.#burstIsOver())) return
        const free = this.#free()
        if (free <= 0) {
          this.#starved = true
          await this.#wake.wait(burst && this.#burstLeft() <= 0 ? pollDelayMs : Infinity)
          this.#starved = false
          continue
        }
        await this.#o.beforePoll()
        const { full, sleepMs } = await this.#poll(free)
        if (!full) await this.#wake.wait(Math.min(sleepMs, pollDelayMs))
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        log.error({ err: error }, 'polling failed, trying again')
        await this.#wake.wait(FAULT_PAUSE_MS)
      }
    }
  }

  #burstLeft(): number {
    return this.#o.maxBurstJobs - this.#started
  }

  #free(): number {
    return Math.min(this.#o.maxJobs - this.#busy, this.#burstLeft())
  }

  /** arq: the burst ends when its limit is reached or no queue has a member, running and deferred ones included. */
  async #burstIsOver(): Promise<boolean> {
    if (this.#burstLeft() <= 0) return this.#busy === 0
    return this.#busy === 0 && (await this.#o.countQueued()) === 0
  }

  /** One round over the queues. `full`: there may be more that is due now. */
  async #poll(free: number): Promise<{ full: boolean; sleepMs: number }> {
    const { broker, queueReadLimit, queues, order } = this.#o
    let full = false
    let left = free
    let sleepMs = Infinity
    for (const queueName of pollOrder(queues, order, Math.random)) {
      if (left <= 0) return { full: true, sleepMs }
      const want = Math.min(left, queueReadLimit)
      const found = await broker.reserve(queueName, want, this.#toPassOver(queueName), this.#stopping.signal)
      if (found.jobIds.length === want) full = true
      if (found.nextDueMs !== null) sleepMs = Math.min(sleepMs, found.nextDueMs - found.nowMs)
      if (found.jobIds.length > 0 && !this.#stopping.signal.aborted) left -= await this.#claim(queueName, found.jobIds)
    }
    return { full, sleepMs: Math.max(1, sleepMs) }
  }

  async #claim(queueName: string, jobIds: string[]): Promise<number> {
    const { broker, leaseMs, allowAbortJobs, start, workerId } = this.#o
    const token = `${workerId}/${randomUUID()}`
    const { signal } = this.#stopping
    const claims = await broker.claim(queueName, jobIds, { token, leaseMs, honourAborts: allowAbortJobs, signal })
    for (const claim of claims) {
      this.#busy++
      this.#started++
      start(claim, () => {
        this.#busy--
        if (this.#starved || this.#o.burst) this.#wake.notify()
      })
    }
    return claims.length
  }

  *#toPassOver(queueName: string): Generator<string> {
    const ids = this.#passedOver.get(queueName)
    if (!ids) return
    const now = performance.now()
    for (const [id, until] of ids) {
      if (until > now) yield id
      else ids.delete(id)
    }
  }
}
