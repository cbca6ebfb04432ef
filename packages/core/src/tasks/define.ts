import { checkOptions } from '../options/check.ts'
import type { CodecName } from '@arq-ts/protocol/jobs'
import { contractOf } from './call.ts'
import type { Contract, TaskContract } from './contract.ts'
import type { Schema, SchemaInput, SchemaOutput } from './schema.ts'
import { contractSchema } from './task-options.ts'

/** A call's input: that of the schema, or an array of arguments where there is none. */
type InputBy<Params extends Schema> = Schema extends Params ? readonly unknown[] : SchemaInput<Params>

/** The handler's arguments after `ctx`. */
type ArgsBy<Params extends Schema> = Schema extends Params ? readonly unknown[] : [params: SchemaOutput<Params>]

/**
 * Defines a task by its name, parameters and result, without the code that runs it: a producer imports the contract, a
 * worker makes it a task by `implement`.
 *
 * ```ts
 * export const resize = defineContract({
 *   name: 'resize_image',
 *   params: z.object({ path: z.string(), width: z.number().int().default(800) }),
 *   returns: z.object({ path: z.string(), bytes: z.number().int() }),
 * })
 * ```
 *
 * Without `params` the input is an array of arguments, unvalidated; without `returns` the result is `unknown`.
 *
 * @throws OptionsError
 */
export function defineContract<
  Params extends Schema = Schema,
  Returns extends Schema = Schema,
  Emits extends Schema = Schema,
>(definition: {
  name: string
  params?: Params
  returns?: Returns
  /** Schema of the pieces of the result that the handler emits. */
  emits?: Emits
}): Contract<
  InputBy<Params>,
  SchemaOutput<Returns>,
  ArgsBy<Params>,
  SchemaInput<Returns>,
  SchemaOutput<Emits>,
  SchemaInput<Emits>
> {
  return made('defineContract', definition) as never
}

/**
 * Defines a function that Python workers run. `enqueue` checks its arguments by `params` and sends the output of the
 * schema, with its defaults and transforms, as keywords. It writes them in `codec`, which must be the codec of the workers
 * (default: the client's); `job.result()` returns the output of `returns`, which reads Python's
 * values: a tuple for `z.tuple`, a string for `new Decimal`, a number for `z.bigint`.
 *
 * ```ts
 * const charge = pythonTask({
 *   name: 'charge_card',
 *   codec: 'pickle',
 *   params: z.object({ customer: z.string(), amount: z.instanceof(Decimal) }),
 *   returns: z.object({ id: z.instanceof(Uuid), at: z.date() }),
 * })
 * ```
 *
 * @throws OptionsError
 */
export function pythonTask<
  Params extends Schema = Schema,
  Returns extends Schema = Schema,
  Emits extends Schema = Schema,
>(definition: {
  name: string
  codec?: CodecName
  params?: Params
  returns?: Returns
  /** Schema of the pieces of the result that the Python handler writes. */
  emits?: Emits
}): TaskContract<InputBy<Params>, SchemaOutput<Returns>, SchemaOutput<Emits>> {
  return { ...made('pythonTask', definition, true), isPython: true } as never
}

function made(context: string, definition: object, isPython = false): Contract {
  return contractOf(context, { ...checkOptions(context, contractSchema(), definition), isPython })
}
