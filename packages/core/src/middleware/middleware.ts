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
}

const isFunction = (value: unknown) => typeof value === 'function'

/** @internal */
export const middlewareSchema = z.array(
  z.strictObject({
    enqueue: z.custom<NonNullable<Middleware['enqueue']>>(isFunction, 'Expected a function').optional(),
    run: z.custom<NonNullable<Middleware['run']>>(isFunction, 'Expected a function').optional(),
  }),
)
