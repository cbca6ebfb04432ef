/** Numbers from what was counted by the minute. Pure. */
import type { Bucket, Mark, Metrics } from './types.ts'

export const NO_METRICS: Metrics = {
  totalRequests: 0,
  totalErrors: 0,
  errorRate: null,
  avgLatencyMs: null,
  p95LatencyMs: null,
}

/** Numbers over several minutes, by the Python application's arithmetic. */
export function summarise(buckets: readonly Bucket[]): Metrics {
  const totalRequests = buckets.reduce((sum, bucket) => sum + bucket.count, 0)
  const totalErrors = buckets.reduce((sum, bucket) => sum + bucket.errors, 0)
  const latencies = buckets.flatMap((bucket) => bucket.latencies).sort((a, b) => a - b)
  const sum = latencies.reduce((total, latency) => total + latency, 0)
  return {
    totalRequests,
    totalErrors,
    errorRate: totalRequests === 0 ? null : totalErrors / totalRequests,
    avgLatencyMs: latencies.length === 0 ? null : sum / latencies.length,
    p95LatencyMs: p95(latencies),
  }
}

/** Python's `sorted(latencies)[int(len(latencies) * 0.95)]`: of 20 the largest. Null of none. */
export function p95(sorted: readonly number[]): number | null {
  return sorted[Math.trunc(sorted.length * 0.95)] ?? null
}

/** What was counted after the marks were made. */
export function since(buckets: readonly Bucket[], marks: readonly Mark[]): Bucket[] {
  return buckets.map((bucket) => {
    const mark = marks.find(({ minute }) => minute === bucket.minute)
    if (!mark) return bucket
    return {
      minute: bucket.minute,
      count: Math.max(0, bucket.count - mark.count),
      errors: Math.max(0, bucket.errors - mark.errors),
      latencies: bucket.latencies.slice(0, Math.max(0, bucket.latencies.length - mark.latencies)),
    }
  })
}

/** Marks of the minutes that may still be counted in: this one, and its neighbours by clocks that differ. */
export function marksAt(buckets: readonly Bucket[], nowMs: number): Mark[] {
  return buckets
    .filter(({ minute }) => Math.abs(minute - minuteOf(nowMs)) <= 1)
    .map(({ latencies, ...bucket }) => ({ ...bucket, latencies: latencies.length }))
}

/** The minute a time is in, as keys are named: since 1970. */
export function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000)
}
