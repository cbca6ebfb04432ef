import { EncodeError } from '../errors.ts'
import { toExceptionMap } from './exceptions.ts'
import { MAX_DEPTH, tooLarge } from './limits.ts'
import { fromOtherRealm, isForeignDict } from './realms.ts'
import { hasToJson, refusal } from './refusal.ts'
import { hasOrder, orderedKeys } from './key-order.ts'
import { isShared, kindOf, mayRepeat } from './walk.ts'

/** The differences between the codecs that know maps, arrays and scalars only. Each gives what the codec writes, or throws. */
export interface PlainRules {
  codec: 'msgpack' | 'json'
  maxBytes: number
  text(value: string): string
  /** Bytes that a string takes when it is written; at least its length. */
  size(value: string): number
  float(value: number): number
  integer(value: number): number | bigint
  bigint(value: bigint): number | bigint
  map(value: Map<unknown, unknown>): object
  /** A dict whose keys have an order that JavaScript does not keep. */
  ordered(entries: readonly [string, unknown][]): object
  /** A set as something that is written; undefined where the codec has no sets. */
  set?: ((value: Set<unknown>) => unknown[]) | undefined
  /** An object of no kind that holds others; undefined where the codec has nothing for it. */
  object(value: object): object | string | undefined
}

/** A value that is ready for its codec. */
export interface PlainValue {
  value: unknown
  /** At least as many bytes as are written, where no string needs escapes. */
  size: number
}

/**
 * Up to here a value is taken for a tree: it costs less to walk again what is shared than to remember each place. From
 * here on, and at 16 times as many values each time, the part that was walked is searched for values that are shared.
 */
const TREE_NODES = 16_384
const TREE_GROWTH = 16
const TREE_DEPTH = 200

/**
 * Makes a value ready for such a codec: the same reference where nothing has to change. The codec writes a shared value
 * once per place, so places are counted before any of it is written.
 *
 * @throws EncodeError for what the codec cannot carry, for a value within itself, and beyond the limits.
 */
export function toPlain(value: unknown, rules: PlainRules): PlainValue {
  const tree = new Plain(rules, value)
  try {
    return within(tree.value(value, 0), tree.size, rules)
  } catch (error) {
    if (error !== notSmall) throw error
  }
  const graph = new PlainGraph(rules, value)
  return within(graph.value(value, 0), graph.size, rules)
}

function within(value: unknown, size: number, { maxBytes }: PlainRules): PlainValue {
  if (size > maxBytes) throw tooLarge(maxBytes)
  return { value, size }
}

/** Thrown by the walk over a tree that turns out to be deep, or a graph. */
const notSmall = new Error('not a tree')

class Plain {
  size = 0
  protected nodes = 0
  protected readonly rules: PlainRules
  readonly #root: unknown
  #nextSearch = TREE_NODES
  /** Containers that had to change, and what they became: shared ones stay shared. */
  readonly #changed = new Map<object, unknown>()

  constructor(rules: PlainRules, root: unknown) {
    this.rules = rules
    this.#root = root
  }

  value(value: unknown, depth: number): unknown {
    this.size++
    this.nodes++
    switch (typeof value) {
      case 'string':
        this.size += this.rules.size(value)
        return this.rules.text(value)
      case 'boolean':
        return value
      case 'undefined':
        return null
      case 'number':
        return Number.isSafeInteger(value) ? this.rules.integer(value) : this.rules.float(value)
      case 'bigint':
        return this.rules.bigint(value)
      case 'object':
        return value === null ? null : this.object(value, depth)
      default:
        throw refusal(value, this.rules.codec)
    }
  }

