/**
 * The one way through decoded values. A pickle may hold a value within itself, or share one so often that 53 bytes have
 * millions of places: whoever goes through values classifies them here, and stays within bounds by one of the two means
 * below. `TextWalk` ends when its text is full; `measure` looks at each value once and counts it wherever it stands.
 */
import { MAX_DEPTH } from './limits.ts'
import { PyObject } from './py-object.ts'
import { isError, isForeignDict, isMap, isSet } from './realms.ts'

/**
 * The way a value holds others: `list` (arrays, tuples, deques), `set`, `map`, `dict` (a plain object), `object` (an
 * instance of a Python class), `error`, or `leaf` (none: bytes, dates, Decimals, and instances of JavaScript's classes).
 */
export type Kind = 'list' | 'set' | 'map' | 'dict' | 'object' | 'error' | 'leaf'

export function kindOf(value: object): Kind {
  if (Array.isArray(value)) return 'list'
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return 'dict'
  if (value instanceof Map) return 'map'
  if (value instanceof Set) return 'set'
  if (value instanceof PyObject) return 'object'
  if (value instanceof Error) return 'error'
  if (value instanceof Date || value instanceof Uint8Array) return 'leaf'
  return kindElsewhere(value)
}

/** The kind of a value that is none of this realm's, and of the leaves. */
function kindElsewhere(value: object): Kind {
  if (isForeignDict(value)) return 'dict'
  if (isMap(value)) return 'map'
  if (isSet(value)) return 'set'
  return isError(value) ? 'error' : 'leaf'
}

/** An exception that has Python's fields; recognized by its shape, since its class is made with the help of this folder. */
export interface ErrorFields {
  readonly pythonType: string
  readonly args: readonly unknown[]
  readonly attributes: unknown
}

export function hasErrorFields(value: object): value is ErrorFields & Error {
  return isError(value) && 'pythonType' in value && Array.isArray((value as { args?: unknown }).args)
}

/** Shows each value directly within another, keys included. */
export function eachChild(value: object, show: (child: unknown) => void): void {
  switch (kindOf(value)) {
    case 'list':
      for (let i = 0, items = value as unknown[]; i < items.length; i++) show(items[i])
      return
    case 'set':
      for (const item of value as Set<unknown>) show(item)
      return
    case 'map':
      for (const [key, item] of value as Map<unknown, unknown>) {
        show(key)
        show(item)
      }
      return
    case 'dict':
      for (const key of Object.keys(value)) {
        show(key)
        show((value as Record<string, unknown>)[key])
      }
      return
    case 'object': {
      const { args, callee, dictItems, kwargs, listItems, state } = value as PyObject
      show(callee)
      show(args)
      show(kwargs)
      show(state)
      show(listItems)
      show(dictItems)
      return
    }
    case 'error':
      if (!hasErrorFields(value)) return
      show(value.args)
      show(value.attributes)
      return
    case 'leaf':
  }
}

/** Size of a value when it is written out, where shared values are written at each of their places. */
export interface Extent {
  /** Values, this one included; Infinity for one that contains itself. */
  nodes: number
  /** Characters of its strings and bytes of its bytes, at least one for each value; Infinity as above. */
  bytes: number
  /** Values without repetitions. */
  distinct: number
  /** Levels below it; more than `MAX_DEPTH` where the walk went no deeper. */
  levels: number
}

/** The extent of a value, in time that grows with what is there and not with the places where it stands. */
export function measure(value: unknown): Extent {
  const known = new Map<object, Size>()
  let distinct = 0
  const sizeOf = (of: unknown, depth: number): Size => {
    if (typeof of === 'object' && of !== null) {
      const before = known.get(of)
      if (before) return before
    }
    distinct++
    if (typeof of === 'string') return { nodes: 1, bytes: of.length + 1, levels: 0 }
    if (typeof of !== 'object' || of === null) return { nodes: 1, bytes: 1, levels: 0 }
    if (depth > MAX_DEPTH) return { nodes: 1, bytes: 1, levels: 1 }
    // Met again before it is done, it is within itself.
    known.set(of, { nodes: Infinity, bytes: Infinity, levels: 0 })
    const size = { nodes: 1, bytes: of instanceof Uint8Array ? of.length + 1 : 1, levels: 0 }
    eachChild(of, (child) => {
      const { nodes, bytes, levels } = sizeOf(child, depth + 1)
      size.nodes += nodes
      size.bytes += bytes
      size.levels = Math.max(size.levels, levels + 1)
    })
    known.set(of, size)
    return size
  }
  const { bytes, levels, nodes } = sizeOf(value, 0)
  return { nodes, distinct, bytes, levels }
}

type Size = Omit<Extent, 'distinct'>

/** Up to here, places are counted one by one: that costs less than to remember values. */
const FEW = 10_000

/** Repetitions that any value may have, and for each of its distinct values beyond. */
const MAX_REPEATED = 100_000
const MAX_REPEATED_EACH = 16

/**
 * The bound of shared values, wherever they are written or looked at once per place: rows that share their settings are
 * within it, a pickle of 53 bytes that stands for millions of places is not.
 */
export function mayRepeat(repeated: number, distinct: number): boolean {
  return repeated <= Math.max(MAX_REPEATED, MAX_REPEATED_EACH * distinct)
}

/**
 * True where the places of a value that repeat another are within that bound: each value counts at every place where it
 * stands but the first. False for a value that contains itself. Cheap for small values.
 */
export function sharesModestly(value: unknown): boolean {
  let left = FEW
  const look = (at: unknown, depth: number): void => {
    left--
    if (typeof at === 'object' && at !== null && left >= 0) {
      if (depth > MAX_DEPTH) left = -1
      else eachChild(at, (child) => left >= 0 && look(child, depth + 1))
    }
  }
  look(value, 0)
  if (left >= 0) return true
  const { distinct, nodes } = measure(value)
  return mayRepeat(nodes - distinct, distinct)
}

/** True where a container stands at two places among the first values, as many as `limit`. */
export function isShared(value: unknown, limit: number): boolean {
  const seen = new Set<object>()
  let left = limit
  const look = (at: unknown, depth: number): boolean => {
    if (typeof at !== 'object' || at === null || left < 0) return false
    if (seen.has(at) || depth > MAX_DEPTH) return true
    seen.add(at)
    let found = false
    eachChild(at, (child) => {
      left--
      found ||= look(child, depth + 1)
    })
    return found
  }
  return look(value, 0)
}

/**
 * A value as a string that stops where it is full: every value adds to the string, so the walk is never longer than what it
 * writes. Knows the values that it is within.
 */
export abstract class TextWalk {
  protected text = ''
  protected readonly limit: number
  readonly #within: object[] = []

  /** @param limit - Characters of text from which on nothing is begun. */
  constructor(limit: number) {
    this.limit = limit
  }

  protected get isFull(): boolean {
    return this.text.length > this.limit
  }

  protected get depth(): number {
    return this.#within.length
  }

  /** Writes a container by `write`, unless the walk is within it already, or as deep as it may go. */
  protected enter(value: object, write: () => void, cut: (why: 'cycle' | 'depth') => void): void {
    if (this.#within.includes(value)) return cut('cycle')
    if (this.#within.length >= MAX_DEPTH) return cut('depth')
    this.#within.push(value)
    write()
    this.#within.pop()
  }
}
