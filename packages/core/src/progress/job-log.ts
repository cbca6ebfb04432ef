import type { LogLevel } from '../logging/logger.ts'

/** Level of a line that is kept. */
export type RecordedLevel = Extract<LogLevel, 'info' | 'warn' | 'error' | 'fatal'>

/** An entry of a job's log, as it is written. */
export type JobLogLine<Emitted = unknown> =
  | { kind: 'log'; level: RecordedLevel; message: string; fields?: object }
  | { kind: 'progress'; fraction: number; message?: string }
  | { kind: 'chunk'; value: Emitted }
  | { kind: 'end'; outcome: 'complete' | 'failed' | 'aborted' }

/** One line, one step of progress, one piece of the result, or the end of a job. */
export type JobLogEntry<Emitted = unknown> = JobLogLine<Emitted> & {
  /** Id of the entry. */
  id: string
  /** Unix ms of Redis. */
  atMs: number
  /** The try, from 1. */
  jobTry: number
}

/** Characters of a message, and of fields as JSON; longer fields are left out. */
const MAX_MESSAGE = 1_000
const MAX_FIELDS = 1_000

/** The text of a message, cut. */
export function cutMessage(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message
}

/** Fields that JSON can write and that are short enough; undefined otherwise. */
export function smallFields(fields: object): object | undefined {
  try {
    const json = JSON.stringify(fields)
    return json === undefined || json === '{}' || json.length > MAX_FIELDS ? undefined : (JSON.parse(json) as object)
  } catch {
    return undefined
  }
}

/** A share of the work between 0 and 1; what is no number is 0, as a share of nothing is. */
export function shareOf(fraction: number): number {
  return fraction >= 0 ? Math.min(fraction, 1) : 0
}
