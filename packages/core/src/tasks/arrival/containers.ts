import type { CodecName } from '@arq-ts/protocol/jobs'
import { Refusal } from './as-is.ts'
import type { Path } from './as-is.ts'
import type { Node } from './node.ts'

/** Containers are copied where something within them changes, and shared where nothing does. */

function isDict(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

export class ObjectNode implements Node {
  readonly #nodes: ReadonlyMap<string, Node>
  /** The node of keys that have none of their own; undefined where the schema drops or refuses them. */
  readonly #others: Node | undefined
  /** True where such a key without a value would get one: left out, it does not. */
  readonly #othersHaveDefault: boolean

  constructor(nodes: ReadonlyMap<string, Node>, others?: { node: Node; hasDefault: boolean }) {
    this.#nodes = nodes
    this.#others = others?.node
    this.#othersHaveDefault = others?.hasDefault ?? false
  }

  clean(value: unknown, codec: CodecName, path: Path): unknown {
    if (!isDict(value)) return value
    let copy: Record<string, unknown> | undefined
    for (const key of Object.keys(value)) {
      const item = value[key]
      if (item === undefined) {
        if (this.#othersHaveDefault && !this.#nodes.has(key))
          throw new Refusal(
            [...path, key],
            'a key that is undefined is left out and gets no default; leave it out yourself',
          )
        copy ??= { ...value }
        delete copy[key]
        continue
      }
      path.push(key)
      const cleaned = (this.#nodes.get(key) ?? this.#others)?.clean(item, codec, path) ?? item
      path.pop()
      if (cleaned !== item) set((copy ??= { ...value }), key, cleaned)
    }
    return copy ?? value
  }

  restore(value: unknown): unknown {
    if (!isDict(value)) return value
    let copy: Record<string, unknown> | undefined
    for (const key of Object.keys(value)) {
      const item = value[key]
      const node = this.#nodes.get(key) ?? this.#others
      if (!node) continue
      const restored = node.restore(item)
      if (restored !== item) set((copy ??= { ...value }), key, restored)
    }
    return copy ?? value
  }
}

/** `__proto__` is a key like any other on the wire. */
function set(copy: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(copy, key, { value, enumerable: true, writable: true, configurable: true })
  else copy[key] = value
}

export class ArrayNode implements Node {
  readonly #items: readonly Node[]
  readonly #rest: Node | undefined

  constructor(items: readonly Node[], rest: Node | undefined) {
    this.#items = items
    this.#rest = rest
  }

  clean(value: unknown, codec: CodecName, path: Path): unknown {
    return this.#each(value, (node, item, index) => {
      path.push(index)
      const cleaned = node.clean(item, codec, path)
      path.pop()
      return cleaned
    })
  }

  restore(value: unknown): unknown {
    return this.#each(value, (node, item) => node.restore(item))
  }

  #each(value: unknown, change: (node: Node, item: unknown, index: number) => unknown): unknown {
    if (!Array.isArray(value)) return value
    let copy: unknown[] | undefined
    for (let i = 0; i < value.length; i++) {
      const node = this.#items[i] ?? this.#rest
      if (!node) break
      const item: unknown = value[i]
      const changed = change(node, item, i)
      if (changed !== item) (copy ??= [...(value as unknown[])])[i] = changed
    }
    return copy ?? value
  }
}

export class MapNode implements Node {
  readonly #key: Node
  readonly #value: Node

  constructor(key: Node, value: Node) {
    this.#key = key
    this.#value = value
  }

  clean(value: unknown, codec: CodecName, path: Path): unknown {
    if (!(value instanceof Map)) return value
    const copy = new Map<unknown, unknown>()
    for (const [key, item] of value as Map<unknown, unknown>) {
      path.push(typeof key === 'string' ? key : '[a key]')
      copy.set(this.#key.clean(key, codec, path), this.#value.clean(item, codec, path))
      path.pop()
    }
    return copy
  }

  restore(value: unknown): unknown {
    const entries =
      value instanceof Map ? [...(value as Map<unknown, unknown>)] : isDict(value) && Object.entries(value)
    if (!entries) return value
    return new Map(entries.map(([key, item]) => [this.#key.restore(key), this.#value.restore(item)]))
  }
}

export class SetNode implements Node {
  readonly #item: Node

  constructor(item: Node) {
    this.#item = item
  }

  clean(value: unknown, codec: CodecName, path: Path): unknown {
    if (!(value instanceof Set)) return value
    return new Set(
      [...(value as Set<unknown>)].map((item, index) => {
        path.push(index)
        const cleaned = this.#item.clean(item, codec, path)
        path.pop()
        return cleaned
      }),
    )
  }

  restore(value: unknown): unknown {
    if (!(value instanceof Set) && !Array.isArray(value)) return value
    return new Set([...(value as Iterable<unknown>)].map((item) => this.#item.restore(item)))
  }
}

/** Both sides take the same value: each restores what it knows. */
export class IntersectionNode implements Node {
  readonly #sides: readonly Node[]

  constructor(sides: readonly Node[]) {
    this.#sides = sides
  }

  clean(value: unknown, codec: CodecName, path: Path): unknown {
    return this.#sides.reduce((cleaned, side) => side.clean(cleaned, codec, path), value)
  }

  restore(value: unknown): unknown {
    return this.#sides.reduce((restored, side) => side.restore(restored), value)
  }
}

/** Sets as the codecs without them carry them. What is left of them in a cleaned input is typed as one. */
export function setsToArrays(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(setsToArrays)
  if (value instanceof Set) return [...value].map(setsToArrays)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [setsToArrays(key), setsToArrays(item)]))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, setsToArrays(item)]))
}
