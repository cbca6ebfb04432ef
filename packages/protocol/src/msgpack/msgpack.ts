import { Packr } from 'msgpackr/pack'
import { Unpackr } from 'msgpackr/unpack'
import { DecodeError, EncodeError } from '../errors.ts'
import { DecodeBudget, MAX_PAYLOAD_BYTES } from '../values/limits.ts'
import type { PayloadLimits } from '../values/limits.ts'
import { checkMsgpack } from './check.ts'
import { viewOf } from '../values/bytes.ts'
import { narrow } from '../values/integers.ts'
import { fromEntries } from '../values/key-order.ts'
import { isWellFormed } from '../pickle/text.ts'
import { toPlain } from '../values/plain.ts'
import type { PlainRules } from '../values/plain.ts'
import { encodeSmall } from './small.ts'

// Each option closes a trap of docs/reference/wire-protocol.md: plain maps, smallest headers, nil for undefined.
const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true })
const unpackObjects = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'auto' as 'bigint' })
const unpackMaps = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: 'bigint' })

const MIN_INT64 = -(2n ** 63n)
const MAX_UINT64 = 2n ** 64n - 1n

const rules: PlainRules = {
  codec: 'msgpack',
  maxBytes: MAX_PAYLOAD_BYTES,
  text(value) {
    if (isWellFormed(value)) return value
    throw new EncodeError("msgpack strings are UTF-8, which has no lone surrogates; use codec 'pickle', or bytes")
  },
  // Three bytes at most for each unit; counted as one, since the payload itself is measured too.
  size: (value) => value.length,
  float: (value) => value,
  // msgpackr writes a number beyond 32 bits as a float: Python would see 5000000000.0.
  integer: (value) => (value > 0xffffffff || value < -0x80000000 ? BigInt(value) : value),
  bigint(value) {
    if (value < MIN_INT64 || value > MAX_UINT64)
      throw new EncodeError("msgpack integers have 64 bits, got a larger one; use codec 'pickle', or a string")
    // As a number where msgpackr then picks the smallest form.
    return value <= 0xffffffffn && value >= -0x80000000n ? Number(value) : value
  },
  map: (value) => value,
  ordered: (entries) => new Map(entries),
  object(value) {
    if (value instanceof Uint8Array) return value
    if (!(value instanceof Date)) return undefined
    if (Number.isNaN(value.getTime())) throw new EncodeError('expected a valid date, got an invalid one')
    return value
  },
}

/** Whole numbers are integers at any size up to 64 bits; bytes are bin, dates timestamps. @throws EncodeError */
export function encodeMsgpack(value: unknown, maxBytes: number = MAX_PAYLOAD_BYTES): Buffer {
  const small = encodeSmall(value)
  return small && small.length <= maxBytes ? small : encodeAny(value, maxBytes)
}

/** @internal As `encodeMsgpack`, for values of every size. */
export function encodeAny(value: unknown, maxBytes: number = MAX_PAYLOAD_BYTES): Buffer {
  // The result of msgpackr is a slice of a buffer that it never writes to again.
  return packr.pack(toPlain(value, maxBytes === rules.maxBytes ? rules : { ...rules, maxBytes }).value)
}

/** Bytes after whose decoding the native decoder of strings, twice as fast, has made up for the time it takes to load. */
const NATIVE_FROM_BYTES = 1_048_576
let bytesToNative = NATIVE_FROM_BYTES

/** Counts what is decoded. The package's main entry gives the native decoder, where there is one, to all entries. */
function countBytes(count: number): void {
  if (bytesToNative <= 0) return
  bytesToNative -= count
  if (bytesToNative <= 0) import('msgpackr').catch(() => {})
}

/** @throws DecodeError */
export function decodeMsgpack(bytes: Uint8Array, limits?: PayloadLimits): unknown {
  countBytes(bytes.byteLength)
  const simple = checkMsgpack(bytes, new DecodeBudget(bytes.byteLength, limits))
  // A view of its own: msgpackr leaves a mark on what it reads.
  const view = viewOf(bytes)
  try {
    return simple ? unpackObjects.unpack(view) : settle(unpackMaps.unpack(view))
  } catch (error) {
    throw new DecodeError(`not valid msgpack: ${(error as Error).message}`, { cause: error })
  }
}

/** Maps with text keys only become plain objects, bytes are copied off the payload, integers are numbers where safe. */
function settle(value: unknown): unknown {
  if (typeof value === 'bigint') return narrow(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = settle(value[i])
    return value
  }
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (!(value instanceof Map)) return value
  for (const key of value.keys())
    if (typeof key !== 'string') return new Map([...value].map(([k, item]) => [settle(k), settle(item)]))
  return fromEntries(settled(value as Map<string, unknown>))
}

function* settled(map: Map<string, unknown>): Generator<[string, unknown]> {
  for (const [key, item] of map) yield [key, settle(item)]
}
