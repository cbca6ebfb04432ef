import { DecodeError, EncodeError, RemoteError } from '../errors.ts'
import { fromExceptionMap } from './exceptions.ts'
import { decodeJson, encodeJson } from './json.ts'
import { MAX_PAYLOAD_BYTES } from './limits.ts'
import { decodeMsgpack, encodeMsgpack } from './msgpack.ts'
import { decodePickle } from './pickle-read.ts'
import { encodePickle } from './pickle-write.ts'
import { PyObject, Tuple } from './values.ts'

/** How a payload is written. */
export type CodecName = 'msgpack' | 'pickle' | 'json'

/** A job as it is on the wire: `t f a k et`. */
export interface JobRecord {
  /** The try the producer asked for; null where it did not. */
  jobTry: number | null
  functionName: string
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
  enqueueTimeMs: number
}

/** A result as it is on the wire: the job's five fields and `s r st ft q id`. */
export interface ResultRecord extends JobRecord {
  success: boolean
  /** What the handler returned, or an Error. */
  result: unknown
  startTimeMs: number
  finishTimeMs: number
  queueName: string
  jobId: string
}

/** The codec of some bytes by the first of them, or undefined when it is none of ours. */
export function codecOf(bytes: Uint8Array): CodecName | undefined {
  const [first = -1, second = -1] = bytes
  if (first === 0x80 && second >= 2 && second <= 5) return 'pickle'
  if ((first >= 0x85 && first <= 0x8f) || first === 0xde || first === 0xdf) return 'msgpack'
  if (first === 0x7b) return 'json'
  if (first === 0x28 || first === 0x7d) return 'pickle' // protocols 0 and 1 have no header: "(dp0" and "}q"
  return undefined
}

/** @throws EncodeError */
export function encodeValue(value: unknown, codec: CodecName): Buffer {
  const bytes = codec === 'pickle' ? encodePickle(value) : codec === 'msgpack' ? encodeMsgpack(value) : encodeJson(value)
  if (bytes.byteLength > MAX_PAYLOAD_BYTES) throw new EncodeError(`payload of ${bytes.byteLength} bytes is larger than ${MAX_PAYLOAD_BYTES}; keep large data elsewhere and pass its name`)
  return bytes
}

/** @throws DecodeError */
export function decodeValue(bytes: Uint8Array): { value: unknown; codec: CodecName } {
  const codec = codecOf(bytes)
  switch (codec) {
    case 'pickle':
      return { value: decodePickle(bytes), codec }
    case 'msgpack':
      return { value: decodeMsgpack(bytes), codec }
    case 'json':
      return { value: decodeJson(bytes), codec }
    case undefined: {
      const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
      throw new DecodeError(`expected a pickle, msgpack or JSON map, got ${bytes.byteLength} bytes that start with \`${start}\``)
    }
  }
}

/** @throws EncodeError */
export function encodeJob(job: JobRecord, codec: CodecName): Buffer {
  return encodeValue(jobFields(job, codec), codec)
}

/** @throws EncodeError */
export function encodeResult(result: ResultRecord, codec: CodecName): Buffer {
  const { success, startTimeMs, finishTimeMs, queueName, jobId } = result
  const fields = { ...jobFields(result, codec), s: success, r: result.result, st: startTimeMs, ft: finishTimeMs, q: queueName, id: jobId }
  return encodeValue(fields, codec)
}

/** @throws DecodeError */
export function decodeJob(bytes: Uint8Array): { record: JobRecord; codec: CodecName } {
  const { value, codec } = decodeValue(bytes)
  return { record: toJob(asMap(value)), codec }
}

/** Fields `q` and `id` may be missing, as in results of old versions of arq. @throws DecodeError */
export function decodeResult(bytes: Uint8Array): { record: ResultRecord; codec: CodecName } {
  const { value, codec } = decodeValue(bytes)
  const fields = asMap(value)
  const success = fields.s === true
  const record: ResultRecord = {
    ...toJob(fields),
    success,
    result: success ? fields.r : toError(fields.r),
    startTimeMs: integer(fields, 'st'),
    finishTimeMs: integer(fields, 'ft'),
    queueName: typeof fields.q === 'string' ? fields.q : '<unknown>',
    jobId: typeof fields.id === 'string' ? fields.id : '<unknown>',
  }
  return { record, codec }
}

function jobFields(job: JobRecord, codec: CodecName) {
  // Python's args are a tuple; the other codecs have no such thing.
  const args = codec === 'pickle' && !(job.args instanceof Tuple) ? Tuple.from(job.args) : job.args
  return { t: job.jobTry, f: job.functionName, a: args, k: job.kwargs, et: job.enqueueTimeMs }
}

function toJob(fields: Record<string, unknown>): JobRecord {
  const { t, f, a, k } = fields
  if (typeof f !== 'string') throw new DecodeError(`expected \`f\` to be a function name, got ${typeof f}`)
  if (!Array.isArray(a)) throw new DecodeError(`expected \`a\` to be the arguments, got ${typeof a}`)
  return {
    jobTry: t === null || t === undefined ? null : integer(fields, 't'),
    functionName: f,
    args: a as unknown[],
    kwargs: asMap(k, 'k'),
    enqueueTimeMs: integer(fields, 'et'),
  }
}

function asMap(value: unknown, field?: string): Record<string, unknown> {
  // An empty dict of Python with keys to come is an object; a Map has keys that are no text.
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return value as Record<string, unknown>
  }
  throw new DecodeError(`expected ${field ? `\`${field}\`` : 'the payload'} to be a map with text keys`)
}

function integer(fields: Record<string, unknown>, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isFinite(value)) return Math.round(value)
  throw new DecodeError(`expected \`${name}\` to be a number, got ${typeof value}`)
}

/** What a failed result holds: an exception of any class, or the text arq writes where it could not be serialized. */
function toError(value: unknown): unknown {
  if (value instanceof PyObject) {
    const { module, name } = value.type
    const attributes = value.state === undefined ? {} : { attributes: value.state }
    return new RemoteError(`${module}.${name}`, value.args, { module, ...attributes })
  }
  return fromExceptionMap(value) ?? value
}
