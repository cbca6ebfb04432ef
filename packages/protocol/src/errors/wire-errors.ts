/** Errors of the wire: of codecs and arguments, and those by which a job ends. */
import { optionNames } from '../values/realms.ts'
import { MAX_DEFER_MS } from './max-defer.ts'

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

  /** @throws OptionsError unless `deferMs` is a number from 0 to a century, and for any other option. */
  constructor(options: { deferMs?: number; cause?: unknown } = {}) {
    checkRetryOptions(options)
    const deferMs = options.deferMs ?? 0
    if (typeof deferMs !== 'number' || !(deferMs >= 0 && deferMs <= MAX_DEFER_MS)) {
      throw new OptionsError(
        `Retry: expected \`deferMs\` to be a number of milliseconds from 0 to ${MAX_DEFER_MS}, got \`${String(deferMs)}\``,
      )
    }
    super(
      `<Retry defer ${(deferMs / 1000).toFixed(2)}s>`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.deferMs = Math.round(deferMs)
  }
}

function checkRetryOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw new OptionsError(`Retry: expected an options object, \`{ deferMs }\`, got \`${String(options)}\``)
  }
  const unknown = optionNames(options).find((key) => key !== 'deferMs' && key !== 'cause')
  if (unknown !== undefined) {
    throw new OptionsError(
      `Retry: unknown option \`${unknown.slice(0, 64)}\`, did you mean \`deferMs\` (in milliseconds)?`,
    )
  }
}

/** Thrown by a handler to run the job again at once, as if it had been cancelled; it counts as a try. arq's `RetryJob`. */
export class RetryJob extends ArqError {
  readonly code = 'ARQ_RETRY_JOB'

  constructor(message = '', options?: ErrorOptions) {
    super(message, options)
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
