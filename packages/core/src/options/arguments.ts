/** Checks of what public methods are given: each refuses with an OptionsError that names the method and the argument. */

import { isAbortSignal } from '@arq-ts/protocol/values'
import * as z from './zod.ts'
import { OptionsError } from '../errors.ts'
import { aFunction, aRecord, checkOptions, count, duration, hasMethods, MAX_DEFER_MS, once } from './check.ts'
import { gotValue, hasFields } from './given-value.ts'

const aName = z.string().min(1)
const statuses = z.array(
  z.enum(['queued', 'deferred', 'retrying', 'running', 'complete', 'failed', 'aborted', 'dead', 'not_found']),
)

/** A number of things, or `Infinity` for all. */
const countOrAll = z.union([count(0), z.literal(Infinity)])

const deadLetterFilter = {
  jobIds: z.array(z.string()).optional(),
  functionName: z.string().optional(),
  queueName: z.string().optional(),
  error: z.string().optional(),
  olderThanMs: duration(0).optional(),
}

/** Names of queues that become known by and by. */
const batches = z.custom<AsyncIterable<readonly string[]>>(
  (value) => typeof value === 'object' && value !== null && Symbol.asyncIterator in value,
  'Expected an array of names of queues, or an async iterable of such',
)

const history = {
  fromMs: z.number().min(0).optional(),
  toMs: z.number().min(0).optional(),
  stepMs: z.number().positive().optional(),
  queue: z.string().optional(),
  queues: z.array(z.string()).optional(),
  function: z.string().optional(),
  language: z.string().optional(),
}
const by = z.union([z.string(), z.array(z.string())]).optional()
const limit = countOrAll.optional()

/** Filters and options of the public methods, by the name of the method. */
export const methodSchemas = {
  list: once(() =>
    z.strictObject({
      queueNames: z.union([z.array(aName), batches]).optional(),
      everyQueue: z.boolean().optional(),
      statuses: statuses.optional(),
      functionName: z.string().optional(),
      text: z.string().optional(),
      olderThanMs: duration(0).optional(),
      onProgress: aFunction.optional(),
    }),
  ),
  page: once(() =>
    z.strictObject({
      queueNames: z.array(aName),
      everyQueue: z.boolean().optional(),
      statuses: statuses.optional(),
      fits: aFunction.optional(),
      cursor: z.string().nullable().optional(),
      limit: count(1).optional(),
      budget: count(1).optional(),
    }),
  ),
  queueName: once(() => z.strictObject({ queueName: z.string().optional() })),
  actor: once(() => z.strictObject({ actor: z.string().min(1).nullable().optional() })),
  key: once(() => z.strictObject({ key: z.string().min(1).optional() })),
  limitJobs: once(() => z.strictObject({ key: z.string().min(1).optional(), limit: count(1).optional() })),
  examine: once(() =>
    z.strictObject({
      queues: z.array(aName).optional(),
      known: z.array(aName).optional(),
      limit: countOrAll.optional(),
      scanKeys: countOrAll.optional(),
      onKeys: aFunction.optional(),
      onProgress: aFunction.optional(),
    }),
  ),
  keep: once(() => z.strictObject({ keep: z.boolean() })),
  series: once(() => z.strictObject({ ...history, metric: z.unknown(), by })),
  totals: once(() => z.strictObject({ ...history, by })),
  heatmap: once(() => z.strictObject({ ...history, of: z.enum(['run', 'wait']).optional() })),
  errors: once(() => z.strictObject({ state: z.string().optional(), limit })),
  recent: once(() => z.strictObject({ limit, functionName: z.string().optional(), outcome: z.string().optional() })),
  schedules: once(() => z.strictObject({ after: z.string().optional(), limit })),
  limits: once(() => z.strictObject({ after: z.string().optional(), limit, inUse: z.boolean().optional() })),
  entries: once(() => z.strictObject({ after: z.string().optional(), before: z.string().optional(), limit })),
  logger: once(() =>
    z.strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional(),
      name: z.string().optional(),
      pretty: z.boolean().optional(),
      destination: z.custom((value) => hasMethods(value, 'write'), 'Expected a stream').optional(),
    }),
  ),
  loadConfig: once(() =>
    z.strictObject({
      file: z.string().optional(),
      // No `z.record`: the prototype of `process.env` is not that of plain objects.
      env: aRecord.optional(),
      envPrefix: z.string().optional(),
      flags: aRecord.optional(),
      cwd: z.string().optional(),
    }),
  ),
  queueAndForce: once(() => z.strictObject({ queueName: z.string().optional(), force: z.boolean().optional() })),
  force: once(() => z.strictObject({ force: z.boolean().optional() })),
  delay: once(() => z.strictObject({ delayMs: duration(0, MAX_DEFER_MS).optional() })),
  count: once(() => z.strictObject({ dead: z.boolean().optional() })),
  among: once(() => z.strictObject({ among: z.array(z.string()).optional() })),
  deadLetters: once(() =>
    z.strictObject({
      ...deadLetterFilter,
      offset: count(0).optional(),
      limit: countOrAll.optional(),
    }),
  ),
  deadLetterFilter: once(() => z.strictObject(deadLetterFilter)),
  deadLetterChoice: once(() => z.strictObject({ ...deadLetterFilter, all: z.literal(true).optional() })),
  queueSearch: once(() =>
    z.strictObject({
      known: z.array(z.string()).optional(),
      scanKeys: countOrAll.optional(),
      scanMs: duration(0).optional(),
      only: z.enum(['waiting', 'served']).optional(),
    }),
  ),
  purge: once(() => z.strictObject({ all: z.literal(true).optional(), onProgress: aFunction.optional() })),
  events: once(() =>
    z.strictObject({
      from: z.enum(['start', 'now']).optional(),
      after: z.string().min(1).optional(),
      signal: z.custom<AbortSignal>(isAbortSignal, 'Expected an AbortSignal').optional(),
    }),
  ),
  wait: once(() => z.strictObject({ timeoutMs: z.union([duration(0), z.literal(Infinity)]).optional() })),
}

