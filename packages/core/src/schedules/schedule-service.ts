import type { PayloadLimits } from '@arq-ts/protocol'
import type { JobEvent } from '../fleet/events.ts'
import type { Logger } from '../logging/logger.ts'
import type { ScheduledOutcome, ScheduleRecord, ScheduleRecords } from '../redis/schedules.ts'
import { within } from '../time/interruptible-wait.ts'
import { paced } from '../time/paced.ts'
import { readSchedule } from './schedule.ts'
import { payloadOf, tickJobId } from './scheduled-job.ts'
import { believed, LATE_MS, planTicks } from './tick-plan.ts'

/** Longest time between two looks, in ms: a worker that does not hear of a new schedule finds it then. */
const LOOK_MS = 5_000
/** Time for which a schedule is taken, in ms. A worker that dies meanwhile delays its tick by that. */
const TAKEN_MS = 5_000
/** Schedules that are taken at a time. */
const MOST = 100
/** Pause after a look that failed, in ms. */
const PAUSE_MS = 1_000
/** Time between two looks for what messages announce, in ms. */
const PACE_MS = 20
/** Distance of two log lines about one schedule, in ms. */
const REPEAT_MS = 60_000
/** Schedules whose last log line is remembered. */
const MAX_LOGGED = 1_000

export interface ScheduleServiceOptions {
  records: ScheduleRecords
  /** Calls back when a schedule was written; the answer ends that. */
  listen: (onChange: () => void) => Promise<() => void>
  limits: PayloadLimits
  log: Logger
  onEnqueued: (job: JobEvent) => void
}

/**
 * Enqueues the ticks of schedules when they are due. All workers of a database do so; each schedule that is due is taken
 * by one of them, and written back with its ticks in one call. A worker of several partitions has a service for each:
 * their nodes have clocks of their own, and one that is away holds up no other.
 *
 * created → started (sleeping ⇄ looking) → stopped
 */
export class ScheduleService {
  readonly #options: ScheduleServiceOptions
  readonly #loggedMs = new Map<string, number>()
  #running: Promise<void> | undefined
  #isStopped = false
  /** True when a schedule was written since the last look began. */
  #isNews = false
  /** Redis's time at the last look, in ms. */
  #lookedMs = Infinity
  #wake = () => {}

  constructor(options: ScheduleServiceOptions) {
    this.#options = options
  }

