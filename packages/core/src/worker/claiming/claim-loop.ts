import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { ServiceLog } from '../../logging/sparing-log.ts'
import type { QueueOptions } from '../../options/worker.ts'
import type { Broker, Claim } from '../../redis/broker.ts'
import type { InFlightJob } from '../in-flight-job.ts'
import type { StartResult } from '../running/executor.ts'
import type { Slots } from '../slots.ts'
import type { Burst } from './burst.ts'
import { DueJobs } from './due-jobs.ts'
import { PolledQueue } from './polled-queue.ts'
import { isSuspect, Quarantine } from './quarantine.ts'
import type { Fate } from './quarantine.ts'
import type { QueueOrder } from './queue-order.ts'
import { Wake } from './wake.ts'

/** Claims under way at once: Redis makes one while the jobs of the other are started. */
const MAX_CLAIMS = 2
/** Prefetched jobs go back to the queue when no job was started for this long. */
const PREFETCH_MS = 100
/** Time for which a worker looks for jobs that come together, after others have claimed such jobs by their ids sooner. */
const OUTRUN_MS = 1_000
/** Pause after an unexpected fault of a poll, so that the loop cannot spin. */
const FAULT_PAUSE_MS = 500

/**
 * Finds due jobs and claims as many as there are free slots.
 *
 * created → polling: asks the queues in turn for due jobs, and claims them
 * polling → sleeping: no queue has more that is due; until a wake-up, the next due time or `pollDelayMs`
 * sleeping → waking → polling: a wake-up came; one that names jobs which an idle worker can claim at once wakes nobody
 * polling → starved → polling: no slot is free, `MAX_CLAIMS` claims are under way, or the quarantine is closed
 * polling → pausing → polling: a poll failed
 * polling → quiet → polling: by order, nothing more is claimed until it is taken back
 * any → stopped: `stop` was called, or the burst is over
 */
type Mode = 'created' | 'polling' | 'sleeping' | 'waking' | 'starved' | 'pausing' | 'quiet' | 'stopped'

const TRANSITIONS: Readonly<Record<Mode, readonly Mode[]>> = {
  created: ['polling', 'stopped'],
  polling: ['sleeping', 'starved', 'pausing', 'quiet', 'stopped'],
  sleeping: ['waking', 'polling'],
  waking: ['polling'],
  starved: ['polling', 'pausing'],
  pausing: ['polling'],
  quiet: ['polling', 'pausing'],
  stopped: [],
}

export interface ClaimLoopOptions {
  broker: Broker
  log: ServiceLog
  slots: Slots
  workerId: string
  queues: readonly Required<QueueOptions>[]
  order: QueueOrder
  queueReadLimit: number
  pollDelayMs: number
  leaseMs: number
  allowAbortJobs: boolean
  /** The bounds of burst mode; undefined for a worker that runs until it is stopped. */
  burst: Burst | undefined
  /** Awaited before each poll, and before what it has found is claimed; it ends when `signal` fires. */
  beforePoll: (signal: AbortSignal) => Promise<void>
  /** Starts a claimed job, and reports at once what happened to it. */
  start: (job: InFlightJob) => StartResult
  /** Gives a claimed job back that has not started. */
  release: (job: InFlightJob) => void
  /** Called while the loop sleeps: when it falls asleep, and when a slot comes free. */
  onIdle: () => void
}

/** The loop that fills the slots of a worker; see `Mode`. */
export class ClaimLoop {
  readonly #options: ClaimLoopOptions
  readonly #slots: Slots
  /** Jobs of one claim, at most: two of them fill all slots. */
  readonly #mostPerClaim: number
  readonly #burst: Burst | undefined
  readonly #queues: readonly PolledQueue[]
  readonly #wake = new Wake()
  readonly #due: DueJobs
  readonly #quarantine = new Quarantine()
  readonly #stopping = new AbortController()
  #mode: Mode = 'created'
  /** Claims under way, and the slots they may fill. */
  readonly #claims = new Set<Promise<void>>()
  #claiming = 0
  #isStarting = false
  #isWaking = false
  #isQuiet = false
  /** Until then, others are expected to claim jobs by their ids sooner, on the monotonic clock. */
  #outrunUntilMs = -Infinity
  /** The moment jobs were last started, on the monotonic clock. */
  #startedMs = 0

