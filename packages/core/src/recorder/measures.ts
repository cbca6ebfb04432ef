import { readVarints, writeVarints } from './varints.ts'

/**
 * Sums and maxima in one field: the number of sums in a byte, then all values. Merging adds the sums and takes the greater
 * of two maxima; values that only one side has are kept, so a later version may append some.
 */
export interface Measures {
  readonly sums: readonly number[]
  readonly maxima: readonly number[]
}

/** The counts of a series in each slot, in the order in which it is stored. */
export const COUNTS = ['complete', 'failed', 'aborted', 'retried', 'released', 'lost'] as const
/** One of the ways in which a job's try ends. */
export type CountName = (typeof COUNTS)[number]

/** Places in `sums` and `maxima` of a series beyond its counts. */
export const RUN_SUM = COUNTS.length
export const WAIT_SUM = COUNTS.length + 1
export const RUN_MAX = 0
export const WAIT_MAX = 1

/** Gauges of a queue: the sums are over `samples`, so that a mean can be taken over any time. */
export const GAUGES = ['samples', 'depth', 'due', 'running', 'capacity'] as const
/** Place in `maxima` of the age of the oldest due job. */
export const OLDEST_MAX = 0

export const NO_MEASURES: Measures = { sums: [], maxima: [] }

/** Packs sums and maxima; negative and broken values count as 0. */
export function packMeasures({ sums, maxima }: Measures): Buffer {
  const bytes = [sums.length]
  writeVarints(bytes, sums)
  writeVarints(bytes, maxima)
  return Buffer.from(bytes)
}

/** Reads packed measures; none where there is nothing. */
export function unpackMeasures(bytes: Uint8Array | null | undefined): Measures {
  if (!bytes || bytes.length < 2) return NO_MEASURES
  const values = readVarints(bytes, 1)
  return { sums: values.slice(0, bytes[0]), maxima: values.slice(bytes[0]) }
}

/** The measures of both. */
export function mergeMeasures(a: Measures, b: Measures): Measures {
  return {
    sums: zip(a.sums, b.sums, (x, y) => x + y),
    maxima: zip(a.maxima, b.maxima, Math.max),
  }
}

function zip(a: readonly number[], b: readonly number[], join: (x: number, y: number) => number): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => join(a[i] ?? 0, b[i] ?? 0))
}
