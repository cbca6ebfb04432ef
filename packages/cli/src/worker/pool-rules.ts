/** What becomes of a pool's place when its process ends, decided without any process. */

/** Age at which a process counts as healthy; earlier deaths no longer count. */
export const WELL_AFTER_MS = 60_000
/** So many quick ends in a row are a crash loop. */
export const MAX_QUICK_CRASHES = 5
const MAX_BACKOFF_MS = 30_000

/** Exit code of a burst that ended with jobs left in paused queues. */
export const LEFT_PAUSED = 3

/** How a worker process ended. */
export interface ProcessEnd {
  code: number | null
  signal: string | null
  livedMs: number
  /** Why it would not start the next time either, where it said so. */
  refused: string | undefined
  /** For how long it had given no answer when it was killed for that. */
  silentMs?: number | undefined
}

/** So many questions without an answer, one after the other, end a process. */
export const MAX_MISSED_ANSWERS = 5
/** So many make it one that is not ready. */
export const MISSED_WHEN_DEAF = 2
const MIN_SILENCE_MS = 10_000

/**
 * How often a process is asked whether it still hears, in ms: one that a handler keeps from hearing for two leases has
 * lost its jobs to others long since, and does not recover.
 */
export function askEveryMs(leaseMs: number): number {
  return Math.max(MIN_SILENCE_MS, 2 * leaseMs) / MAX_MISSED_ANSWERS
}

/** What happens next. */
export type NextStep =
  | { kind: 'leave' }
  | { kind: 'restart'; delayMs: number; quickCrashes: number }
  | { kind: 'give up'; message: string; isRefusal: boolean }

/**
 * @param quickCrashes - ends in a row before this one, none of which lived for `WELL_AFTER_MS`.
 */
export function afterEnd(end: ProcessEnd, pool: { stopping: boolean; burst: boolean; quickCrashes: number }): NextStep {
  if (pool.stopping || (pool.burst && (end.code === 0 || end.code === LEFT_PAUSED))) return { kind: 'leave' }
  if (end.refused !== undefined) return { kind: 'give up', message: end.refused, isRefusal: true }
  const quickCrashes = end.livedMs >= WELL_AFTER_MS ? 1 : pool.quickCrashes + 1
  if (quickCrashes >= MAX_QUICK_CRASHES) {
    const message = `a worker process ended ${quickCrashes} times in a row, the last time after ${Math.round(end.livedMs / 1000)} s with ${endText(end)}; giving up: see the lines above for why`
    return { kind: 'give up', message, isRefusal: false }
  }
  return { kind: 'restart', delayMs: Math.min(500 * 2 ** (quickCrashes - 1), MAX_BACKOFF_MS), quickCrashes }
}

/** `exit code 1`, or `SIGKILL`. */
export function endText(end: Pick<ProcessEnd, 'code' | 'signal' | 'silentMs'>): string {
  const { code, signal, silentMs } = end
  const why = silentMs === undefined ? '' : `, for it had heard nothing for ${Math.round(silentMs / 1_000)} s`
  return `${signal ?? `exit code ${code}`}${why}`
}
