import type { Metrics } from './types.ts'

/** What one minute's buckets hold. */
export interface Bucket {
  count: number
  errors: number
  latencies: readonly number[]
}

export const NO_METRICS: Metrics = { totalRequests: 0, totalErrors: 0, errorRate: 0, avgLatencyMs: 0, p95LatencyMs: 0 }

/** Numbers over several minutes. The 95th percentile is of the latencies themselves: at least 95 % are no larger. */
export function summarise(buckets: readonly Bucket[]): Metrics {
  const totalRequests = buckets.reduce((sum, bucket) => sum + bucket.count, 0)
  if (totalRequests === 0) return NO_METRICS
  const totalErrors = buckets.reduce((sum, bucket) => sum + bucket.errors, 0)
  const latencies = buckets.flatMap((bucket) => bucket.latencies).sort((a, b) => a - b)
  const sum = latencies.reduce((total, latency) => total + latency, 0)
  return {
    totalRequests,
    totalErrors,
    errorRate: totalErrors / totalRequests,
    avgLatencyMs: latencies.length === 0 ? 0 : sum / latencies.length,
    p95LatencyMs: latencies[Math.max(0, Math.ceil(latencies.length * 0.95) - 1)] ?? 0,
  }
}

/** The minute a time is in, as keys are named: since 1970. */
export function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000)
}
