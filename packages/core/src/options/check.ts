import leven from 'leven'
import { z } from 'zod'
import { OptionsError } from '../errors.ts'

/** An integer of at least `min`. */
export function count(min: number): z.ZodNumber {
  return z.number().int().min(min)
}

/** Milliseconds, of at least `min`; fractions are allowed, as Python's seconds have them. */
export function duration(min: number): z.ZodNumber {
  return z.number().min(min)
}

export const retryPolicySchema = z.strictObject({
  delayMs: duration(0),
  backoff: z.union([z.enum(['exponential', 'fixed']), z.custom<(failedTry: number, error: unknown) => number>((value) => typeof value === 'function')]).optional(),
  jitter: z.union([z.boolean(), z.number().min(0).max(1)]).optional(),
  maxDelayMs: duration(0).optional(),
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
  timeout: 'timeoutMs',
  _job_id: 'jobId',
  _queue_name: 'queueName',
  _defer_by: 'deferByMs',
  _defer_until: 'deferUntil',
  _expires: 'expiresMs',
  _job_try: 'jobTry',
}

/**
 * Checks options against a strict schema.
 *
 * @throws OptionsError that names the field, what was expected, what came, and for an unknown name the likely one.
 */
export function checkOptions<S extends z.ZodObject>(where: string, schema: S, options: unknown): z.output<S> {
  const result = schema.safeParse(options)
  if (result.success) return result.data
  throw new OptionsError(`${where}: ${result.error.issues.map((issue) => describe(issue, schema, options)).join('; ')}`)
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodObject, options: unknown): string {
  if (issue.code === 'unrecognized_keys') {
    const known = issue.path.length === 0 ? Object.keys(schema.shape) : []
    return issue.keys.map((key) => unknownOption(key, known)).join('; ')
  }
  const path = issue.path.join('.')
  if (path === '') return `Expected an options object, got \`${show(options)}\``
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], options)
  return `Expected \`${path}\` to be ${expectation(issue)}, got \`${show(value)}\``
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return `at least ${issue.minimum}`
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'invalid_type':
      return issue.expected === 'int' ? 'an integer' : `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`
    case 'invalid_value':
      return issue.values.map((value) => `'${String(value)}'`).join(' or ')
    case 'invalid_union': {
      const texts = issue.errors.flatMap((issues) => issues.slice(0, 1).map(expectation))
      return [...new Set(texts)].join(' or ')
    }
    default:
      return issue.message.replace(/^Expected /, '').replace(/^Invalid input$/, 'something else')
  }
}

function unknownOption(key: string, known: readonly string[]): string {
  const camel = key.replace(/_+([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const arq = ARQ_NAMES[key]
  const likely = arq !== undefined && known.includes(arq) ? arq : closest(camel, known)
  const unit = likely?.endsWith('Ms') ? ' (in milliseconds)' : ''
  return `Unknown option \`${key}\`${likely === undefined ? '' : `, did you mean \`${likely}\`${unit}?`}`
}

function closest(key: string, known: readonly string[]): string | undefined {
  const bounded = key.slice(0, 64)
  const ranked = known
    .map((name) => ({ name, distance: name.startsWith(bounded) ? 1 : leven(bounded.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, bounded.length / 3) ? best.name : undefined
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
