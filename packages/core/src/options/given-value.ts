/** Checks for objects whose fields are options, the reading of them, and descriptions of wrong values for messages. */

import { isDate, isPromise, optionNames } from '@arq-ts/protocol/values'
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
  if (isDate(value)) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  return typeof value === 'object' && value !== null ? kindOfObject(value) : String(value)
}

/** The end of a refusal: the value, with a remedy if there is an obvious one: "got `a Promise`; await it first". */
export function gotValue(value: unknown): string {
  return `got \`${showValue(value)}\`${isPromise(value) ? '; await it first' : ''}`
}

function kindOfObject(value: object): string {
  if (isPromise(value)) return 'a Promise'
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
  readonly catchall?: ZodType
}

/** Types of definitions around another one. */
export const WRAPPERS: ReadonlySet<string> = new Set(['optional', 'default', 'prefault', 'nullable', 'readonly'])

/**
 * Finds places where a schema expects an object of optional fields and the value has an object without fields, which zod
 * would accept as empty options.
 */
export function strangersIn(schema: ZodType | undefined, value: unknown): PropertyKey[][] {
  return placesIn(schema, value, (object, shape) => {
    const isInstance = Object.prototype.toString.call(object) === '[object Object]'
    // An object of a class, whose methods are the options: a middleware, say.
    const hasOption = isInstance && Object.keys(shape).some((key) => key in object)
    return hasFields(object) || hasOption ? [] : [[]]
  })
}

/** Finds keys that are symbols in literals of options, which zod does not look at. */
export function symbolsIn(schema: ZodType | undefined, value: unknown): PropertyKey[][] {
  return placesIn(schema, value, (object, _shape, isClosed) => {
    const prototype = Object.getPrototypeOf(object) as object | null
    // An instance may keep its own state under symbols, as an EventEmitter does.
    const isLiteral = prototype === null || Object.getPrototypeOf(prototype) === null
    if (!isClosed || !isLiteral) return []
    return optionNames(object)
      .slice(Object.keys(object).length)
      .map((name) => [name])
  })
}

/** Paths that `find` returns for the objects of options within a value, each path from the whole. */
function placesIn(
  schema: ZodType | undefined,
  value: unknown,
  find: (object: object, shape: Readonly<Record<string, ZodType>>, isClosed: boolean) => PropertyKey[][],
  path: readonly PropertyKey[] = [],
): PropertyKey[][] {
  if (typeof value !== 'object' || value === null || !schema) return []
  const { type, innerType, in: input, options = [], element, shape = {}, catchall } = schema._zod.def as Definition
  if (WRAPPERS.has(type)) return placesIn(innerType, value, find, path)
  if (type === 'pipe') return placesIn(input, value, find, path)
  if (type === 'array') {
    return Array.isArray(value) ? value.flatMap((each, i) => placesIn(element, each, find, [...path, i])) : []
  }
  if (type === 'union') {
    const accepted = options.filter((option) => (option as { safeParse?: Parse }).safeParse?.(value).success)
    const found = accepted.map((option) => placesIn(option, value, find, path))
    return found.some((places) => places.length === 0) ? [] : (found[0] ?? [])
  }
  if (type !== 'object' || Array.isArray(value)) return []
  const found = find(value, shape, (catchall?._zod.def as Definition | undefined)?.type === 'never')
  if (found.length > 0) return found.map((place) => [...path, ...place])
  return Object.entries(shape).flatMap(([key, inner]) =>
    placesIn(inner, (value as Record<string, unknown>)[key], find, [...path, key]),
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
