/** Writes pickles of protocol 4, which every Python from 3.4 reads. Shared values and cycles keep their identity. */
import { EncodeError } from '../errors.ts'
import { littleEndianBytes } from '../values/bytes.ts'
import { ByteWriter } from '../values/byte-writer.ts'
import { toPythonException } from '../values/exceptions.ts'
import { MAX_DEPTH, MAX_INTEGER_BYTES } from '../values/limits.ts'
import { orderedKeys } from '../values/key-order.ts'
import { fromOtherRealm, isError } from '../values/realms.ts'
import { hasToJson, refusal } from '../values/refusal.ts'
import * as op from './opcodes.ts'
import {
  ByteArray,
  Complex,
  Counter,
  DateTime,
  Decimal,
  DefaultDict,
  Deque,
  Fraction,
  FrozenSet,
  OrderedDict,
  PlainDate,
  PlainTime,
  PyGlobal,
  PyObject,
  Range,
  TimeDelta,
  TimeZone,
  Tuple,
  UTC,
  Uuid,
  ZoneInfo,
  dateToBytes,
} from '../values/values.ts'

/** @throws EncodeError for what Python has no value for, and for nesting and size beyond the limits. */
export function encodePickle(value: unknown, maxBytes?: number): Buffer {
  const writer = new PickleWriter(maxBytes)
  try {
    writer.pair(op.PROTO, 4)
    writer.value(value, 0)
    writer.byte(op.STOP)
    return writer.finish()
  } finally {
    writer.release()
  }
}

/** Longer strings are written once. */
const MEMO_TEXT = 32

