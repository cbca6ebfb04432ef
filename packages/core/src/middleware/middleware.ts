import type { Job } from '../jobs/job.ts'
import * as z from '../options/zod.ts'
import type { EnqueueOptions } from '../options/enqueue.ts'
import type { JobContext } from '../tasks/context.ts'

/** A call of `enqueue`, or an item of `enqueueMany`, before it is packed. */
export interface OutgoingCall {
  /** The function's name on the wire. */
  readonly functionName: string
  /** The input, or the array of arguments, as the caller gave it; not yet checked against the schema. */
  readonly input: unknown
  /** The options of the job. A copy: assign to its fields, or assign another object. They are checked again at the end. */
  options: EnqueueOptions
  /**
   * Data that travels in the payload, next to the arguments: the `run` side gets it as `ctx.metadata`, Python ignores it.
   * Empty at first. Values must be ones that the job's codec writes.
   */
  readonly metadata: Record<string, unknown>
}

/** The outcome of a call that reached Redis. */
export interface Enqueued {
  /** `duplicate`: the id or the unique key is taken, and `enqueue` returns null. */
  status: 'queued' | 'duplicate'
  /** A handle on the job that was queued, or on the one that has the id or the key. */
  job: Job
}

/** The context of a running job, as its handler gets it, and data about the call. */
export type RunContext = JobContext & {
  /** The function's name on the wire. */
  readonly functionName: string
  /** Data that `enqueue` middleware added; empty for jobs that have none, such as those of Python. */
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A try of a job, as it starts. */
export interface Attempt {
  readonly jobId: string
  /** The function's name on the wire. */
  readonly functionName: string
  readonly queueName: string
  /** The try, from 1. */
  readonly jobTry: number
  /** True for a tick of a cron job. */
  readonly isCron: boolean
  /** Positional arguments as they arrived, neither bound nor checked. */
  readonly args: readonly unknown[]
  /** Keyword arguments as they arrived. */
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Data that `enqueue` middleware added; empty for jobs that have none. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Time at which its producer enqueued it, in unix ms. */
  readonly enqueueTimeMs: number
  /** Time at which it was due, in unix ms of Redis. */
  readonly dueMs: number
  /** Time at which it started, in unix ms of Redis. */
  readonly startedMs: number
}

/** The end of a try. */
export type AttemptEnd = {
  /** Time that the try took, in ms. */
  readonly ranMs: number
} & (
  | { readonly outcome: 'complete'; readonly result: unknown }
  /** It is final: no try follows. */
  | { readonly outcome: 'failed'; readonly error: unknown }
  | { readonly outcome: 'aborted' }
  /** `retry`: the handler threw `Retry`. `policy`: a retry policy decides. The next try is due after `delayMs`. */
  | { readonly outcome: 'retried'; readonly by: 'retry' | 'policy'; readonly delayMs: number; readonly error: unknown }
  /** It goes back to its queue: the worker stops, or the handler cancelled itself. */
  | { readonly outcome: 'released' }
  /** Another worker has the job: nothing of this try is stored. */
  | { readonly outcome: 'lost' }
)

/**
 * Code around every enqueue of a client, or around every run of a worker. The first middleware of the option is the
 * outermost. `next` continues with the following one, and in the end with the call itself; it may be called once.
 *
 * ```ts
 * const timing: Middleware = {
 *   run: async (ctx, next) => {
 *     const startedMs = performance.now()
 *     try {
 *       return await next()
 *     } finally {
 *       ctx.log.info({ ms: performance.now() - startedMs }, `ran ${ctx.functionName}`)
 *     }
 *   },
 * }
 * ```
 */
export interface Middleware {
  /**
   * Surrounds `enqueue`, and each item of `enqueueMany`. It may change `call.options`, add to `call.metadata`, and refuse
   * the call by throwing, which is the error of the caller. `next` resolves with the outcome, which stays what it is.
   */
  enqueue?: (call: OutgoingCall, next: () => Promise<Enqueued>) => Promise<Enqueued>
  /**
   * Surrounds the handler, once per try. `next` resolves with the result of the handler; what this returns is the result
   * of the job, and what it throws is the error of the try. Without a call of `next` the handler does not run.
   */
  run?: (ctx: RunContext, next: () => Promise<unknown>) => unknown
  /**
   * Follows each try from outside, without a part in it. It is called as the try starts, before its arguments are bound; the
   * function that it returns is called once it is decided how the try ends, before that is stored. Neither is awaited, and an
   * error that one throws, or rejects with, is logged.
   */
  observe?: (attempt: Attempt) => ((end: AttemptEnd) => void) | undefined
  /**
   * Returns false while there is nothing to do: calls then cost nothing more. It is asked at every call. Default: always
   * active.
   */
  isActive?: () => boolean
}

const isFunction = (value: unknown) => typeof value === 'function'

/** @internal */
export const middlewareSchema = z.array(
  z.strictObject({
    enqueue: z.custom<NonNullable<Middleware['enqueue']>>(isFunction, 'Expected a function').optional(),
    run: z.custom<NonNullable<Middleware['run']>>(isFunction, 'Expected a function').optional(),
    observe: z.custom<NonNullable<Middleware['observe']>>(isFunction, 'Expected a function').optional(),
    isActive: z.custom<NonNullable<Middleware['isActive']>>(isFunction, 'Expected a function').optional(),
  }),
)
