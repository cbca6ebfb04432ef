/** Next step for a pool's place when its process ends, decided without any process. */

/** Age at which a process counts as healthy; earlier deaths no longer count. */
export const WELL_AFTER_MS = 60_000
/** Number of quick ends in a row that make a crash loop. */
export const MAX_QUICK_CRASHES = 5
const MAX_BACKOFF_MS = 30_000

/** Exit code of a burst that ended with jobs left in paused queues. */
export const LEFT_PAUSED = 3

/** End of a worker process. */
export interface ProcessEnd {
  code: number | null
  signal: string | null
  livedMs: number
  /** Reason why it would not start the next time either, where it said so. */
  refused: string | undefined
  /** For how long it had given no answer when it was killed for that. */
  silentMs?: number | undefined
}

/** Number of questions without an answer, one after the other, that end a process. */
export const MAX_MISSED_ANSWERS = 5
/** Number of them that make it not ready. */
export const MISSED_WHEN_DEAF = 2
const MIN_SILENCE_MS = 10_000

/**
 * Interval at which a process is asked whether it still answers, in ms: one that a handler blocks for two leases has lost
 * its jobs to others long since, and does not recover.
 */
export function askEveryMs(leaseMs: number): number {
  return Math.max(MIN_SILENCE_MS, 2 * leaseMs) / MAX_MISSED_ANSWERS
}

/** The next step. */
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