  constructor(options: ClaimLoopOptions) {
    this.#options = options
    this.#slots = options.slots
    this.#mostPerClaim = Math.ceil(options.slots.capacity / MAX_CLAIMS)
    this.#burst = options.burst
    this.#queues = options.queues.map((queue) => new PolledQueue(queue))
    this.#due = new DueJobs({
      broker: options.broker,
      capacity: options.slots.capacity,
      queueReadLimit: options.queueReadLimit,
      isPrefetching: !options.burst?.isLimited,
      signal: this.#stopping.signal,
      onRefilled: () => {
        if (this.#mode === 'starved') this.#wake.notify() // it waits in the belief that nothing is prefetched
      },
    })
    this.#slots.onFree = () => this.#slotsAreFree()
    this.#slots.onSettled = () => {
      if (this.#slots.size === 0) this.#takeSuspectsBack()
      // A job leaves its queue when it is settled: a burst may be over then.
      if (this.#quarantine.isWaiting || this.#burst) this.#slotsAreFree()
    }
  }

  /**
   * Reports that there may be new work. An idle worker that hears of a few jobs claims them at once and sleeps on: they
   * need not be found, and nothing else is new.
   */
  notify(queueName?: string, jobIds: readonly string[] = []): void {
    const queue = this.#queues.find(({ name }) => name === queueName)
    const isIdle = this.#mode === 'sleeping' && !this.#burst && this.#canClaim()
    const isOutrun = jobIds.length > 1 && performance.now() < this.#outrunUntilMs
    const most = Math.min(this.#free(), this.#mostPerClaim, this.#options.queueReadLimit)
    const named = isIdle && !isOutrun ? jobIds.slice(0, most) : []
    if (queue && named.length > 0 && queue.restMs <= 0) {
      void this.#claim(queue, named).then((started) => {
        if (started === 0) this.#outrunUntilMs = performance.now() + OUTRUN_MS
        if (started < named.length) this.#rouse()
      })
      if (named.length === jobIds.length) return
    }
    this.#rouse()
  }

  /** Claims nothing more until it is called with false; jobs that were claimed before start and end as ever. */
  setQuiet(isQuiet: boolean): void {
    this.#isQuiet = isQuiet
    this.#wake.notify()
  }

  /** True while no queue has more due jobs. */
  get isIdle(): boolean {
    return this.#mode === 'sleeping'
  }

  /** Number of jobs that may start now in addition to those the loop claims. */
  get room(): number {
    return !this.#stopping.signal.aborted && !this.#isQuiet && this.#quarantine.isOpen() ? Math.max(0, this.#free()) : 0
  }

  /** True while a claim is under way. */
  get isClaiming(): boolean {
    return this.#claims.size > 0
  }

  /** Resolves once no claim is under way; a quiet loop begins no other. */
  async claimed(): Promise<void> {
    while (this.#claims.size > 0) await Promise.all(this.#claims)
  }

  /** Claims no more; `run` resolves once the claims under way have ended. Idempotent. */
  stop(): void {
    this.#stopping.abort()
    this.#wake.notify()
  }

  /** Runs until `stop`, or in burst mode until nothing is left to do. Never rejects. */
  async run(): Promise<void> {
    await this.#run()
    await Promise.all([...this.#claims, ...this.#queues.map((queue) => queue.refilled())])
    const suspect = this.#quarantine.take()
    if (suspect) this.#options.release(suspect)
    // Reservations lapse by themselves within a second where Redis is away.
    if (this.#options.broker.connection.isReady) await this.#due.giveBack(this.#queues).catch(() => {})
  }

  async #run(): Promise<void> {
    const { beforePoll, log, pollDelayMs } = this.#options
    this.#enter('polling')
    let isFull = false
    while (!this.#stopping.signal.aborted) {
      try {
        const isEmpty = this.#slots.taken === 0 && this.#claiming === 0
        if (this.#burst && !isFull && isEmpty && (await this.#burst.isOver(this.#stopping.signal))) break
        if (this.#quarantine.isWaiting) this.#settleFate(this.#quarantine.next(this.#others()))
        if (this.#isQuiet) {
          await this.#rest(this.#burst ? pollDelayMs : this.#quarantine.changesInMs())
          continue
        }
        if (!this.#canClaim()) {
          await this.#waitForSlot(this.#burst && this.#burstLeft() <= 0 ? pollDelayMs : Infinity)
          isFull &&= this.#burstLeft() > 0
          continue
        }
        await beforePoll(this.#stopping.signal)
        if (this.#stopping.signal.aborted) break
        const found = await this.#poll(this.#free())
        isFull = found.isFull
        if (!isFull) await this.#wait('sleeping', Math.min(found.sleepMs, pollDelayMs, this.#quarantine.changesInMs()))
      } catch (error) {
        if (this.#stopping.signal.aborted) break
        log.error({ err: error }, 'polling failed, trying again')
        await this.#wait('pausing', FAULT_PAUSE_MS)
      }
    }
    this.#enter('stopped')
  }

  #enter(mode: Mode): void {
    if (!TRANSITIONS[this.#mode].includes(mode)) throw new Error(`claim loop: ${this.#mode} → ${mode} is no transition`)
    this.#mode = mode
  }

  /** Prefetched jobs go to other workers. */
  async #rest(ms: number): Promise<void> {
    await this.#due.giveBack(this.#queues)
    await this.#wait('quiet', ms)
  }

  async #wait(mode: 'sleeping' | 'starved' | 'pausing' | 'quiet', ms: number): Promise<void> {
    this.#enter(mode)
    if (mode === 'sleeping') this.#options.onIdle()
    await this.#wake.wait(ms)
    this.#enter('polling')
  }

  #rouse(): void {
    if (this.#mode === 'quiet' && !this.#quarantine.isWaiting) return
    if (this.#mode === 'sleeping') this.#enter('waking')
    this.#wake.notify()
  }

  #burstLeft(): number {
    return this.#burst ? this.#burst.left - this.#claiming : Infinity
  }

  #free(): number {
    return Math.min(this.#slots.capacity - this.#slots.taken - this.#claiming, this.#burstLeft())
  }

  #canClaim(): boolean {
    return (
      !this.#stopping.signal.aborted &&
      !this.#isQuiet &&
      this.#claims.size < MAX_CLAIMS &&
      this.#free() > 0 &&
      this.#quarantine.isOpen()
    )
  }

  async #waitForSlot(ms: number): Promise<void> {
    const hasPrefetched = this.#queues.some((queue) => queue.prefetched > 0)
    const lapsesMs = this.#startedMs + PREFETCH_MS
    const changesInMs = Math.min(ms, this.#quarantine.changesInMs())
    await this.#wait(
      'starved',
      hasPrefetched ? Math.min(changesInMs, Math.max(1, lapsesMs - performance.now())) : changesInMs,
    )
    const isStuck = this.#free() <= 0 || !this.#quarantine.isOpen()
    if (hasPrefetched && isStuck && performance.now() >= lapsesMs) await this.#due.giveBack(this.#queues)
  }

  /** One round over the queues. `isFull`: there may be more that is due now. */
  async #poll(free: number): Promise<{ isFull: boolean; sleepMs: number }> {
    const { beforePoll, log, queueReadLimit, order } = this.#options
    let isFull = false
    let left = free
    let sleepMs = Infinity
    for (const queue of order(this.#queues, Math.random)) {
      if (left <= 0 || this.#claims.size === MAX_CLAIMS) return { isFull: true, sleepMs }
      const { restMs } = queue
      if (restMs > 0) {
        sleepMs = Math.min(sleepMs, restMs)
        continue
      }
      try {
        const found = await this.#due.find(queue, Math.min(left, queueReadLimit, this.#mostPerClaim))
        isFull ||= found.isFull
        sleepMs = Math.min(sleepMs, found.sleepMs)
        if (found.jobIds.length > 0) await beforePoll(this.#stopping.signal)
        if (found.jobIds.length > 0 && !this.#stopping.signal.aborted && !this.#isQuiet) {
          left -= found.jobIds.length
          void this.#claim(queue, found.jobIds)
          // It may have more: the next round asks it again before those behind it.
          if (found.isFull) return { isFull, sleepMs }
        }
      } catch (error) {
        if (this.#stopping.signal.aborted) throw error
        log.error({ err: error }, `polling ${queue.name} failed, trying again`)
        sleepMs = Math.min(sleepMs, queue.rest(FAULT_PAUSE_MS))
      }
    }
    return { isFull, sleepMs: Math.max(1, sleepMs) }
  }

  /** Claims jobs and starts those it got, while the loop continues. Resolves with their number, and never rejects. */
  #claim(queue: PolledQueue, jobIds: string[]): Promise<number> {
    this.#claiming += jobIds.length
    const started = this.#startClaimed(queue, jobIds)
    const claim = started.then(() => {
      this.#claims.delete(claim)
      this.#slotsAreFree()
    })
    this.#claims.add(claim)
    return started
  }

  async #startClaimed(queue: PolledQueue, jobIds: string[]): Promise<number> {
    const { broker, leaseMs, log, allowAbortJobs, workerId } = this.#options
    const token = `${workerId}/${randomUUID()}`
    const { signal } = this.#stopping
    const sentMs = performance.now()
    let claims: Claim[] = []
    try {
      claims = await broker.claim(queue.name, jobIds, { token, leaseMs, honourAborts: allowAbortJobs, signal })
      // Two replies may arrive together. Jobs started together end together, and their slots would then be one claim.
      while (this.#isStarting) await turn()
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, `claiming jobs of ${queue.name} failed, trying again`)
      queue.rest(FAULT_PAUSE_MS)
    }
    this.#isStarting = true
    setImmediate(() => {
      this.#isStarting = false
    })
    this.#claiming -= jobIds.length
    this.#startedMs = performance.now()
    this.#due.started(claims.length, this.#startedMs)
    this.#burst?.started(claims.length)
    for (const claim of claims) this.#start(this.#slots.add(claim, sentMs + leaseMs))
    // It has to look when to start a suspect, or when to take one that went back.
    if (claims.some(isSuspect)) this.#rouse()
    return claims.length
  }

  #start(job: InFlightJob): void {
    const { jobId, queueName, score } = job.claim
    if (isSuspect(job.claim)) {
      const overdueMs = this.#options.broker.clock.now() - score
      this.#settleFate(this.#quarantine.add(job, this.#others(), overdueMs))
    } else if (this.#options.start(job) === 'released') this.#due.skip(queueName, jobId, performance.now())
  }

  #settleFate(fate: Fate): void {
    if (fate.kind === 'start') this.#options.start(fate.job)
    if (fate.kind !== 'goesBack') return
    const { jobId, queueName } = fate.job.claim
    if (fate.passOverMs > 0) this.#due.skip(queueName, jobId, performance.now(), fate.passOverMs)
    this.#options.release(fate.job)
  }

  /** Suspects that went back to wait for other jobs of this worker can start now. */
  #takeSuspectsBack(): void {
    const suspects = this.#quarantine.emptied()
    for (const { jobId, queueName } of suspects) this.#due.unskip(queueName, jobId)
    if (suspects.length > 0) this.#rouse()
  }

  /** Jobs in flight or being claimed next to one that is in flight. */
  #others(): number {
    return this.#slots.size - 1 + this.#claiming
  }

  /** Slots mostly come free together: those of jobs that end in one go are filled by one claim. */
  #slotsAreFree(): void {
    if (this.#mode === 'sleeping') this.#options.onIdle()
    const isWaitedFor = this.#mode === 'starved' || (this.#mode === 'quiet' && this.#quarantine.isWaiting)
    if (this.#isWaking || (!isWaitedFor && !this.#burst)) return
    this.#isWaking = true
    process.nextTick(() => {
      this.#isWaking = false
      this.#wake.notify()
    })
  }
}
