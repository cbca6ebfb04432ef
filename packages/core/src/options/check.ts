import leven from 'leven'
import type { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { MAX_TIMER_MS } from '../time/timer.ts'
import { isSecretName, maskText } from '../logging/secrets.ts'
import { custom, integer, number, object, oneOf, boolean, union } from './field.ts'
import type { Field, Issue, ObjectField, Output, Shape } from './field.ts'
import { issuesOf } from './zod-issues.ts'

/** A century: neither Redis's expiry nor a Date need hold what is due later. */
export const MAX_DEFER_MS = 3_155_760_000_000

/** An integer of at least `min`. */
export function count(min: number, max: number = Number.MAX_SAFE_INTEGER): Field<number> {
  return integer(`an integer of at least ${min}`, min, max)
}

/**
 * Milliseconds, of at least `min`. Fractions are rounded, as arq rounds its seconds: Redis takes whole numbers, and a job
 * whose result cannot be given its lifetime could not be settled.
 */
export function duration(min: number, max = Number.MAX_SAFE_INTEGER): Field<number> {
  return number('a number of milliseconds', min, max).transform(Math.round)
}

/** Milliseconds that a timer is set to. */
export function timer(min: number): Field<number> {
  return duration(min, MAX_TIMER_MS)
}

/** A function. */
export const aFunction = custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'a function')

/** An object that is no array, map or the like. */
export const aRecord = custom<Record<string, unknown>>(
  (value) => Object.prototype.toString.call(value) === '[object Object]',
  'an object',
)

/** True for an object that has all these methods. */
export function hasMethods(value: unknown, ...names: string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

/** Settings of a retry policy; protocol/schedule.ts says what they mean. */
export const retryPolicySchema = object({
  delayMs: duration(0, MAX_DEFER_MS),
  backoff: union([
    oneOf('exponential', 'fixed'),
    aFunction as unknown as Field<(failedTry: number, error: unknown) => number>,
  ]).optional(),
  jitter: union([boolean(), number('a number', 0, 1)]).optional(),
  maxDelayMs: duration(0, MAX_DEFER_MS).optional(),
})

/** arq's option names, where ours is not the same in camel case. */
const ARQ_NAMES: Readonly<Record<string, string>> = {
  functions: 'tasks',
  cron_jobs: 'cron',
  redis_settings: 'redis',
  redis_pool: 'redis',
  job_timeout: 'jobTimeoutMs',
  keep_result: 'keepResultMs',
  poll_delay: 'pollDelayMs',
  health_check_interval: 'healthCheckIntervalMs',
  job_completion_wait: 'jobCompletionWaitMs',
  timezone: 'timeZone',
  job_serializer: 'codec',
  job_deserializer: 'codec',
  default_queue_name: 'queueName',
  coroutine: 'handler',
  timeout: 'timeoutMs',
  defer: 'deferMs',
  _job_id: 'jobId',
  _queue_name: 'queueName',
  _defer_by: 'deferByMs',
  _defer_until: 'deferUntil',
  _expires: 'expiresMs',
  _job_try: 'jobTry',
}

/** A strict schema of options: fields of ours, or an object of the caller's zod. */
export type OptionsSchema = ObjectField<Shape> | z.ZodObject

/** The type that a schema of options gives. */
export type CheckedOptions<S> = S extends ObjectField<Shape> ? Output<S> : S extends z.ZodObject ? z.output<S> : never

/**
 * Checks options against a strict schema.
 *
 * @throws OptionsError that names the field, what was expected, what came, and for an unknown name the likely one.
 */
export function checkOptions<S extends OptionsSchema>(where: string, schema: S, options: unknown): CheckedOptions<S> {
  const { data, problems } = readOptions(schema, options)
  if (problems.length === 0) return data as CheckedOptions<S>
  throw new OptionsError(`${where}: ${problems.map((problem) => problem.message).join('; ')}`)
}

/** One thing that is wrong: the keys and indices that lead to it, the name of an unknown option included, and a sentence. */
export interface Problem {
  keys: readonly PropertyKey[]
  message: string
}

/** The options as they are used, and what is wrong with them, one by one. No sentence has the value of a secret. */
export function readOptions(schema: OptionsSchema, options: unknown): { data: unknown; problems: Problem[] } {
  const { data, issues } = parse(schema, options)
  const problems = issues.map((issue): Problem => {
    const { keys } = issue
    if (issue.kind === 'value') return { keys, message: describe(issue, options) }
    const path = keys.slice(0, -1).join('.')
    const prefix = path === '' ? '' : `${path}.`
    return { keys, message: unknownOption(prefix, String(keys.at(-1)), issue.known) }
  })
  return { data, problems }
}

function parse(schema: OptionsSchema, options: unknown): { data: unknown; issues: Issue[] } {
  if ('parse' in schema && 'facts' in schema) {
    const result = schema.parse(options)
    return result.success ? { data: result.data, issues: [] } : { data: undefined, issues: result.issues }
  }
  const result = schema.safeParse(options)
  return result.success
    ? { data: result.data, issues: [] }
    : { data: undefined, issues: issuesOf(schema, result.error) }
}

function describe(issue: Issue & { kind: 'value' }, options: unknown): string {
  const { expected, keys, wants } = issue
  if (keys.length === 0) return `Expected an options object, got \`${showValue(options)}\``
  const value = keys.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], options)
  const isHidden = (value ?? undefined) !== undefined && keys.some((key) => isSecretName(String(key)))
  const got = isHidden ? `${kindOf(value)} that is not shown` : `\`${showValue(value)}\``
  return `Expected \`${keys.join('.')}\` to be ${expected}, got ${got}${hint(wants ?? expected, value, isHidden)}`
}

function hint(wants: string, value: unknown, isHidden: boolean): string {
  if (wants === 'number' && typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)))
    return '; pass a number, not a string'
  const isPlain = typeof value === 'number' || typeof value === 'boolean'
  return isHidden && isPlain && /^(a )?string$/.test(wants) ? '; put it in quotes' : ''
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function unknownOption(path: string, key: string, known: readonly string[]): string {
  // Of snake_case in a configuration file, of camelCase in code.
  const isSnake = known.some((name) => name.includes('_'))
  const cased = isSnake
    ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    : key.replace(/_+([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const arq = ARQ_NAMES[key]
  const likely = arq !== undefined && known.includes(arq) ? arq : closest(cased, known)
  const unit = likely?.endsWith('Ms') ? ' (in milliseconds)' : ''
  return `Unknown option \`${path}${key.slice(0, 64)}\`${likely === undefined ? '' : `, did you mean \`${likely}\`${unit}?`}`
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

/** A value in a message: short, and without secrets. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') {
    const masked = maskText(value)
    return JSON.stringify(masked.length > 60 ? `${masked.slice(0, 60)}…` : masked)
  }
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
