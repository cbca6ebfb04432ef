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

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** File and line, environment variable or flag. */
  where: string
  /** The key below `task_queue`; empty when it is the file as a whole. */
  path: string
  /** What was expected, and what came. */
  message: string
}

/** The `task_queue` configuration is wrong; `problems` has everything that is. */
export class ConfigError extends ArqError {
  readonly code = 'ARQ_INVALID_CONFIG'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ where, message }) => `${where}: ${message}`).join('\n'))
    this.problems = problems
  }
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

/**
 * Thrown by a handler to run the job again, after `deferMs` (default: at once); it counts as a try. arq's `Retry`.
 *
 * ```ts
 * throw new Retry({ deferMs: 5_000 })
 * ```
 */
export class Retry extends ArqError {
  readonly code = 'ARQ_RETRY'
  /** Milliseconds until the next run; 0 keeps the job's place in the queue. */
  readonly deferMs: number

  /** @throws OptionsError unless `deferMs` is a number from 0 to a century; beyond, Redis may not take it. */
  constructor(options: { deferMs?: number; cause?: unknown } = {}) {
    const deferMs = options.deferMs ?? 0
    if (typeof deferMs !== 'number' || !(deferMs >= 0 && deferMs <= 3_155_760_000_000)) {
      throw new OptionsError(
        `Retry: expected \`deferMs\` to be a number of milliseconds from 0 to 3155760000000, got \`${String(deferMs)}\``,
      )
    }
    super(
      `<Retry defer ${(deferMs / 1000).toFixed(2)}s>`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.deferMs = Math.round(deferMs)
  }
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

/**
 * Redis refused a call, and would refuse it again: a key of another kind, a command the user may not use. The message is
 * the server's.
 */
export class RedisReplyError extends ArqError {
  readonly code = 'ARQ_REDIS_REPLY'
  /** The first word of the reply, which says the kind: `WRONGTYPE`, `NOPERM`, `ERR`. */
  readonly prefix: string

  constructor(reply: string, what?: string) {
    super(what === undefined ? reply : `${what}: ${reply}`)
    this.prefix = /^[A-Z]+/.exec(reply)?.[0] ?? 'ERR'
  }
}

/** `worker.runCheck()` found failed jobs. arq's `FailedJobs`. */
export class FailedJobsError extends ArqError {
  readonly code = 'ARQ_FAILED_JOBS'
  /** How many jobs failed in this run. */
  readonly count: number

  constructor(count: number, reasons: readonly string[]) {
    super(
      count === 1 ? `1 job failed: ${reasons[0] ?? 'no result kept'}` : `${count} jobs failed:\n${reasons.join('\n')}`,
    )
    this.count = count
  }
}

/**
 * An exception that crossed the wire: raised by a Python worker, or by a handler in another process.
 * A handler may throw one, to fail with the Python exception of its choice.
 */
export class RemoteError extends ArqError {
  readonly code = 'ARQ_REMOTE'
  /** The dotted name Python knows it by, such as `builtins.ValueError`. */
  readonly pythonType: string
  /** The exception's `args`. */
  readonly args: readonly unknown[]
  /** Its module, where the rest of `pythonType` has dots of its own (a nested class). */
  readonly module: string
  /** Its `__dict__`, when it has one. */
  readonly attributes: unknown

  constructor(
    pythonType: string,
    args: readonly unknown[] = [],
    details: { message?: string; module?: string; attributes?: unknown } = {},
  ) {
    const name = pythonType.slice(pythonType.lastIndexOf('.') + 1)
    super(details.message ?? (args.length === 0 ? name : `${name}: ${args.map(plainText).join(', ')}`))
    this.pythonType = pythonType
    this.args = args
    this.module =
      details.module ?? (pythonType.includes('.') ? pythonType.slice(0, pythonType.lastIndexOf('.')) : 'builtins')
    this.attributes = details.attributes
  }
}

/** Exceptions may hold anything: an object without a prototype has no words, and must not break the telling. */
function plainText(value: unknown): string {
  try {
    return String(value)
  } catch {
    return typeof value
  }
}
