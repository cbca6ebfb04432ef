import { DecodeError, RemoteError } from '../errors.ts'
import { decodeValue, encodeNamed } from '../codec.ts'
import type { CodecName } from '../codec.ts'
import { fromExceptionMap, readException } from '../values/exceptions.ts'
import { joinMsgpackResult } from '../msgpack/result.ts'
import { viewOf } from '../values/bytes.ts'
import { expectFunction } from '../values/expect-argument.ts'
import { MAX_PAYLOAD_BYTES } from '../values/limits.ts'
import type { PayloadLimits } from '../values/limits.ts'
import { PyObject, Tuple } from '../values/values.ts'

export type { CodecName } from '../codec.ts'

/** A job as it is on the wire: `t f a k et`. */
export interface JobRecord {
  /** The try the producer asked for; null where it did not. */
  jobTry: number | null
  functionName: string
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
  enqueueTimeMs: number
  /** Fields of arq-ts in addition to arq's, which Python ignores; undefined where there are none. */
  mark?: Readonly<Record<string, unknown>> | undefined
}

/** The payload's key for the mark. */
const MARK = 'arq-ts'

/** A result as it is on the wire: the job's five fields and `s r st ft q id`, and the mark `ts` of what arq-ts wrote. */
export interface ResultRecord extends JobRecord {
  success: boolean
  /** Return value of the handler; for a failure, an Error, or the string Python writes for an error it cannot serialize. */
  result: unknown
  startTimeMs: number
  finishTimeMs: number
  queueName: string
  jobId: string
}

/** The mark of a result that arq-ts wrote: the last key of its map, which Python's arq ignores. */
const RESULT_MARK = { ts: true } as const
/** The bytes with which a marked result ends: pickle, msgpack, JSON. */
const MARKED_ENDS = ['\x8c\x02ts\x88u.', '\xa2ts\xc3', ',"ts":true}']

/** True where the last bytes of a result, eleven or more, carry the mark of arq-ts: no Python worker wrote it. */
export function isMarkedResult(tail: Uint8Array): boolean {
  const text = viewOf(tail).latin1Slice(0, tail.length)
  return MARKED_ENDS.some((end) => text.endsWith(end))
}

/** Placeholder of arq for the queue and the id that results of its old versions lack. */
const UNKNOWN = '<unknown>'

/** The fields that hold values of programs, as messages name them. */
const NAMES = { a: 'args', k: 'kwargs', r: 'result' } as const

type Fields = Readonly<Record<string, unknown>>

/** @throws EncodeError */
export function encodeJob(job: JobRecord, codec: CodecName, limits?: PayloadLimits): Buffer {
  const { jobTry: t, functionName: f, kwargs: k, enqueueTimeMs: et, mark } = job
  const a = wireArgs(job.args, codec)
  return encodeNamed(
    mark === undefined ? { t, f, a, k, et } : { t, f, a, k, et, [MARK]: mark },
    codec,
    limits?.maxPayloadBytes ?? MAX_PAYLOAD_BYTES,
    NAMES,
  )
}

/**
 * @param payload - The job's own bytes, where they are at hand and of the same codec: what can be taken over from them
 *   as it stands is not written anew.
 * @throws EncodeError
 */
export function encodeResult(
  result: ResultRecord,
  codec: CodecName,
  payload?: Uint8Array,
  { maxPayloadBytes = MAX_PAYLOAD_BYTES }: PayloadLimits = {},
): Buffer {
  if (codec === 'msgpack' && payload) {
    const { success, result: value, startTimeMs, finishTimeMs, queueName, jobId } = result
    const outcome = {
      s: success,
      r: value ?? null,
      st: startTimeMs,
      ft: finishTimeMs,
      q: queueName,
      id: jobId,
      ...RESULT_MARK,
    }
    const bytes = joinMsgpackResult(
      payload,
      result.jobTry,
      encodeNamed(outcome, codec, maxPayloadBytes, NAMES),
      maxPayloadBytes,
    )
    if (bytes) return bytes
  }
  const fields = {
    t: result.jobTry,
    f: result.functionName,
    a: wireArgs(result.args, codec),
    k: result.kwargs,
    et: result.enqueueTimeMs,
    s: result.success,
    // A field of its own, where a dict leaves an undefined value out.
    r: result.result ?? null,
    st: result.startTimeMs,
    ft: result.finishTimeMs,
    q: result.queueName,
    id: result.jobId,
    ...RESULT_MARK,
  }
  return encodeNamed(fields, codec, maxPayloadBytes, NAMES)
}

