import { Packr, Unpackr } from 'msgpackr'
import { DecodeError, EncodeError } from '../errors.ts'
import { MAX_DEPTH, MAX_PAYLOAD_BYTES } from './limits.ts'
import { toPlain } from './plain.ts'
import type { PlainRules } from './plain.ts'

// Each option closes a trap of docs/reference/wire-protocol.md: plain maps, smallest headers, nil for undefined.
const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: 'auto' as 'bigint' })

const MIN_INT64 = -(2n ** 63n)
const MAX_UINT64 = 2n ** 64n - 1n

const rules: PlainRules = {
  codec: 'msgpack',
  // msgpackr writes a number beyond 32 bits as a float: Python would see 5000000000.0.
  integer: (value) => {
    if (typeof value === 'number') return value > 0xffffffff || value < -0x80000000 ? BigInt(value) : value
    if (value < MIN_INT64 || value > MAX_UINT64) throw new EncodeError(`msgpack integers have 64 bits, got ${value}; use codec 'pickle', or a text`)
    const number = Number(value)
    return Number.isSafeInteger(number) && number <= 0xffffffff && number >= -0x80000000 ? number : value
  },
  object: (value) => (value instanceof Uint8Array || value instanceof Date ? value : undefined),
}

/** Whole numbers are integers at any size up to 64 bits; bytes are bin, dates timestamps. @throws EncodeError */
export function encodeMsgpack(value: unknown): Buffer {
  // msgpackr reuses its buffer: what it gives is its own slice, valid as it is not written again.
  return packr.pack(toPlain(value, rules))
}

/** @throws DecodeError */
export function decodeMsgpack(bytes: Uint8Array): unknown {
  if (bytes.byteLength > MAX_PAYLOAD_BYTES) throw new DecodeError(`payload of ${bytes.byteLength} bytes is larger than ${MAX_PAYLOAD_BYTES}`)
  checkStructure(bytes)
  try {
    return settleMaps(unpackr.unpack(bytes))
  } catch (error) {
    throw new DecodeError(`not valid msgpack: ${(error as Error).message}`)
  }
}

/** Maps with text keys only are plain objects to handlers, as everywhere else. */
function settleMaps(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      if (typeof item === 'object' && item !== null) value[i] = settleMaps(item)
    }
    return value
  }
  if (value instanceof Map) {
    let textual = true
    for (const key of value.keys()) textual &&= typeof key === 'string'
    if (!textual) return new Map([...value].map(([key, item]) => [settleMaps(key), settleMaps(item)]))
    const object: Record<string, unknown> = {}
    for (const [key, item] of value as Map<string, unknown>) {
      if (key === '__proto__') Object.defineProperty(object, key, { value: settleMaps(item), enumerable: true, writable: true, configurable: true })
      else object[key] = settleMaps(item)
    }
    return object
  }
  return value instanceof Uint8Array ? new Uint8Array(value) : value
}

/**
 * Walks the structure once without building anything, so that sizes that lie, depth, foreign extensions and trailing
 * bytes are refused before msgpackr allocates for them.
 */
function checkStructure(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = bytes.byteLength
  const open: number[] = [1]
  let at = 0
  const fail = (what: string): never => {
    throw new DecodeError(`not valid msgpack: ${what} at byte ${at}`)
  }
  const size = (width: 1 | 2 | 4): number => {
    if (at + width > end) fail('it ends within a length')
    const value = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at)
    at += width
    return value
  }
  const skip = (count: number) => {
    if (at + count > end) fail('it ends within a value')
    at += count
  }
  const enter = (count: number) => {
    if (count > end - at) fail(`${count} entries are announced but ${end - at} bytes left`)
    if (open.length > MAX_DEPTH) fail(`nesting deeper than ${MAX_DEPTH} levels`)
    open.push(count)
  }
  const extension = (length: number) => {
    if (at >= end || view.getInt8(at) !== -1 || ![4, 8, 12].includes(length)) fail('an extension type other than timestamp')
    skip(length + 1)
  }
  while (open.length > 0) {
    const left = open.pop() as number
    if (left === 0) continue
    open.push(left - 1)
    if (at >= end) fail('it ends within a value')
    const head = view.getUint8(at++)
    if (head <= 0x7f || head >= 0xe0 || head === 0xc0 || head === 0xc2 || head === 0xc3) continue
    if (head <= 0x8f) enter(2 * (head & 0x0f))
    else if (head <= 0x9f) enter(head & 0x0f)
    else if (head <= 0xbf) skip(head & 0x1f)
    else if (head === 0xc4 || head === 0xd9) skip(size(1))
    else if (head === 0xc5 || head === 0xda) skip(size(2))
    else if (head === 0xc6 || head === 0xdb) skip(size(4))
    else if (head === 0xc7) extension(size(1))
    else if (head === 0xca || head === 0xce || head === 0xd2) skip(4)
    else if (head === 0xcb || head === 0xcf || head === 0xd3) skip(8)
    else if (head === 0xcc || head === 0xd0) skip(1)
    else if (head === 0xcd || head === 0xd1) skip(2)
    else if (head === 0xd6) extension(4)
    else if (head === 0xd7) extension(8)
    else if (head === 0xdc) enter(size(2))
    else if (head === 0xdd) enter(size(4))
    else if (head === 0xde) enter(2 * size(2))
    else if (head === 0xdf) enter(2 * size(4))
    else fail(`a byte 0x${head.toString(16)} that means nothing to us`)
  }
  if (at !== end) fail(`${end - at} bytes too many`)
}
