/** Checks for objects whose fields are options, the reading of them, and descriptions of wrong values for messages. */

import type { core } from './zod.ts'
import { ArqError } from '../errors.ts'
import { maskText } from '../logging/secrets.ts'

type ZodType = core.$ZodType

/**
 * True for an object whose fields can be read: a literal, frozen or not, one without a prototype or of another realm, a
 * module, an instance that has fields. False for an object that would seem to have none: a promise, a map, a date, an
 * instance whose state is private.
 */
export function hasFields(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  if (!['[object Object]', '[object Module]'].includes(Object.prototype.toString.call(value))) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return true
  for (const _ in value) return true
  return false
}

/** A value in a message: short, and without secrets. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') {
    const masked = maskText(value)
    return JSON.stringify(masked.length > 60 ? `${masked.slice(0, 60)}…` : masked)
  }
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  return typeof value === 'object' && value !== null ? kindOfObject(value) : String(value)
}

/** The end of a refusal: the value, with a remedy if there is an obvious one: "got `a Promise`; await it first". */
export function gotValue(value: unknown): string {
  return `got \`${showValue(value)}\`${value instanceof Promise ? '; await it first' : ''}`
}

function kindOfObject(value: object): string {
  if (value instanceof Promise) return 'a Promise'
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1)
  if (tag === 'Object' && hasFields(value)) return 'an object'
  const { name } = (value as { constructor?: { name?: unknown } }).constructor ?? {}
  const kind = tag === 'Object' ? name : tag
  return typeof kind === 'string' && kind !== '' && kind !== 'Object'
    ? `an instance of ${kind.slice(0, 60)}`
    : 'an object'
}

/** The parts of a definition that lead from an object to its contents. */
export interface Definition {
  readonly type: string
  readonly innerType?: ZodType
  readonly in?: ZodType
  readonly options?: readonly ZodType[]
  readonly element?: ZodType
  readonly shape?: Readonly<Record<string, ZodType>>
}

/** Types of definitions around another one. */
export const WRAPPERS: ReadonlySet<string> = new Set(['optional', 'default', 'prefault', 'nullable', 'readonly'])

/**
 * Finds places where a schema expects an object of optional fields and the value has an object without fields, which zod
 * would accept as empty options.
 */
export function strangersIn(
  schema: ZodType | undefined,
  value: unknown,
  path: readonly PropertyKey[] = [],
): PropertyKey[][] {
  if (typeof value !== 'object' || value === null || !schema) return []
  const { type, innerType, in: input, options = [], element, shape } = schema._zod.def as Definition
  if (WRAPPERS.has(type)) return strangersIn(innerType, value, path)
  if (type === 'pipe') return strangersIn(input, value, path)
  if (type === 'array') {
    return Array.isArray(value) ? value.flatMap((each, i) => strangersIn(element, each, [...path, i])) : []
  }
  if (type === 'union') {
    const accepted = options.filter((option) => (option as { safeParse?: Parse }).safeParse?.(value).success)
    const found = accepted.map((option) => strangersIn(option, value, path))
    return found.some((places) => places.length === 0) ? [] : (found[0] ?? [])
  }
  if (type !== 'object' || Array.isArray(value)) return []
  const isInstance = Object.prototype.toString.call(value) === '[object Object]'
  // An object of a class, whose methods are the options: a middleware, say.
  const hasOption = isInstance && Object.keys(shape ?? {}).some((key) => key in value)
  if (!hasFields(value) && !hasOption) return [[...path]]
  return Object.entries(shape ?? {}).flatMap(([key, inner]) =>
    strangersIn(inner, (value as Record<string, unknown>)[key], [...path, key]),
  )
}

type Parse = (value: unknown) => { success: boolean }

/** Runs code that reads what a caller gave. @throws the error of `refuse` instead of what a getter, say, throws; ours as they are */
export function readingWith<T>(read: () => T, refuse: (reason: string, cause: unknown) => ArqError): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ArqError) throw error
    throw refuse(String((error as Error | undefined)?.message ?? error), error)
  }
}
