/** The lines arq's users know (worker.py): `  0.00s → <id>:<function>(args) try=2 delayed=1.20s`. Pure. */

import { RemoteError } from '../errors.ts'
import { escapeUnprintable, repr, reprCall, truncate } from '@arq-ts/protocol/show'

/** arq's DEFAULT_CURTAIL. */
const MAX_LENGTH = 80
const MAX_ERROR_LENGTH = 1_000
/** arq tells of a delay beyond this. */
const DELAY_TOLD_MS = 1_200

/** A job begins: its arguments, the try from the second on, and a delay worth telling. */
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

/** A job has returned; nothing is told of a null result. */
export function completed(ranMs: number, ref: string, result: unknown): string {
  const told = result === undefined || result === null ? '' : safely(() => repr(result, MAX_LENGTH))
  return `${seconds(ranMs)} ← ${ref} ● ${told}`
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

/** A job has failed for good. */
export function failed(ranMs: number, ref: string, error: unknown): string {
  return `${seconds(ranMs)} ! ${ref} failed, ${describeError(error)}`
}

/** Type and message in one line, with the type by Python's name where the error came from there. */
export function describeError(error: unknown): string {
  return safely(() => oneLine(errorText(error)))
}

function errorText(error: unknown): string {
  if (error instanceof RemoteError) return error.message
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
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
