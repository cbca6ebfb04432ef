/** Figures of one collection over a time, with the interval the evidence allows. Pure. */
import { latencyAt } from '../judging/latency.ts'
import type { Latencies } from '../judging/latency.ts'
import { binomialTail, wilson } from '../judging/statistics.ts'
import type { Tally } from '../judging/tally.ts'

/** Each bound of an interval for people is wrong with this probability: 95 % for both. */
export const SHOWN_ALPHA = 0.025

/** Requests of one collection over a time; null for what was not measured. */
export interface SideView {
  requests: number
  errors: number
  /** 0 to 1. */
  errorRate: number | null
  /** Bounds of the 95 % interval of the error rate (Wilson). */
  errorLow: number | null
  errorHigh: number | null
  p50Ms: number | null
  p90Ms: number | null
  p95Ms: number | null
  p99Ms: number | null
  maxMs: number | null
}

export function sideOf({ errors, latency, requests }: Tally): SideView {
  const interval = requests === 0 ? null : wilson(errors, requests, SHOWN_ALPHA)
  const quantile = (share: number) => latencyAt(latency, Math.trunc(latency.count * share))
  return {
    requests,
    errors,
    errorRate: requests === 0 ? null : errors / requests,
    errorLow: interval?.low ?? null,
    errorHigh: interval?.high ?? null,
    p50Ms: quantile(0.5),
    p90Ms: quantile(0.9),
    p95Ms: quantile(0.95),
    p99Ms: quantile(0.99),
    maxMs: latency.count === 0 ? null : latency.maxMs,
  }
}

/**
 * Bounds of a quantile by order statistics, each wrong with a probability of at most `alpha`; null where there are too few
 * latencies for one.
 */
export function quantileInterval(
  seen: Latencies,
  share: number,
  alpha: number,
): { low: number | null; high: number | null } {
  const { count } = seen
  // The probability that at least `rank + 1` latencies lie at or below the quantile.
  const atLeast = (rank: number) => binomialTail(rank + 1, count, share)
  const low = highestWhere(count, (rank) => atLeast(rank) >= 1 - alpha)
  const high = highestWhere(count, (rank) => atLeast(rank) > alpha) + 1
  return { low: low < 0 ? null : latencyAt(seen, low), high: high >= count ? null : latencyAt(seen, high) }
}

/** The highest rank below `count` that holds where all ranks below it do; -1 for none. */
function highestWhere(count: number, holds: (rank: number) => boolean): number {
  let low = -1
  let high = count
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) low = middle
    else high = middle
  }
  return low
}
