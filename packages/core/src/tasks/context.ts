import type { Client } from '../client/client.ts'
import type { FlowScope } from '../flows/scope.ts'
import type { Logger } from '../logging/logger.ts'

/**
 * A handler's view of its job; arq's `ctx`. `Extra` is what `onStartup` and the `ctx` option put there, `Emits` what `emits`
 * of its task takes.
 */
export type JobContext<Extra extends object = Record<never, never>, Emits = unknown> = Extra & {
  /** The job's id, as in arq's `ctx['job_id']`. */
  readonly jobId: string
  /** The try, from 1. */
  readonly jobTry: number
  /** Time of the enqueue, by its producer's clock. */
  readonly enqueueTime: Date
  /** Time at which the job was due, in unix ms. */
  readonly score: number
  /** The queue it came from. */
  readonly queueName: string
  /** The keywords as they came, unvalidated. */
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Fires at the timeout, an abort, a lost lease or the worker's shutdown; the reason says which. Hand it to what you await. */
  readonly signal: AbortSignal
  /** A child logger that carries the job's id. */
  readonly log: Logger
  /**
   * Shows how far the job is, for `job.events()` and the dashboard: a share from 0 to 1, and a few words. Costs no round
   * trip; where the worker records nothing it does nothing.
   */
  progress(fraction: number, message?: string): void
  /** The flow that the job is a member of, to add members to; its `call` throws where the job is in none. */
  readonly flow: FlowScope
  /**
   * Hands out a piece of the result while the job runs, for `job.events()`: a value that JSON writes, of at most 65,280
   * bytes. Pieces are written together, 20 ms after the first, in order and each once. Await it: where 32 KiB wait, it
   * resolves once they are written.
   *
   * @throws ResultError for what does not fit the `emits` of the task; EncodeError for what JSON cannot write or what is
   *   too large; OptionsError where 4 MiB wait, as nobody awaits them, and on a worker with `recorder: false`.
   */
  emit(value: Emits): Promise<void>
  /** Enqueues further jobs over the worker's connection. */
  readonly client: Client
}
