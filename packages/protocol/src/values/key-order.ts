/**
 * The order of a dict's keys, where JavaScript has another: objects list keys such as `'2024'` by number and before all
 * others. Decoding notes Python's order on such an object, where the codecs, logs and `--json` find it. It is not
 * enumerable, so a copy of the object has JavaScript's order.
 */

import { expectArgument } from './expect-argument.ts'

/** Shared by all copies of this package in a process. */
const KEY_ORDER = Symbol.for('arq-ts.keyOrder')

type Dict = Readonly<Record<string, unknown>>

/** True for a key that JavaScript lists by number: `0` to `4294967294` without leading zeros. */
export function isIndex(key: string): boolean {
  const first = key.charCodeAt(0)
  if (!(first >= 0x30 && first <= 0x39) || key.length > 10 || (first === 0x30 && key.length > 1)) return false
  for (let i = 1; i < key.length; i++) {
    const digit = key.charCodeAt(i)
    if (digit < 0x30 || digit > 0x39) return false
  }
  return Number(key) < 4_294_967_295
}

/** Notes the order in which the keys of an object came, unless it is JavaScript's own. */
export function noteOrder<T extends object>(dict: T, keys: readonly string[]): T {
  const own = Object.keys(dict)
  if (own.every((key, index) => key === keys[index])) return dict
  return Object.defineProperty(dict, KEY_ORDER, { value: keys, enumerable: false, configurable: true, writable: true })
}

/** True where the order of an object's keys is not JavaScript's own. */
export function hasOrder(dict: object): boolean {
  return KEY_ORDER in dict
}

/**
 * The keys of a decoded dict in the order that Python had, which `Object.keys` does not know for keys such as `'2024'`.
 * Keys that were added since come last.
 */
export function orderedKeys(dict: object): string[] {
  if (typeof dict !== 'object' || dict === null) expectArgument('orderedKeys', 'dict', false, 'an object', dict)
  const keys = Object.keys(dict)
  if (!(KEY_ORDER in dict)) return keys
  const order = (dict as { [KEY_ORDER]: unknown })[KEY_ORDER]
  if (!Array.isArray(order)) return keys
  const left = new Set(keys)
  // Each key once, and none that has been deleted.
  const known = (order as string[]).filter((key) => left.delete(key))
  return [...known, ...left]
}

/** The keys and values of a decoded dict in the order that Python had. */
export function orderedEntries<V>(dict: Readonly<Record<string, V>>): [string, V][] {
  return orderedKeys(dict).map((key) => [key, dict[key] as V])
}

/** An object of these entries, in their order. */
export function fromEntries(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const dict: Record<string, unknown> = {}
  const keys: string[] = []
  let hasIndex = false
  for (const [key, value] of entries) {
    hasIndex ||= isIndex(key)
    if (!Object.hasOwn(dict, key)) keys.push(key)
    setKey(dict, key, value)
  }
  return hasIndex ? noteOrder(dict, keys) : dict
}

/** Sets a key of a dict; `__proto__` is one like any other. */
export function setKey(dict: Dict, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(dict, key, { value, enumerable: true, writable: true, configurable: true })
  else (dict as Record<string, unknown>)[key] = value
}
