import { allocate } from '../values/bytes.ts'
import { hasOrder } from '../values/key-order.ts'

/** Bytes a small value may take. */
const MAX_BYTES = 1_024
const MAX_DEPTH = 8
const SLAB_BYTES = 8_192

let slab = allocate(SLAB_BYTES)
let start = 0
let at = 0
let end = 0
/** True while a value is written: a getter of its own may write another one. */
let isBusy = false

/**
 * A small value of null, booleans, numbers, ASCII strings, arrays and plain objects, as `encodeMsgpack` writes it; undefined
 * for every other value, about which that one decides. Most jobs are such values, and most processes that enqueue one have
 * done something else for a while: code that is short is read into the processor's caches in less time than it takes to run.
 */
export function encodeSmall(value: unknown): Buffer | undefined {
  if (isBusy) return undefined
  if (start + MAX_BYTES > SLAB_BYTES) {
    slab = allocate(SLAB_BYTES)
    start = 0
  }
  at = start
  end = start + MAX_BYTES
  isBusy = true
  try {
    if (!write(value, 0)) return undefined
  } finally {
    isBusy = false
  }
  const bytes = slab.subarray(start, at)
  start = at
  return bytes
}

/** Writes a value, and gives false where it is none of those. A value has room for its head: nine bytes. */
function write(value: unknown, depth: number): boolean {
  if (at + 9 > end) return false
  switch (typeof value) {
    case 'string':
      return writeText(value)
    case 'number':
      return writeNumber(value)
    case 'boolean':
      slab[at++] = value ? 0xc3 : 0xc2
      return true
    case 'object':
      if (value === null) break
      if (depth > MAX_DEPTH) return false
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1)
    case 'undefined':
      break
    default:
      return false
  }
  slab[at++] = 0xc0
  return true
}

function writeText(text: string): boolean {
  const { length } = text
  if (length > 255 || at + length + 2 > end) return false
  if (length < 32) slab[at++] = 0xa0 | length
  else {
    slab[at++] = 0xd9
    slab[at++] = length
  }
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return false
    slab[at++] = unit
  }
  return true
}

function writeNumber(value: number): boolean {
  if (!Number.isSafeInteger(value)) {
    slab[at] = 0xcb
    new DataView(slab.buffer, slab.byteOffset + at + 1, 8).setFloat64(0, value)
    at += 9
  } else if (value >= 0) {
    if (value < 0x80) slab[at++] = value
    else if (value < 0x1_00) writeInteger(0xcc, value, 1)
    else if (value < 0x1_00_00) writeInteger(0xcd, value, 2)
    else if (value < 0x1_00_00_00_00) writeInteger(0xce, value, 4)
    else writeInteger(0xd3, value, 8)
  } else if (value >= -0x20) slab[at++] = 0x1_00 + value
  else if (value >= -0x80) writeInteger(0xd0, value, 1)
  else if (value >= -0x80_00) writeInteger(0xd1, value, 2)
  else if (value >= -0x80_00_00_00) writeInteger(0xd2, value, 4)
  else writeInteger(0xd3, value, 8)
  return true
}

/** In two's complement, of which a number beyond 32 bits has no bits. */
function writeInteger(head: number, value: number, bytes: number): void {
  slab[at] = head
  let left = value
  for (let i = at + bytes; i > at; i--) {
    const byte = ((left % 0x1_00) + 0x1_00) % 0x1_00
    slab[i] = byte
    left = (left - byte) / 0x1_00
  }
  at += bytes + 1
}

function writeArray(items: readonly unknown[], depth: number): boolean {
  const { length } = items
  if (length > 15) return false
  slab[at++] = 0x90 | length
  for (let i = 0; i < length; i++) if (!write(items[i], depth)) return false
  return true
}

function writeObject(object: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  if ((prototype !== Object.prototype && prototype !== null) || hasOrder(object)) return false
  const head = at++
  let count = 0
  for (const key of Object.keys(object)) {
    const value = (object as Record<string, unknown>)[key]
    if (value === undefined) continue
    if (++count > 15 || at + 9 > end || !writeText(key) || !write(value, depth)) return false
  }
  slab[head] = 0x80 | count
  return true
}
