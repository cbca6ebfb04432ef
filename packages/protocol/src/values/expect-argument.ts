import { OptionsError } from '../errors/wire-errors.ts'
import { isPromise, optionNames } from './realms.ts'

/** True for a number other than NaN. */
export const isNumber = (value: unknown): boolean => typeof value === 'number' && !Number.isNaN(value)

/** True for a string, which may be empty. */
export const isString = (value: unknown): boolean => typeof value === 'string'

/** True for an object with fields: no array, map or promise, and no instance without visible fields. */
export function isObject(value: unknown): boolean {
  if (Object.prototype.toString.call(value) !== '[object Object]') return false
  const prototype = Object.getPrototypeOf(value) as object | null
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null
  return isPlain || Object.keys(value as object).length > 0
}

/** True for an array of strings. */
export const isStrings = (value: unknown): boolean => Array.isArray(value) && value.every(isString)

/** @throws OptionsError that names the function, the argument, what was expected and what came. */
export function expectArgument(where: string, name: string, isRight: boolean, expected: string, got: unknown): void {
  if (!isRight)
    throw new OptionsError(`${where}: Expected \`${name}\` to be ${expected}, got \`${shown(got)}\`${hint(got)}`)
}

/** Refuses what is no string. @throws OptionsError */
export function expectString(where: string, name: string, value: unknown): void {
  if (typeof value !== 'string') expectArgument(where, name, false, 'a string', value)
}

/** Refuses what is no number, and NaN. @throws OptionsError */
export function expectNumber(where: string, name: string, value: unknown, expected = 'a number'): void {
  expectArgument(where, name, isNumber(value), expected, value)
}

/** Refuses what is no function. @throws OptionsError */
export function expectFunction(where: string, name: string, value: unknown): void {
  expectArgument(where, name, typeof value === 'function', 'a function', value)
}

/**
 * Refuses a value unless it is an object with these fields; `isClosed` also refuses other fields.
 *
 * @throws OptionsError
 */
export function expectFields(
  where: string,
  name: string,
  value: unknown,
  fields: Readonly<Record<string, (value: unknown) => boolean>>,
  isClosed = false,
): void {
  expectArgument(where, name, isObject(value), 'an object', value)
  const given = value as Readonly<Record<string, unknown>>
  const names = Object.keys(fields)
  const unknown = isClosed ? optionNames(given).find((key) => !names.includes(key)) : undefined
  if (unknown !== undefined)
    throw new OptionsError(`${where}: Unknown option \`${name}.${unknown}\`${likely(unknown, names)}`)
  for (const [key, isRight] of Object.entries(fields)) {
    if (isRight(given[key])) continue
    const expected = key in given ? 'another kind of value' : 'given'
    expectArgument(where, `${name}.${key}`, false, expected, given[key])
  }
}

/** The end of a refusal of an unknown name: the likely name, or all names. */
export function likely(wanted: string, known: readonly string[]): string {
  const cased = wanted.slice(0, 64).replaceAll(/_+([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const [best] = known
    .map((name) => ({ name, edits: editsBetween(cased.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)
  return best && best.edits <= Math.max(2, cased.length / 3)
    ? `, did you mean \`${best.name}\`?`
    : `; known are ${known.join(', ')}`
}

/** Edit distance of two names: letters to insert, remove or replace. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}

/** A value as the end of a refusal. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 60)}'`
  if (isPromise(value)) return 'a Promise'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}

/** Advice behind a refused value that would be right, had it been awaited. */
export function hint(value: unknown): string {
  return isPromise(value) ? '; await it first' : ''
}
