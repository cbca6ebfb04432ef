import { DecodeError, EncodeError } from './errors.ts'
import { decodeJson, encodeJson } from './json/json.ts'
import { MAX_PAYLOAD_BYTES, tooLarge } from './values/limits.ts'
import type { PayloadLimits } from './values/limits.ts'
import { locate } from './values/locate.ts'
import { decodeMsgpack, encodeMsgpack } from './msgpack/msgpack.ts'
import { decodePickle } from './pickle/read.ts'
import { encodePickle } from './pickle/write.ts'

/** Format of a payload. Python arq's default is pickle; its docs also show msgpack. */
export type CodecName = 'msgpack' | 'pickle' | 'json'

/** The codec of a job's or a result's bytes by the first of them, or undefined when it is none of ours. */
export function codecOf(bytes: Uint8Array): CodecName | undefined {
  const first = bytes[0] ?? -1
  const second = bytes[1] ?? -1
  // 80 alone would be an empty msgpack map, which no job is.
  if (first === 0x80) return second >= 2 && second <= 5 ? 'pickle' : undefined
  if ((first >= 0x85 && first <= 0x8f) || first === 0xde || first === 0xdf) return 'msgpack'
  if (first === 0x7b) return 'json'
  // Protocols 0 and 1 have no header; a dict starts "(d" and "}".
  if (first === 0x28 || first === 0x7d) return 'pickle'
  return undefined
}

/**
 * Any value by a codec.
 *
 * @param maxBytes - Bytes of the payload at most. Default 64 MiB.
 * @returns A Buffer; in a browser, which has none, a plain Uint8Array.
 * @throws EncodeError for what the codec has no form for, and beyond `maxBytes` and 500 levels of nesting.
 */
export function encodeValue(value: unknown, codec: CodecName, maxBytes: number = MAX_PAYLOAD_BYTES): Buffer {
  return encodeNamed(value, codec, maxBytes, {})
}

/**
 * A value whose first keys have other names for people.
 *
 * @param names - Names for messages, by key.
 */
export function encodeNamed(
  value: unknown,
  codec: CodecName,
  maxBytes: number,
  names: Readonly<Record<string, string>>,
): Buffer {
  const encode = ENCODERS[codec]
  if (encode === undefined)
    throw new EncodeError(`expected a codec of msgpack, pickle or json, got \`${String(codec)}\``)
  let bytes: Buffer
  try {
    bytes = encode(value, maxBytes)
  } catch (error) {
    if (error instanceof EncodeError) throw withPlace(error, value, codec, names)
    // A getter or a `toJSON` of the value's own.
    throw new EncodeError(
      `the value cannot be read while it is written as ${codec}: ${String((error as Error | undefined)?.message)}`,
      { cause: error },
    )
  }
  if (bytes.length > maxBytes) throw tooLarge(maxBytes)
  return bytes
}

/** The error with the way to the value that it is about, where that is not the whole. */
function withPlace(
  error: EncodeError,
  value: unknown,
  codec: CodecName,
  names: Readonly<Record<string, string>>,
): EncodeError {
  let reason = error
  const isRefused = (each: unknown) => {
    try {
      ENCODERS[codec](each, MAX_PAYLOAD_BYTES)
      return false
    } catch (problem) {
      if (problem instanceof EncodeError) reason = problem
      return true
    }
  }
  const place = locate(value, isRefused, codec === 'pickle')
  if (!place) return error
  const named = place.replace(/^\.(\w+)/, (_, key: string) => names[key] ?? key)
  return new EncodeError(`\`${named}\`: ${reason.message}`, { cause: error })
}

const ENCODERS: Readonly<Record<CodecName, (value: unknown, maxBytes: number) => Buffer>> = {
  msgpack: encodeMsgpack,
  pickle: encodePickle,
  json: encodeJson,
}

/**
 * The value of a payload, by the codec of its first byte.
 * @throws DecodeError for what no codec reads, and beyond the limits on size, depth and memory.
 */
export function decodeValue(bytes: Uint8Array, limits?: PayloadLimits): { value: unknown; codec: CodecName } {
  const codec = codecOf(bytes)
  switch (codec) {
    case 'pickle':
      return { value: decodePickle(bytes, limits), codec }
    case 'msgpack':
      return { value: decodeMsgpack(bytes, limits), codec }
    case 'json':
      return { value: decodeJson(bytes, limits), codec }
    case undefined: {
      if (bytes.length === 0) throw new DecodeError('expected a pickle, a msgpack map or a JSON object, got no bytes')
      const start = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
      throw new DecodeError(
        `expected a pickle, a msgpack map or a JSON object, got ${bytes.length} bytes that start with \`${start}\`; ` +
          'is another serializer at work, or compression?',
      )
    }
  }
}
