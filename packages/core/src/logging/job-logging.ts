import { guardedLogger } from './guarded-logger.ts'
import * as lines from './log-lines.ts'
import type { Logger } from './logger.ts'
import type { Attempt, AttemptEnd, Middleware } from '../middleware/middleware.ts'
import { checkOptions } from '../options/check.ts'
import { aLogger } from '../options/connection.ts'
import * as z from '../options/zod.ts'

/** Options of `jobLogging`. */
export interface JobLoggingOptions {
  /** Logger of the lines. */
  logger: Logger
  /** Shows the arguments of jobs that start. Default true. */
  logArguments?: boolean
  /** Shows the results of jobs that are complete. Default true. */
  logResults?: boolean
}

const schema = z.strictObject({
  logger: aLogger,
  logArguments: z.boolean().optional(),
  logResults: z.boolean().optional(),
})

/** The functions by which the middleware of this module is recognized: options are copied as they are checked. */
const OURS = new WeakSet<object>()

/**
 * Middleware that logs each try as arq does, word for word: its start and its end. A worker has it, with its own `logger`,
 * `logArguments` and `logResults`, unless its `middleware` lists one. What happens to jobs that do not start, and to the
 * worker, is logged by the worker itself.
 *
 * @throws OptionsError
 */
export function jobLogging(options: JobLoggingOptions): Middleware {
  const { logArguments = true, logResults = true, ...given } = checkOptions('jobLogging', schema, options)
  const logger = guardedLogger(given.logger)
  const observe = (attempt: Attempt) => {
    if (logger.isLevelEnabled('info')) logger.info(startOf(attempt, logArguments))
    return (end: AttemptEnd) => logEnd(logger, attempt, end, logResults)
  }
  OURS.add(observe)
  return { isActive: () => logger.isLevelEnabled('error'), observe }
}

/** True where the list has middleware of `jobLogging`. */
export function hasJobLogging(middleware: readonly Middleware[]): boolean {
  return middleware.some(({ observe }) => observe !== undefined && OURS.has(observe))
}

function startOf(attempt: Attempt, logArguments: boolean): string {
  const { dueMs, enqueueTimeMs, jobTry, startedMs } = attempt
  return lines.started({
    queuedMs: Math.max(0, startedMs - enqueueTimeMs),
    ref: refOf(attempt),
    args: logArguments ? attempt.args : [],
    kwargs: logArguments ? attempt.kwargs : {},
    jobTry,
    delayedMs: startedMs - dueMs,
  })
}

function logEnd(logger: Logger, attempt: Attempt, end: AttemptEnd, logResults: boolean): void {
  const ref = refOf(attempt)
  const { jobId } = attempt
  const { ranMs } = end
  switch (end.outcome) {
    case 'complete':
      if (logger.isLevelEnabled('info')) logger.info(lines.completed(ranMs, ref, logResults ? end.result : undefined))
      return
    case 'failed':
      return logger.error(failureFields(jobId, end.error), lines.failed(ranMs, ref, end.error))
    case 'aborted':
      return logger.info(lines.aborted(ranMs, ref))
    case 'released':
      return logger.info(lines.released(ranMs, ref))
    case 'retried': {
      const line = lines.retrying(ranMs, ref, end.delayMs)
      // `Retry` is the handler's own wish; an error that a policy retries is one that somebody wants to see.
      if (end.by === 'retry') return logger.info(line)
      return logger.warn({ err: end.error, jobId }, `${line}, ${lines.describeError(end.error)}`)
    }
    case 'lost': // the worker reports it when it notices the loss
  }
}

function refOf({ functionName, isCron, jobId }: Attempt): string {
  return lines.jobRef(jobId, functionName, isCron)
}

function failureFields(jobId: string, error: unknown): object {
  const extra = lines.extraOf(error)
  return extra === undefined ? { err: error, jobId } : { err: error, jobId, extra }
}
