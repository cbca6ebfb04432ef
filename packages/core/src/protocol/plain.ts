import { EncodeError } from '../errors.ts'
import { toExceptionMap } from './exceptions.ts'
import { MAX_DEPTH } from './limits.ts'

/** What differs between the codecs that know maps, arrays and scalars only. */
export interface PlainRules {
  codec: string
  /** Gives what the codec writes for a whole number, or throws. */
  integer(value: number | bigint): number | bigint
  /** Gives what the codec writes for an object that is neither array nor map, or undefined where it has nothing. */
  object(value: object): object | string | undefined
}

/** Makes a value ready for such a codec: the same reference where nothing has to change. @throws EncodeError */
export function toPlain(value: unknown, rules: PlainRules, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'undefined':
      return null
    case 'number':
      return Number.isInteger(value) && !Object.is(value, -0) ? integer(value, rules) : value
    case 'bigint':
      return rules.integer(value)
    case 'object':
      break
    default:
      throw new EncodeError(`${rules.codec} cannot carry a ${typeof value}; pass data only`)
  }
  if (value === null) return null
  if (depth > MAX_DEPTH) throw new EncodeError(`values nest deeper than ${MAX_DEPTH} levels; is there a cycle?`)
  if (Array.isArray(value)) return array(value, rules, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return object(value as Record<string, unknown>, rules, depth)
  if (value instanceof Map) return map(value, rules, depth)
  if (value instanceof Error) return toPlain(toExceptionMap(value), rules, depth + 1)
  const known = rules.object(value)
  if (known !== undefined) return known
  if (value instanceof Set) throw new EncodeError(`${rules.codec} has no sets; pass an array`)
  if (hasToJson(value)) return toPlain(value.toJSON(), rules, depth + 1)
  const name = (prototype as { constructor?: { name?: string } }).constructor?.name ?? 'class instance'
  throw new EncodeError(`${rules.codec} cannot carry a ${name}; pass plain data, or use codec 'pickle'`)
}

function integer(value: number, rules: PlainRules): number | bigint {
  return Number.isSafeInteger(value) ? rules.integer(value) : value
}

function array(value: unknown[], rules: PlainRules, depth: number): unknown[] {
  let changed = value.constructor !== Array
  const out = value.map((item) => {
    const ready = toPlain(item, rules, depth + 1)
    changed ||= ready !== item
    return ready
  })
  return changed ? Array.from(out) : value
}

function object(value: Record<string, unknown>, rules: PlainRules, depth: number): object {
  let copy: Record<string, unknown> | undefined
  for (const key of Object.keys(value)) {
    const item = value[key]
    const ready = toPlain(item, rules, depth + 1)
    if (ready === item) continue
    copy ??= { ...value }
    Object.defineProperty(copy, key, { value: ready, enumerable: true, writable: true, configurable: true })
  }
  return copy ?? value
}

function map(value: Map<unknown, unknown>, rules: PlainRules, depth: number): Map<unknown, unknown> {
  const out = new Map<unknown, unknown>()
  for (const [key, item] of value) out.set(toPlain(key, rules, depth + 1), toPlain(item, rules, depth + 1))
  return out
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}
