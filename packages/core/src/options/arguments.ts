/** Checks of what public methods are given: each refuses with an OptionsError that names the method and the argument. */

import { custom, array, boolean, literal, object, oneOf, string, union } from './field.ts'
import type { ObjectField, Output, Shape } from './field.ts'
import { OptionsError } from '../errors.ts'
import { aFunction, checkOptions, count, duration, MAX_DEFER_MS, showValue } from './check.ts'

const aName = string(1)
const statuses = array(
  oneOf('queued', 'deferred', 'retrying', 'running', 'complete', 'failed', 'aborted', 'dead', 'not_found'),
)

/** A number of things, or `Infinity` for all. */
const countOrAll = union([count(0), literal(Infinity)])

const deadLetterFilter = {
  jobIds: array(string()).optional(),
  functionName: string().optional(),
  queueName: string().optional(),
  error: string().optional(),
  olderThanMs: duration(0).optional(),
}

/** Names of queues that become known by and by. */
const batches = custom<AsyncIterable<readonly string[]>>(
  (value) => typeof value === 'object' && value !== null && Symbol.asyncIterator in value,
  'an array of names of queues, or an async iterable of such',
)

/** Filters and options of the public methods, by the name of the method. */
export const methodSchemas = {
  list: object({
    queueNames: union([array(aName), batches]).optional(),
    everyQueue: boolean().optional(),
    statuses: statuses.optional(),
    functionName: string().optional(),
    text: string().optional(),
    olderThanMs: duration(0).optional(),
    onProgress: aFunction.optional(),
  }),
  page: object({
    queueNames: array(aName),
    statuses: statuses.optional(),
    fits: aFunction.optional(),
    cursor: string().nullable().optional(),
    limit: count(1).optional(),
    budget: count(1).optional(),
  }),
  queueName: object({ queueName: string().optional() }),
  queueAndForce: object({ queueName: string().optional(), force: boolean().optional() }),
  force: object({ force: boolean().optional() }),
  delay: object({ delayMs: duration(0, MAX_DEFER_MS).optional() }),
  count: object({ dead: boolean().optional() }),
  among: object({ among: array(string()).optional() }),
  deadLetters: object({
    ...deadLetterFilter,
    offset: count(0).optional(),
    limit: countOrAll.optional(),
  }),
  deadLetterFilter: object(deadLetterFilter),
  deadLetterChoice: object({ ...deadLetterFilter, all: literal(true).optional() }),
  queueSearch: object({
    known: array(string()).optional(),
    scanKeys: countOrAll.optional(),
    scanMs: duration(0).optional(),
    only: oneOf('waiting', 'served').optional(),
  }),
  purge: object({ all: literal(true).optional(), onProgress: aFunction.optional() }),
  events: object({
    from: oneOf('start', 'now').optional(),
    after: string(1).optional(),
    signal: custom<AbortSignal>((value) => value instanceof AbortSignal, 'an AbortSignal').optional(),
  }),
  wait: object({ timeoutMs: union([duration(0), literal(Infinity)]).optional() }),
}

/**
 * Checks the options of a method; none given is an empty object.
 *
 * @throws OptionsError that names the field, what was expected, what came, and for an unknown name the likely one.
 */
export function checkMethodOptions<S extends ObjectField<Shape>>(
  where: string,
  schema: S,
  options: unknown,
): Output<S> {
  return options === undefined ? ({} as Output<S>) : (checkOptions(where, schema, options) as Output<S>)
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

/** @throws OptionsError unless `value` is an array of numbers. */
export function checkNumbers(where: string, argument: string, value: unknown): asserts value is readonly number[] {
  if (!Array.isArray(value)) throw refusal(where, argument, 'an array of numbers', value)
  const wrong = value.findIndex((each) => typeof each !== 'number' || Number.isNaN(each))
  if (wrong !== -1) throw refusal(where, `${argument}.${wrong}`, 'a number', value[wrong])
}

/** @throws OptionsError unless `value` is a function. */
export function checkFunction(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'function') throw refusal(where, argument, 'a function', value)
}

function refusal(where: string, argument: string, expected: string, value: unknown): OptionsError {
  return new OptionsError(`${where}: Expected \`${argument}\` to be ${expected}, got \`${showValue(value)}\``)
}
