/**
 * Values of another realm (a `vm` context, Jest's environment, a frame): the same things, made by other classes, so that
 * `instanceof` does not know them. Node's own errors are such values to everything that runs in a `vm` context.
 */

/** Levels that are searched; the codecs refuse deeper ones. */
const MAX_DEPTH = 500

/** True for an Error of any realm, such as Node's own to what runs in a `vm` context. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}

/** Names of the fields of an object of options, symbols included, which are no name of an option. */
export function optionNames(options: object): string[] {
  const symbols = Object.getOwnPropertySymbols(options)
  const visible = symbols.filter((key) => Object.prototype.propertyIsEnumerable.call(options, key))
  return [...Object.keys(options), ...visible.map(String)]
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

/** True where a method of a built-in class accepts the object: an object that only claims the tag is none. */
function accepts(call: () => unknown): boolean {
  try {
    call()
    return true
  } catch {
    return false
  }
}

function isTagged(value: unknown, tag: string): value is object {
  return typeof value === 'object' && value !== null && tagOf(value) === tag
}

/** True for a Promise of any realm. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise || isTagged(value, 'Promise')
}

/** True for a Date of any realm, a valid one or not. */
export function isDate(value: unknown): value is Date {
  return value instanceof Date || (isTagged(value, 'Date') && accepts(() => Date.prototype.getTime.call(value)))
}

/** True for a Map of any realm. */
export function isMap(value: unknown): value is Map<unknown, unknown> {
  return (
    value instanceof Map ||
    (isTagged(value, 'Map') && accepts(() => Map.prototype.keys.call(value as Map<unknown, unknown>)))
  )
}

/** True for a Set of any realm. */
export function isSet(value: unknown): value is Set<unknown> {
  return (
    value instanceof Set || (isTagged(value, 'Set') && accepts(() => Set.prototype.keys.call(value as Set<unknown>)))
  )
}

/** True for an AbortSignal of any realm: a frame, or a document such as jsdom's, has a class of its own. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return value instanceof AbortSignal || isTagged(value, 'AbortSignal')
}

/** True for a plain object whose prototype is the `Object.prototype` of another realm. */
export function isForeignDict(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype === null || prototype === Object.prototype) return false
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf') && tagOf(value) === 'Object'
  )
}

/** Makes the same value in this realm, with the same contents; undefined for a value of this realm, or of another kind. */
export function fromOtherRealm(value: object): object | undefined {
  if (isForeignDict(value)) return { ...value }
  switch (tagOf(value)) {
    case 'Date':
      return value instanceof Date || !isDate(value) ? undefined : new Date(Date.prototype.getTime.call(value))
    case 'Map':
      return value instanceof Map || !isMap(value) ? undefined : new Map(value)
    case 'Set':
      return value instanceof Set || !isSet(value) ? undefined : new Set(value)
    case 'Uint8Array':
      if (value instanceof Uint8Array || !ArrayBuffer.isView(value)) return undefined
      return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    default:
      return undefined
  }
}

/**
 * Copies a value with everything in it that belongs to another realm made anew in this one. Returns the same reference
 * where nothing does. Errors stay as they are.
 */
export function inThisRealm(value: unknown): unknown {
  return hasForeign(value, new Set(), 0) ? copyOf(value, new Map(), 0) : value
}

/** Runs at each enqueue of a typed task: plain objects of this realm, which most values are, cost the least. */
function hasForeign(value: unknown, seen: Set<object>, depth: number): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value) || depth > MAX_DEPTH) return false
  seen.add(value)
  if (isDict(value)) {
    for (const key in value) {
      const child = value[key]
      if (typeof child === 'object' && hasForeign(child, seen, depth + 1)) return true
    }
    return false
  }
  if (Array.isArray(value) ? isForeignArray(value) : fromOtherRealm(value) !== undefined) return true
  for (const child of childrenOf(value))
    if (typeof child === 'object' && hasForeign(child, seen, depth + 1)) return true
  return false
}

function isForeignArray(value: object): boolean {
  return (
    Array.isArray(value) && Object.getPrototypeOf(value) !== Array.prototype && !Array.prototype.isPrototypeOf(value)
  )
}

/** Values directly within a list, a map or a set; none for other objects. */
function childrenOf(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value instanceof Map) return [...value].flat()
  return value instanceof Set ? [...value] : []
}

function isDict(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function copyOf(value: unknown, copies: Map<object, unknown>, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  const keep = <T>(copy: T): T => {
    copies.set(value, copy)
    return copy
  }
  const inner = (child: unknown) => copyOf(child, copies, depth + 1)
  const own = fromOtherRealm(value) ?? value
  const prototype: unknown = Object.getPrototypeOf(own)
  if (isForeignArray(own) || prototype === Array.prototype) {
    const copy = keep<unknown[]>([])
    for (const item of own as unknown[]) copy.push(inner(item))
    return copy
  }
  if (prototype === Map.prototype) {
    const copy = keep(new Map<unknown, unknown>())
    for (const [key, item] of own as Map<unknown, unknown>) copy.set(inner(key), inner(item))
    return copy
  }
  if (prototype === Set.prototype) {
    const copy = keep(new Set<unknown>())
    for (const item of own as Set<unknown>) copy.add(inner(item))
    return copy
  }
  if (!isDict(own)) return keep(own)
  const copy = keep({ ...own } as Record<string, unknown>)
  for (const [key, item] of Object.entries(own))
    Object.defineProperty(copy, key, { value: inner(item), enumerable: true, writable: true, configurable: true })
  return copy
}
