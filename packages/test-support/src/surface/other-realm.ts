import { createContext, runInContext } from 'node:vm'

const context = createContext({})
const other = runInContext('({ Array, Date, Error, Map, Object, Promise, Set, Uint8Array })', context) as {
  Array: ArrayConstructor
  Date: DateConstructor
  Error: ErrorConstructor
  Map: MapConstructor
  Object: ObjectConstructor
  Promise: PromiseConstructor
  Set: SetConstructor
  Uint8Array: Uint8ArrayConstructor
}

/**
 * Makes the same value by the classes of another realm, as Jest's environment or a `vm` context does; what it shares stays
 * shared. Instances of other classes stay.
 */
export function inOtherRealm(value: unknown, made = new Map<object, unknown>()): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (!made.has(value))
    made.set(
      value,
      remade(value, (inner) => inOtherRealm(inner, made)),
    )
  return made.get(value)
}

function remade(value: object, inner: (value: unknown) => unknown): unknown {
  if (value instanceof Promise) return other.Promise.resolve(value)
  if (value instanceof Error) return Object.assign(new other.Error(value.message), value, { name: value.name })
  switch (Object.getPrototypeOf(value)) {
    case Array.prototype:
      return other.Array.from((value as unknown[]).map(inner))
    case Date.prototype:
      return new other.Date((value as Date).getTime())
    case Map.prototype:
      return new other.Map([...(value as Map<unknown, unknown>)].map(([key, item]) => [inner(key), inner(item)]))
    case Set.prototype:
      return new other.Set([...(value as Set<unknown>)].map(inner))
    case Uint8Array.prototype:
      return other.Uint8Array.from(value as Uint8Array)
    case Object.prototype:
      return dict(value, inner)
    default:
      return value
  }
}

function dict(value: object, inner: (value: unknown) => unknown): object {
  const copy = new other.Object()
  for (const [key, item] of Object.entries(value))
    Object.defineProperty(copy, key, { value: inner(item), enumerable: true, writable: true, configurable: true })
  return copy
}
