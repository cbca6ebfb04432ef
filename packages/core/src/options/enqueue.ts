import { isWellFormed } from '@arq-ts/protocol/jobs'
import { isDate } from '@arq-ts/protocol/values'
import * as z from './zod.ts'
import { OptionsError } from '../errors.ts'
import { uniqueSchema } from '../unique/unique.ts'
import type { Unique } from '../unique/unique.ts'
import { MAX_DEFER_MS, aRecord, checkOptions, count, duration, readingOptions } from './check.ts'

/** Options of one job: the last argument of `client.enqueue()`. */
export interface EnqueueOptions {
  /**
   * Makes the job unique while it is queued, running or has a kept result. Default: a fresh uuid4 in hex. A lone
   * surrogate is refused: UTF-8 cannot hold it.
   */
  jobId?: string
  /** The queue it goes to; a worker must serve it. Default: the client's `queueName`. */
  queueName?: string
  /** Milliseconds until it is due, by Redis's clock; at most a century. Default 0. Excludes `deferUntil`. */
  deferByMs?: number
  /** Due time: a Date, or unix ms. Default: now. Excludes `deferByMs`. */
  deferUntil?: Date | number
  /** The job does not start later than this many ms from now. Default: its due time + `expiresExtraMs`. */
  expiresMs?: number
  /** The try this job begins with, at least 1; arq's `_job_try`. Default 1. */
  jobTry?: number
  /** At most one job under a key, and what becomes of the others. Excludes `jobId`. */
  unique?: Unique
  /**
   * Runs the job before those that were enqueued up to this many ms earlier: a priority that ages. At most a century.
   * Excludes `deferByMs` and `deferUntil`, since a head start would also start the job before its time. Default 0.
   */
  headStartMs?: number
  /** Keyword arguments, for a function enqueued by name. Default none. */
  kwargs?: Readonly<Record<string, unknown>>
}

/** JavaScript's last Date, and the first on the other side. */
const MAX_DATE_MS = 8_640_000_000_000_000

/** A Date, or unix ms. */
export const anInstant = z.custom<Date | number>(isInstant, 'Expected a Date or unix ms')

/** @internal */
export const enqueueSchema = z.strictObject({
  jobId: z
    .string()
    .min(1)
    .refine(isWellFormed, 'Expected a string without lone surrogates, which UTF-8 cannot hold')
    .optional(),
  queueName: z.string().min(1).optional(),
  deferByMs: duration(0, MAX_DEFER_MS).optional(),
  deferUntil: anInstant.optional(),
  expiresMs: duration(1).optional(),
  jobTry: count(1).optional(),
  kwargs: aRecord.optional(),
  unique: uniqueSchema.optional(),
  headStartMs: duration(0, MAX_DEFER_MS).optional(),
})

const known: ReadonlySet<string> = new Set(Object.keys(enqueueSchema.shape))

/**
 * On the hot path, so by hand; what looks wrong goes to the schema for its words. Calls travel in batches: an option
 * that Redis would refuse must not get as far, it would take others down with it.
 *
 * @throws OptionsError
 */
export function checkEnqueueOptions(options: EnqueueOptions): void {
  if (!readingOptions('enqueue', () => isPlain(options))) checkOptions('enqueue', enqueueSchema, options)
  if (options.deferByMs !== undefined && options.deferUntil !== undefined) {
    throw new OptionsError("enqueue: use either 'deferUntil' or 'deferByMs' or neither, not both")
  }
  if (options.unique !== undefined && options.jobId !== undefined) {
    throw new OptionsError("enqueue: 'unique' excludes 'jobId': jobs under a key have ids of their own")
  }
  const isDeferred = options.deferByMs !== undefined || options.deferUntil !== undefined
  if (options.headStartMs !== undefined && isDeferred) {
    throw new OptionsError("enqueue: 'headStartMs' excludes 'deferByMs' and 'deferUntil': it would start the job early")
  }
}

function isPlain(options: EnqueueOptions): boolean {
  // An array, a promise or a map has no key either.
  if (typeof options !== 'object' || options === null || Object.getPrototypeOf(options) !== Object.prototype)
    return false
  if (options.unique !== undefined || options.headStartMs !== undefined) return false
  for (const key in options) if (!known.has(key)) return false
  if (Object.getOwnPropertySymbols(options).length > 0) return false
  const { deferByMs, deferUntil, expiresMs, jobId, jobTry, queueName, kwargs } = options
  return (
    (jobId === undefined || (typeof jobId === 'string' && jobId !== '' && isWellFormed(jobId))) &&
    (queueName === undefined || (typeof queueName === 'string' && queueName !== '')) &&
    (deferByMs === undefined || isBetween(deferByMs, 0, MAX_DEFER_MS)) &&
    (deferUntil === undefined || isInstant(deferUntil)) &&
    (expiresMs === undefined || isBetween(expiresMs, 1, Number.MAX_SAFE_INTEGER)) &&
    (jobTry === undefined || (Number.isSafeInteger(jobTry) && jobTry >= 1)) &&
    (kwargs === undefined || (kwargs !== null && Object.getPrototypeOf(kwargs) === Object.prototype))
  )
}

function isBetween(value: number, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max
}

function isInstant(value: unknown): boolean {
  if (isDate(value)) return !Number.isNaN(value.getTime())
  return typeof value === 'number' && Math.abs(value) <= MAX_DATE_MS
}