class PickleWriter extends ByteWriter {
  /** Places of the values written so far. */
  readonly #memo = new Map<object, number>()
  /** Made on first use: most payloads have none. Places of long strings, of globals as `module name`… */
  #strings: Map<string, number> | undefined
  #globals: Map<string, number> | undefined
  /** …and of the hashable forms of arrays and sets. */
  #hashables: Map<object, number> | undefined
  /** Values of another realm, made in this one. */
  #adopted: Map<object, object> | undefined
  #memoized = 0

  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return Number.isSafeInteger(value) && !Object.is(value, -0)
          ? this.#integer(value)
          : this.double(op.BINFLOAT, value)
      case 'boolean':
        return this.byte(value ? op.NEWTRUE : op.NEWFALSE)
      case 'undefined':
        return this.byte(op.NONE)
      case 'bigint':
        return this.#bigint(value)
      case 'object':
        return value === null ? this.byte(op.NONE) : this.#object(value, depth)
      default:
        throw refusal(value, 'pickle')
    }
  }

  #object(value: object, depth: number): void {
    if (this.#recall(value)) return
    if (depth > MAX_DEPTH) throw new EncodeError(`values nest deeper than ${MAX_DEPTH} levels`)
    if (isPlain(value)) return this.#dict(value as Record<string, unknown>, depth + 1)
    if (Array.isArray(value)) return this.#array(value, depth + 1)
    if (value instanceof Map) return this.#map(value, depth + 1)
    if (value instanceof Set) return this.#set(value, depth + 1)
    if (value instanceof Uint8Array) return this.#bytes(value)
    if (value instanceof Error) return this.#exception(value, depth + 1)
    if (value instanceof Date) return this.#date(value, depth + 1)
    if (value instanceof PyGlobal) return this.#global(value.module, value.name)
    if (value instanceof PyObject) return this.#inert(value, depth + 1)
    const known = reduction(value)
    if (known) return this.#reduce(value, known[0], known[1], known[2], depth + 1)
    const own = this.#ownOf(value)
    if (own) return this.#object(own, depth)
    if (isError(value)) return this.#exception(value, depth + 1)
    if (hasToJson(value)) return this.value(value.toJSON(), depth + 1)
    throw refusal(value, 'pickle')
  }

  /** The same value in this realm; one value for each of another realm, so that shared ones stay shared. */
  #ownOf(value: object): object | undefined {
    const own = this.#adopted?.get(value) ?? fromOtherRealm(value)
    if (own) (this.#adopted ??= new Map()).set(value, own)
    return own
  }

  /** A key of a dict or an item of a set: Python hashes it, so an array is a tuple there, a Set a frozenset. */
  #key(value: unknown, depth: number): void {
    if (typeof value !== 'object' || value === null) return this.value(value, depth)
    if (depth > MAX_DEPTH) throw new EncodeError(`values nest deeper than ${MAX_DEPTH} levels`)
    const own = isPlain(value) || value instanceof Set ? undefined : this.#ownOf(value)
    if (own) return this.#key(own, depth)
    if (value instanceof Deque || value instanceof Map || isPlain(value)) {
      throw new EncodeError(
        `expected a key that Python can hash, got a ${isPlain(value) ? 'dict' : value.constructor.name}; use a string, number, tuple or bytes`,
      )
    }
    const isBytes = value instanceof ByteArray
    const isSet = value instanceof Set && !(value instanceof FrozenSet)
    if (!isBytes && !isSet && !Array.isArray(value)) return this.value(value, depth)
    const known = this.#hashables?.get(value)
    if (known !== undefined) return this.#get(known)
    this.#hashables ??= new Map()
    if (isBytes) this.sized(op.SHORT_BINBYTES, op.BINBYTES, value)
    else if (Array.isArray(value)) {
      if (value.length === 0) return this.byte(op.EMPTY_TUPLE)
      this.byte(op.MARK)
      for (let i = 0; i < value.length; i++) this.#key(value[i], depth + 1)
      this.byte(op.TUPLE)
    } else {
      this.byte(op.MARK)
      for (const item of value) this.#key(item, depth + 1)
      this.byte(op.FROZENSET)
    }
    this.byte(op.MEMOIZE)
    this.#hashables.set(value, this.#memoized++)
  }

  #array(value: readonly unknown[], depth: number): void {
    if (value instanceof Tuple) return this.tuple(value, depth)
    if (value instanceof Deque)
      this.#reduce(value, 'collections', 'deque', value.maxLength === null ? [] : [new Tuple(), value.maxLength], depth)
    else {
      this.byte(op.EMPTY_LIST)
      this.#memoize(value)
    }
    this.#appends(value, depth)
  }

  tuple(items: readonly unknown[], depth: number): void {
    const { length } = items
    if (length === 0) return this.byte(op.EMPTY_TUPLE)
    if (length > 3) this.byte(op.MARK)
    for (let i = 0; i < length; i++) this.value(items[i], depth)
    // A tuple within itself was written while its items were: that one is the tuple, these are dropped.
    const known = this.#memo.get(items)
    if (known !== undefined) {
      if (length > 3) this.byte(op.POP_MARK)
      else for (let i = 0; i < length; i++) this.byte(op.POP)
      return this.#get(known)
    }
    this.byte(length > 3 ? op.TUPLE : op.TUPLE1 + length - 1)
    this.#memoize(items)
  }

  #appends(items: readonly unknown[], depth: number): void {
    const { length } = items
    if (length === 0) return
    this.byte(op.MARK)
    for (let i = 0; i < length; i++) this.value(items[i], depth)
    this.byte(op.APPENDS)
  }

  #dict(value: Record<string, unknown>, depth: number): void {
    this.byte(op.EMPTY_DICT)
    this.#memoize(value)
    const keys = orderedKeys(value)
    if (keys.length === 0) return
    this.byte(op.MARK)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string
      const item = value[key]
      // Left out, as in the other codecs: Python's default applies.
      if (item === undefined) continue
      this.#text(key)
      this.value(item, depth)
    }
    this.byte(op.SETITEMS)
  }

  #map(value: Map<unknown, unknown>, depth: number): void {
    if (value instanceof Counter) return this.#reduce(value, 'collections', 'Counter', [new Map(value)], depth)
    if (value instanceof OrderedDict) this.#reduce(value, 'collections', 'OrderedDict', [], depth)
    else if (value instanceof DefaultDict)
      this.#reduce(value, 'collections', 'defaultdict', value.factory === null ? [] : [value.factory], depth)
    else {
      this.byte(op.EMPTY_DICT)
      this.#memoize(value)
    }
    this.#pairs(value, value.size, depth)
  }

  #pairs(pairs: Iterable<readonly [unknown, unknown]>, count: number, depth: number): void {
    if (count === 0) return
    this.byte(op.MARK)
    for (const [key, item] of pairs) {
      this.#key(key, depth)
      this.value(item, depth)
    }
    this.byte(op.SETITEMS)
  }

  #set(value: Set<unknown>, depth: number): void {
    const frozen = value instanceof FrozenSet
    if (!frozen) {
      this.byte(op.EMPTY_SET)
      this.#memoize(value)
      if (value.size === 0) return
    }
    this.byte(op.MARK)
    for (const item of value) this.#key(item, depth)
    if (!frozen) return this.byte(op.ADDITEMS)
    const known = this.#memo.get(value)
    if (known !== undefined) {
      this.byte(op.POP_MARK)
      return this.#get(known)
    }
    this.byte(op.FROZENSET)
    this.#memoize(value)
  }

  #bytes(value: Uint8Array): void {
    if (value instanceof ByteArray) {
      this.#global('builtins', 'bytearray')
      this.sized(op.SHORT_BINBYTES, op.BINBYTES, value)
      this.byte(op.TUPLE1)
      this.byte(op.REDUCE)
    } else this.sized(op.SHORT_BINBYTES, op.BINBYTES, value)
    this.#memoize(value)
  }

  #date(value: Date, depth: number): void {
    const { raw, tzinfo } = value instanceof DateTime ? value.wire() : { raw: dateToBytes(value), tzinfo: UTC }
    this.#reduce(value, 'datetime', 'datetime', tzinfo === null ? [raw] : [raw, tzinfo], depth)
  }

  #exception(error: Error, depth: number): void {
    const { module, name, args, state } = toPythonException(error)
    this.#reduce(error, module, name, args, depth)
    this.#state(state, depth)
  }

  #inert(value: PyObject, depth: number): void {
    const { callee, made, args, kwargs } = value
    if (made === 'reconstruct') this.#reduce(value, 'copyreg', '_reconstructor', [callee, ...args], depth)
    else {
      this.value(callee, depth)
      if (args instanceof Tuple) this.value(args, depth)
      else this.tuple(args, depth)
      if (kwargs !== undefined) this.value(kwargs, depth)
      this.byte(made === 'reduce' ? op.REDUCE : kwargs === undefined ? op.NEWOBJ : op.NEWOBJ_EX)
      if (this.#isKnownByNow(value)) return
      this.#memoize(value)
    }
    this.#appends(value.listItems, depth)
    this.#pairs(value.dictItems, value.dictItems.length, depth)
    if (value.stateSetter === undefined) return this.#state(value.state, depth)
    this.value(value.stateSetter, depth)
    this.value(value, depth)
    this.value(value.state, depth)
    this.byte(op.TUPLE2)
    this.byte(op.REDUCE)
    this.byte(op.POP)
  }

  #state(state: unknown, depth: number): void {
    if (state === undefined) return
    this.value(state, depth)
    this.byte(op.BUILD)
  }

  /** `module.name(*args)`. */
  #reduce(value: object, module: string, name: string, args: readonly unknown[], depth: number): void {
    this.#global(module, name)
    const { length } = args
    if (length === 0) this.byte(op.EMPTY_TUPLE)
    else {
      if (length > 3) this.byte(op.MARK)
      for (let i = 0; i < length; i++) this.value(args[i], depth)
      this.byte(length > 3 ? op.TUPLE : op.TUPLE1 + length - 1)
    }
    this.byte(op.REDUCE)
    if (!this.#isKnownByNow(value)) this.#memoize(value)
  }

  /** An object within its own arguments was written while they were: that one counts, as in CPython. */
  #isKnownByNow(value: object): boolean {
    const known = this.#memo.get(value)
    if (known === undefined) return false
    this.byte(op.POP)
    this.#get(known)
    return true
  }

  #global(module: string, name: string): void {
    const both = `${module} ${name}`
    const known = this.#globals?.get(both)
    if (known !== undefined) return this.#get(known)
    this.text(op.SHORT_BINUNICODE, op.BINUNICODE, module)
    this.text(op.SHORT_BINUNICODE, op.BINUNICODE, name)
    this.pair(op.STACK_GLOBAL, op.MEMOIZE)
    this.#globals ??= new Map()
    this.#globals.set(both, this.#memoized++)
  }

  #text(text: string): void {
    if (text.length < MEMO_TEXT) return this.text(op.SHORT_BINUNICODE, op.BINUNICODE, text)
    const known = this.#strings?.get(text)
    if (known !== undefined) return this.#get(known)
    this.text(op.SHORT_BINUNICODE, op.BINUNICODE, text)
    this.byte(op.MEMOIZE)
    this.#strings ??= new Map()
    this.#strings.set(text, this.#memoized++)
  }

  #integer(value: number): void {
    if (value >= 0 && value <= 0xff) this.pair(op.BININT1, value)
    else if (value >= -0x80000000 && value <= 0x7fffffff) this.int32(op.BININT, value)
    else {
      // Six bytes where they do: unix ms are such.
      const high = Math.floor(value / 0x1_0000_0000)
      const isShort = high >= -0x8000 && high <= 0x7fff
      this.pair(op.LONG1, isShort ? 6 : 8)
      this.reserve(8)
      this.put(value | 0, 4)
      this.put(high, isShort ? 2 : 4)
    }
  }

  #bigint(value: bigint): void {
    const number = Number(value)
    if (Number.isSafeInteger(number)) return this.#integer(number)
    const magnitude = (value < 0n ? ~value : value).toString(16)
    // One bit more, for the sign.
    const bits = magnitude.length * 4 - Math.clz32(Number.parseInt(magnitude[0]!, 16)) + 28 + 1
    const length = Math.ceil(bits / 8)
    if (length > MAX_INTEGER_BYTES)
      throw new EncodeError(`expected integers of at most ${MAX_INTEGER_BYTES} bytes, got ${length}`)
    const hex = BigInt.asUintN(length * 8, value)
      .toString(16)
      .padStart(length * 2, '0')
    this.sized(op.LONG1, op.LONG4, littleEndianBytes(hex, length))
  }

  #recall(value: object): boolean {
    const known = this.#memo.get(value)
    if (known === undefined) return false
    this.#get(known)
    return true
  }

  #get(index: number): void {
    if (index < 256) this.pair(op.BINGET, index)
    else this.uint32(op.LONG_BINGET, index)
  }

  #memoize(value: object): void {
    this.byte(op.MEMOIZE)
    this.#memo.set(value, this.#memoized++)
  }
}

/** The values of ours that Python makes by a call: module, name, args. */
function reduction(value: object): [string, string, readonly unknown[]] | undefined {
  if (value instanceof PlainDate) return ['datetime', 'date', [value.raw]]
  if (value instanceof PlainTime)
    return ['datetime', 'time', value.tzinfo === null ? [value.raw] : [value.raw, value.tzinfo]]
  if (value instanceof TimeDelta) return ['datetime', 'timedelta', [value.days, value.seconds, value.microseconds]]
  if (value instanceof TimeZone)
    return ['datetime', 'timezone', value.label === null ? [value.offset] : [value.offset, value.label]]
  if (value instanceof ZoneInfo) return ['zoneinfo', 'ZoneInfo', [value.key]]
  if (value instanceof Decimal) return ['decimal', 'Decimal', [value.text]]
  if (value instanceof Fraction) return ['fractions', 'Fraction', [value.numerator, value.denominator]]
  if (value instanceof Uuid) return ['uuid', 'UUID', [value.text]]
  if (value instanceof Complex) return ['builtins', 'complex', [value.real, value.imaginary]]
  if (value instanceof Range) return ['builtins', 'range', [value.start, value.stop, value.step]]
  return undefined
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
