import type { CodecName, RetryPolicy } from '@arq-ts/protocol/jobs'
import type { AnyChunk, ChunkContext, ChunkJob, ChunkOptions, ChunkResults } from '../chunks/chunk.ts'
import { chunkOfOne } from '../chunks/chunk-of-one.ts'
import type { AnyLimit, Limit } from '../limits/limit.ts'
import { checkObject } from '../options/arguments.ts'
import { checkOptions } from '../options/check.ts'
import { gotValue, hasFields } from '../options/given-value.ts'
import { OptionsError } from '../errors.ts'
import { inProcessHandler } from '../sandbox/in-process.ts'
import { resolveSandbox } from '../sandbox/sandbox.ts'
import type { Sandbox, SandboxOptions } from '../sandbox/sandbox.ts'
import { contractOf } from './call.ts'
import type { JobContext } from './context.ts'
import type { Contract, Needs, TaskContract, WireValue } from './contract.ts'
import type { Schema, SchemaInput, SchemaOutput } from './schema.ts'
import { implementSandboxedSchema, implementSchema, sandboxedTaskSchema, taskSchema } from './task-options.ts'

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
export interface RunnableTask<Input, Result, Emitted = unknown>
  extends TaskContract<Input, Result, Emitted>, Readonly<TaskOptions> {
  /** @internal Limits its jobs start under. */
  readonly limits?: readonly AnyLimit[]
  /** @internal Calls its handler with several jobs. */
  readonly chunk?: AnyChunk
  /** @internal The module that runs its jobs. */
  readonly sandbox?: Sandbox
  /** @internal Schema of the parameters. */
  readonly params?: Schema
  /** @internal */
  readonly handler: (ctx: JobContext, ...args: readonly unknown[]) => unknown
  /** @internal The result in the form that `codec` writes. @throws ResultError */
  readonly packResult?: (result: unknown, codec: CodecName) => unknown
  /** @internal A piece of the result in the form that JSON writes. @throws ResultError */
  readonly packEmitted?: (value: unknown) => unknown
  /** The handler's arguments after `ctx`. @throws ArgumentsError */
  bind: (
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ) => readonly unknown[] | Promise<readonly unknown[]>
}

/** A task, and what its handler needs of the worker's context: a worker that lacks it does not compile. */
export interface Task<Input = unknown, Result = unknown, Extra extends object = Record<never, never>, Emitted = unknown>
  extends RunnableTask<Input, Result, Emitted>, Needs<Extra> {}

/** Any task, for lists of them; the list does not say what its tasks need. */
export type AnyTask = RunnableTask<never, unknown>

type Awaitable<T> = T | Promise<T>

/** The result a producer gets: the output of `returns`, or what the wire gives of the handler's result. */
type Returned<Returns extends Schema, Result> = Schema extends Returns ? WireValue<Result> : SchemaOutput<Returns>

/** The inputs of a chunk's jobs: those of the schema, or arrays of arguments where there is none. */
type InputsBy<Params extends Schema> = Schema extends Params ? readonly unknown[] : SchemaOutput<Params>

/** A call's input, as `enqueue` takes it. */
type CallBy<Params extends Schema> = Schema extends Params ? readonly unknown[] : SchemaInput<Params>

// The overload with a schema stands last: a compiler that reports one overload alone reports the last.
/**
 * Defines a task whose handler is called with several jobs at once. Each job keeps its own try, lease, abort, timeout and
 * result; producers see no difference.
 *
 * ```ts
 * const index = defineTask({
 *   name: 'index_document',
 *   params: z.object({ id: z.string() }),
 *   chunk: { size: 100, waitMs: 50 },
 *   handler: async (jobs) => jobs.map(({ input }) => input.id.length),
 * })
 * ```
 *
 * @throws OptionsError
 */
export function defineTask<
  Result extends SchemaInput<Returns>,
  Params extends Schema = Schema,
  Extra extends object = Record<never, never>,
  Returns extends Schema = Schema,
  Emits extends Schema = Schema,