/** @throws DecodeError */
export function decodeJob(bytes: Uint8Array, limits?: PayloadLimits): { record: JobRecord; codec: CodecName } {
  const { value, codec } = decodeValue(bytes, limits)
  return { record: toJob(map(value, 'the payload')), codec }
}

/** Fields `q` and `id` may be missing, as in results of old versions of arq. @throws DecodeError */
export function decodeResult(bytes: Uint8Array, limits?: PayloadLimits): { record: ResultRecord; codec: CodecName } {
  const { value, codec } = decodeValue(bytes, limits)
  const fields = map(value, 'the payload')
  const success = field(fields, 's')
  if (typeof success !== 'boolean') throw wrong('`s`', 'true or false', success)
  const result = field(fields, 'r')
  const { jobTry, functionName, args, kwargs, enqueueTimeMs } = toJob(fields)
  const record: ResultRecord = {
    jobTry,
    functionName,
    args,
    kwargs,
    enqueueTimeMs,
    success,
    result: success ? result : toError(result),
    startTimeMs: integer(fields, 'st'),
    finishTimeMs: integer(fields, 'ft'),
    queueName: optionalText(fields, 'q'),
    jobId: optionalText(fields, 'id'),
  }
  return { record, codec }
}

/** Python's args are a tuple; the other codecs have no such thing. */
function wireArgs(args: readonly unknown[], codec: CodecName): readonly unknown[] {
  return codec !== 'pickle' || args instanceof Tuple ? args : Tuple.adopt([...args])
}

function toJob(fields: Fields): JobRecord {
  const functionName = field(fields, 'f')
  if (typeof functionName !== 'string') throw wrong('`f`', 'a function name', functionName)
  const args = field(fields, 'a')
  if (!Array.isArray(args)) throw wrong('`a`', 'the positional arguments', args)
  const record: JobRecord = {
    jobTry: field(fields, 't') === null ? null : integer(fields, 't'),
    functionName,
    args: args as unknown[],
    kwargs: map(field(fields, 'k'), '`k`'),
    enqueueTimeMs: integer(fields, 'et'),
  }
  if (Object.hasOwn(fields, MARK)) record.mark = markOf(fields[MARK])
  return record
}

/** Anybody may write a payload: what is no mark of ours is none. */
function markOf(value: unknown): JobRecord['mark'] {
  const isMap = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  return isMap ? (value as JobRecord['mark']) : undefined
}

/** As in Python, each field must be there. */
function field(fields: Fields, name: string): unknown {
  if (!Object.hasOwn(fields, name))
    throw new DecodeError(`the payload lacks \`${name}\`; it is no job or result of arq`)
  return fields[name]
}

/** A map whose keys are strings is a plain object by now; one with other keys is a Map. */
function map(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null) {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return value as Fields
  }
  throw wrong(name, 'a map with text keys', value)
}

function integer(fields: Fields, name: string): number {
  const value = field(fields, name)
  // Sloppy producers write floats.
  if (typeof value === 'number' && Number.isFinite(value)) return Math.round(value)
  throw wrong(`\`${name}\``, 'a number', value)
}

function optionalText(fields: Fields, name: string): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  return typeof value === 'string' ? value : UNKNOWN
}

function wrong(name: string, expected: string, value: unknown): DecodeError {
  let got = value === null ? 'null' : `a ${typeof value}`
  if (typeof value === 'object' && value !== null) {
    const { constructor } = (Object.getPrototypeOf(value) ?? {}) as object
    got = constructor === Object ? 'a map' : `a ${constructor.name}`
  }
  return new DecodeError(`expected ${name} to be ${expected}, got ${got}`)
}

/** Value of a failed result: an exception of any class, or the string arq writes where it could not be serialized. */
function toError(value: unknown): unknown {
  if (value instanceof RemoteError) return value
  if (value instanceof PyObject) return readException(value.global, value.args, value.state)
  return fromExceptionMap(value) ?? value
}

/** Returns the decoded value, or null for bytes that no codec reads: in a list, one must not hide the others. @throws OptionsError */
export function readable<T>(decode: () => T): T | null {
  expectFunction('readable', 'decode', decode)
  try {
    return decode()
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}
