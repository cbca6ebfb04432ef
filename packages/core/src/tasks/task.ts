import { z } from 'zod'
import { ArgumentsError } from '../errors.ts'
import { aFunction, checkOptions, count, duration, retryPolicySchema } from '../options/check.ts'
import { bindArguments, missingText } from '@arq-ts/protocol/jobs'
import type { RetryPolicy } from '@arq-ts/protocol/jobs'
import type { JobContext } from './context.ts'
import type { TaskContract } from './contract.ts'

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

/** A function workers run, by its name on the wire. Made by `defineTask`. */
export interface Task<Input = unknown, Result = unknown> extends TaskContract<Input, Result>, Readonly<TaskOptions> {
  /** @internal Schema of the parameters. */
  readonly params?: z.ZodObject
  /** @internal */
  readonly handler: (ctx: JobContext, ...args: readonly unknown[]) => unknown
  /** The handler's arguments after `ctx`. @throws ArgumentsError */
  bind: (
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ) => readonly unknown[] | Promise<readonly unknown[]>
}

/** Any task, for lists of them. */
export type AnyTask = Task<never>

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
  const signature = { name, params, parameters: Object.keys(params.shape), acceptsUnknown: hasCatchall(params) }
  return {
    ...options,
    name,
    params,
    handler: run,
    bind: (args, kwargs) =>
      parse(signature, bindArguments(name, signature.parameters, args, kwargs, signature.acceptsUnknown)),
    pack: (input: never) => packObject(signature, input),
  } as AnyTask
}

/** @internal */
export const taskSchema = z.strictObject({
  name: z.string().min(1),
  params: z.instanceof(z.ZodObject, { error: 'Expected a zod 4 object: z.object({ … })' }).optional(),
  handler: aFunction,
  maxTries: count(1).optional(),
  timeoutMs: duration(1).optional(),
  keepResultMs: duration(0).optional(),
  keepResultForever: z.boolean().optional(),
  retry: retryPolicySchema.optional(),
  record: z.strictObject({ logs: z.boolean().optional() }).optional(),
})

/** What Python would call the function's signature. */
interface Signature {
  readonly name: string
  readonly params: z.ZodObject
  readonly parameters: readonly string[]
  /** Python's `**kwargs`: a loose schema, or one with a catch-all. */
  readonly acceptsUnknown: boolean
}

type Bound = Record<string, unknown>

/** Wrong elements of a large array each have an issue of their own. */
const MAX_ISSUES_TOLD = 5
const MAX_TEXT_TOLD = 200

function hasCatchall({ def: { catchall } }: z.ZodObject): boolean {
  return catchall !== undefined && !(catchall instanceof z.ZodNever)
}

/**
 * Synchronous unless the schema has asynchronous parts. zod's own `safeParse` would call those too, find a promise, and
 * throw: they would run twice, and a rejection that nobody hears would end the process.
 */
function parse(signature: Signature, bound: Bound): [unknown] | Promise<[unknown]> {
  const payload = signature.params._zod.run({ value: bound, issues: [] }, { async: true })
  if (payload instanceof Promise) return payload.then((settled) => [unwrap(signature, bound, settled)])
  return [unwrap(signature, bound, payload)]
}

function unwrap({ name, parameters }: Signature, bound: Bound, { value, issues }: z.core.ParsePayload): unknown {
  if (issues.length === 0) return value
  const missing = parameters.filter((parameter) => issues.some((issue) => isMissing(issue, bound, parameter)))
  const wrong = issues.filter((issue) => !missing.some((parameter) => isMissing(issue, bound, parameter)))
  const told = wrong.slice(0, MAX_ISSUES_TOLD).map(issueText)
  if (wrong.length > MAX_ISSUES_TOLD) told.push(`and ${wrong.length - MAX_ISSUES_TOLD} more`)
  const texts = missing.length === 0 ? [] : [missingText(missing)]
  if (told.length > 0) texts.push(`got wrong arguments: ${told.join('; ')}`)
  throw new ArgumentsError(`${name}() ${texts.join('; ')}`)
}

function isMissing({ path = [] }: z.core.$ZodRawIssue, bound: Bound, parameter: string): boolean {
  return path.length === 1 && path[0] === parameter && !Object.hasOwn(bound, parameter)
}

function issueText(issue: z.core.$ZodRawIssue): string {
  const { path, message } = z.core.util.finalizeIssue(issue, undefined, z.core.config())
  return `\`${cut(path.join('.') || 'arguments')}\`: ${cut(message)}`
}

function cut(text: string): string {
  return text.length > MAX_TEXT_TOLD ? `${text.slice(0, MAX_TEXT_TOLD)}…` : text
}

/**
 * Bound and checked as the worker will, and sent as it was given: the worker parses it again, and a transform must not
 * run twice. What a schema checks asynchronously is left to the worker.
 */
function packObject(signature: Signature, input: unknown): { args: []; kwargs: Bound } {
  const { name, parameters } = signature
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new ArgumentsError(
      `${name}() takes its parameters as one object, got \`${Array.isArray(input) ? 'an array' : cut(String(input))}\``,
    )
  }
  const kwargs = bindArguments(name, parameters, [], input as Bound, signature.acceptsUnknown)
  for (const key of Object.keys(kwargs)) if (kwargs[key] === undefined) delete kwargs[key]
  const payload: z.core.ParsePayload = { value: kwargs, issues: [] }
  const checked = signature.params._zod.run(payload, { async: true })
  if (checked instanceof Promise) checked.catch(() => {})
  unwrap(signature, kwargs, checked instanceof Promise ? payload : checked)
  return { args: [], kwargs }
}

function packArray(name: string, input: unknown): { args: readonly unknown[]; kwargs: Bound } {
  if (!Array.isArray(input)) {
    throw new ArgumentsError(
      `${name}() has no schema and takes its arguments as an array, got \`${cut(String(input))}\``,
    )
  }
  return { args: input, kwargs: {} }
}
