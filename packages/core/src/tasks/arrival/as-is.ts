import type { CodecName } from '@arq-ts/protocol/jobs'
import {
  Decimal,
  Fraction,
  fromOtherRealm,
  orderedKeys,
  PlainDate,
  PlainTime,
  TimeDelta,
  Uuid,
} from '@arq-ts/protocol/values'

/** The way to a value within an input, for messages. */
export type Path = (string | number)[]

/** A value that would not arrive as it is sent; `refused` names it, and what works. */
export class Refusal extends Error {
  readonly path: Path

  constructor(path: Path, message: string) {
    super(message)
    this.path = [...path]
  }
}

/**
 * Refuses what a codec changes on the way, for parts of a schema that say nothing of their type: there is nothing to
 * restore them by. A codec itself refuses what it has no form for.
 *
 * @throws Refusal
 */
export function arrivesAsIs(value: unknown, codec: CodecName, path: Path): void {
  switch (typeof value) {
    case 'bigint':
      if (Number.isSafeInteger(Number(value)))
        throw new Refusal(path, `${value}n arrives as the number ${value}; type it as z.bigint(), or send a number`)
      return
    case 'undefined':
      throw new Refusal(path, 'undefined arrives as null; leave it out, or send null')
    case 'object':
      if (value !== null) object(value, codec, path)
      return
    default:
  }
}

function object(value: object, codec: CodecName, path: Path): void {
  if (Array.isArray(value)) return items(value as unknown[], codec, path)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    for (const key of orderedKeys(value as Record<string, unknown>)) {
      const item = (value as Record<string, unknown>)[key]
      // Keys without a value are left out.
      if (item !== undefined) within(key, item, codec, path)
    }
    return
  }
  const own = fromOtherRealm(value)
  if (own !== undefined) return object(own, codec, path)
  if (value instanceof Uint8Array) return
  if (value instanceof Map) return map(value, codec, path)
  if (codec === 'pickle') {
    if (value instanceof Set) return items([...value], codec, path)
    // A value of Python's has a form of its own in a pickle; any other instance is what its `toJSON()` gives, or refused.
    if (value instanceof Date || isPythons(value)) return
  } else if (value instanceof Date && codec === 'msgpack') return
  else if (value instanceof Set)
    throw new Refusal(path, `a Set arrives as an array; type it as z.set(), or send an array`)
  if (typeof (value as { toJSON?: unknown }).toJSON !== 'function') return
  const name = (prototype as { constructor: { name: string } }).constructor.name
  const remedy = value instanceof Date ? 'type it as z.date()' : 'type it as z.instanceof(…), or send plain data'
  throw new Refusal(path, `an instance of ${name} arrives as what its toJSON() gives; ${remedy}`)
}

function isPythons(value: object): boolean {
  const hasBoth = [Decimal, Fraction, PlainDate, PlainTime, TimeDelta, Uuid].some((type) => value instanceof type)
  return hasBoth || typeof (value as { toJSON?: unknown }).toJSON !== 'function'
}

function map(value: Map<unknown, unknown>, codec: CodecName, path: Path): void {
  if ([...value.keys()].every((key) => typeof key === 'string'))
    throw new Refusal(path, 'a Map with string keys arrives as an object; type it as z.map(), or send an object')
  for (const [key, item] of value) {
    arrivesAsIs(key, codec, path)
    within(typeof key === 'string' ? key : '[a key]', item, codec, path)
  }
}

function items(value: readonly unknown[], codec: CodecName, path: Path): void {
  for (let i = 0; i < value.length; i++) within(i, value[i], codec, path)
}

function within(step: string | number, value: unknown, codec: CodecName, path: Path): void {
  path.push(step)
  arrivesAsIs(value, codec, path)
  path.pop()
}

/** The prototype of an instance; an object without a prototype is plain data too. */
function classOf(value: object): unknown {
  return Object.getPrototypeOf(value) ?? Object.prototype
}

/** Equal as far as a handler can see: a date by its time, bytes by their content, a negative zero as zero. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime()
  if (a instanceof Uint8Array) return b instanceof Uint8Array && a.length === b.length && a.every((x, i) => x === b[i])
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((x, i) => isSame(x, b[i]))
  if (a instanceof Map) return b instanceof Map && isSame([...a], [...b])
  if (a instanceof Set) return b instanceof Set && isSame([...a], [...b])
  if (classOf(a) !== classOf(b)) return false
  const entries = (value: object) => Object.entries(value).filter(([, item]) => item !== undefined)
  const others = new Map(entries(b))
  const own = entries(a)
  return own.length === others.size && own.every(([key, item]) => others.has(key) && isSame(item, others.get(key)))
}
