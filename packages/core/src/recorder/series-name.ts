import { createHash } from 'node:crypto'

/** The language of the worker that ran a job. */
export type Language = 'typescript' | 'python'

/** One line of numbers. `*` stands for everything that has no series of its own. */
export interface SeriesName {
  readonly queue: string
  readonly function: string
  readonly language: Language
}

/** Limit of series, without the one that the rest folds into. */
export const MAX_SERIES = 128
/** Name of the queue or function that stands for all that are not named. */
export const OTHERS = '*'
/** The series of what came when the table was full. */
export const FOLDED_ID = '*'

/** The field of `arq:obs:series`. */
export function seriesField({ queue, function: functionName, language }: SeriesName): string {
  return JSON.stringify([queue, functionName, language])
}

/** The id of a series in keys: drawn from its name, so that every worker knows it and a flushed server changes nothing. */
export function seriesId(name: SeriesName): string {
  return createHash('sha256').update(seriesField(name)).digest('base64url').slice(0, 10)
}

/** Reads a field of `arq:obs:series`; undefined where it is something else. */
export function readSeriesField(field: string): SeriesName | undefined {
  let parts: unknown
  try {
    parts = JSON.parse(field)
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === 'string')) return undefined
  const [queue, functionName, language] = parts as (string | undefined)[]
  if (queue === undefined || functionName === undefined) return undefined
  if (language !== 'typescript' && language !== 'python') return undefined
  return { queue, function: functionName, language }
}
