/** The functions of the root entry, which check the arguments of monitors and tools. Internal callers need no checks. */

import * as codec from './codec.ts'
import type { CodecName } from './codec.ts'
import * as health from './jobs/health.ts'
import type { HealthCounts } from './jobs/health.ts'
import * as records from './jobs/records.ts'
import type { JobRecord, ResultRecord } from './jobs/records.ts'
import * as policy from './jobs/retry-policy.ts'
import type { RetryPolicy } from './jobs/retry-policy.ts'
import * as status from './jobs/status.ts'
import type { JobStatus, ObservedJob } from './jobs/status.ts'
import { expectArgument, expectFields, isNumber, isObject, isString } from './values/expect-argument.ts'
import type { PayloadLimits } from './values/limits.ts'

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isBytes = (value: unknown) => ArrayBuffer.isView(value)
const isFlag = (value: unknown) => typeof value === 'boolean'
const isNumberOrNull = (value: unknown) => value === null || isNumber(value)
const isCodec = (value: unknown) => isString(value) && ['msgpack', 'pickle', 'json'].includes(value as string)
const counted = { complete: isCount, failed: isCount, retried: isCount, ongoing: isCount, queued: isCount }
const job = {
  jobTry: isNumberOrNull,
  functionName: isString,
  args: Array.isArray,
  kwargs: isObject,
  enqueueTimeMs: isNumber,
}
const result = {
  ...job,
  success: isFlag,
  startTimeMs: isNumber,
  finishTimeMs: isNumber,
  queueName: isString,
  jobId: isString,
}

function expectBytes(where: string, bytes: unknown): void {
  expectArgument(where, 'bytes', isBytes(bytes), 'a Uint8Array', bytes)
}

function expectCodec(where: string, name: unknown): void {
  expectArgument(where, 'codec', isCodec(name), "'msgpack', 'pickle' or 'json'", name)
}

function expectLimits(where: string, limits: unknown): void {
  if (limits === undefined) return
  const bound = (value: unknown) => value === undefined || isCount(value)
  expectFields(where, 'limits', limits, { maxPayloadBytes: bound, maxDecodedBytes: bound }, true)
}

/** The codec of the bytes of a job or a result, by the first byte; undefined if it is none of ours. @throws OptionsError */
export function codecOf(bytes: Uint8Array): CodecName | undefined {
  expectBytes('codecOf', bytes)
  return codec.codecOf(bytes)
}

/**
 * Encodes any value with a codec.
 *
 * @param maxBytes - Bytes of the payload at most. Default 64 MiB.
 * @returns A Buffer; in a browser, which has none, a plain Uint8Array.
 * @throws OptionsError; EncodeError for values that the codec cannot express, and beyond `maxBytes` and 500 levels of nesting.
 */
export function encodeValue(value: unknown, name: CodecName, maxBytes?: number): Buffer {
  expectCodec('encodeValue', name)
  const isBound = maxBytes === undefined || isCount(maxBytes)
  expectArgument('encodeValue', 'maxBytes', isBound, 'a number of bytes', maxBytes)
  return codec.encodeValue(value, name, maxBytes)
}

/**
 * Decodes the value of a payload with the codec of its first byte.
 *
 * @throws OptionsError; DecodeError for bytes that no codec reads, and beyond the limits on size, depth and memory.
 */
export function decodeValue(bytes: Uint8Array, limits?: PayloadLimits): { value: unknown; codec: CodecName } {
  expectBytes('decodeValue', bytes)
  expectLimits('decodeValue', limits)
  return codec.decodeValue(bytes, limits)
}

/** Encodes a job. @throws OptionsError; EncodeError */
export function encodeJob(record: JobRecord, name: CodecName, limits?: PayloadLimits): Buffer {
  expectFields('encodeJob', 'record', record, job)
  expectCodec('encodeJob', name)
  expectLimits('encodeJob', limits)
  return records.encodeJob(record, name, limits)
}

