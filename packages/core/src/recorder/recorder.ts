import type { Keys } from '@arq-ts/protocol/jobs'
import type { Logger } from '../logging/logger.ts'
import type { RecordCall, Recordings } from '../redis/recordings.ts'
import { foldSeries, planCounts } from './plan.ts'
import { MAX_SERIES, OTHERS, seriesId } from './series-name.ts'
import type { SeriesName } from './series-name.ts'
import { SeriesPlaces } from './series-places.ts'
import { minuteOf, RESOLUTIONS } from './slots.ts'
import { Tally } from './tally.ts'

/** Minutes whose numbers wait for a Redis that is away, at most; older ones are given up. */
const MAX_WAITING_MINUTES = 30
/** Interval between log lines about recordings that fail. */
const REPEAT_MS = 60_000

const MINUTE_MS = RESOLUTIONS[0].slotMs

/** The counts of one minute, by queue and function. */
interface Minute {
  atMs: number
  series: Map<string, Map<string, Tally>>
  size: number
}

/** Takes part in each flush: gives the calls of what it has recorded, or measures something now. */
export interface RecorderPart {
  /** Calls to send, in order. A failure is logged and does not stop the others. */
  collect(nowMs: number): Promise<readonly RecordCall[]> | readonly RecordCall[]
}

export interface RecorderOptions {
  recordings: Recordings
  keys: Keys
  workerId: string
  /** Time between flushes, in ms. */
  intervalMs: number
  log: Logger
  /** Redis time in unix ms. */
  now: () => number
  /** True for functions that the worker has: others are counted under `*`, so that a flood of names costs nothing. */
  hasFunction: (name: string) => boolean
  parts: readonly RecorderPart[]
}

/**
 * Counts how jobs end, in memory, and writes the sums to Redis every few seconds: nothing is sent per job.
 *
 * idle → started → stopped, with a last flush. There is one flush at a time; while Redis is away the counts of each
 * minute wait, 30 minutes of them at most.
 */
export class Recorder {
  readonly #options: RecorderOptions
  #current: Minute = { atMs: 0, series: new Map(), size: 0 }
  #currentEndsMs = 0
  /** Minutes that are over, or were taken by a flush that failed. */
  #waiting: Minute[] = []
  #number = 0
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined
  readonly #places: SeriesPlaces
  #loggedAtMs = -Infinity

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#places = new SeriesPlaces(options.recordings)
  }

  /**
   * Counts one end of a try. `outcome` is one of `OUTCOME`; `runMs` is -1 where no handler ran, and then neither
   * duration counts.
   */
  count(queueName: string, functionName: string, outcome: number, waitMs: number, runMs: number, atMs: number): void {
    if (atMs >= this.#currentEndsMs) this.#turn(atMs)
    const tally = this.#current.series.get(queueName)?.get(functionName) ?? this.#tally(queueName, functionName)
    tally.count(outcome)
    if (runMs < 0) return
    tally.run.add(runMs)
    tally.wait.add(waitMs)
  }

  /** Flushes at a random moment of each interval, so that workers do not all come at once. */
  start(): void {
    const { intervalMs } = this.#options
    const again = () => {
      this.#timer = setTimeout(again, intervalMs)
      void this.#flushNow()
    }
    this.#timer = setTimeout(again, Math.random() * intervalMs)
  }

  /** Begins no more flushes. */
  pause(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Ends the flush under way, and writes what is left. */
  async stop(): Promise<void> {
    this.pause()
    await this.#flushing
    await this.#flushNow()
  }

  /** Never rejects. */
  #flushNow(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => (this.#flushing = undefined))
    return this.#flushing
  }

  async #flush(): Promise<void> {
    this.#turn(this.#options.now())
    for (;;) {
      const minute = this.#waiting[0]
      if (!minute) break
      if (!(await this.#attempt(() => this.#writeMinute(minute)))) break
      if (this.#waiting[0] === minute) this.#waiting.shift()
    }
    for (const part of this.#options.parts) {
      await this.#attempt(async () => {
        for (const call of await part.collect(this.#options.now())) await this.#attempt(() => this.#write(call))
      })
    }
  }

  async #writeMinute(minute: Minute): Promise<void> {
    const { keys } = this.#options
    const tallies = [...minute.series].flatMap(([queue, functions]) =>
      [...functions].map(([name, tally]) => {
        const series: SeriesName = { queue, function: name, language: 'typescript' }
        return { name: series, id: seriesId(series), tally }
      }),
    )
    const nowMs = this.#options.now()
    await this.#places.admit(tallies, nowMs)
    const planned = foldSeries(tallies, (id) => this.#places.has(id))
    // A sent call is not sent again: a call that Redis refuses for good would be refused for ever.
    if (this.#waiting[0] === minute) this.#waiting.shift()
    for (const call of planCounts(keys, planned, minute.atMs, nowMs)) await this.#attempt(() => this.#write(call))
  }

  async #write(call: RecordCall): Promise<void> {
    await this.#options.recordings.write(this.#options.workerId, ++this.#number, call)
  }

  /** False where it failed; a line a minute says so. */
  async #attempt(act: () => Promise<void>): Promise<boolean> {
    try {
      await act()
      return true
    } catch (error) {
      const now = performance.now()
      if (now - this.#loggedAtMs >= REPEAT_MS) {
        this.#loggedAtMs = now
        this.#options.log.warn(
          { err: error },
          'recording what jobs did failed; the history has a gap, jobs do not depend on it',
        )
      }
      return false
    }
  }

  /** Begins to count anew, in the minute of `atMs`. */
  #turn(atMs: number): void {
    if (this.#current.size > 0) this.#waiting.push(this.#current)
    if (this.#waiting.length > MAX_WAITING_MINUTES) this.#waiting.shift()
    const minuteMs = minuteOf(atMs)
    this.#current = { atMs: minuteMs, series: new Map(), size: 0 }
    this.#currentEndsMs = minuteMs + MINUTE_MS
  }

  #tally(queueName: string, functionName: string): Tally {
    const known = this.#current.size < MAX_SERIES && this.#options.hasFunction(functionName)
    const name = known ? functionName : OTHERS
    let functions = this.#current.series.get(queueName)
    if (!functions) this.#current.series.set(queueName, (functions = new Map<string, Tally>()))
    let tally = functions.get(name)
    if (!tally) {
      functions.set(name, (tally = new Tally()))
      this.#current.size++
    }
    return tally
  }
}