/**
 * Checks the options of a method; none given is an empty object.
 *
 * @throws OptionsError that names the field, what was expected, what came, and for an unknown name the likely one.
 */
export function checkMethodOptions<S extends z.ZodObject>(
  where: string,
  schema: () => S,
  options: unknown,
): z.output<S> {
  return options === undefined ? ({} as z.output<S>) : checkOptions(where, schema(), options)
}

/** Checks the options of a wait for a job; none given is no limit. @throws OptionsError */
export function checkWait(where: string, options: unknown): void {
  checkMethodOptions(where, methodSchemas.wait, options)
}

/** @throws OptionsError unless `value` is a string that is not empty. */
export function checkName(where: string, argument: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && value !== '') return
  throw refusal(where, argument, 'a string that is not empty', value)
}

/** @throws OptionsError unless `value` is a string, which may be empty. */
export function checkText(where: string, argument: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw refusal(where, argument, 'a string', value)
}

/** @throws OptionsError unless `value` is an array of strings. */
export function checkNames(where: string, argument: string, value: unknown): asserts value is readonly string[] {
  if (!Array.isArray(value)) throw refusal(where, argument, 'an array of strings', value)
  const wrong = value.findIndex((each) => typeof each !== 'string')
  if (wrong !== -1) throw refusal(where, `${argument}.${wrong}`, 'a string', value[wrong])
}

/** @throws OptionsError unless `value` is an array. */
export function checkArray(where: string, argument: string, value: unknown): void {
  if (!Array.isArray(value)) throw refusal(where, argument, 'an array', value)
}

/** @throws OptionsError unless `value` is an array of numbers. */
export function checkNumbers(where: string, argument: string, value: unknown): asserts value is readonly number[] {
  if (!Array.isArray(value)) throw refusal(where, argument, 'an array of numbers', value)
  const wrong = value.findIndex((each) => typeof each !== 'number' || Number.isNaN(each))
  if (wrong !== -1) throw refusal(where, `${argument}.${wrong}`, 'a number', value[wrong])
}

/** @throws OptionsError unless `value` is an object or not given. */
export function checkObject(where: string, value: unknown): void {
  if (value === undefined || hasFields(value)) return
  throw new OptionsError(`${where}: Expected an options object, ${gotValue(value)}`)
}

/** @throws OptionsError unless `value` is an array of objects. */
export function checkObjects(where: string, argument: string, value: unknown): void {
  const isList = Array.isArray(value) && value.every((each) => typeof each === 'object' && each !== null)
  if (!isList) throw refusal(where, argument, 'an array of objects', value)
}

/** @throws OptionsError unless `value` is a function. */
export function checkFunction(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'function') throw refusal(where, argument, 'a function', value)
}

/** Checks an optional signal. @throws OptionsError unless `value` is an AbortSignal or undefined. */
export function checkSignal(where: string, value: unknown): void {
  if (value !== undefined && !isAbortSignal(value)) throw refusal(where, 'signal', 'an AbortSignal', value)
}

function refusal(where: string, argument: string, expected: string, value: unknown): OptionsError {
  return new OptionsError(`${where}: Expected \`${argument}\` to be ${expected}, ${gotValue(value)}`)
}
