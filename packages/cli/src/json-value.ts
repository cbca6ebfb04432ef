import { PyObject, Tuple } from '@arq-ts/core'

/**
 * A value as JSON can tell it: dates in ISO, integers beyond 2^53 and bytes (base64) as texts, sets and tuples as
 * arrays, maps as objects where their keys are texts and as pairs where not, errors by type and message.
 */
export function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Error)
    return { type: (value as { pythonType?: string }).pythonType ?? value.name, message: value.message }
  if (value instanceof Tuple || value instanceof Set || Array.isArray(value))
    return [...(value as Iterable<unknown>)].map(jsonValue)
  if (value instanceof Map) {
    const pairs = [...value]
    if (pairs.every(([key]) => typeof key === 'string')) return jsonObject(pairs as [string, unknown][])
    return pairs.map((pair) => pair.map(jsonValue))
  }
  if (value instanceof PyObject) return jsonObject(Object.entries(value))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return jsonObject(Object.entries(value))
  return String(value)
}

function jsonObject(pairs: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.filter(([, value]) => value !== undefined).map(([key, value]) => [key, jsonValue(value)]),
  )
}
