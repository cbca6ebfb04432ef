import { randomUUID } from 'node:crypto'
import type { Logger } from '../logger.ts'
import type { Broker, Claim } from '../redis/broker.ts'
import { Pace } from './pace.ts'
import { pollOrder } from './poll-order.ts'
import type { WeightedQueue } from './poll-order.ts'
import { Wake } from './wake.ts'

/** How long a job handed back as unknown is left to other workers. */
const PASS_OVER_MS = 5_000
const MAX_PASSED_OVER = 1_000
/** Jobs set aside ahead of free slots go back when no slot came free for so long. */
const AHEAD_MS = 100
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
  readonly #pace = new Pace()
  /** Jobs set aside that wait for a slot, by queue; younger than their reservation. */
  readonly #ahead = new Map<string, string[]>()
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
    await this.#run()
    // Reservations lapse by themselves within a second where Redis is away.
    if (this.#ahead.size > 0 && this.#o.broker.connection.isReady) await this.#giveBack().catch(() => {})
  }

  async #run(): Promise<void> {
    const { burst, log, pollDelayMs } = this.#o
    let full = false
    while (!this.#stopping.signal.aborted) {
      try {
        if (burst && !full && (await this.#burstIsOver())) return
        const free = this.#free()
        if (free <= 0) {
          await this.#waitForSlot(burst && this.#burstLeft() <= 0 ? pollDelayMs : Infinity)
          full &&= this.#burstLeft() > 0
          continue
        }
        await this.#o.beforePoll()
        const found = await this.#poll(free)
        full = found.full
        if (!full) await this.#wake.wait(Math.min(found.sleepMs, pollDelayMs))
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

  async #waitForSlot(ms: number): Promise<void> {
    this.#starved = true
    const isAhead = this.#ahead.size > 0
    await this.#wake.wait(isAhead ? Math.min(ms, AHEAD_MS) : ms)
    this.#starved = false
    if (isAhead && this.#free() <= 0) await this.#giveBack()
  }

  /** One round over the queues. `full`: there may be more that is due now. */
  async #poll(free: number): Promise<{ full: boolean; sleepMs: number }> {
    const { queueReadLimit, queues, order } = this.#o
    let full = false
    let left = free
    let sleepMs = Infinity
    for (const queueName of pollOrder(queues, order, Math.random)) {
      if (left <= 0) return { full: true, sleepMs }
      const found = await this.#find(queueName, Math.min(left, queueReadLimit))
      full ||= found.full
      sleepMs = Math.min(sleepMs, found.sleepMs)
      if (found.jobIds.length > 0 && !this.#stopping.signal.aborted) left -= await this.#claim(queueName, found.jobIds)
    }
    return { full, sleepMs: Math.max(1, sleepMs) }
  }

  /** Due jobs for `want` slots: what was set aside before, else what Redis has. */
  async #find(queueName: string, want: number): Promise<{ jobIds: string[]; full: boolean; sleepMs: number }> {
    const ahead = this.#ahead.get(queueName)
    if (ahead) {
      const jobIds = ahead.splice(0, want)
      if (ahead.length === 0) this.#ahead.delete(queueName)
      return { jobIds, full: true, sleepMs: Infinity }
    }
    const { broker, queueReadLimit, maxBurstJobs } = this.#o
    const extra = maxBurstJobs === Infinity ? this.#pace.perTurn(performance.now()) : 0
    const ask = Math.max(want, Math.min(want + extra, queueReadLimit))
    const { signal } = this.#stopping
    const { jobIds, nextDueMs, nowMs } = await broker.reserve(queueName, ask, this.#toPassOver(queueName), signal)
    const full = jobIds.length >= want
    if (jobIds.length > want) this.#ahead.set(queueName, jobIds.splice(want))
    return { jobIds, full, sleepMs: nextDueMs === null ? Infinity : nextDueMs - nowMs }
  }

  /** Lets other workers have what was set aside. */
  async #giveBack(): Promise<void> {
    const ahead = [...this.#ahead]
    this.#ahead.clear()
    for (const [queueName, jobIds] of ahead) await this.#o.broker.unreserve(queueName, jobIds)
  }

  async #claim(queueName: string, jobIds: string[]): Promise<number> {
    const { broker, leaseMs, allowAbortJobs, start, workerId } = this.#o
    const token = `${workerId}/${randomUUID()}`
    const { signal } = this.#stopping
    const claims = await broker.claim(queueName, jobIds, { token, leaseMs, honourAborts: allowAbortJobs, signal })
    this.#pace.add(claims.length, performance.now())
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
