import { NonRetryableError } from '@arq-ts/core'
import { encodeValue } from '@arq-ts/protocol'

/**
 * A value as JSON, for stores that keep it as such: sets become arrays, maps objects (keys that are numbers become
 * texts, as in Python), dates ISO texts, integers keep every digit.
 *
 * @throws NonRetryableError for what JSON has no form for, such as bytes: trying again would not help.
 */
export function jsonOf(key: string, value: unknown): string {
  try {
    return Buffer.from(encodeValue(plain(value), 'json')).toString()
  } catch (error) {
    throw new NonRetryableError(`the value of '${key}' has no form in JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Set) return [...value].map(plain)
  if (value instanceof Map) return textKeyed([...value])
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? textKeyed(Object.entries(value)) : value
}

function textKeyed(entries: [unknown, unknown][]): unknown {
  const texts = new Map<string, unknown>()
  for (const [key, item] of entries) {
    const isNumber = typeof key === 'number' || typeof key === 'bigint'
    if (typeof key !== 'string' && !isNumber) throw new TypeError(`expected keys to be texts, got a ${typeof key}`)
    if (texts.has(String(key))) throw new TypeError(`expected keys to differ as texts, got '${key}' twice`)
    texts.set(String(key), plain(item))
  }
  return Object.fromEntries(texts)
}