/**
 * Encodes a result.
 *
 * @param payload - The job's own bytes, if they are available and of the same codec: parts that can be copied from them
 *   unchanged are not encoded again.
 * @throws OptionsError; EncodeError
 */
export function encodeResult(
  record: ResultRecord,
  name: CodecName,
  payload?: Uint8Array,
  limits?: PayloadLimits,
): Buffer {
  expectFields('encodeResult', 'record', record, result)
  expectCodec('encodeResult', name)
  if (payload !== undefined) expectBytes('encodeResult', payload)
  expectLimits('encodeResult', limits)
  return records.encodeResult(record, name, payload, limits)
}

/** Decodes a job. @throws OptionsError; DecodeError */
export function decodeJob(bytes: Uint8Array, limits?: PayloadLimits): { record: JobRecord; codec: CodecName } {
  expectBytes('decodeJob', bytes)
  expectLimits('decodeJob', limits)
  return records.decodeJob(bytes, limits)
}

/** Decodes a result. Fields `q` and `id` may be missing, as in results of old versions of arq. @throws OptionsError; DecodeError */
export function decodeResult(bytes: Uint8Array, limits?: PayloadLimits): { record: ResultRecord; codec: CodecName } {
  expectBytes('decodeResult', bytes)
  expectLimits('decodeResult', limits)
  return records.decodeResult(bytes, limits)
}

/** Formats a health line as arq does, in local time: `Nov-24 04:25:58 j_complete=1 j_failed=0 j_retried=0 j_ongoing=0 queued=0`. @throws OptionsError */
export function healthLine(at: Date, counts: HealthCounts): string {
  const isTime = Object.prototype.toString.call(at) === '[object Date]' && !Number.isNaN(at.getTime())
  expectArgument('healthLine', 'at', isTime, 'a Date', at)
  expectFields('healthLine', 'counts', counts, counted, true)
  return health.healthLine(at, counts)
}

/** Parses a health line; undefined for any other string. @throws OptionsError unless given a string. */
export function parseHealthLine(line: string): HealthCounts | undefined {
  expectArgument('parseHealthLine', 'line', isString(line), 'a string', line)
  return health.parseHealthLine(line)
}

/**
 * The delay before the next try, in whole ms. A backoff function that throws or gives nonsense counts as `delayMs`.
 *
 * @param failedTry - the try that failed, from 1.
 * @param random - in [0, 1).
 * @throws OptionsError
 */
export function retryDelayMs(rules: RetryPolicy, failedTry: number, error: unknown, random: number): number {
  const optional = (isRight: (value: unknown) => boolean) => (value: unknown) => value === undefined || isRight(value)
  const isSpan = (value: unknown) => isNumber(value) && (value as number) >= 0
  const isBackoff = (value: unknown) => typeof value === 'function' || value === 'exponential' || value === 'fixed'
  const isJitter = (value: unknown) => typeof value === 'boolean' || (isSpan(value) && (value as number) <= 1)
  const fields = {
    delayMs: isSpan,
    backoff: optional(isBackoff),
    jitter: optional(isJitter),
    maxDelayMs: optional(isSpan),
  }
  expectFields('retryDelayMs', 'policy', rules, fields, true)
  expectArgument('retryDelayMs', 'failedTry', isCount(failedTry), 'a try, from 1', failedTry)
  expectArgument('retryDelayMs', 'random', isNumber(random), 'a number from 0 to 1', random)
  return policy.retryDelayMs(rules, failedTry, error, random)
}

/** The status of a job at `nowMs`, unix ms by Redis's clock; a result counts before a run, a run before a place in the queue. @throws OptionsError */
export function statusOf(observed: ObservedJob, nowMs: number): JobStatus {
  expectFields('statusOf', 'job', observed, { hasResult: isFlag, inProgress: isFlag, score: isNumberOrNull })
  expectArgument('statusOf', 'nowMs', isNumber(nowMs), 'unix ms', nowMs)
  return status.statusOf(observed, nowMs)
}
