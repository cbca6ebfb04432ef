/** Judges the recorded ticks of a cron job: which were late, overlapped, or left no trace. Pure. */

import type { WorkerInfo } from '../fleet/worker-info.ts'
import type { CronPauseRecord, CronPauseSpan } from '../redis/cron-pauses.ts'
import type { RecordedTick } from '../recorder/records.ts'
import type { Language } from '../recorder/series-name.ts'
import type { ServedCron } from './served-cron.ts'
import { cronOf, ticksBetween } from './served-cron.ts'

/** A tick that starts later than this after its time is late, in ms; arq starts none later. */
export const LATE_MS = 60_000
/** Time after a tick by which its record is written, in ms. */
const SETTLED_MS = 60_000
/** Missed ticks that are listed. */
const MAX_MISSED = 200

/** A recorded tick with what its times say. */
export interface JudgedTick extends RecordedTick {
  /** Time from the tick to its start, in ms; null where no handler ran. */
  delayMs: number | null
  /** Time it ran, in ms; null where no handler ran. */
  tookMs: number | null
  /** True where it started more than 60 s after its time. */
  isLate: boolean
  /** True where one before it still ran when it started. */
  overlaps: boolean
}

/** A cron job with what became of its last ticks. */
export interface CronHistory extends Omit<ServedCron, 'schedule'> {
  language: Language
  /** Its schedule as text; null where no live worker of arq-ts has the cron job. */
  schedule: string | null
  /** Its recorded ticks, at most 50, the oldest first. */
  ticks: JudgedTick[]
  /** Time of its pause, in unix ms; null while it ticks, or if the time is unknown. */
  pausedMs: number | null
  /** True while it is paused. */
  paused: boolean
  /** Ticks of the schedule, in unix ms, that left no trace since the first recorded one, at most 200; none from a pause. */
  missed: number[]
}

/** The cron jobs of live workers and those that are recorded, by name, with what became of their last ticks. */
export function cronHistory(
  workers: readonly WorkerInfo[],
  recorded: ReadonlyMap<string, readonly RecordedTick[]>,
  nowMs: number,
  pauses: ReadonlyMap<string, CronPauseRecord> = new Map(),
): CronHistory[] {
  const runningIds = new Set(workers.flatMap(({ running }) => running.map(({ jobId }) => jobId)))
  const served = cronOf(workers)
  const known = served.map((job): CronHistory => {
    const ticks = recorded.get(job.name) ?? []
    // Two schedules of one function share its ticks: none of them says what the other missed.
    const isAlone = served.filter(({ name }) => name === job.name).length === 1
    const pause = pauses.get(job.name)
    const isCovered = (atMs: number) =>
      pause !== undefined && [pause, ...pause.earlier].some((span) => isWithin(span, atMs))
    const missed = isAlone ? missedTicks(job, ticks, { nowMs, runningIds }).filter((atMs) => !isCovered(atMs)) : []
    return { ...job, ...pausedBy(pause), language: 'typescript', ticks: judgeTicks(ticks), missed }
  })
  const others = [...recorded].filter(([name]) => !served.some((job) => job.name === name))
  const unserved = others.map(([name, ticks]): CronHistory => {
    const queues = [...new Set(ticks.map(({ queueName }) => queueName))]
    const language = ticks.at(-1)?.language ?? 'python'
    const unknown = { schedule: null, nextMs: null, workers: [], missed: [] }
    return { name, language, ...unknown, queues, ...pausedBy(pauses.get(name)), ticks: judgeTicks(ticks) }
  })
  return [...known, ...unserved].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function pausedBy(pause: CronPauseRecord | undefined): Pick<CronHistory, 'paused' | 'pausedMs'> {
  const isPaused = pause !== undefined && pause.untilMs === null
  return { paused: isPaused, pausedMs: isPaused ? pause.sinceMs : null }
}

function isWithin({ sinceMs, untilMs }: CronPauseSpan, atMs: number): boolean {
  return atMs >= (sinceMs ?? -Infinity) && atMs < (untilMs ?? Infinity)
}

/** The ticks of a cron job, the oldest first, each with its verdict. */
export function judgeTicks(ticks: readonly RecordedTick[]): JudgedTick[] {
  let busyUntilMs = -Infinity
  return [...ticks]
    .sort((a, b) => a.atMs - b.atMs)
    .map((tick) => {
      const { atMs, startedMs, finishedMs } = tick
      const hasRun = startedMs !== null && finishedMs !== null
      const overlaps = hasRun && startedMs < busyUntilMs
      if (hasRun) busyUntilMs = Math.max(busyUntilMs, finishedMs)
      const delayMs = hasRun ? startedMs - atMs : null
      return {
        ...tick,
        delayMs,
        tookMs: hasRun ? finishedMs - startedMs : null,
        isLate: delayMs !== null && delayMs > LATE_MS,
        overlaps,
      }
    })
}

/**
 * Ticks of the schedule since the first that is recorded which left no trace, but the last minute's, and those that run
 * now. Empty where nothing is recorded: nobody can know then.
 */
export function missedTicks(
  job: Pick<ServedCron, 'name' | 'schedule' | 'nextMs'>,
  ticks: readonly RecordedTick[],
  { nowMs, runningIds }: { nowMs: number; runningIds: ReadonlySet<string> },
): number[] {
  const firstMs = Math.min(...ticks.map(({ atMs }) => atMs))
  if (!Number.isFinite(firstMs)) return []
  const seen = new Set(ticks.map(({ atMs }) => atMs))
  const due = ticksBetween(job, firstMs + 1, nowMs - SETTLED_MS)
  if (!due.complete) return []
  return due.ticks.filter((atMs) => !seen.has(atMs) && !runningIds.has(`${job.name}:${atMs}`)).slice(-MAX_MISSED)
}
