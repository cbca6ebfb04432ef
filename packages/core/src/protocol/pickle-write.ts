/** Writes pickles of protocol 4, which every Python from 3.4 reads. Shared values and cycles keep their identity. */
import { EncodeError } from '../errors.ts'
import { toRemoteError } from './exceptions.ts'
import { MAX_DEPTH, MAX_PAYLOAD_BYTES } from './limits.ts'
import * as op from './pickle-opcodes.ts'
import { textBytes } from './pickle-text.ts'
import { DateTime, Decimal, Deque, FrozenSet, PlainDate, PlainTime, PyGlobal, PyObject, TimeDelta, TimeZone, Tuple, Uuid } from './values.ts'

/** @throws EncodeError for what Python has no value for, for nesting and size beyond the limits. */
export function encodePickle(value: unknown): Buffer {
  const writer = new PickleWriter()
  writer.byte(op.PROTO)
  writer.byte(4)
  writer.value(value, 0)
  writer.byte(op.STOP)
  return writer.finish()
}

/** Marks a position where a value must be hashable: a Set is a frozenset there, an array a tuple. */
type Position = 'value' | 'key'

class PickleWriter {
  #buffer = Buffer.allocUnsafe(512)
  #at = 0
  readonly #memo = new Map<object, number>()
  #memoized = 0

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#at++] = value
  }

  value(value: unknown, depth: number, position: Position = 'value'): void {
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return Number.isSafeInteger(value) && !Object.is(value, -0) ? this.#integer(value) : this.#float(value)
      case 'boolean':
        return this.byte(value ? op.NEWTRUE : op.NEWFALSE)
      case 'undefined':
        return this.byte(op.NONE)
      case 'bigint':
        return this.#long(value)
      case 'object':
        return value === null ? this.byte(op.NONE) : this.#object(value, depth, position)
      default:
        throw new EncodeError(`a pickle cannot carry a ${typeof value}; pass data only`)
    }
  }

  #object(value: object, depth: number, position: Position): void {
    if (depth > MAX_DEPTH) throw new EncodeError(`values nest deeper than ${MAX_DEPTH} levels`)
    if (this.#recall(value)) return
    const below = depth + 1
    if (value instanceof Tuple || (position === 'key' && Array.isArray(value))) return this.#tuple(value, below, position)
    if (value instanceof Deque) {
      const args = value.maxLength === null ? [] : [[], value.maxLength]
      this.#reduce(value, 'collections', 'deque', args, below)
      return this.#appends(value, below)
    }
    if (Array.isArray(value)) {
      this.byte(op.EMPTY_LIST)
      this.#memoize(value)
      return this.#appends(value, below)
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return this.#dict(value, Object.entries(value), below)
    if (value instanceof Map) return this.#dict(value, value, below)
    if (value instanceof Set) return this.#set(value, below, position)
    if (value instanceof Uint8Array) return this.#bytes(value)
    if (value instanceof Error) return this.#exception(value, below)
    if (value instanceof Date) return this.#date(value, below)
    if (value instanceof PyGlobal) return this.#global(value.module, value.name)
    if (value instanceof PyObject) return this.#inert(value, below)
    if (value instanceof PlainDate) return this.#reduce(value, 'datetime', 'date', [value.raw], below)
    if (value instanceof PlainTime) return this.#reduce(value, 'datetime', 'time', withZone(value.raw, value.tzinfo), below)
    if (value instanceof TimeDelta) return this.#reduce(value, 'datetime', 'timedelta', [value.days, value.seconds, value.microseconds], below)
    if (value instanceof TimeZone) return this.#reduce(value, 'datetime', 'timezone', value.label === null ? [value.offset] : [value.offset, value.label], below)
    if (value instanceof Decimal) return this.#reduce(value, 'decimal', 'Decimal', [value.text], below)
    if (value instanceof Uuid) return this.#reduce(value, 'uuid', 'UUID', [value.text], below)
    if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return this.value((value as { toJSON(): unknown }).toJSON(), below, position)
    const name = (prototype as { constructor?: { name?: string } }).constructor?.name ?? 'class instance'
    throw new EncodeError(`a pickle cannot carry a ${name}; pass plain data`)
  }

  #tuple(items: readonly unknown[], depth: number, position: Position): void {
    if (items.length === 0) return this.byte(op.EMPTY_TUPLE)
    if (items.length > 3) this.byte(op.MARK)
    for (let i = 0; i < items.length; i++) this.value(items[i], depth, position)
    // A tuple within itself was written while its items were: that one is the tuple, these are dropped.
    const index = this.#memo.get(items)
    if (index !== undefined) {
      if (items.length > 3) this.byte(op.POP_MARK)
      else for (let i = 0; i < items.length; i++) this.byte(op.POP)
      return this.#get(index)
    }
    this.byte(items.length > 3 ? op.TUPLE : op.TUPLE1 + items.length - 1)
    this.#memoize(items)
  }

  #appends(items: readonly unknown[], depth: number): void {
    if (items.length === 0) return
    this.byte(op.MARK)
    for (let i = 0; i < items.length; i++) this.value(items[i], depth)
    this.byte(op.APPENDS)
  }

  #dict(value: object, entries: Iterable<[unknown, unknown]>, depth: number): void {
    this.byte(op.EMPTY_DICT)
    this.#memoize(value)
    let marked = false
    for (const [key, item] of entries) {
      if (!marked) this.byte(op.MARK)
      marked = true
      this.value(key, depth, 'key')
      this.value(item, depth)
    }
    if (marked) this.byte(op.SETITEMS)
  }

  #set(value: Set<unknown>, depth: number, position: Position): void {
    const frozen = value instanceof FrozenSet || position === 'key'
    if (!frozen) {
      this.byte(op.EMPTY_SET)
      this.#memoize(value)
      if (value.size === 0) return
    }
    this.byte(op.MARK)
    for (const item of value) this.value(item, depth, 'key')
    this.byte(frozen ? op.FROZENSET : op.ADDITEMS)
    if (frozen) this.#memoize(value)
  }

  #exception(error: Error, depth: number): void {
    const remote = toRemoteError(error)
    const name = remote.pythonType.slice(remote.module.length + 1)
    this.#reduce(error, remote.module, name, remote.args, depth)
    this.#state(remote.attributes, depth)
  }

  #inert(value: PyObject, depth: number): void {
    const { module, name } = value.type
    if (value.made === 'reduce') this.#reduce(value, module, name, value.args, depth)
    else {
      this.#global(module, name)
      this.#tuple(value.args, depth, 'value')
      if (value.kwargs !== undefined) this.value(value.kwargs, depth)
      this.byte(value.kwargs === undefined ? op.NEWOBJ : op.NEWOBJ_EX)
      this.#memoize(value)
    }
    this.#appends(value.items, depth)
    if (value.pairs.length > 0) {
      this.byte(op.MARK)
      for (const [key, item] of value.pairs) {
        this.value(key, depth, 'key')
        this.value(item, depth)
      }
      this.byte(op.SETITEMS)
    }
    this.#state(value.state, depth)
  }

  #state(state: unknown, depth: number): void {
    if (state === undefined) return
    this.value(state, depth)
    this.byte(op.BUILD)
  }

  /** `module.name(*args)`. */
  #reduce(value: object, module: string, name: string, args: readonly unknown[], depth: number): void {
    this.#global(module, name)
    if (args.length === 0) this.byte(op.EMPTY_TUPLE)
    else {
      this.byte(op.MARK)
      for (const arg of args) this.value(arg, depth)
      this.byte(op.TUPLE)
    }
    this.byte(op.REDUCE)
    this.#memoize(value)
  }

  #date(value: Date, depth: number): void {
    if (value instanceof DateTime) return this.#reduce(value, 'datetime', 'datetime', withZone(value.raw, value.tzinfo), depth)
    const year = value.getUTCFullYear()
    if (Number.isNaN(year) || year < 1 || year > 9999) throw new EncodeError('Python dates reach from year 1 to 9999, and must be valid')
    const micros = value.getUTCMilliseconds() * 1000
    const raw = Uint8Array.of(
      year >> 8, year & 0xff, value.getUTCMonth() + 1, value.getUTCDate(),
      value.getUTCHours(), value.getUTCMinutes(), value.getUTCSeconds(),
      micros >> 16, (micros >> 8) & 0xff, micros & 0xff,
    )
    this.#reduce(value, 'datetime', 'datetime', [raw, UTC], depth)
  }

  #global(module: string, name: string): void {
    this.#text(module)
    this.#text(name)
    this.byte(op.STACK_GLOBAL)
  }

  #text(text: string): void {
    const length = text.length
    if (length < 64) {
      this.#reserve(length + 2)
      const start = this.#at
      const buffer = this.#buffer
      let at = start + 2
      for (let i = 0; i < length; i++) {
        const unit = text.charCodeAt(i)
        if (unit > 0x7f) return this.#textBytes(textBytes(text))
        buffer[at++] = unit
      }
      buffer[start] = op.SHORT_BINUNICODE
      buffer[start + 1] = length
      this.#at = at
      return
    }
    this.#textBytes(textBytes(text))
  }

  #textBytes(bytes: Buffer): void {
    this.#sized(bytes, op.SHORT_BINUNICODE, op.BINUNICODE)
  }

  #bytes(bytes: Uint8Array): void {
    this.#sized(bytes, op.SHORT_BINBYTES, op.BINBYTES)
    this.#memoize(bytes)
  }

  #sized(bytes: Uint8Array, short: number, long: number): void {
    this.#reserve(bytes.length + 5)
    if (bytes.length < 256) {
      this.#buffer[this.#at++] = short
      this.#buffer[this.#at++] = bytes.length
    } else {
      this.#buffer[this.#at++] = long
      this.#at = this.#buffer.writeUInt32LE(bytes.length, this.#at)
    }
    this.#buffer.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #integer(value: number): void {
    this.#reserve(10)
    if (value >= 0 && value <= 0xff) {
      this.#buffer[this.#at++] = op.BININT1
      this.#buffer[this.#at++] = value
    } else if (value >= -0x80000000 && value <= 0x7fffffff) {
      this.#buffer[this.#at++] = op.BININT
      this.#at = this.#buffer.writeInt32LE(value, this.#at)
    } else {
      this.#buffer[this.#at++] = op.LONG1
      this.#buffer[this.#at++] = 8
      this.#at = this.#buffer.writeBigInt64LE(BigInt(value), this.#at)
    }
  }

  #long(value: bigint): void {
    const number = Number(value)
    if (Number.isSafeInteger(number)) return this.#integer(number)
    // One bit more than the magnitude, for the sign.
    const bits = (value < 0n ? -value : value).toString(16).length * 4 + 1
    const length = Math.ceil(bits / 8)
    const hex = BigInt.asUintN(length * 8, value).toString(16).padStart(length * 2, '0')
    const bytes = Buffer.from(hex, 'hex').reverse()
    this.#reserve(length + 5)
    if (length < 256) {
      this.#buffer[this.#at++] = op.LONG1
      this.#buffer[this.#at++] = length
    } else {
      this.#buffer[this.#at++] = op.LONG4
      this.#at = this.#buffer.writeInt32LE(length, this.#at)
    }
    this.#buffer.set(bytes, this.#at)
    this.#at += length
  }

  #float(value: number): void {
    this.#reserve(9)
    this.#buffer[this.#at++] = op.BINFLOAT
    this.#at = this.#buffer.writeDoubleBE(value, this.#at)
  }

  #recall(value: object): boolean {
    const index = this.#memo.get(value)
    if (index === undefined) return false
    this.#get(index)
    return true
  }

  #get(index: number): void {
    if (index < 256) {
      this.byte(op.BINGET)
      this.byte(index)
    } else {
      this.byte(op.LONG_BINGET)
      this.#reserve(4)
      this.#at = this.#buffer.writeUInt32LE(index, this.#at)
    }
  }

  #memoize(value: object): void {
    this.byte(op.MEMOIZE)
    this.#memo.set(value, this.#memoized++)
  }

  #reserve(count: number): void {
    const needed = this.#at + count
    if (needed <= this.#buffer.length) return
    if (needed > MAX_PAYLOAD_BYTES + 1024) throw new EncodeError(`the payload is larger than ${MAX_PAYLOAD_BYTES} bytes; keep large data elsewhere and pass its name`)
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}

const UTC = new TimeZone(new TimeDelta())

function withZone(raw: Uint8Array, tzinfo: unknown): unknown[] {
  return tzinfo === null ? [raw] : [raw, tzinfo]
}
