import { NonRetryableError } from '@arq-ts/core'
import { encodeValue } from '@arq-ts/protocol'

/** Bounds of a value as JSON, counted as it will be written: what is shared counts wherever it occurs. */
const MAX_DEPTH = 500
const MAX_NODES = 2_000_000
const MAX_BYTES = 64 * 1024 * 1024

/**
 * A value as JSON, for stores that keep it as such: sets become arrays, maps become objects (keys that are numbers become
 * strings, as in Python), dates become ISO strings, integers keep every digit.
 *
 * @throws NonRetryableError for a value that has no form in JSON, such as bytes, and for one that is nested deeper than
 *   500 levels or larger than 64 MiB as JSON: another try would not help.
 */
export function jsonOf(key: string, value: unknown): string {
  try {
    return Buffer.from(encodeValue(new Walk().plain(value), 'json')).toString()
  } catch (error) {
    throw new NonRetryableError(`the value of '${key}' has no form in JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** A part of a value in plain form, and what it comes to when written out. */
interface Plain {
  form: unknown
  nodes: number
  bytes: number
  levels: number
}

/**
 * One bounded walk over a value. A pickle of 53 bytes can share its parts so often that it has millions of nodes when
 * written out. Each part is therefore walked once, however often it occurs, and counted wherever it occurs: the walk is
 * as long as the graph is large, and it ends at the first bound that it meets.
 */
class Walk {
  /** Null for a container that the walk is within: one of them again is a value that contains itself. */
  readonly #seen = new Map<object, Plain | null>()
  #depth = 0

  plain(value: unknown): unknown {
    return this.#of(value).form
  }

  #of(value: unknown): Plain {
    if (typeof value !== 'object' || value === null)
      return bounded({ form: value, nodes: 1, bytes: sizeOf(value), levels: 0 })
    const seen = this.#seen.get(value)
    if (seen) return seen
    if (seen === null) throw new RangeError('it contains itself')
    if (++this.#depth > MAX_DEPTH) throw tooDeep()
    this.#seen.set(value, null)
    const plain = this.#container(value)
    this.#seen.set(value, plain)
    this.#depth--
    return plain
  }

  #container(value: object): Plain {
    if (Array.isArray(value) || value instanceof Set) return this.#items(value as Iterable<unknown>)
    if (value instanceof Map) return this.#textKeyed(value as Map<unknown, unknown>)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return this.#textKeyed(Object.entries(value))
    return bounded({ form: value, nodes: 1, bytes: encodeValue(value, 'json').length, levels: 0 })
  }

  #items(items: Iterable<unknown>): Plain {
    const form: unknown[] = []
    const plain: Plain = { form, nodes: 1, bytes: 2, levels: 1 }
    for (const item of items) form.push(this.#add(item, plain))
    return plain
  }

  #textKeyed(entries: Iterable<[unknown, unknown]>): Plain {
    const texts = new Map<string, unknown>()
    const plain: Plain = { form: undefined, nodes: 1, bytes: 2, levels: 1 }
    for (const [key, item] of entries) {
      const isNumber = typeof key === 'number' || typeof key === 'bigint'
      if (typeof key !== 'string' && !isNumber)
        throw new TypeError(`expected keys to be strings, got a key of type ${typeof key}`)
      const text = String(key)
      if (texts.has(text)) throw new TypeError(`expected keys to differ as strings, got '${text}' twice`)
      plain.bytes += text.length
      texts.set(text, this.#add(item, plain))
    }
    plain.form = Object.fromEntries(texts)
    return bounded(plain)
  }

  /** Counts a part towards its container, and gives its form. */
  #add(part: unknown, container: Plain): unknown {
    const { bytes, form, levels, nodes } = this.#of(part)
    container.nodes += nodes
    container.bytes += bytes
    container.levels = Math.max(container.levels, levels + 1)
    bounded(container)
    return form
  }
}

function bounded(plain: Plain): Plain {
  if (plain.levels > MAX_DEPTH) throw tooDeep()
  if (plain.nodes > MAX_NODES) throw new RangeError(`it has more than ${MAX_NODES} nodes when written out`)
  if (plain.bytes > MAX_BYTES) throw new RangeError(`it is larger than ${MAX_BYTES} bytes when written out`)
  return plain
}

function tooDeep(): RangeError {
  return new RangeError(`it is nested deeper than ${MAX_DEPTH} levels`)
}

function sizeOf(leaf: unknown): number {
  if (typeof leaf === 'string') return leaf.length
  // Hexadecimal digits are cheap to count; decimal ones are at most a quarter more.
  return typeof leaf === 'bigint' ? leaf.toString(16).length : 8
}
