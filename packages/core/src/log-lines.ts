/** The lines arq's users know (worker.py): `  0.00s → <id>:<function>(args) try=2 delayed=1.20s`. Pure. */

import { RemoteError } from './errors.ts'

/** arq's DEFAULT_CURTAIL. */
const MAX_LENGTH = 80
/** arq tells of a delay beyond this. */
const DELAY_TOLD_MS = 1_200

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

export function completed(ranMs: number, ref: string, result: unknown): string {
  return `${seconds(ranMs)} ← ${ref} ● ${result === undefined || result === null ? '' : truncate(safely(() => repr(result)))}`
}

export function retrying(ranMs: number, ref: string, delayMs: number): string {
  return `${seconds(ranMs)} ↻ ${ref} retrying job in ${(delayMs / 1000).toFixed(2)}s`
}

export function released(ranMs: number, ref: string): string {
  return `${seconds(ranMs)} ↻ ${ref} cancelled, will be run again`
}

export function aborted(ranMs: number, ref: string, when = ''): string {
  return `${seconds(ranMs)} ⊘ ${ref} aborted${when && ` ${when}`}`
}

export function failed(ranMs: number, ref: string, error: unknown): string {
  return `${seconds(ranMs)} ! ${ref} failed, ${describeError(error)}`
}

/** Type and message in one line, with the type by Python's name where the error came from there. */
export function describeError(error: unknown): string {
  return safely(() => errorText(error))
}

function errorText(error: unknown): string {
  if (error instanceof RemoteError) return oneLine(error.message)
  if (error instanceof Error) return oneLine(`${error.name}: ${error.message}`)
  return oneLine(String(error))
}

function oneLine(text: string): string {
  const line = text.replace(/\s*\n\s*/g, ' ')
  return line.length > 1_000 ? `${line.slice(0, 999)}…` : line
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(6)}s`
}

function argumentsText(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): string {
  const parts = args.slice(0, MAX_LENGTH).map((arg) => repr(arg))
  for (const key of Object.keys(kwargs).sort().slice(0, MAX_LENGTH)) parts.push(`${key}=${repr(kwargs[key])}`)
  return truncate(parts.join(', '))
}

/** Values of handlers may throw when they are looked at; a log line must not end a job. */
function safely(text: () => string): string {
  try {
    return text()
  } catch {
    return '<cannot be shown>'
  }
}

function truncate(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text
}

/** Python's `repr`, near enough to read; bounded in depth and length, since payloads may be megabytes. */
export function repr(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (typeof value === 'string') return quote(value)
  if (value instanceof Uint8Array)
    return `b'${value.length > MAX_LENGTH ? `<${value.length} bytes>` : Buffer.from(value).toString('latin1')}'`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof Error) return describeError(value)
  if (typeof value !== 'object') return typeof value
  if (depth >= 3) return '…'
  if (Array.isArray(value)) return `[${few(value, (item) => repr(item, depth + 1))}]`
  if (value instanceof Set) return `{${few(value, (item) => repr(item, depth + 1))}}`
  const pairs = value instanceof Map ? value : Object.entries(value)
  return `{${few(pairs as Iterable<[unknown, unknown]>, ([key, item]) => `${repr(key, depth + 1)}: ${repr(item, depth + 1)}`)}}`
}

function few<T>(items: Iterable<T>, text: (item: T) => string): string {
  const parts: string[] = []
  let length = 0
  for (const item of items) {
    if (length > MAX_LENGTH) break
    const part = text(item)
    length += part.length
    parts.push(part)
  }
  return parts.join(', ')
}

function quote(value: string): string {
  const head = value.length > 2 * MAX_LENGTH ? value.slice(0, 2 * MAX_LENGTH) : value
  return `'${head.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n').replace(/\r/g, '\\r')}'`
}
