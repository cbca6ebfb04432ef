/** The lines arq's users know (worker.py): `  0.00s → <id>:<function>(args) try=2 delayed=1.20s`. Pure. */

import { asError } from '@arq-ts/protocol/errors'
import { RemoteError } from '../errors.ts'
import { escapeUnprintable, repr, reprCall, showName, truncate } from '@arq-ts/protocol/show'
import { isError } from '@arq-ts/protocol/values'

/** arq's DEFAULT_CURTAIL. */
const MAX_LENGTH = 80
const MAX_ERROR_LENGTH = 1_000
/** As long as `showName` shows a name. */
const MAX_NAME_LENGTH = 200
/** Smallest delay that arq logs, in ms. */
const DELAY_TOLD_MS = 1_200

/**
 * A job in a line: `<id>:<function>`; arq names cron runs by function alone. Both come from whoever queued the job, and
 * may neither forge a line nor fill a log.
 */
export function jobRef(jobId: string, functionName: string, isCron = false): string {
  return isCron ? showName(functionName) : `${showName(jobId)}:${showName(functionName)}`
}

/** A job begins: its arguments, the try from the second on, and a delay worth a mention. */
export function started(job: {
  queuedMs: number
  ref: string
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
  jobTry: number
  delayedMs: number
}): string {
  const again = job.jobTry > 1 ? ` try=${job.jobTry}` : ''
  const delayed = job.delayedMs > DELAY_TOLD_MS ? ` delayed=${(job.delayedMs / 1000).toFixed(2)}s` : ''
  return `${seconds(job.queuedMs)} → ${job.ref}(${argumentsText(job.args, job.kwargs)})${again}${delayed}`
}

/** A job has returned; a null result is not shown. */
export function completed(ranMs: number, ref: string, result: unknown): string {
  const shown = result === undefined || result === null ? '' : safely(() => repr(result, MAX_LENGTH))
  return `${seconds(ranMs)} ← ${ref} ● ${shown}`
}

/** A job runs again after `delayMs`. */
export function retrying(ranMs: number, ref: string, delayMs: number): string {
  return `${seconds(ranMs)} ↻ ${ref} retrying job in ${(delayMs / 1000).toFixed(2)}s`
}

/** A job goes back to its queue, at a shutdown. */
export function released(ranMs: number, ref: string): string {
  return `${seconds(ranMs)} ↻ ${ref} cancelled, will be run again`
}

/** A job was aborted; `when` says when, if not while it ran. */
export function aborted(ranMs: number, ref: string, when = ''): string {
  return `${seconds(ranMs)} ⊘ ${ref} aborted${when && ` ${when}`}`
}

/** A job has failed for good: the class and message of the error, as arq prints them. */
export function failed(ranMs: number, ref: string, error: unknown): string {
  return `${seconds(ranMs)} ! ${ref} failed, ${safely(() => failureText(error))}`
}

/** A job whose payload is gone. */
export function expired(jobId: string): string {
  return `job ${showName(jobId)} expired`
}

/** A job whose payload no codec reads. */
export function undecodable(jobId: string): string {
  return `deserializing job ${showName(jobId)} failed`
}

/** A job of a function that this worker does not have. */
export function unknownFunction(jobId: string, functionName: string): string {
  return `job ${showName(jobId)}, function ${repr(functionName, MAX_NAME_LENGTH)} not found`
}

/** A job that has used up its tries; the time is that since it was enqueued. */
export function maxTriesExceeded(queuedMs: number, ref: string, maxTries: number): string {
  return `${seconds(queuedMs)} ! ${ref} max retries ${maxTries} exceeded`
}

/** A result that its codec cannot write; `even after replacing result` where the failure that says so cannot either. */
export function unserializable(ref: string, isReplaced = false): string {
  return `error serializing result of ${ref}${isReplaced ? ' even after replacing result' : ''}`
}

/** The jobs of a worker that stops. */
export interface ShutdownCounts {
  complete: number
  failed: number
  retried: number
  ongoing: number
}

/** A worker begins to stop: on a signal, by its name, or on `stop()`. */
export function shutdown(cause: string, counts: ShutdownCounts, isWaiting: boolean): string {
  return `shutdown on ${cause} ◆ ${countsText(counts)} ${isWaiting ? 'to be completed' : 'ongoing to cancel'}`
}

/** A stopping worker no longer waits for running jobs. */
export function waitComplete(cause: string, counts: ShutdownCounts): string {
  return `shutdown on ${cause}, wait complete ◆ ${countsText(counts)} ongoing to cancel`
}

function countsText({ complete, failed, retried, ongoing }: ShutdownCounts): string {
  return `${complete} jobs complete ◆ ${failed} failed ◆ ${retried} retries ◆ ${ongoing}`
}

/** The `extra` of an error, which arq puts on the log record: a value, or a function that makes it. */
export function extraOf(error: unknown): unknown {
  try {
    const extra = (error as { extra?: unknown }).extra
    return typeof extra === 'function' ? (extra as () => unknown).call(error) : extra
  } catch {
    return undefined
  }
}

/** Ours by the names that arq's users know them by; by code, since a project may hold two copies of a package. */
const PYTHON_NAMES: Readonly<Record<string, string>> = {
  ARQ_ARGUMENTS: 'TypeError',
  ARQ_JOB_ABORTED: 'CancelledError',
  ARQ_JOB_FAILED: 'JobExecutionFailed',
  ARQ_JOB_TIMEOUT: 'TimeoutError',
}

/** As arq, an error without a message leaves the colon. */
function failureText(thrown: unknown): string {
  if (!isError(thrown)) return describeError(thrown)
  const error = asError(thrown)
  if (error instanceof RemoteError) return error.args.length === 0 ? `${describeError(error)}: ` : describeError(error)
  const { code, message, name } = error as Error & { code?: unknown }
  return `${PYTHON_NAMES[String(code)] ?? name}: ${oneLine(message)}`
}

/** Type and message in one line, with the type by Python's name where the error came from there. */
export function describeError(error: unknown): string {
  return safely(() => oneLine(errorText(error)))
}

function errorText(thrown: unknown): string {
  if (!isError(thrown)) return String(thrown)
  const error = asError(thrown)
  return error instanceof RemoteError ? error.message : `${error.name}: ${error.message}`
}

/** Cut before it is worked on: a message may be megabytes, and hold what moves a terminal's cursor. */
function oneLine(text: string): string {
  const lines = text.slice(0, MAX_ERROR_LENGTH + 1).split('\n')
  const line = escapeUnprintable(
    lines
      .map((part) => part.trim())
      .filter(Boolean)
      .join(' '),
  )
  return truncate(line, MAX_ERROR_LENGTH)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(6)}s`
}

function argumentsText(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): string {
  return safely(() => reprCall(args, kwargs, MAX_LENGTH))
}

/** Values of handlers may throw when they are looked at; a log line must not end a job. */
function safely(text: () => string): string {
  try {
    return text()
  } catch {
    return '<cannot be shown>'
  }
}
