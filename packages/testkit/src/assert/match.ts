/** Compares values with patterns. Pure. */

import { inspect, isDeepStrictEqual } from 'node:util'

/** Matchers of vitest, jest and others, made by `expect.any(…)` and the like. */
interface AsymmetricMatcher {
  asymmetricMatch(other: unknown): boolean
  /** Its words, such as `Any<Number>`. */
  toAsymmetricMatcher?(): string
}

/**
 * The places where a value is not as a pattern has it, one line each; empty where it fits. An object may have more keys
 * than the pattern, at every depth; arrays have the same length; matchers such as `expect.any(String)` are asked.
 */
export function differences(actual: unknown, pattern: unknown, path = ''): string[] {
  if (isMatcher(pattern)) {
    return pattern.asymmetricMatch(actual)
      ? []
      : [line(path, actual, pattern.toAsymmetricMatcher?.() ?? String(pattern))]
  }
  if (isPlain(pattern) && isPlain(actual)) {
    return Object.entries(pattern).flatMap(([key, part]) => {
      const at = path === '' ? key : `${path}.${key}`
      if (!(key in actual) && part !== undefined) return [`${at} is missing, expected ${text(part)}`]
      return differences(actual[key], part, at)
    })
  }
  if (Array.isArray(pattern) && Array.isArray(actual)) {
    if (pattern.length !== actual.length) return [line(path, actual, text(pattern))]
    return pattern.flatMap((part, i) => differences(actual[i], part, `${path}[${i}]`))
  }
  return isDeepStrictEqual(actual, pattern) ? [] : [line(path, actual, text(pattern))]
}

function line(path: string, actual: unknown, expected: string): string {
  return `${path === '' ? 'it' : path} is ${text(actual)}, expected ${expected}`
}

/** A value for a message, in one line. */
export function text(value: unknown): string {
  return inspect(value, { breakLength: Infinity, depth: 4, maxArrayLength: 20, maxStringLength: 200 })
}

function isMatcher(value: unknown): value is AsymmetricMatcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { asymmetricMatch?: unknown }).asymmetricMatch === 'function'
  )
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]'
}
