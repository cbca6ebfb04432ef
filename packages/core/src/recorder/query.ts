import { EMPTY_HISTOGRAM, countOf, mergeHistograms, quantile } from './histogram.ts'
import type { Histogram } from './histogram.ts'
import { COUNTS, mergeMeasures, NO_MEASURES, RUN_MAX, RUN_SUM, WAIT_MAX, WAIT_SUM } from './measures.ts'
import type { CountName, Measures } from './measures.ts'
import type { Language, SeriesName } from './series-name.ts'
import { RESOLUTIONS } from './slots.ts'
import type { Resolution } from './slots.ts'

/** Dimension that distinguishes lines. */
export type Dimension = 'queue' | 'function' | 'language'

/** A time range, in unix ms of Redis. */
export interface HistoryRange {
  /** Default: an hour before `toMs`. */
  fromMs?: number | undefined
  /** Default: now. */
  toMs?: number | undefined
  /** Length of a step in ms; rounded up to what is kept of that time. Default: about 60 steps. */
  stepMs?: number | undefined
}

/** Filter of the series that count; all that are not given do. */
export interface HistoryFilter {
  queue?: string | undefined
  /** One of these. */
  queues?: readonly string[] | undefined
  function?: string | undefined
  language?: Language | undefined
}

/** The values by which a line differs from others. */
export type LineKey = Partial<Record<Dimension, string>>

/** Steps of equal length, aligned to their length, and the resolution that they are read from. */
export interface Grid {
  fromMs: number
  toMs: number
  stepMs: number
  resolution: Resolution
}

const NICE_MINUTES = [1, 2, 5, 10, 30, 60, 180, 360, 720, 1_440]
const DEFAULT_RANGE_MS = 3_600_000
const MINUTE_MS = 60_000
/** The longest time that anything is kept, in ms. */
const MOST_MS = RESOLUTIONS[2].ttlMs
/** Steps at most, so that no question costs more than the longest that is kept. */
const MAX_STEPS = 2_000

/** The steps of a range: as long as asked for, or as what is still kept of its begin. */
export function gridOf({ fromMs, toMs, stepMs }: HistoryRange, nowMs: number): Grid {
  const to = near(toMs ?? nowMs, nowMs)
  const from = near(Math.min(fromMs ?? to - DEFAULT_RANGE_MS, to), nowMs)
  const step = Math.min(stepMs ?? niceStep((to - from) / 60), MOST_MS)
  const wanted = Math.max(step, (to - from) / MAX_STEPS)
  const kept = RESOLUTIONS.filter((each) => from >= nowMs - each.ttlMs)
  const candidates = kept.length > 0 ? kept : [RESOLUTIONS[2]]
  const resolution = candidates.findLast((each) => each.slotMs <= wanted && isWhole(wanted, each)) ?? candidates[0]!
  const length = Math.max(1, Math.ceil(wanted / resolution.slotMs)) * resolution.slotMs
  const end = Math.ceil(to / length) * length
  return { fromMs: Math.min(Math.floor(from / length) * length, end - length), toMs: end, stepMs: length, resolution }
}

/** The time, no farther from now than twice what is kept. */
function near(ms: number, nowMs: number): number {
  return Math.min(Math.max(ms, nowMs - 2 * MOST_MS), nowMs + 2 * MOST_MS)
}

/** True where a step need not be rounded up by much to be made of these slots. */
function isWhole(stepMs: number, { slotMs }: Resolution): boolean {
  return stepMs % slotMs === 0
}

function niceStep(ms: number): number {
  const minutes = NICE_MINUTES.find((each) => each * MINUTE_MS >= ms) ?? Math.ceil(ms / MINUTE_MS / 1_440) * 1_440
  return minutes * MINUTE_MS
}

/** Begins of all slots of a grid, in unix ms. */
export function slotsOf({ fromMs, toMs, resolution }: Grid): number[] {
  return Array.from(
    { length: Math.round((toMs - fromMs) / resolution.slotMs) },
    (_, i) => fromMs + i * resolution.slotMs,
  )
}

export function isWanted(name: SeriesName, filter: HistoryFilter): boolean {
  return (
    isOfQueue(name.queue, filter) &&
    (filter.function === undefined || filter.function === name.function) &&
    (filter.language === undefined || filter.language === name.language)
  )
}

/** True for a queue that a filter is for. */
export function isOfQueue(queueName: string, { queue, queues }: Pick<HistoryFilter, 'queue' | 'queues'>): boolean {
  return (queue === undefined || queue === queueName) && (queues === undefined || queues.includes(queueName))
}

/** The key of the line that a series belongs to. */
export function lineKey(name: SeriesName, by: readonly Dimension[]): LineKey {
  return Object.fromEntries(by.map((dimension) => [dimension, name[dimension]]))
}

/** Numbers of one slot or of many. */
export interface Numbers {
  measures: Measures
  run: Histogram
  wait: Histogram
}

export const NO_NUMBERS: Numbers = { measures: NO_MEASURES, run: EMPTY_HISTOGRAM, wait: EMPTY_HISTOGRAM }

export function addNumbers(a: Numbers, b: Numbers): Numbers {
  return {
    measures: mergeMeasures(a.measures, b.measures),
    run: mergeHistograms(a.run, b.run),
    wait: mergeHistograms(a.wait, b.wait),
  }
}

export type Counts = Record<CountName, number>

export function countsOf({ measures }: Numbers): Counts {
  return Object.fromEntries(COUNTS.map((name, i) => [name, measures.sums[i] ?? 0])) as Counts
}

/** Durations in short, in ms; null where there is none. Quantiles are exact within 9 % for most, 19 to 41 % for busy hours. */
export interface Latency {
  /** Number of runs. */
  count: number
  meanMs: number | null
  p50Ms: number | null
  p90Ms: number | null
  p95Ms: number | null
  p99Ms: number | null
  maxMs: number | null
}

export function latencyOf(numbers: Numbers, of: 'run' | 'wait'): Latency {
  const histogram = numbers[of]
  const count = countOf(histogram)
  const { sums, maxima } = numbers.measures
  const max = maxima[of === 'run' ? RUN_MAX : WAIT_MAX] ?? 0
  const at = (share: number) => {
    const value = quantile(histogram, share)
    return value === null ? null : Math.min(value, max)
  }
  return {
    count,
    meanMs: count === 0 ? null : (sums[of === 'run' ? RUN_SUM : WAIT_SUM] ?? 0) / count,
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    maxMs: count === 0 ? null : max,
  }
}
