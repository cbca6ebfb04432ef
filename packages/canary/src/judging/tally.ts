/** Requests of one collection over a time, as the judge reads them: sums of what was counted by the minute. */
import { addLatencies, bucketOfMs, lowestMsOf, noLatencies, p95 } from './latency.ts'
import type { Latencies } from './latency.ts'
import type { Moments } from './statistics.ts'

export interface Tally {
  requests: number
  errors: number
  /** Requests among them that no user waited for: shadow traffic. */
  shadowed: number
  latency: Latencies
  /** Numbers recorded with the requests, by name. */
  values: Record<string, Moments>
}

/** One minute of both collections. `minute` counts from 1970. */
export interface Minute {
  minute: number
  new: Tally
  old: Tally
}

/** Numbers of one collection over a time; what was not measured is null. */
export interface Metrics {
  totalRequests: number
  totalErrors: number
  errorRate: number | null
  avgLatencyMs: number | null
  p95LatencyMs: number | null
}

export function emptyTally(): Tally {
  return { requests: 0, errors: 0, shadowed: 0, latency: noLatencies(), values: {} }
}

export function addTally(into: Tally, more: Tally): void {
  into.requests += more.requests
  into.errors += more.errors
  into.shadowed += more.shadowed
  addLatencies(into.latency, more.latency)
  for (const [name, { count, max, min, squares, sum }] of Object.entries(more.values)) {
    const known = into.values[name]
    into.values[name] = known
      ? {
          count: known.count + count,
          sum: known.sum + sum,
          squares: known.squares + squares,
          min: Math.min(known.min, min),
          max: Math.max(known.max, max),
        }
      : { count, sum, squares, min, max }
  }
}

/** Counts after `mark`, an earlier tally of the same minute. Keys that were lost meanwhile count as nothing. */
export function since(tally: Tally, mark: Tally | undefined): Tally {
  if (!mark) return tally
  const left = (now: number, then: number) => Math.max(0, now - then)
  const buckets = tally.latency.buckets.map((count, i) => left(count, mark.latency.buckets[i] ?? 0))
  const count = buckets.reduce((sum, each) => sum + each, 0)
  const last = buckets.findLastIndex((each) => each > 0)
  const maxMs = last === -1 ? 0 : last < bucketOfMs(tally.latency.maxMs) ? lowestMsOf(last + 1) : tally.latency.maxMs
  const values = Object.entries(tally.values).flatMap(([name, now]) => {
    const then = mark.values[name] ?? { count: 0, sum: 0, squares: 0 }
    const rest = { ...now, count: now.count - then.count, sum: now.sum - then.sum, squares: now.squares - then.squares }
    return rest.count > 0 ? [[name, rest] as const] : []
  })
  return {
    requests: left(tally.requests, mark.requests),
    errors: left(tally.errors, mark.errors),
    shadowed: left(tally.shadowed, mark.shadowed),
    latency: {
      count,
      sumMs: left(tally.latency.sumMs, mark.latency.sumMs),
      maxMs,
      first: tally.latency.first,
      buckets,
    },
    values: Object.fromEntries(values),
  }
}

/** The figures people read. */
export function metricsOf({ errors, latency, requests }: Tally): Metrics {
  return {
    totalRequests: requests,
    totalErrors: errors,
    errorRate: requests === 0 ? null : errors / requests,
    avgLatencyMs: latency.count === 0 ? null : latency.sumMs / latency.count,
    p95LatencyMs: p95(latency),
  }
}

/** The percentage of the users' requests that the new collection answered; null where there were none. */
export function observedShare(fresh: Tally, old: Tally): number | null {
  const toNew = fresh.requests - fresh.shadowed
  const all = toNew + old.requests
  return all <= 0 ? null : (100 * toNew) / all
}