>(
  definition: TaskOptions & {
    name: string
    params?: Params
    returns?: Returns
    /** Schema of the pieces of the result that the jobs emit by their own `ctx`. Default: any value. */
    emits?: Emits
    /** Jobs per call, and the time the first one waits for others. */
    chunk: ChunkOptions
    sandbox?: undefined
    handler: (
      jobs: readonly ChunkJob<InputsBy<Params>, SchemaInput<Returns>, Extra>[],
      ctx: ChunkContext<Extra>,
    ) => Awaitable<ChunkResults<ChunkJob<InputsBy<Params>, SchemaInput<Returns>, Extra>, Result>>
    /** Limits its jobs start under, each by its own parameters. Default: none. */
    limits?: readonly Limit<Schema extends Params ? readonly unknown[] : [params: SchemaOutput<Params>]>[]
  },
): Task<CallBy<Params>, Returned<Returns, Result>, Extra, SchemaOutput<Emits>>
/**
 * Defines a task whose jobs run in a thread or process of their own. It has no handler: the module of the sandbox exports
 * `(ctx, params) => result`, and maybe `onStart`, whose result is added to `ctx`, and `onStop`.
 *
 * ```ts
 * const ocr = defineTask({
 *   name: 'ocr',
 *   params: z.object({ path: z.string() }),
 *   returns: z.object({ text: z.string() }),
 *   sandbox: { module: new URL('./ocr.js', import.meta.url), memoryMb: 512 },
 * })
 * ```
 *
 * @throws OptionsError
 */
export function defineTask<
  Params extends Schema = Schema,
  Returns extends Schema = Schema,
  Emits extends Schema = Schema,
>(
  definition: TaskOptions & {
    name: string
    params?: Params
    returns?: Returns
    /** Schema of the pieces of the result that the module emits. Default: any value. */
    emits?: Emits
    /** The module, and its threads or processes. */
    sandbox: SandboxOptions
    handler?: undefined
    chunk?: undefined
    /** Limits its jobs start under, by their parameters. Default: none. */
    limits?: readonly Limit<Schema extends Params ? readonly unknown[] : [params: SchemaOutput<Params>]>[]
  },
): Task<CallBy<Params>, SchemaOutput<Returns>, Record<never, never>, SchemaOutput<Emits>>
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
  Emits extends Schema = Schema,
>(
  definition: TaskOptions & {
    name: string
    params?: undefined
    returns?: Returns
    /** Schema of the pieces of the result that the handler emits. Default: any value. */
    emits?: Emits
    chunk?: undefined
    sandbox?: undefined
    handler: (ctx: JobContext<Extra, SchemaInput<Emits>>, ...args: Args) => Awaitable<Result>
    /** Limits its jobs start under, by their arguments. Default: none. */
    limits?: readonly Limit<NoInfer<Args>>[]
  },
): Task<Args, Returned<Returns, Result>, Extra, SchemaOutput<Emits>>
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
  Emits extends Schema = Schema,
>(
  definition: TaskOptions & {
    name: string
    params: Params
    returns?: Returns
    /** Schema of the pieces of the result that the handler emits. Default: any value. */
    emits?: Emits
    chunk?: undefined
    sandbox?: undefined
    handler: (ctx: JobContext<Extra, SchemaInput<Emits>>, params: SchemaOutput<Params>) => Awaitable<Result>
    /** Limits its jobs start under, by their parameters. Default: none. */
    limits?: readonly Limit<[params: SchemaOutput<NoInfer<Params>>]>[]
  },
): Task<SchemaInput<Params>, Returned<Returns, Result>, Extra, SchemaOutput<Emits>>
export function defineTask(definition: unknown): AnyTask {
  const schema = isSandboxed('defineTask', definition) ? sandboxedTaskSchema() : taskSchema()
  const { name, params, returns, emits, ...options } = checkOptions('defineTask', schema, definition)
  return taskOf(contractOf('defineTask', { name, params, returns, emits }), options as Settings)
}

/**
 * Makes a task of a contract, whose jobs run in a thread or process of their own.
 *
 * @throws OptionsError
 */
