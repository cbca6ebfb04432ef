import { readVarints, varintSize, writeVarints } from './varints.ts'

/**
 * Bytes of a packed histogram at most. Fields beyond 64 would leave Redis's compact encoding (`hash-max-listpack-value`);
 * 48 keep 128 busy series within 24 MiB.
 */
export const MAX_FIELD_BYTES = 48
/** Eight buckets per doubling: 9 % between the bounds of one. */
export const FINEST_SCALE = 3
/** The buckets of a duration of at most 2^32 ms, 49 days; longer ones count as that. */
export const BUCKETS = 32 * 2 ** FINEST_SCALE

/** Stored scales are shifted by this, so that they fit a byte. */
const SCALE_BIAS = 8

/**
 * Durations by logarithmic buckets, as OpenTelemetry's exponential histograms: bucket `i` reaches from 2^(i / 2^scale) ms
 * to the next. What does not fit 48 bytes is made coarser by one scale, so busy histograms of a wide range have wider
 * buckets, and every count stays exact.
 */
export interface Histogram {
  readonly scale: number
  /** Durations below 1 ms. */
  readonly zeros: number
  /** Number of the first bucket in `counts`. */
  readonly offset: number
  readonly counts: readonly number[]
}

export const EMPTY_HISTOGRAM: Histogram = { scale: FINEST_SCALE, zeros: 0, offset: 0, counts: [] }

const SMALL = 4_096
const smallBuckets = Uint8Array.from({ length: SMALL }, (_, ms) => (ms < 1 ? 0 : bucketOf(ms)))

function bucketOf(ms: number): number {
  return Math.min(Math.floor(Math.log2(ms) * 2 ** FINEST_SCALE), BUCKETS - 1)
}

/** The bucket of a duration of at least 1 ms, at the finest scale. `ms` is an integer. */
export function finestBucket(ms: number): number {
  return ms < SMALL ? smallBuckets[ms]! : bucketOf(ms)
}

/** A histogram of counts by bucket at the finest scale, from bucket 0 on. */
export function histogramOf(zeros: number, buckets: ArrayLike<number>): Histogram {
  let first = 0
  let last = buckets.length - 1
  while (first <= last && buckets[first] === 0) first++
  while (last >= first && buckets[last] === 0) last--
  const counts = Array.from({ length: last - first + 1 }, (_, i) => buckets[first + i]!)
  return { scale: FINEST_SCALE, zeros, offset: counts.length === 0 ? 0 : first, counts }
}

/** The same durations in buckets twice as wide. */
export function coarser({ scale, zeros, offset, counts }: Histogram): Histogram {
  const from = Math.floor(offset / 2)
  const merged: number[] = []
  counts.forEach((count, i) => {
    const at = Math.floor((offset + i) / 2) - from
    merged[at] = (merged[at] ?? 0) + count
  })
  return { scale: scale - 1, zeros, offset: from, counts: merged }
}

/** The same durations at a scale, if that is coarser. */
export function atScale(histogram: Histogram, scale: number): Histogram {
  let result = histogram
  while (result.scale > scale) result = coarser(result)
  return result
}

/** The durations of both. */
export function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  const scale = Math.min(a.scale, b.scale)
  const [x, y] = [atScale(a, scale), atScale(b, scale)]
  const zeros = x.zeros + y.zeros
  if (x.counts.length === 0) return { ...y, zeros }
  if (y.counts.length === 0) return { ...x, zeros }
  const offset = Math.min(x.offset, y.offset)
  const end = Math.max(x.offset + x.counts.length, y.offset + y.counts.length)
  const counts = Array.from({ length: end - offset }, (_, i) => {
    const bucket = offset + i
    return (x.counts[bucket - x.offset] ?? 0) + (y.counts[bucket - y.offset] ?? 0)
  })
  return { scale, zeros, offset, counts }
}

/** Packs a histogram into at most 48 bytes: scale, zeros, offset, and a count per bucket. */
export function packHistogram(histogram: Histogram): Buffer {
  let fitting = histogram
  while (packedSize(fitting) > MAX_FIELD_BYTES) fitting = coarser(fitting)
  const bytes = [fitting.scale + SCALE_BIAS]
  writeVarints(bytes, [fitting.zeros, fitting.offset, ...fitting.counts])
  return Buffer.from(bytes)
}

function packedSize({ zeros, offset, counts }: Histogram): number {
  return 1 + varintSize(zeros) + varintSize(offset) + counts.reduce((size, count) => size + varintSize(count), 0)
}

/** Reads a packed histogram; an empty one where there is none, or something else. */
export function unpackHistogram(bytes: Uint8Array | null | undefined): Histogram {
  if (!bytes || bytes.length < 3 || bytes.length > MAX_FIELD_BYTES) return EMPTY_HISTOGRAM
  const scale = bytes[0]! - SCALE_BIAS
  const [zeros = 0, offset = 0, ...counts] = readVarints(bytes, 1)
  if (scale > FINEST_SCALE || scale < -SCALE_BIAS || offset >= BUCKETS) return EMPTY_HISTOGRAM
  return { scale, zeros, offset, counts }
}

/** Number of durations. */
export function countOf({ zeros, counts }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, zeros)
}

/** The lower bound of a bucket in ms. */
export function lowerBoundMs(scale: number, bucket: number): number {
  return 2 ** (bucket / 2 ** scale)
}

/** The duration in ms that a share of all durations does not exceed, within the width of its bucket; null without any. */
export function quantile(histogram: Histogram, share: number): number | null {
  const { scale, zeros, offset, counts } = histogram
  const count = countOf(histogram)
  if (count === 0) return null
  let before = zeros
  const rank = share * count
  if (rank <= zeros && zeros > 0) return 0
  for (const [i, inBucket] of counts.entries()) {
    if (inBucket > 0 && before + inBucket >= rank) {
      const low = lowerBoundMs(scale, offset + i)
      const high = lowerBoundMs(scale, offset + i + 1)
      return low + (high - low) * ((rank - before) / inBucket)
    }
    before += inBucket
  }
  return lowerBoundMs(scale, offset + counts.length)
}
