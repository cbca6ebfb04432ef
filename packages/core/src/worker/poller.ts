import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Logger } from '../logging/logger.ts'
import type { Broker, Claim } from '../redis/broker.ts'
import { Pace } from './pace.ts'
import { FEW, MAX_PASSED_OVER, PassedOver } from './passed-over.ts'
import { pollOrder } from './poll-order.ts'
import type { WeightedQueue } from './poll-order.ts'
import { Wake } from './wake.ts'

/** Claims under way at once: Redis makes one while what the other brought is run. */
const LANES = 2
/** Jobs set aside ahead of free slots go back when none was started for so long. */
const AHEAD_MS = 100
/** After an unexpected fault of a poll, so that it cannot spin. */
const FAULT_PAUSE_MS = 500
/** A poll that passes many ids over is work for Redis: after one that found nothing more, 1 ms for each so many. */
const PASSED_OVER_PER_MS = 100
/** Where there are too many to pass over: the first come back meanwhile. */
const LOOK_NO_FURTHER_MS = 5_000

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

/** What the poller knows of one of its queues. */
interface PolledQueue {
  readonly name: string
  /** Not to be asked before, on the monotonic clock. */
  restUntilMs: number
  /** Jobs set aside that wait for a slot. */
  ahead: string[]
  /** More of them under way. */
  refill: Promise<void> | undefined
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
  readonly #passedOver = new PassedOver()
  readonly #pace = new Pace()
  readonly #queues: ReadonlyMap<string, PolledQueue>
  #stopping = new AbortController()
  /** Asleep, because no queue had a job that is due. */
  #idle = false
  /** Claims under way, and the slots they may fill. */
  readonly #lanes = new Set<Promise<void>>()
  #claiming = 0
  #isStarting = false
  #isWaking = false
  #busy = 0
  #started = 0
  /** When jobs were last started, on the monotonic clock. */
  #startedMs = 0
  #starved = false