  protected object(value: object, depth: number): unknown {
    if (depth > TREE_DEPTH) throw notSmall
    if (this.nodes > this.#nextSearch) {
      if (isShared(this.#root, this.nodes)) throw notSmall
      this.#nextSearch *= TREE_GROWTH
    }
    return this.container(value, depth)
  }

  protected container(value: object, depth: number): unknown {
    if (this.size > this.rules.maxBytes) throw tooLarge(this.rules.maxBytes)
    switch (kindOf(value)) {
      case 'list':
        return this.#array(value as unknown[], depth + 1)
      case 'dict':
        return this.#dict(value as Record<string, unknown>, depth + 1)
      case 'map':
        return this.#map(value as Map<unknown, unknown>, depth + 1)
      case 'error':
        return this.#error(value as Error, depth + 1)
      case 'set':
        if (!this.rules.set) break
        return this.#array(this.rules.set(value as Set<unknown>), depth + 1)
      default:
    }
    const known = this.rules.object(value)
    if (known !== undefined) {
      this.size += (known as { length?: number }).length ?? 0
      return known
    }
    const own = fromOtherRealm(value)
    if (own !== undefined) return this.container(own, depth)
    if (hasToJson(value)) return this.value(value.toJSON(), depth + 1)
    throw refusal(value, this.rules.codec)
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
    if (hasOrder(value)) return this.#ordered(value, depth)
    let copy: Record<string, unknown> | undefined = isForeignDict(value) ? { ...value } : undefined
    for (const key of Object.keys(value)) {
      this.size += this.rules.size(key)
      this.rules.text(key)
      const item = value[key]
      if (item === undefined) {
        copy ??= { ...value }
        delete copy[key]
        continue
      }
      const ready = this.value(item, depth)
      if (ready === item) continue
      copy ??= { ...value }
      if (key === '__proto__')
        Object.defineProperty(copy, key, { value: ready, enumerable: true, writable: true, configurable: true })
      else copy[key] = ready
    }
    return copy ? this.#keep(value, copy) : value
  }

  #ordered(value: Record<string, unknown>, depth: number): object {
    const keys = orderedKeys(value).filter((key) => value[key] !== undefined)
    const entries = keys.map((key): [string, unknown] => {
      this.size += this.rules.size(key)
      return [this.rules.text(key), this.value(value[key], depth)]
    })
    return this.#keep(value, this.rules.ordered(entries))
  }

  #map(value: Map<unknown, unknown>, depth: number): unknown {
    const copy = new Map<unknown, unknown>()
    for (const [key, item] of value) copy.set(this.value(key, depth), this.value(item, depth))
    return this.#keep(value, this.rules.map(copy))
  }

  /** Arguments, names and messages that the codec cannot carry must not hide the failure they belong to. */
  #error(error: Error, depth: number): unknown {
    const map = toExceptionMap(error)
    const { size } = this
    try {
      return this.value(map, depth)
    } catch (problem) {
      if (!(problem instanceof EncodeError)) throw problem
      this.size = size
      const [type, message] = [map.__exception__, map.message].map((text) => text.replace(LONE_SURROGATE, '\ufffd'))
      return this.value({ __exception__: type, args: [message], message }, depth)
    }
  }

  #keep<T extends object>(value: object, copy: T): T {
    const known = this.#changed.get(value)
    if (known !== undefined) return known as T
    this.#changed.set(value, copy)
    return copy
  }
}

/** Converted container, and its size at each of its places. */
interface Place {
  ready: unknown
  nodes: number
  size: number
  levels: number
}

/** The walk over anything else: each container once. */
class PlainGraph extends Plain {
  /** Null for a container that the walk is within; an error for one that has no form. */
  readonly #places = new Map<object, Place | EncodeError | null>()
  #repeated = 0
  /** The deepest level met since the container that the walk is within began. */
  #deepest = 0

  protected override object(value: object, depth: number): unknown {
    const place = this.#places.get(value)
    if (place === null) throw new EncodeError(`a value contains itself; ${this.rules.codec} has no references`)
    if (place instanceof EncodeError) throw place
    if (place !== undefined) return this.#again(place, depth)
    if (depth > MAX_DEPTH) throw tooDeep()
    this.#places.set(value, null)
    const { nodes, size } = this
    const above = this.#deepest
    this.#deepest = depth
    try {
      const ready = this.container(value, depth)
      const levels = this.#deepest - depth
      this.#places.set(value, { ready, nodes: this.nodes - nodes, size: this.size - size, levels })
      return ready
    } catch (error) {
      // An exception gives its arguments up for its message; the next one with the same arguments need not try again.
      if (error instanceof EncodeError) this.#places.set(value, error)
      throw error
    } finally {
      this.#deepest = Math.max(above, this.#deepest)
    }
  }

  #again({ levels, nodes, ready, size }: Place, depth: number): unknown {
    if (depth + levels > MAX_DEPTH) throw tooDeep()
    this.#deepest = Math.max(this.#deepest, depth + levels)
    this.nodes += nodes
    this.size += size
    this.#repeated += nodes
    if (this.size > this.rules.maxBytes) throw tooLarge(this.rules.maxBytes)
    if (mayRepeat(this.#repeated, this.nodes - this.#repeated)) return ready
    throw new EncodeError(
      `values are shared so often that ${this.rules.codec}, which has no references, would write ${this.nodes} of them; ` +
        "use codec 'pickle', or send each shared value once",
    )
  }
}

const LONE_SURROGATE = /\p{Cs}/gu

function tooDeep(): EncodeError {
  return new EncodeError(`values nest deeper than ${MAX_DEPTH} levels`)
}
