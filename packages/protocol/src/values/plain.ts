import { EncodeError } from '../errors.ts'
import { tooLarge } from './byte-writer.ts'
import { toExceptionMap } from './exceptions.ts'
import { MAX_DEPTH, MAX_PAYLOAD_BYTES } from './limits.ts'

/** What differs between the codecs that know maps, arrays and scalars only. Each gives what the codec writes, or throws. */
export interface PlainRules {
  codec: string
  text(value: string): string
  float(value: number): number
  integer(value: number): number | bigint
  bigint(value: bigint): number | bigint
  map(value: Map<unknown, unknown>): object
  /** An object that is neither array nor map; undefined where the codec has nothing for it. */
  object(value: object): object | string | undefined
}

/**
 * Makes a value ready for such a codec: the same reference where nothing has to change. Shared values are written once
 * per place, so their size is counted before any of it is written.
 * @throws EncodeError
 */
export function toPlain(value: unknown, rules: PlainRules): unknown {
  return new Plain(rules).value(value, 0)
}

class Plain {
  readonly #rules: PlainRules
  /** At least what the value takes when it is written, in bytes. */
  #size = 0
  /** Containers that had to change, and what they became: shared ones stay shared. */
  readonly #changed = new Map<object, unknown>()

  constructor(rules: PlainRules) {
    this.#rules = rules
  }

  value(value: unknown, depth: number): unknown {
    this.#size++
    switch (typeof value) {
      case 'string':
        this.#size += value.length
        return this.#rules.text(value)
      case 'boolean':
        return value
      case 'undefined':
        return null
      case 'number':
        return Number.isSafeInteger(value) ? this.#rules.integer(value) : this.#rules.float(value)
      case 'bigint':
        return this.#rules.bigint(value)
      case 'object':
        return value === null ? null : this.#object(value, depth)
      default:
        throw new EncodeError(`${this.#rules.codec} cannot carry a ${typeof value}; pass data only`)
    }
  }

  #object(value: object, depth: number): unknown {
    if (depth > MAX_DEPTH) throw new EncodeError(`values nest deeper than ${MAX_DEPTH} levels; is there a cycle?`)
    if (this.#size > MAX_PAYLOAD_BYTES) throw tooLarge()
    if (Array.isArray(value)) return this.#array(value, depth + 1)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null)
      return this.#dict(value as Record<string, unknown>, depth + 1)
    if (value instanceof Map) return this.#map(value, depth + 1)
    if (value instanceof Error) return this.#error(value, depth + 1)
    const known = this.#rules.object(value)
    if (known !== undefined) {
      this.#size += (known as { length?: number }).length ?? 0
      return known
    }
    const { codec } = this.#rules
    if (value instanceof Set) throw new EncodeError(`${codec} has no sets; pass an array, or use codec 'pickle'`)
    if (hasToJson(value)) return this.value(value.toJSON(), depth + 1)
    const name = (prototype as { constructor?: { name?: string } }).constructor?.name ?? 'class instance'
    throw new EncodeError(`${codec} cannot carry a ${name}; pass plain data, or use codec 'pickle'`)
  }

  #array(value: unknown[], depth: number): unknown[] {
    let copy: unknown[] | undefined = Object.getPrototypeOf(value) === Array.prototype ? undefined : []
    for (let i = 0; i < value.length; i++) {
      const ready = this.value(value[i], depth)
      if (copy) copy[i] = ready
      else if (ready !== value[i]) {
        copy = value.slice(0, i)
        copy[i] = ready
      }
    }
    return copy ? this.#keep(value, copy) : value
  }

  #dict(value: Record<string, unknown>, depth: number): object {
    let copy: Record<string, unknown> | undefined
    for (const key of Object.keys(value)) {
      this.#size += key.length
      this.#rules.text(key)
      const item = value[key]
      const ready = this.value(item, depth)
      if (ready === item) continue
      copy ??= { ...value }
      if (key === '__proto__')
        Object.defineProperty(copy, key, { value: ready, enumerable: true, writable: true, configurable: true })
      else copy[key] = ready
    }
    return copy ? this.#keep(value, copy) : value
  }

  #map(value: Map<unknown, unknown>, depth: number): unknown {
    const copy = new Map<unknown, unknown>()
    for (const [key, item] of value) copy.set(this.value(key, depth), this.value(item, depth))
    return this.#keep(value, this.#rules.map(copy))
  }

  /** Arguments that the codec cannot carry must not hide the failure they belong to. */
  #error(error: Error, depth: number): unknown {
    const map = toExceptionMap(error)
    try {
      return this.value(map, depth)
    } catch (problem) {
      if (!(problem instanceof EncodeError)) throw problem
      return this.value({ ...map, args: [map.message] }, depth)
    }
  }

  #keep<T extends object>(value: object, copy: T): T {
    const known = this.#changed.get(value)
    if (known !== undefined) return known as T
    this.#changed.set(value, copy)
    return copy
  }
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}
