/**
 * Every error this library throws, with its stable code. `docs/reference/errors.md` lists exactly these;
 * a test holds the two together.
 */

/** The base of every error thrown by arq-ts: `code` is stable across releases, the message is not. */
export abstract class ArqError extends Error {
  abstract readonly code: string

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** An option is missing, unknown or has a wrong value; the message names the field and what was expected. */
export class OptionsError extends ArqError {
  readonly code = 'ARQ_INVALID_OPTIONS'
}

/** Bytes that no codec reads: truncated, hostile, beyond a limit, or not a job at all. */
export class DecodeError extends ArqError {
  readonly code = 'ARQ_DECODE'
}

/** A value that the chosen codec cannot write. */
export class EncodeError extends ArqError {
  readonly code = 'ARQ_ENCODE'
}

/** The arguments do not fit the task: missing, unknown, given twice or of a wrong type. Python's `TypeError`. Never retried. */
export class ArgumentsError extends ArqError {
  readonly code = 'ARQ_ARGUMENTS'
}

/** Thrown by a handler: this failure is final, whatever the retry policy says. */
export class NonRetryableError extends ArqError {
  readonly code = 'ARQ_NON_RETRYABLE'
}

/** The worker ended the job without an outcome of the handler. Python's `arq.worker.JobExecutionFailed`. */
export class JobFailedError extends ArqError {
  readonly code = 'ARQ_JOB_FAILED'
}

/** The job was aborted before or while it ran. Python's `asyncio.CancelledError`. */
export class JobAbortedError extends ArqError {
  readonly code = 'ARQ_JOB_ABORTED'
}

/** The handler ran past its `timeoutMs`. Python's `TimeoutError`. */
export class JobTimeoutError extends ArqError {
  readonly code = 'ARQ_JOB_TIMEOUT'
}

/** A wait (`job.result`, `job.abort`) ran past its own `timeoutMs`; the job itself goes on. */
export class TimeoutError extends ArqError {
  readonly code = 'ARQ_TIMEOUT'
}

/** No result is stored and the job is not queued: it never existed, its result expired, or none is kept. arq's `ResultNotFound`. */
export class ResultNotFoundError extends ArqError {
  readonly code = 'ARQ_RESULT_NOT_FOUND'
}

/** The reason of `ctx.signal` when another worker took the job over; what this run returns is discarded. */
export class LeaseLostError extends ArqError {
  readonly code = 'ARQ_LEASE_LOST'
}

/** The reason of `ctx.signal` when the worker stops; the job goes back to the queue, uncounted as a try. */
export class WorkerStoppedError extends ArqError {
  readonly code = 'ARQ_WORKER_STOPPED'
}

/** Redis did not answer in time, or the connection was closed for good. */
export class RedisUnavailableError extends ArqError {
  readonly code = 'ARQ_REDIS_UNAVAILABLE'
}

/** `worker.runCheck()` found failed jobs. arq's `FailedJobs`. */
export class FailedJobsError extends ArqError {
  readonly code = 'ARQ_FAILED_JOBS'
  /** How many jobs failed in this run. */
  readonly count: number

  constructor(count: number, reasons: readonly string[]) {
    super(count === 1 ? `1 job failed: ${reasons[0] ?? 'no result kept'}` : `${count} jobs failed:\n${reasons.join('\n')}`)
    this.count = count
  }
}

/**
 * An exception that crossed the wire: raised by a Python worker, or by a handler in another process.
 * `pythonType` is the dotted name Python knows it by, such as `builtins.ValueError`; `args` are its arguments.
 */
export class RemoteError extends ArqError {
  readonly code = 'ARQ_REMOTE'
  readonly pythonType: string
  readonly args: readonly unknown[]

  constructor(pythonType: string, args: readonly unknown[] = [], message?: string) {
    super(message ?? `${pythonType.slice(pythonType.lastIndexOf('.') + 1)}: ${args.map(String).join(', ')}`)
    this.pythonType = pythonType
    this.args = args
  }
}
