/** Numbers of a heat map. Pure. */

import type { HeatmapData } from '@arq-ts/dashboard/api'

/** Rows from the first to the last that has a job, with one empty row around them, and the largest count. */
export function trimmed({ counts, boundsMs }: HeatmapData): { first: number; last: number; most: number } {
  const used = boundsMs.map((_, row) => counts.some((column) => (column[row] ?? 0) > 0))
  const first = used.indexOf(true)
  if (first < 0) return { first: 0, last: boundsMs.length - 1, most: 0 }
  return {
    first: Math.max(0, first - 1),
    last: Math.min(boundsMs.length - 1, used.lastIndexOf(true) + 1),
    most: counts.reduce((most, column) => Math.max(most, ...column), 0),
  }
}

/** Colour of a count, 1 to 6, on a logarithmic scale. */
export function level(count: number, most: number): number {
  if (most <= 1) return 3
  return Math.min(6, 1 + Math.floor((Math.log(count) / Math.log(most)) * 5.999))
}

/** A percentile of each column in ms, placed within its row by equal ratios; null where nothing ran. */
export function percentileLine(of: HeatmapData, share: number): (number | null)[] {
  const { counts, boundsMs } = of
  return counts.map((column) => {
    const total = column.reduce((sum, count) => sum + count, 0)
    if (total === 0) return null
    let left = total * share
    for (let row = 0; row < column.length; row++) {
      const count = column[row]!
      if (count > 0 && left <= count) {
        const lower = lowerBound(of, row)
        const upper = boundsMs[row] ?? lower * 2
        return lower <= 0 ? upper : lower * (upper / lower) ** (left / count)
      }
      left -= count
    }
    return null
  })
}

/** Lower bound of a row in ms. The first row has the ratio of the next, unless it counts what took less than 1 ms. */
export function lowerBound({ boundsMs }: Pick<HeatmapData, 'boundsMs'>, row: number): number {
  const [first, second] = boundsMs
  if (row > 0) return boundsMs[row - 1] ?? 0
  return first && first > 1 && second ? (first * first) / second : 0
}
