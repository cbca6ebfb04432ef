import { isPromise } from '@arq-ts/protocol/values'
import leven from 'leven'
import type { z as zod } from 'zod'
import * as z from './zod.ts'
import { OptionsError } from '../errors.ts'
import { MAX_TIMER_MS } from '../time/timer.ts'
import { isSecretName } from '../logging/secrets.ts'
import { isClientOfRedis } from '../redis/target.ts'
import { counterpartOf } from './arq-names.ts'
import { gotValue, hasFields, readingWith, strangersIn, symbolsIn, WRAPPERS } from './given-value.ts'
import type { Definition } from './given-value.ts'
import { peerCounterpartOf } from './peer-names.ts'

export { showValue } from './given-value.ts'

/** A century: neither Redis's expiry nor a Date need hold what is due later. */
export const MAX_DEFER_MS = 3_155_760_000_000

/** Makes a schema when it is first asked for: a process uses few of those that it loads. */
export function once<Schema>(make: () => Schema): () => Schema {
  let made: Schema | undefined
  return () => (made ??= make())
}

/** An integer of at least `min`. */
export function count(min: number): z.ZodNumber {
  return z.number(`Expected an integer of at least ${min}`).int(`Expected an integer of at least ${min}`).min(min)
}

/**
 * Milliseconds, of at least `min`. Fractions are rounded, as arq rounds its seconds: Redis takes whole numbers, and a job
 * whose result cannot be given its lifetime could not be settled.
 */
export function duration(min: number, max = Number.MAX_SAFE_INTEGER): z.ZodNumber {
  return z.number('Expected a number of milliseconds').min(min).max(max).overwrite(Math.round)
}

/** Milliseconds that a timer is set to. */
export function timer(min: number): z.ZodNumber {
  return duration(min, MAX_TIMER_MS)
}

/** A function. */
export const aFunction = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === 'function',
  'Expected a function',
)

/** An object with fields: no array, map or the like. */
export const aRecord = z.custom<Record<string, unknown>>(hasFields, 'Expected an object')

/** True for an object that has all these methods. */
export function hasMethods(value: unknown, ...names: string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

/** Settings of a retry policy; protocol/schedule.ts says what they mean. */
export const retryPolicySchema = once(() =>
  z.strictObject({
    delayMs: duration(0, MAX_DEFER_MS),
    backoff: z
      .union([
        z.enum(['exponential', 'fixed']),
        z.custom<(failedTry: number, error: unknown) => number>(
          (value) => typeof value === 'function',
          'Expected a function',
        ),
      ])
      .optional(),
    jitter: z.union([z.boolean(), z.number().min(0).max(1)]).optional(),
    maxDelayMs: duration(0, MAX_DEFER_MS).optional(),
  }),
)

/**
 * Checks options against a strict schema.
 *
 * @throws OptionsError that names the field, what was expected, what came, and for an unknown name the likely one.
 */
export function checkOptions<S extends zod.ZodObject>(where: string, schema: S, options: unknown): zod.output<S> {
  return readingOptions(where, () => checked(where, schema, options))
}

/** Runs a check of options, in which their getters may throw. @throws OptionsError instead of what they throw */
export function readingOptions<T>(where: string, read: () => T): T {
  return readingWith(read, (reason, cause) => {
    return new OptionsError(`${where}: reading the options throws: ${reason.slice(0, 200)}`, { cause })
  })
}

/** Schemas that were used: zod compiles a function for those used again, which takes as long as ten uses without. */
const parsedBefore = new WeakSet<zod.ZodObject>()

function checked<S extends zod.ZodObject>(where: string, schema: S, options: unknown): zod.output<S> {
  if (isClientOfRedis(options)) throw new OptionsError(`${where}: ${clientText(schema)}`)
  const [stranger] = strangersIn(schema, options)
  if (stranger) throw new OptionsError(`${where}: ${strangerText(stranger, options)}`)
  const [symbol] = symbolsIn(schema, options)
  if (symbol) throw new OptionsError(`${where}: Unknown option \`${symbol.map(String).join('.')}\`; options have names`)
  const result = schema.safeParse(options, { jitless: !parsedBefore.has(schema) })
  parsedBefore.add(schema)
  if (result.success) return result.data
  throw new OptionsError(
    `${where}: ${problemsOf(schema, result, options)
      .map((problem) => problem.message)
      .join('; ')}`,
  )
}

/** A client has many fields, each of which would be an unknown option. */
function clientText(schema: zod.ZodObject): string {
  const hint = 'redis' in schema.shape ? '; give it as the option `redis`' : ''
  return `Expected an options object, got a client of Redis${hint}`
}

function strangerText(path: readonly PropertyKey[], options: unknown): string {
  const expected = path.length === 0 ? 'an options object' : `\`${path.join('.')}\` to be an object`
  return `Expected ${expected}, ${gotValue(valueAt(path, options))}`
}

function valueAt(path: readonly PropertyKey[], options: unknown): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], options)
}

/** One thing that is wrong: the keys and indices that lead to it, the name of an unknown option included, and a sentence. */
interface Problem {
  keys: readonly PropertyKey[]
  message: string
}