  constructor(options: PollerOptions) {
    this.#o = options
    this.#queues = new Map(
      options.queues.map(({ name }) => [name, { name, restUntilMs: 0, ahead: [], refill: undefined }]),
    )
  }

  /** Slots in use. */
  get busy(): number {
    return this.#busy
  }

  /**
   * There may be new work: poll now. An idle worker that is told of one job claims it at once, and sleeps on: it need not
   * be found, and nothing else is new.
   */
  notify(queueName?: string, jobId?: string): void {
    const queue = queueName === undefined ? undefined : this.#queues.get(queueName)
    if (queue && jobId !== undefined && this.#idle && this.#canClaim() && restOf(queue) <= 0) {
      void this.#claim(queue, [jobId]).then((started) => {
        if (started === 0) this.#rouse()
      })
    } else this.#rouse()
  }

  #rouse(): void {
    this.#idle = false
    this.#wake.notify()
  }

  stop(): void {
    this.#stopping.abort()
    this.#wake.notify()
  }

  /** Leaves a job to other workers for a while. */
  passOver(queueName: string, jobId: string): void {
    this.#passedOver.add(queueName, jobId, performance.now())
  }

  /** Polls until `stop`, or in burst mode until nothing is left to do. Never rejects. */
  async run(): Promise<void> {
    await this.#run()
    await Promise.all([...this.#lanes, ...[...this.#queues.values()].map((queue) => queue.refill)])
    // Reservations lapse by themselves within a second where Redis is away.
    if (this.#o.broker.connection.isReady) await this.#giveBack().catch(() => {})
  }

  async #run(): Promise<void> {
    const { burst, log, pollDelayMs } = this.#o
    let full = false
    while (!this.#stopping.signal.aborted) {
      try {
        if (burst && !full && (await this.#burstIsOver())) return
        const free = this.#free()
        if (free <= 0 || this.#lanes.size === LANES) {
          await this.#waitForSlot(burst && this.#burstLeft() <= 0 ? pollDelayMs : Infinity)
          full &&= this.#burstLeft() > 0
          continue
        }
        await this.#o.beforePoll()
        const found = await this.#poll(this.#free())
        full = found.full
        if (!full) await this.#sleep(Math.min(found.sleepMs, pollDelayMs))
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        log.error({ err: error }, 'polling failed, trying again')
        await this.#wake.wait(FAULT_PAUSE_MS)
      }
    }
  }

  async #sleep(ms: number): Promise<void> {
    this.#idle = !this.#o.burst
    await this.#wake.wait(ms)
    this.#idle = false
  }

  #burstLeft(): number {
    return this.#o.maxBurstJobs - this.#started - this.#claiming
  }

  #canClaim(): boolean {
    return !this.#stopping.signal.aborted && this.#lanes.size < LANES && this.#free() > 0
  }

  #free(): number {
    return Math.min(this.#o.maxJobs - this.#busy - this.#claiming, this.#burstLeft())
  }

  /** arq: the burst ends when its limit is reached or no queue has a member, running and deferred ones included. */
  async #burstIsOver(): Promise<boolean> {
    if (this.#busy > 0 || this.#claiming > 0) return false
    if (this.#burstLeft() <= 0) return true
    try {
      return (await this.#o.countQueued()) === 0
    } catch (error) {
      // One queue that cannot be counted must not keep the others from being polled.
      if (!this.#stopping.signal.aborted) this.#o.log.error({ err: error }, 'counting what is queued failed')
      return false
    }
  }

  async #waitForSlot(ms: number): Promise<void> {
    this.#starved = true
    const isAhead = [...this.#queues.values()].some((queue) => queue.ahead.length > 0)
    const lapsesMs = this.#startedMs + AHEAD_MS
    await this.#wake.wait(isAhead ? Math.min(ms, Math.max(1, lapsesMs - performance.now())) : ms)
    this.#starved = false
    if (isAhead && this.#free() <= 0 && performance.now() >= lapsesMs) await this.#giveBack()
  }

  /** One round over the queues. `full`: there may be more that is due now. */
  async #poll(free: number): Promise<{ full: boolean; sleepMs: number }> {
    const { log, maxJobs, queueReadLimit, queues, order } = this.#o
    const share = Math.ceil(maxJobs / LANES)
    let full = false
    let left = free
    let sleepMs = Infinity
    for (const name of pollOrder(queues, order, Math.random)) {
      const queue = this.#queues.get(name)!
      if (left <= 0 || this.#lanes.size === LANES) return { full: true, sleepMs }
      const restMs = restOf(queue)
      if (restMs > 0) {
        sleepMs = Math.min(sleepMs, restMs)
        continue
      }
      try {
        const found = await this.#find(queue, Math.min(left, queueReadLimit, share))
        full ||= found.full
        sleepMs = Math.min(sleepMs, found.sleepMs)
        if (found.jobIds.length > 0 && !this.#stopping.signal.aborted) {
          left -= found.jobIds.length
          void this.#claim(queue, found.jobIds)
          // It may have more: the next round asks it again before those behind it.
          if (found.full) return { full, sleepMs }
        }
      } catch (error) {
        if (this.#stopping.signal.aborted) throw error
        log.error({ err: error }, `polling ${name} failed, trying again`)
        sleepMs = Math.min(sleepMs, rest(queue, FAULT_PAUSE_MS))
      }
    }
    return { full, sleepMs: Math.max(1, sleepMs) }
  }

  /** Due jobs for `want` slots: what was set aside before, else what Redis has. */
  async #find(queue: PolledQueue, want: number): Promise<{ jobIds: string[]; full: boolean; sleepMs: number }> {
    if (queue.ahead.length === 0) await queue.refill
    if (queue.ahead.length > 0) {
      const jobIds = queue.ahead.splice(0, want)
      if (queue.ahead.length < this.#o.maxJobs) this.#refill(queue)
      return { jobIds, full: true, sleepMs: Infinity }
    }
    const { broker, log, queueReadLimit } = this.#o
    const now = performance.now()
    const passedOver = this.#passedOver.of(queue.name, now)
    if (passedOver.size >= MAX_PASSED_OVER) {
      const jobs = `${passedOver.size} jobs of ${queue.name}`
      log.warn(`${jobs} are of functions that this worker does not have: it looks no further until some are done`)
      return { jobIds: [], full: false, sleepMs: rest(queue, LOOK_NO_FURTHER_MS) }
    }
    // In proportion to what each poll passes over, so that looking past many is not the work of their square.
    const share = Math.floor(passedOver.size / 8)
    const ask = Math.max(want, share, Math.min(want + this.#extra(now), queueReadLimit))
    const { signal } = this.#stopping
    const { jobIds, nextDueMs, nowMs } = await broker.reserve(queue.name, ask, passedOver.keys(), signal)
    const full = jobIds.length >= want
    queue.ahead.push(...jobIds.splice(want))
    if (!full && passedOver.size > FEW) rest(queue, passedOver.size / PASSED_OVER_PER_MS)
    return { jobIds, full, sleepMs: nextDueMs === null ? Infinity : nextDueMs - nowMs }
  }

  /** How many jobs beyond its free slots the worker comes to within moments. */
  #extra(now: number): number {
    return this.#o.maxBurstJobs === Infinity ? this.#pace.perTurn(now) : 0
  }

  /** Sets more jobs aside while there are some left, so that no slot waits for it. */
  #refill(queue: PolledQueue): void {
    const { broker, queueReadLimit } = this.#o
    const now = performance.now()
    const ask = Math.min(this.#extra(now), queueReadLimit)
    if (ask === 0 || queue.refill) return
    const passedOver = this.#passedOver.of(queue.name, now)
    queue.refill = broker
      .reserve(queue.name, ask, passedOver.keys(), this.#stopping.signal)
      .then(({ jobIds }) => {
        queue.ahead.push(...jobIds)
        if (this.#starved) this.#wake.notify() // it waits knowing that nothing is set aside
      })
      .catch(() => {}) // who then finds nothing left asks again, and tells of it
      .finally(() => (queue.refill = undefined))
  }

  /** Lets other workers have what was set aside. */
  async #giveBack(): Promise<void> {
    for (const queue of this.#queues.values()) {
      const jobIds = queue.ahead.splice(0)
      if (jobIds.length > 0) await this.#o.broker.unreserve(queue.name, jobIds)
    }
  }

  /** Claims jobs and starts those that were got, while the loop goes on. Resolves with how many, and never rejects. */
  #claim(queue: PolledQueue, jobIds: string[]): Promise<number> {
    this.#claiming += jobIds.length
    const started = this.#startClaimed(queue, jobIds)
    const lane = started.then(() => {
      this.#lanes.delete(lane)
      this.#slotsAreFree()
    })
    this.#lanes.add(lane)
    return started
  }

  async #startClaimed(queue: PolledQueue, jobIds: string[]): Promise<number> {
    const { broker, leaseMs, log, allowAbortJobs, start, workerId } = this.#o
    const token = `${workerId}/${randomUUID()}`
    const { signal } = this.#stopping
    let claims: Claim[] = []
    try {
      claims = await broker.claim(queue.name, jobIds, { token, leaseMs, honourAborts: allowAbortJobs, signal })
      // Replies may come together; if their jobs were started together, so would their slots be free, and the lanes be one.
      while (this.#isStarting) await turn()
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, `claiming jobs of ${queue.name} failed, trying again`)
      rest(queue, FAULT_PAUSE_MS)
    }
    this.#isStarting = true
    setImmediate(() => {
      this.#isStarting = false
    })
    this.#claiming -= jobIds.length
    this.#startedMs = performance.now()
    this.#pace.add(claims.length, this.#startedMs)
    for (const claim of claims) {
      this.#busy++
      this.#started++
      start(claim, this.#onIdle)
    }
    return claims.length
  }

  readonly #onIdle = (): void => {
    this.#busy--
    this.#slotsAreFree()
  }

  /** Slots mostly come free together: those of jobs that end in one go are filled by one claim. */
  #slotsAreFree(): void {
    if (this.#isWaking || (!this.#starved && !this.#o.burst)) return
    this.#isWaking = true
    process.nextTick(() => {
      this.#isWaking = false
      this.#wake.notify()
    })
  }
}

function rest(queue: PolledQueue, ms: number): number {
  queue.restUntilMs = performance.now() + ms
  return ms
}

/** How long a queue is still to be left alone. */
function restOf(queue: PolledQueue): number {
  return queue.restUntilMs - performance.now()
}
