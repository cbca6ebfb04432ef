/** What becomes of a pool's place when its process ends, decided without any process. */

/** A process that lived so long was well; what came before no longer counts. */
export const WELL_AFTER_MS = 60_000
/** So many quick ends in a row are a crash loop. */
export const MAX_QUICK_CRASHES = 5
const MAX_BACKOFF_MS = 30_000

/** How a worker process ended. */
export interface ProcessEnd {
  code: number | null
  signal: string | null
  livedMs: number
  /** Why it would not start the next time either, where it said so. */
  refused: string | undefined
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
  if (pool.stopping || (pool.burst && end.code === 0)) return { kind: 'leave' }
  if (end.refused !== undefined) return { kind: 'give up', message: end.refused, isRefusal: true }
  const quickCrashes = end.livedMs >= WELL_AFTER_MS ? 1 : pool.quickCrashes + 1
  if (quickCrashes >= MAX_QUICK_CRASHES) {
    const message = `a worker process ended ${quickCrashes} times in a row, the last time after ${Math.round(end.livedMs / 1000)} s with ${endText(end)}; giving up: see the lines above for why`
    return { kind: 'give up', message, isRefusal: false }
  }
  return { kind: 'restart', delayMs: Math.min(500 * 2 ** (quickCrashes - 1), MAX_BACKOFF_MS), quickCrashes }
}

/** `exit code 1`, or `SIGKILL`. */
export function endText(end: Pick<ProcessEnd, 'code' | 'signal'>): string {
  return end.signal ?? `exit code ${end.code}`
}
