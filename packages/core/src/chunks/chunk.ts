import * as z from '../options/zod.ts'
import type { Logger } from '../logging/logger.ts'
import { count, once, timer } from '../options/check.ts'
import type { Client } from '../client/client.ts'
import type { JobContext } from '../tasks/context.ts'

/** The bounds of a chunk. */
export interface ChunkOptions {
  /** Jobs in one call at most, at least 1. A worker never waits for more jobs than it has slots (`maxJobs`). */
  size: number
  /** Time the first job of a chunk waits for others, in ms; 0 takes what starts in the same turn of the event loop. */
  waitMs: number
}

/** @internal */
export const chunkSchema = once(() => z.strictObject({ size: count(1), waitMs: timer(0) }))

/**
 * One job of a chunk. It keeps its own try, lease, abort, timeout and result, and the first call of `complete` or `fail`
 * settles it at once, while the handler continues with the others; later calls do nothing.
 */
export interface ChunkJob<Input = unknown, Result = unknown, Extra extends object = Record<never, never>> {
  readonly jobId: string
  /** The parameters; the array of arguments where the task has no schema. */
  readonly input: Input
  /** The job's own context. `ctx.signal` fires when this job alone is aborted, times out or loses its lease. */
  readonly ctx: JobContext<Extra>
  /** True once the job has a result or an error. */
  readonly isSettled: boolean
  /** Settles the job with a result. */
  complete(result: Result): void
  /** Settles the job with an error: `new Retry()` runs it again, and a retry policy applies. */
  fail(error: unknown): void
}

/** The context of a chunk: the worker's state, and what concerns all of its jobs. */
export type ChunkContext<Extra extends object = Record<never, never>> = Extra & {
  /** Fires when the signal of each job that is not settled has fired; the reason is the last job's. */
  readonly signal: AbortSignal
  /** A child logger that carries the function's name. */
  readonly log: Logger
  /** Enqueues further jobs over the worker's connection. */
  readonly client: Client
}

/**
 * The results a chunk's handler returns: nothing, for jobs that it settled itself (the others complete with null); an
 * array with one result per job, in their order; or a map from jobs or their ids to results. An array of another length,
 * or a map that lacks a job, fails the jobs that have no result.
 */
export type ChunkResults<Job, Result> = readonly Result[] | ReadonlyMap<Job | string, Result> | undefined | void

/** Any chunk, its handler over any jobs. @internal */
export interface AnyChunk extends ChunkOptions {
  readonly handler: (jobs: readonly ChunkJob[], ctx: ChunkContext) => unknown
  /** The input of a job, of its handler's arguments. */
  readonly inputOf: (args: readonly unknown[]) => unknown
}
