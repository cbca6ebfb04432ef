import { randomBytes } from 'node:crypto'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'
import type { Logger } from '../logging/logger.ts'
import { Journal } from '../recorder/journal.ts'
import { TickJournal } from '../recorder/tick-journal.ts'
import { SeriesPlaces } from '../recorder/series-places.ts'
import type { ForeignResults } from '../redis/foreign-results.ts'
import type { RecordCall, Recordings } from '../redis/recordings.ts'
import { planHold, planSightings, sightingOf } from './sightings.ts'
import type { HeldLease, Sighting } from './sightings.ts'

/** Bounds of the lease, which is three intervals. */
const MIN_LEASE_MS = 2_000
const MAX_LEASE_MS = 30_000
/** Time between two steps of a pass. A step is four calls of a scan and the results that they find. */
const STEP_MS = 1_000
const SCANS_PER_STEP = 4
/** Results that are looked at in one step; the rest waits for the next. */
const RESULTS_PER_STEP = 250
/** Longest rest after passes that found nothing new. */
const MAX_REST_MS = 60_000
const REPEAT_MS = 60_000

export interface CollectorOptions {
  results: ForeignResults
  recordings: Recordings
  keys: Keys
  workerId: string
  /** Shortest rest between two passes, and between two questions for the lease, in ms. */
  intervalMs: number
  limits: PayloadLimits
  log: Logger
  /** Redis time in unix ms. */
  now: () => number
}

/**
 * Counts jobs that ended on Python workers, by the results they left: in passes over the database, a bounded step a second.
 * It is a role that one worker of a namespace has at a time.
 *
 * waiting (another worker has the lease) → collecting (a pass, step by step; then a rest) → waiting, when the lease is lost
 *
 * Each call that counts is bound to the lease and marks what it counts in the same step, so no job counts twice, whatever
 * dies in between.
 */
export class Collector {
  readonly #options: CollectorOptions
  readonly #places: SeriesPlaces
  #lease: (HeldLease & { number: number }) | undefined
  #cursor: string | null = null
  /** Results that were found and are to be looked at. */
  #found: string[] = []
  #hasCounted = false
  /** On the monotonic clock; 0 while a pass is under way. */
  #restsUntilMs = 0
  #restMs: number
  #timer: NodeJS.Timeout | undefined
  #turning: Promise<void> = Promise.resolve()
  #isStopped = false
  #loggedAtMs = -Infinity

  constructor(options: CollectorOptions) {
    this.#options = options
    this.#places = new SeriesPlaces(options.recordings)
    this.#restMs = options.intervalMs
  }

  start(): void {
    this.#next(Math.random() * this.#options.intervalMs)
  }