export function implement<Input, Result, Args extends readonly unknown[], Given, Emitted, Emits>(
  contract: Contract<Input, Result, Args, Given, Emitted, Emits>,
  options: TaskOptions & { sandbox: SandboxOptions; limits?: readonly Limit<NoInfer<Args>>[] },
): Task<Input, Result, Record<never, never>, Emitted>
/**
 * Makes a task of a contract, whose handler is called with several jobs at once: the part that workers import, and
 * producers do not.
 *
 * @throws OptionsError
 */
export function implement<
  Input,
  Result,
  Args extends readonly unknown[],
  Given,
  Extra extends object = Record<never, never>,
  Emitted = unknown,
  Emits = unknown,
>(
  contract: Contract<Input, Result, Args, Given, Emitted, Emits>,
  handler: (
    jobs: readonly ChunkJob<InputsOf<Args>, NoInfer<Given>, Extra>[],
    ctx: ChunkContext<Extra>,
  ) => Awaitable<ChunkResults<ChunkJob<InputsOf<Args>, NoInfer<Given>, Extra>, NoInfer<Given>>>,
  options: TaskOptions & { chunk: ChunkOptions; limits?: readonly Limit<NoInfer<Args>>[] },
): Task<Input, Result, Extra, Emitted>
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
  Emitted = unknown,
  Emits = unknown,
>(
  contract: Contract<Input, Result, Args, Given, Emitted, Emits>,
  handler: (ctx: JobContext<Extra, NoInfer<Emits>>, ...args: Args) => Awaitable<Given>,
  options?: TaskOptions & { chunk?: undefined; limits?: readonly Limit<NoInfer<Args>>[] },
): Task<Input, Result, Extra, Emitted>
export function implement(contract: Contract<never>, second: unknown, options: object = {}): AnyTask {
  if (typeof second !== 'function' && !hasFields(second))
    throw new OptionsError(
      `implement: Expected \`handler\` to be a function, or settings with a \`sandbox\`, ${gotValue(second)}`,
    )
  checkObject('implement', options)
  const given = typeof second === 'function' ? { ...options, handler: second } : second
  const schema = isSandboxed('implement', given) ? implementSandboxedSchema() : implementSchema()
  const { contract: _, ...settings } = checkOptions('implement', schema, { ...given, contract })
  return taskOf(contract as Contract, settings as Settings)
}

/** @throws OptionsError where a sandbox comes with what its module has, or cannot have. */
function isSandboxed(where: string, definition: unknown): boolean {
  const { chunk, handler, sandbox } = (definition ?? {}) as Partial<Record<'chunk' | 'handler' | 'sandbox', unknown>>
  if (sandbox === undefined) return false
  if (handler !== undefined)
    throw new OptionsError(`${where}: give \`handler\` or \`sandbox\`, not both: its module exports the handler`)
  if (chunk !== undefined)
    throw new OptionsError(`${where}: give \`chunk\` or \`sandbox\`, not both: a sandbox runs one job at a time`)
  return true
}

/** The input of one job of a chunk, of the handler's arguments. */
type InputsOf<Args extends readonly unknown[]> = Args extends readonly [infer Params] ? Params : Args

type Handler = AnyTask['handler']

type Settings = TaskOptions & { handler: Handler; chunk?: ChunkOptions; sandbox?: SandboxOptions }

function taskOf(contract: Contract, { chunk: bounds, handler, sandbox: module, ...options }: Settings): AnyTask {
  if (module) {
    const sandbox = resolveSandbox(module)
    return { ...options, ...contract, sandbox, handler: inProcessHandler(sandbox) } as AnyTask
  }
  if (!bounds) return { ...options, ...contract, handler } as AnyTask
  const inputOf = (args: readonly unknown[]) => (contract.params === undefined ? args : args[0])
  const chunk: AnyChunk = { ...bounds, handler: handler as unknown as AnyChunk['handler'], inputOf }
  return { ...options, ...contract, chunk, handler: chunkOfOne(contract.name, chunk) } as AnyTask
}
