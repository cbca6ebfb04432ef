import type { CodecName, RetryPolicy } from '@arq-ts/protocol/jobs'
import type { AnyLimit, Limit } from '../limits/limit.ts'
import { checkOptions } from '../options/check.ts'
import { contractOf } from './call.ts'
import type { JobContext } from './context.ts'
import type { Contract, Needs, TaskContract, WireValue } from './contract.ts'
import type { Schema, SchemaInput, SchemaOutput } from './schema.ts'
import { implementSchema, taskSchema } from './task-options.ts'

/** Settings of one task; each falls back to the worker's. */
export interface TaskOptions {
  /** Tries before the job fails for good. */
  maxTries?: number
  /** Milliseconds a run may take. */
  timeoutMs?: number
  /** Time the result is kept, in ms; 0 stores none. */
  keepResultMs?: number
  /** Keeps the result for ever; wins over `keepResultMs`. */
  keepResultForever?: boolean
  /** Retries every error, not only `Retry`. */
  retry?: RetryPolicy
  /** `logs: true` keeps what the handler logs by `ctx.log`, of level info and above, for `job.events()`. Default: nothing. */
  record?: { logs?: boolean }
}

/** A function workers run, by its name on the wire, whatever it needs of their context. Made by `defineTask`. */
export interface RunnableTask<Input, Result> extends TaskContract<Input, Result>, Readonly<TaskOptions> {
  /** @internal Limits its jobs start under. */
  readonly limits?: readonly AnyLimit[]
  /** @internal Schema of the parameters. */
  readonly params?: Schema
  /** @internal */
  readonly handler: (ctx: JobContext, ...args: readonly unknown[]) => unknown
  /** @internal The result in the form that `codec` writes. @throws ResultError */
  readonly packResult?: (result: unknown, codec: CodecName) => unknown
  /** The handler's arguments after `ctx`. @throws ArgumentsError */
  bind: (
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ) => readonly unknown[] | Promise<readonly unknown[]>
}

/** A task, and what its handler needs of the worker's context: a worker that lacks it does not compile. */
export interface Task<Input = unknown, Result = unknown, Extra extends object = Record<never, never>>
  extends RunnableTask<Input, Result>, Needs<Extra> {}

/** Any task, for lists of them; the list does not say what its tasks need. */
export type AnyTask = RunnableTask<never, unknown>

type Awaitable<T> = T | Promise<T>

/** The result a producer gets: the output of `returns`, or what the wire gives of the handler's result. */
type Returned<Returns extends Schema, Result> = Schema extends Returns ? WireValue<Result> : SchemaOutput<Returns>

// The overload with a schema stands last: a compiler that reports one overload alone reports the last.
/**
 * Defines a task that takes its positional arguments as they come, unvalidated; keywords are in `ctx.kwargs`.
 * `enqueue` takes the arguments as an array.
 *
 * @throws OptionsError
 */
export function defineTask<
  Args extends readonly unknown[],
  Result extends SchemaInput<Returns>,
  Extra extends object = Record<never, never>,
  Returns extends Schema = Schema,
>(
  definition: TaskOptions & {
    name: string
    params?: undefined
    returns?: Returns
    handler: (ctx: JobContext<Extra>, ...args: Args) => Awaitable<Result>
    /** Limits its jobs start under, by their arguments. Default: none. */
    limits?: readonly Limit<NoInfer<Args>>[]
  },
): Task<Args, Returned<Returns, Result>, Extra>
/**
 * Defines a task with validated parameters. The order of the schema's keys is Python's positional order; a call may
 * give them by position, by name, or mixed, and one that does not fit fails without a retry. With `returns`, the result
 * is checked before it is stored, and the producer gets the schema's output.
 *
 * ```ts
 * const resize = defineTask({
 *   name: 'resize_image',
 *   params: z.object({ path: z.string(), width: z.number().int().default(800) }),
 *   handler: async (ctx, { path, width }) => ({ path, width }),
 * })
 * ```
 *
 * @throws OptionsError
 */
export function defineTask<
  Params extends Schema,
  Result extends SchemaInput<Returns>,
  Extra extends object = Record<never, never>,
  Returns extends Schema = Schema,
>(
  definition: TaskOptions & {
    name: string
    params: Params
    returns?: Returns
    handler: (ctx: JobContext<Extra>, params: SchemaOutput<Params>) => Awaitable<Result>
    /** Limits its jobs start under, by their parameters. Default: none. */
    limits?: readonly Limit<[params: SchemaOutput<NoInfer<Params>>]>[]
  },
): Task<SchemaInput<Params>, Returned<Returns, Result>, Extra>
export function defineTask(definition: unknown): AnyTask {
  const { handler, name, params, returns, ...options } = checkOptions('defineTask', taskSchema, definition)
  return taskOf(contractOf('defineTask', { name, params, returns }), handler as Handler, options as TaskOptions)
}

/**
 * Makes a task of a contract: the part that workers import, and producers do not.
 *
 * ```ts
 * export const resize = implement(contracts.resize, async (ctx, { path, width }) => ({ path, width }), { maxTries: 3 })
 * ```
 *
 * @throws OptionsError
 */
export function implement<
  Input,
  Result,
  Args extends readonly unknown[],
  Given,
  Extra extends object = Record<never, never>,
>(
  contract: Contract<Input, Result, Args, Given>,
  handler: (ctx: JobContext<Extra>, ...args: Args) => Awaitable<Given>,
  options: TaskOptions & { limits?: readonly Limit<NoInfer<Args>>[] } = {},
): Task<Input, Result, Extra> {
  const checked = checkOptions('implement', implementSchema, { ...options, contract, handler })
  const { contract: _, handler: __, ...settings } = checked
  return taskOf(contract as Contract, handler as Handler, settings as TaskOptions) as Task<Input, Result, Extra>
}

type Handler = AnyTask['handler']

function taskOf(contract: Contract, handler: Handler, options: TaskOptions): AnyTask {
  return { ...options, ...contract, handler } as AnyTask
}
