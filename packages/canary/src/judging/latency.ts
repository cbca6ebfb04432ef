/**
 * Latencies as counts in buckets of equal ratio: 16 to an octave, each 4.4 % wide, from 0.1 ms to an hour. A histogram
 * costs the same for ten requests and for a million; a limit is exact to the width of one bucket.
 */

const FLOOR_MS = 0.1
const PER_OCTAVE = 16
/** As in `record-script.ts`. The last bucket has everything above an hour. */
export const BUCKETS = 410

export interface Latencies {
  count: number
  sumMs: number
  maxMs: number
  /** No bucket below this one has a count. */
  first: number
  /** Counts by bucket. */
  buckets: Uint32Array
}

export function noLatencies(): Latencies {
  return { count: 0, sumMs: 0, maxMs: 0, first: BUCKETS, buckets: new Uint32Array(BUCKETS) }
}

/** The bucket of a latency. The same arithmetic as in `record-script.ts`. */
export function bucketOfMs(ms: number): number {
  if (ms < FLOOR_MS) return 0
  return Math.min(BUCKETS - 1, 1 + Math.floor((PER_OCTAVE * Math.log(ms / FLOOR_MS)) / Math.LN2))
}

/** The smallest latency of a bucket, in ms. */
export function lowestMsOf(bucket: number): number {
  return bucket === 0 ? 0 : FLOOR_MS * 2 ** ((bucket - 1) / PER_OCTAVE)
}

export function addLatency(into: Latencies, ms: number, times = 1): void {
  into.count += times
  into.sumMs += ms * times
  into.maxMs = Math.max(into.maxMs, ms)
  const bucket = bucketOfMs(ms)
  into.first = Math.min(into.first, bucket)
  into.buckets[bucket]! += times
}

/** Adds the counts of `more`. */
export function addLatencies(into: Latencies, more: Latencies): void {
  if (more.count === 0) return
  into.count += more.count
  into.sumMs += more.sumMs
  into.maxMs = Math.max(into.maxMs, more.maxMs)
  const end = Math.min(more.buckets.length, bucketOfMs(more.maxMs) + 1)
  into.first = Math.min(into.first, more.first)
  for (let i = more.first; i < end; i++) into.buckets[i]! += more.buckets[i]!
}

/** Counts the requests that surely took longer than `limitMs`: those in its own bucket are left out. */
export function countAbove({ buckets, maxMs }: Latencies, limitMs: number): number {
  if (maxMs <= limitMs) return 0
  let above = 0
  const end = Math.min(buckets.length, bucketOfMs(maxMs) + 1)
  const first = lowestMsOf(bucketOfMs(limitMs)) === limitMs ? bucketOfMs(limitMs) : bucketOfMs(limitMs) + 1
  for (let i = first; i < end; i++) above += buckets[i]!
  return above
}

/**
 * The latency at a rank counted from 0 in ascending order, in ms: the middle of its bucket, and exactly the largest where
 * the rank is in the last bucket.
 */
export function latencyAt({ buckets, count, first, maxMs }: Latencies, rank: number): number | null {
  if (count === 0 || rank >= count) return null
  const last = bucketOfMs(maxMs)
  let seen = 0
  for (let i = first; i < buckets.length; i++) {
    seen += buckets[i]!
    if (seen > rank)
      return i >= last ? maxMs : Math.min(maxMs, Math.sqrt(Math.max(FLOOR_MS / 2, lowestMsOf(i)) * lowestMsOf(i + 1)))
  }
  return maxMs
}

/** Python's rank of the 95th percentile: `sorted(latencies)[int(len(latencies) * 0.95)]`; of 20 the largest. Null of none. */
export function p95(latencies: Latencies): number | null {
  return latencyAt(latencies, Math.trunc(latencies.count * 0.95))
}
