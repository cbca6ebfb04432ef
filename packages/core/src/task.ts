import { z } from 'zod'
import { ArgumentsError } from './errors.ts'
import type { Client } from './client.ts'
import type { Logger } from './logger.ts'
import { checkOptions, count, duration, retryPolicySchema } from './options/check.ts'
import { bindArguments } from './protocol/binding.ts'
import type { RetryPolicy } from './protocol/schedule.ts'

/** What a handler is told; arq's `ctx`. `Extra` is what `onStartup` and the `ctx` option put there. */
export type JobContext<Extra extends object = Record<never, never>> = Extra & {
  readonly jobId: string
  /** The try, from 1. */
  readonly jobTry: number
  readonly enqueueTime: Date
  /** When the job was due, in unix ms. */
  readonly score: number
  readonly queueName: string
  /** The keywords as they came, unvalidated. */
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Fires at the timeout, an abort, a lost lease or the worker's shutdown; the reason says which. Hand it to what you await. */
  readonly signal: AbortSignal
  /** A child logger that carries the job's id. */
  readonly log: Logger
  /** Enqueues further jobs over the worker's connection. */
  readonly client: Client
}

/** Settings of one task; each falls back to the worker's. */
export interface TaskOptions {
  /** Tries before the job fails for good. */
  maxTries?: number
  /** Milliseconds a run may take. */
  timeoutMs?: number
  /** How long the result is kept, in ms; 0 stores none. */
  keepResultMs?: number
  /** Keeps the result for ever; wins over `keepResultMs`. */
  keepResultForever?: boolean
  /** Retries every error, not only `Retry`. */
  retry?: RetryPolicy
}

declare const inputType: unique symbol
declare const resultType: unique symbol

/** A function workers run, by its name on the wire. Made by `defineTask`. */
export interface Task<Input = unknown, Result = unknown> extends Readonly<TaskOptions> {
  readonly name: string
  /** @internal */
  readonly handler: (ctx: JobContext, ...args: readonly unknown[]) => unknown
  /** The handler's arguments after `ctx`. @throws ArgumentsError */
  bind: (
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ) => readonly unknown[] | Promise<readonly unknown[]>
  /** What goes on the wire for an input. @throws ArgumentsError */
  pack(input: Input): { args: readonly unknown[]; kwargs: Readonly<Record<string, unknown>> }
  /** Types only. */
  readonly [inputType]?: (input: Input) => void
  readonly [resultType]?: Result
}

/** Any task, for lists of them. */
export type AnyTask = Task<never>

/** What `enqueue` takes for a task. */
export type InputOf<T> = T extends { readonly [inputType]?: (input: infer Input) => void } ? Input : never

/** What `job.result()` gives for a task. */
export type ResultOf<T> = T extends Task<never, infer Result> ? Result : never

type Awaitable<T> = T | Promise<T>

/**
 * Defines a task with validated parameters. The order of the schema's keys is Python's positional order; a call may
 * give them by position, by name, or mixed, and one that does not fit fails without a retry.
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
export function defineTask<Params extends z.ZodObject, Result, Extra extends object = Record<never, never>>(
  definition: TaskOptions & {
    name: string
    params: Params
    handler: (ctx: JobContext<Extra>, params: z.output<Params>) => Awaitable<Result>
  },
): Task<z.input<Params>, Result>
/**
 * Defines a task that takes its positional arguments as they come, unvalidated; keywords are in `ctx.kwargs`.
 * `enqueue` takes the arguments as an array.
 *
 * @throws OptionsError
 */
export function defineTask<Args extends readonly unknown[], Result, Extra extends object = Record<never, never>>(
  definition: TaskOptions & {
    name: string
    handler: (ctx: JobContext<Extra>, ...args: Args) => Awaitable<Result>
  },
): Task<Args, Result>
export function defineTask(
  definition: TaskOptions & { name: string; params?: z.ZodObject; handler: unknown },
): AnyTask {
  const { name, params, handler, ...options } = checkOptions('defineTask', taskSchema, definition)
  const run = handler as Task['handler']
  if (!params)
    return {
      ...options,
      name,
      handler: run,
      bind: (args) => args,
      pack: (input: never) => packArray(name, input),
    } as AnyTask
  const parameters = Object.keys(params.shape)
  const acceptsUnknown = params.def.catchall !== undefined && !(params.def.catchall instanceof z.ZodNever)
  return {
    ...options,
    name,
    handler: run,
    bind: (args, kwargs) => parse(name, params, bindArguments(name, parameters, args, kwargs, acceptsUnknown)),
    pack: (input: never) => packObject(name, params, input),
  } as AnyTask
}

const taskSchema = z.strictObject({
  name: z.string().min(1),
  params: z.instanceof(z.ZodObject).optional(),
  handler: z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'Expected a function'),
  maxTries: count(1).optional(),
  timeoutMs: duration(1).optional(),
  keepResultMs: duration(0).optional(),
  keepResultForever: z.boolean().optional(),
  retry: retryPolicySchema.optional(),
})

/** Synchronous unless the schema has asynchronous parts. */
function parse(name: string, params: z.ZodObject, bound: Record<string, unknown>): [unknown] | Promise<[unknown]> {
  try {
    return [unwrap(name, bound, params.safeParse(bound))]
  } catch (error) {
    if (!(error instanceof z.core.$ZodAsyncError)) throw error
    return params.safeParseAsync(bound).then((result) => [unwrap(name, bound, result)])
  }
}

function unwrap(name: string, given: object, result: z.ZodSafeParseResult<unknown>): unknown {
  if (result.success) return result.data
  const { issues } = result.error
  const missing = issues.filter(
    ({ path: [first, ...rest] }) => first !== undefined && rest.length === 0 && !Object.hasOwn(given, first),
  )
  throw new ArgumentsError(`${name}() ${missing.length === issues.length ? missingText(missing) : issuesText(issues)}`)
}

function missingText(issues: readonly z.core.$ZodIssue[]): string {
  const names = issues.map((issue) => `'${String(issue.path[0])}'`)
  return `missing ${names.length} required argument${names.length === 1 ? '' : 's'}: ${names.join(', ')}`
}

function issuesText(issues: readonly z.core.$ZodIssue[]): string {
  return `got wrong arguments: ${issues.map((issue) => `\`${issue.path.join('.') || 'arguments'}\`: ${issue.message}`).join('; ')}`
}

/** The input is checked, and sent as it was given: the worker parses it again, and a transform must not run twice. */
function packObject(name: string, params: z.ZodObject, input: unknown): { args: []; kwargs: Record<string, unknown> } {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new ArgumentsError(
      `${name}() takes its parameters as one object, got \`${Array.isArray(input) ? 'an array' : String(input)}\``,
    )
  }
  try {
    unwrap(name, input, params.safeParse(input))
  } catch (error) {
    if (!(error instanceof z.core.$ZodAsyncError)) throw error // the worker checks what needs awaiting
  }
  const kwargs: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(input)) if (value !== undefined) kwargs[key] = value
  return { args: [], kwargs }
}

function packArray(name: string, input: unknown): { args: readonly unknown[]; kwargs: Record<string, unknown> } {
  if (!Array.isArray(input)) {
    throw new ArgumentsError(`${name}() has no schema and takes its arguments as an array, got \`${String(input)}\``)
  }
  return { args: input, kwargs: {} }
}
