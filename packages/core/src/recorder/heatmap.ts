import { atScale, coarser, EMPTY_HISTOGRAM, lowerBoundMs, mergeHistograms } from './histogram.ts'
import type { Histogram } from './histogram.ts'

/** Runs by time and duration: `columns[i][r]` ran in step `i` for at least `boundsMs[r]`, and less than `boundsMs[r + 1]`. */
export interface Heatmap {
  fromMs: number
  toMs: number
  stepMs: number
  /** Bounds of the rows, one more than there are rows; the first is 0 where a run took less than 1 ms. */
  boundsMs: number[]
  columns: number[][]
}

const MAX_ROWS = 24

/** A heat map of at most 24 rows of equal ratio. */
export function heatmapOf(
  { fromMs, toMs, stepMs }: Pick<Heatmap, 'fromMs' | 'toMs' | 'stepMs'>,
  histograms: readonly Histogram[],
): Heatmap {
  let all = histograms.reduce(mergeHistograms, EMPTY_HISTOGRAM)
  while (all.counts.length > MAX_ROWS) all = coarser(all)
  const { scale, zeros, offset, counts } = all
  const hasZeros = zeros > 0
  const steps =
    counts.length === 0 ? [] : Array.from({ length: counts.length + 1 }, (_, i) => lowerBoundMs(scale, offset + i))
  const boundsMs = hasZeros ? [0, ...(steps.length > 0 ? steps : [1])] : steps
  const columns = histograms.map((histogram) => {
    const at = atScale(histogram, scale)
    const rows = counts.map((_, i) => at.counts[offset + i - at.offset] ?? 0)
    return hasZeros ? [at.zeros, ...rows] : rows
  })
  // A gap between 0 and the first bucket belongs to no row; runs below 1 ms end at 1 ms.
  if (hasZeros && steps.length > 0 && steps[0]! > 1) return spread({ fromMs, toMs, stepMs, boundsMs, columns })
  return { fromMs, toMs, stepMs, boundsMs, columns }
}

/** Adds an empty row from 1 ms to the first bucket, so that rows are contiguous. */
function spread(map: Heatmap): Heatmap {
  const [zero = 0, ...bounds] = map.boundsMs
  return {
    ...map,
    boundsMs: [zero, 1, ...bounds],
    columns: map.columns.map(([zeros = 0, ...rows]) => [zeros, 0, ...rows]),
  }
}
