/** Schemas of the arguments of the kit. */

import { checkOptions } from '@arq-ts/core'
import type { AnyContract, AnyTask, CronJob, Logger } from '@arq-ts/core'
import { fromOtherRealm, isAbortSignal, isDate } from '@arq-ts/protocol/values'
import { z } from 'zod'

const has = (value: unknown, ...methods: string[]) =>
  typeof value === 'object' &&
  value !== null &&
  methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')

/** A task that can run. */
export const aTask = z.custom<AnyTask>(
  (value) => has(value, 'handler', 'bind', 'pack'),
  'Expected a task made by defineTask()',
)

/** A cron job. */
export const aCronJob = z.custom<CronJob>(
  (value) => has(value, 'handler', 'next'),
  'Expected a cron job made by cron()',
)

/** The last instant that a Date can hold, in unix ms. */
const LAST_MS = 8_640_000_000_000_000

/** A Date of any realm, such as that of a test runner, or unix ms, for which `isRight` returns true. */
export function aTime(isRight: (value: number) => boolean = () => true) {
  return z.custom<Date | number>(
    (value) =>
      (isDate(value) || typeof value === 'number') && Math.abs(Number(value)) <= LAST_MS && isRight(Number(value)),
    'Expected a Date or unix ms',
  )
}

/** A signal of any realm. */
export const aSignal = z.custom<AbortSignal>(isAbortSignal, 'Expected an AbortSignal')

/** Fields of contexts. They are copied: an instance without own fields would be lost. */
export const fields = z.custom<object>(
  (value) =>
    Object.prototype.toString.call(value) === '[object Object]' &&
    (fromOtherRealm(value as object) !== undefined ||
      Object.getPrototypeOf(value) === Object.prototype ||
      Object.keys(value as object).length > 0),
  'Expected an object',
)

/** A logger. */
export const aLogger = z.custom<Logger>((value) => has(value, 'info', 'error', 'child'), 'Expected a pino logger')

/** Codecs by name. */
export const aCodec = z.enum(['msgpack', 'pickle', 'json'])

/** A function. */
export const aFunction = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === 'function',
  'Expected a function',
)

const named = z.strictObject({
  task: z.custom<AnyContract | string>(
    (value) => (typeof value === 'string' && value !== '') || has(value, 'pack'),
    'Expected a task, a contract or the name of a function',
  ),
})

/** The name of a task's function. @throws OptionsError for a value without one. */
export function functionNameOf(where: string, task: AnyContract | string): string {
  checkOptions(where, named, { task })
  return typeof task === 'string' ? task : task.name
}