  start(): void {
    if (!this.#isStopped) this.#running ??= this.#run()
  }

  /** Ends with the look that is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    // Without a subscription it looks each LOOK_MS.
    const unlisten = await this.#options.listen(paced(() => this.#notify(), PACE_MS)).catch(() => () => {})
    while (!this.#isStopped) {
      this.#isNews = false
      const waitMs = await this.#look().catch((error: unknown) => {
        this.#report('', () => this.#options.log.error({ err: error }, 'looking for ticks of schedules failed'))
        return PAUSE_MS
      })
      const woken = new Promise<void>((resolve) => (this.#wake = resolve))
      if (!this.#isStopped && !this.#isNews) await within(woken, waitMs)
    }
    unlisten()
  }

  #notify(): void {
    this.#isNews = true
    this.#wake()
  }

  /** Ms until the next look. */
  async #look(): Promise<number> {
    const { records } = this.#options
    const { nowMs, nextMs, names } = await records.take(TAKEN_MS, MOST)
    // An invalid time would put every schedule back to its first ticks.
    if (!(nowMs > 0)) throw new Error(`Redis gave ${nowMs} as its time`)
    const began = performance.now()
    if (nowMs < this.#lookedMs - LATE_MS) await this.#bringBack(nowMs)
    this.#lookedMs = nowMs
    const found = await records.read(names)
    const nexts = await Promise.all(names.map((name, i) => this.#tick(name, found[i] ?? null, nowMs)))
    if (names.length === MOST) return 0
    const soonest = Math.min(nextMs ?? Infinity, ...nexts.map((each) => each ?? Infinity))
    const spent = performance.now() - began
    return Math.max(0, Math.min(soonest - nowMs - spent, LOOK_MS))
  }

  /** After the clock was set back, and at the start: schedules whose ticks an earlier clock has put off tick again. */
  async #bringBack(nowMs: number): Promise<void> {
    const { records } = this.#options
    const names = await records.names()
    const found = await records.read(names)
    for (const [i, record] of found.entries()) {
      if (!record || !(Number(record.done) > nowMs + LATE_MS)) continue
      await this.#tick(names[i]!, record, nowMs)
      this.#isNews = true
    }
  }

  /** The next tick of a schedule in unix ms, as far as this worker knows it. Never rejects. */
  async #tick(name: string, record: ScheduleRecord | null, nowMs: number): Promise<number | null> {
    const { limits, log, records } = this.#options
    try {
      if (!record) {
        await records.write({ name, read: null, revision: '', doneMs: 0, nextMs: null, remove: true })
        return null
      }
      const read = readSchedule(record, limits)
      if (typeof read === 'string') {
        this.#report(name, () =>
          log.error(
            { schedule: name },
            `schedule ${name} does not tick: ${read}; \`arq-ts doctor --fix\` repairs what can be repaired, else put it again`,
          ),
        )
        return null
      }
      const doneMs = believed(read.doneMs, nowMs)
      const plan = planTicks(read.next, doneMs, nowMs, read.missed)
      const ticks = read.isPaused ? [] : plan.ticks.map((dueMs) => ({ jobId: tickJobId(name, dueMs), dueMs }))
      const nextMs = read.isPaused ? null : plan.nextMs
      const outcomes = await records.write({
        name,
        read: record,
        revision: record.revision,
        doneMs: read.isPaused ? doneMs : plan.doneMs,
        nextMs,
        remove: read.rule.kind === 'at' && nextMs === null && !read.isPaused,
        ticks,
        job: {
          payload: payloadOf(read.job, read.codec, nowMs, limits),
          queueName: record.queue,
          skipOverlap: read.overlap === 'skip',
        },
      })
      if (outcomes) this.#logOutcomes(name, record, { ticks, outcomes, missedMs: plan.missedMs, missed: read.missed })
      return nextMs
    } catch (error) {
      const line = `schedule ${name}: its ticks could not be enqueued; they are tried again in ${TAKEN_MS} ms`
      this.#report(name, () => log.error({ err: error, schedule: name }, line))
      return null
    }
  }

  #logOutcomes(
    name: string,
    record: ScheduleRecord,
    at: {
      ticks: readonly { jobId: string; dueMs: number }[]
      outcomes: readonly ScheduledOutcome[]
      missedMs: number | null
      missed: string
    },
  ): void {
    const { log, onEnqueued } = this.#options
    if (at.missedMs !== null) {
      const effect = at.ticks.length === 0 ? 'none is' : at.ticks.length === 1 ? 'one is' : `${at.ticks.length} are`
      const since = `ticks since ${iso(at.missedMs)} were missed`
      log.warn({ schedule: name }, `schedule ${name}: ${since}; ${effect} enqueued (missed: '${at.missed}')`)
    }
    for (const [i, { jobId, dueMs }] of at.ticks.entries()) {
      if (at.outcomes[i] === 'queued') onEnqueued({ jobId, functionName: record.function, queueName: record.queue })
      if (at.outcomes[i] === 'overlap') {
        const before = 'the job before it is still queued or runs'
        log.info({ schedule: name }, `schedule ${name}: the tick of ${iso(dueMs)} is left out, ${before}`)
      }
    }
  }

  #report(name: string, write: () => void): void {
    const now = performance.now()
    if (now - (this.#loggedMs.get(name) ?? -Infinity) < REPEAT_MS) return
    if (this.#loggedMs.size >= MAX_LOGGED) this.#loggedMs.clear()
    this.#loggedMs.set(name, now)
    write()
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
