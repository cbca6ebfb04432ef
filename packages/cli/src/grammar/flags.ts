// Flags and arguments that several commands share, and how they are read.
import parseDuration from 'parse-duration'
import { parseId } from '@arq-ts/protocol/jobs'
import type { JobState } from '@arq-ts/core'
import { CommandError } from '../exit.ts'

/** Numbers, each with its unit: what the parser would pass over, or take for milliseconds, is refused. */
const DURATION =
  /^(\s*(\d+(\.\d+)?|\.\d+)\s*(ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(?![a-z]))+\s*$/i

export const duration = (text: string): number => {
  const ms = DURATION.test(text) ? parseDuration(text) : null
  if (ms === null) throw new CommandError(`expected a duration such as 30s, 5m or 2h, got '${text}'`)
  return Math.round(ms)
}

export const instant = (text: string): Date => {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) throw new CommandError(`expected a time such as 2027-01-31T08:00:00Z, got '${text}'`)
  return at
}

const count = (value: unknown): number => {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
  throw new CommandError(`expected a whole number from 1, got '${String(value)}'`)
}
export const countOption = (describe: string) => ({ number: true, coerce: count, describe, requiresArg: true }) as const
const port = (value: number): number => {
  if (Number.isInteger(value) && value >= 0 && value < 65_536) return value
  throw new CommandError(`expected a port from 0 to 65535, got '${value}'`)
}
export const portOption = (describe: string) => ({ number: true, coerce: port, describe, requiresArg: true }) as const
export const durationOption = (describe: string) =>
  ({ string: true, coerce: duration, describe, requiresArg: true }) as const
/** An id as it was typed: `\\xff` is a byte, as lists show it. */
const ids = (typed: string | readonly string[] | undefined): unknown =>
  typeof typed === 'string' ? parseId(typed) : typed?.map(parseId)
/** The name of a queue, or several, as they were typed. Redis has no queue of an empty name. */
const queueNames = (typed: string | readonly string[] | undefined): unknown => {
  if ([typed].flat().includes('')) throw new CommandError('expected the name of a queue, got an empty string')
  return ids(typed)
}
export const queueOption = {
  string: true,
  requiresArg: true,
  alias: 'q',
  coerce: queueNames as (typed: string) => string,
  describe: 'queue [of the configuration, or where the job is]',
} as const
export const queuesOption = {
  string: true,
  array: true,
  requiresArg: true,
  alias: 'q',
  coerce: queueNames as (typed: string[]) => string[],
} as const
export const idArgument = {
  string: true,
  demandOption: true,
  coerce: ids as (typed: string) => string,
  describe: "the job's id",
} as const
export const idsArgument = {
  string: true,
  array: true,
  coerce: ids as (typed: string[]) => string[],
  describe: 'ids of jobs',
} as const
export const queueArgument = {
  string: true,
  coerce: queueNames as (typed: string) => string,
  describe: 'the queue [of the configuration]',
} as const
export const limitOption = (most: number) => ({ ...countOption('show at most this many'), default: most }) as const
export const deepOption = {
  boolean: true,
  alias: 'scan',
  describe: 'look at all keys of the database for queues, however many there are',
} as const
export const bulkOptions = {
  yes: { boolean: true, alias: 'y', describe: 'do it without asking' },
  'dry-run': { boolean: true, describe: 'show what would be done, and the number' },
} as const
export const deadFilter = {
  function: { string: true, requiresArg: true, describe: 'of this function' },
  queue: { ...queueOption, describe: 'of this queue' },
  error: { string: true, requiresArg: true, describe: 'with this text in the error' },
  'older-than': durationOption('that failed at least this long ago'),
} as const
export const deadChoice = {
  ...deadFilter,
  ...bulkOptions,
  all: { boolean: true, describe: 'all of them' },
} as const
/** `JOB_STATES` of the core, which help must not load. */
const STATES = [
  'queued',
  'deferred',
  'retrying',
  'running',
  'complete',
  'failed',
  'aborted',
  'dead',
] as const satisfies readonly JobState[]
export const jobFilter = {
  status: { choices: STATES, array: true, requiresArg: true, describe: 'in this state; repeatable' },
  function: { string: true, requiresArg: true, describe: 'of this function' },
  queue: { ...queueOption, describe: 'of this queue [all]' },
  text: { string: true, requiresArg: true, describe: 'with this text in the arguments' },
  'older-than': durationOption('enqueued, or ended, at least this long ago'),
  deep: deepOption,
} as const
export const jobChoice = {
  ...jobFilter,
  ...bulkOptions,
  all: { boolean: true, describe: 'all jobs that the verb can act on' },
} as const
