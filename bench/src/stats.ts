/** Statistics of several rounds of one measurement. */
export interface Summary {
  median: number
  min: number
  max: number
  rounds: number
  /** Round by round; results that were made before they were kept have none. */
  values?: readonly number[]
}

export function summarise(values: readonly number[]): Summary {
  const sorted = ascending(values)
  return { median: quantile(sorted, 0.5), min: sorted[0]!, max: sorted.at(-1)!, rounds: sorted.length, values }
}

/** Quantile of ascending values, interpolated. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)]!
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at))
}

/** Probability with which an interval holds the true median, at least. */
const CONFIDENCE = 0.9

/**
 * The narrowest pair of values that holds the true median with a confidence of 90 %, whatever the distribution; undefined
 * where there are too few values (fewer than five).
 */
export function medianInterval(values: readonly number[]): { low: number; high: number } | undefined {
  const n = values.length
  const sorted = ascending(values)
  // The chance that at most `cut` of n values lie on one side of the median, for growing cuts.
  let tail = 0.5 ** n
  let term = tail
  let cut = -1
  while (1 - 2 * tail >= CONFIDENCE) {
    cut++
    term *= (n - cut) / (cut + 1)
    tail += term
  }
  return cut < 0 ? undefined : { low: sorted[cut]!, high: sorted[n - 1 - cut]! }
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}