  /** Begins no more steps. */
  pause(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Ends the step under way and gives the lease back. Never rejects. */
  async stop(): Promise<void> {
    this.pause()
    await this.#turning
    const lease = this.#lease
    if (lease) await this.#write(planHold(this.#options.keys, { ...lease, leaseMs: 1 })).catch(() => {})
    this.#lease = undefined
  }

  #next(delayMs: number): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(() => {
      this.#turning = this.#turn().then((pauseMs) => this.#next(pauseMs))
    }, delayMs)
  }

  /** One step; returns the pause until the next, in ms. */
  async #turn(): Promise<number> {
    const { intervalMs, log } = this.#options
    try {
      if (!this.#lease && !(await this.#take())) return intervalMs
      return await this.#step()
    } catch (error) {
      // Results that were read and not counted are read again in the next pass.
      this.#options.results.forget()
      if (performance.now() - this.#loggedAtMs >= REPEAT_MS) {
        this.#loggedAtMs = performance.now()
        log.warn({ err: error }, "counting Python's jobs failed and is tried again; the history has a gap meanwhile")
      }
      return intervalMs
    }
  }

  async #take(): Promise<boolean> {
    const token = `${this.#options.workerId} ${randomBytes(8).toString('hex')}`
    const leaseMs = Math.min(Math.max(3 * this.#options.intervalMs, MIN_LEASE_MS), MAX_LEASE_MS)
    if (!(await this.#options.results.takeLease(token, leaseMs))) return false
    this.#lease = { token, leaseMs, number: 0 }
    this.#restsUntilMs = 0
    this.#begin()
    return true
  }

  #begin(): void {
    this.#cursor = null
    this.#found = []
    this.#hasCounted = false
  }

  async #step(): Promise<number> {
    const { intervalMs, keys, results } = this.#options
    if (!(await this.#write(planHold(keys, this.#lease!)))) return intervalMs
    const leftMs = this.#restsUntilMs - performance.now()
    if (leftMs > 0) return Math.min(leftMs, this.#lease!.leaseMs / 3)
    let isOver = false
    for (let i = 0; i < SCANS_PER_STEP && !isOver && this.#found.length < RESULTS_PER_STEP; i++) {
      const step = await results.step(this.#cursor)
      this.#found.push(...step.jobIds)
      this.#cursor = step.cursor
      isOver = step.cursor === null
    }
    const looked = [...new Set(this.#found.splice(0, RESULTS_PER_STEP))]
    // The rest of a pass is looked at before it sleeps.
    if (!(await this.#count(looked))) return intervalMs
    if (!isOver || this.#found.length > 0) return Math.min(STEP_MS, intervalMs)
    this.#restMs = this.#hasCounted ? intervalMs : Math.min(2 * this.#restMs, Math.max(MAX_REST_MS, intervalMs))
    this.#begin()
    this.#restsUntilMs = performance.now() + this.#restMs
    return Math.min(this.#restMs, this.#lease!.leaseMs / 3)
  }

  /** Counts those of these results that are Python's and were not counted; false where the lease is lost. */
  async #count(jobIds: readonly string[]): Promise<boolean> {
    const { keys, limits, now, results } = this.#options
    const read = await results.read(jobIds)
    const seen = read.flatMap(({ jobId, result }) => sightingOf(jobId, result, now(), limits) ?? [])
    const counted = await results.counted(seen.map(({ second, member }) => ({ key: keys.obsSeen(second), member })))
    const fresh = seen.filter((_, i) => !counted[i])
    if (fresh.length === 0) return true
    this.#hasCounted = true
    await this.#places.admit(
      fresh.map(({ series, id }) => ({ name: series, id })),
      now(),
    )
    const journals = { workerId: 'python', language: 'python', keys } as const
    const [journal, ticks] = [new Journal(journals), new TickJournal(journals)]
    for (const { call, jobs } of planSightings(keys, fresh, (id) => this.#places.has(id), this.#lease!, now())) {
      if (!(await this.#write(call))) return false
      for (const job of jobs) keep(journal, ticks, job)
    }
    for (const call of [...journal.collect(), ...ticks.collect()]) await this.#write(call)
    return true
  }

  /** Writes one call under the lease; false once that is lost. */
  async #write(call: RecordCall): Promise<boolean> {
    const lease = this.#lease!
    const isHeld = await this.#options.recordings.write(lease.token.slice(-16), ++lease.number, call)
    if (isHeld) return true
    this.#lease = undefined
    this.#options.results.forget()
    return false
  }
}

/** Hands a job to the journals, which keep failures, some others, and the ticks of cron jobs. */
function keep(journal: Journal, ticks: TickJournal, sighting: Sighting): void {
  const { enqueuedMs, error, finishedMs, jobId, jobTry, outcome, series, startedMs } = sighting
  const job = { jobId, jobTry, functionName: series.function, queueName: series.queue }
  const run = { startedMs, finishedMs, waitMs: Math.max(0, startedMs - enqueuedMs) }
  ticks.ended(job, outcome, run)
  if (outcome === 'failed') journal.failed(job, finishedMs, run, error)
  else if (outcome === 'complete') journal.succeeded(job, run)
}