/** The faults, one by one. No sentence has the value of a secret. */
export function problemsOf(schema: z.ZodObject, result: z.ZodSafeParseResult<unknown>, options: unknown): Problem[] {
  const issues = (result.error?.issues ?? []).flatMap(decided)
  return issues.flatMap((issue): Problem[] => {
    const path = issue.path.join('.')
    if (issue.code !== 'unrecognized_keys') return [{ keys: issue.path, message: describe(issue, path, options) }]
    const known = (issue as { params?: { known?: string[] } }).params?.known ?? namesAt(schema, issue.path)
    const prefix = path === '' ? '' : `${path}.`
    return issue.keys.map((key) => ({ keys: [...issue.path, key], message: unknownOption(prefix, key, known) }))
  })
}

/** A value that has the type of one alternative only is judged by that alternative. */
function decided(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const [fitting, ...others] = issue.errors.filter(
    (issues) => !issues.some(({ code, path }) => path.length === 0 && TYPE_ISSUES.has(code)),
  )
  if (!fitting || others.length > 0) return [issue]
  return fitting.flatMap((inner) => decided({ ...inner, path: [...issue.path, ...inner.path] }))
}

const TYPE_ISSUES: ReadonlySet<string | undefined> = new Set(['invalid_type', 'invalid_value', 'custom'])

function describe(issue: z.core.$ZodIssue, path: string, options: unknown): string {
  if (path === '') return `Expected an options object, ${gotValue(options)}`
  const value = valueAt(issue.path, options)
  const isHidden = (value ?? undefined) !== undefined && issue.path.some((key) => isSecretName(String(key)))
  const got = isHidden ? `got ${kindOf(value)} that is not shown` : gotValue(value)
  return `Expected \`${path}\` to be ${expectation(issue)}, ${got}${hint(issue, value, isHidden)}`
}

function hint(issue: z.core.$ZodIssue, value: unknown, isHidden: boolean): string {
  if (issue.code !== 'invalid_type') return ''
  const isNumeric = issue.expected === 'number' || issue.expected === 'int'
  if (isNumeric && typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)))
    return '; pass a number, not a string'
  const isPlain = typeof value === 'number' || typeof value === 'boolean'
  return isHidden && isPlain && issue.expected === 'string' ? '; put it in quotes' : ''
}

function kindOf(value: unknown): string {
  if (isPromise(value)) return 'a Promise (await it first)'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return issue.origin === 'number'
        ? `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`
        : 'not empty'
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'invalid_type':
      if (issue.message.startsWith('Expected ')) return issue.message.slice('Expected '.length)
      if (issue.expected === 'record') return 'an object' // a word of zod's
      return `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`
    case 'invalid_value':
      return issue.values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value))).join(' or ')
    case 'invalid_union': {
      if (issue.message.startsWith('Expected ')) return issue.message.slice('Expected '.length)
      const texts = issue.errors.flatMap((issues) => issues.slice(0, 1).map(expectation))
      return [...new Set(texts)].join(' or ')
    }
    default:
      return issue.message.replace(/^Expected /, '')
  }
}

/** The names of the object at this place of a schema. */
function namesAt(schema: z.core.$ZodType | undefined, path: readonly PropertyKey[]): string[] {
  const { type, innerType, in: input, options, element, shape } = (schema?._zod.def ?? { type: '' }) as Definition
  if (WRAPPERS.has(type)) return namesAt(innerType, path)
  if (type === 'pipe') return namesAt(input, path)
  if (type === 'union') return (options ?? []).flatMap((option) => namesAt(option, path))
  const [key, ...rest] = path
  if (type === 'array') return namesAt(element, rest)
  if (type !== 'object' || !shape) return []
  return key === undefined ? Object.keys(shape) : namesAt(shape[String(key)], rest)
}

function unknownOption(path: string, key: string, known: readonly string[]): string {
  // Of snake_case in a configuration file, of camelCase in code.
  const isSnake = known.some((name) => name.includes('_'))
  const cased = isSnake
    ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    : key.replace(/_+([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const unknown = `Unknown option \`${path}${key.slice(0, 64)}\``
  const arq = counterpartOf(key, known)
  if (typeof arq === 'object') return `${unknown} of arq: ${arq.gone}; leave it out`
  const likely = arq ?? closest(cased, known) ?? peerCounterpartOf(key, known)
  const unit = likely?.endsWith('Ms') ? ' (in milliseconds)' : ''
  return likely === undefined ? unknown : `${unknown}, did you mean \`${likely}\`${unit}?`
}

function closest(key: string, known: readonly string[]): string | undefined {
  const wanted = key.slice(0, 64).toLowerCase()
  const ranked = known
    .map((name) => ({ name, distance: distance(wanted, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, wanted.length / 3) ? best.name : undefined
}

/** A name that the wanted one begins, or is part of, is near: `jobTimeout` or `timeout` for `jobTimeoutMs`. */
function distance(wanted: string, name: string): number {
  if (wanted.length >= 4 && name.startsWith(wanted)) return 1
  if (wanted.length >= 4 && name.includes(wanted)) return 2
  return leven(wanted, name)
}
