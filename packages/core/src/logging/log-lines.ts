/** The lines arq's users know (worker.py): `  0.00s → <id>:<function>(args) try=2 delayed=1.20s`. Pure. */

import { RemoteError } from '../errors.ts'
import { Tuple } from '@arq-ts/protocol/values'

/** arq's DEFAULT_CURTAIL. */
const MAX_LENGTH = 80
const MAX_ERROR_LENGTH = 1_000
const MAX_DEPTH = 3
/** Digits cost more than linear time. */
const HUGE = 10n ** 80n
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
  const told = result === undefined || result === null ? '' : safely(() => repr(result))
  return `${seconds(ranMs)} ← ${ref} ● ${cut(told, MAX_LENGTH)}`
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
  const lines = text.slice(0, MAX_ERROR_LENGTH).split('\n')
  const line = escape(
    lines
      .map((part) => part.trim())
      .filter(Boolean)
      .join(' '),
  )
  return line.length >= MAX_ERROR_LENGTH ? cut(line, MAX_ERROR_LENGTH) : line
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(6)}s`
}

function argumentsText(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): string {
  const told = safely(() => few(argumentTexts(args, kwargs), (text) => text))
  return cut(told, MAX_LENGTH)
}

/** Not inside the function above: a generator made anew for each line costs more than all the rest of it. */
function* argumentTexts(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): Generator<string> {
  for (const arg of args) yield repr(arg)
  for (const key of Object.keys(kwargs).sort()) yield `${cut(key, MAX_LENGTH)}=${repr(kwargs[key])}`
}

/** Values of handlers may throw when they are looked at; a log line must not end a job. */
function safely(text: () => string): string {
  try {
    return text()
  } catch {
    return '<cannot be shown>'
  }
}

/** arq's `truncate`; no character is cut in two. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text
  const end = /[\uD800-\uDBFF]/.test(text[length - 2] as string) ? length - 2 : length - 1
  return `${text.slice(0, end)}…`
}

/** Python's `repr`, near enough to read; bounded in depth and length, since payloads may be megabytes. */
export function repr(value: unknown, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
      return Number.isNaN(value) ? 'nan' : String(value).replace('Infinity', 'inf')
    case 'bigint':
      return value > HUGE || value < -HUGE ? '<huge integer>' : String(value)
    case 'boolean':
      return value ? 'True' : 'False'
    case 'undefined':
      return 'None'
    case 'object':
      return value === null ? 'None' : objectText(value, depth)
    default:
      return `<${typeof value}>`
  }
}

function objectText(value: object, depth: number): string {
  if (value instanceof Uint8Array && value.length <= MAX_LENGTH) return bytesText(value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `<${value.byteLength} bytes>`
  if (value instanceof Error) return describeError(value)
  if (value instanceof Date && Object.getPrototypeOf(value) === Date.prototype) {
    return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  }
  if (depth >= MAX_DEPTH) return '…'
  const item = (each: unknown) => repr(each, depth + 1)
  const pair = ([key, each]: [unknown, unknown]) => `${item(key)}: ${item(each)}`
  if (value instanceof Tuple) return `(${few(value, item)}${value.length === 1 ? ',' : ''})`
  if (Array.isArray(value)) return `[${few(value, item)}]`
  if (value instanceof Set) return value.size === 0 ? 'set()' : `{${few(value, item)}}`
  if (value instanceof Map) return `{${few(value, pair)}}`
  const told: unknown = Reflect.get(value, 'toString')
  if (typeof told === 'function' && told !== Object.prototype.toString) return oneLine(String(value))
  return `{${few(pairsOf(value), pair)}}`
}

/** One at a time: `Object.entries` of a large object would copy all of it. */
function* pairsOf(value: object): Generator<[string, unknown]> {
  for (const key in value) if (Object.hasOwn(value, key)) yield [key, (value as Record<string, unknown>)[key]]
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

/** As Python quotes: double quotes where the text itself has single ones only. */
function quote(value: string): string {
  const head = value.length > 2 * MAX_LENGTH ? value.slice(0, 2 * MAX_LENGTH) : value
  const mark = head.includes("'") && !head.includes('"') ? '"' : "'"
  const text = escape(head.replaceAll('\\', '\\\\'))
  return mark + (mark === "'" ? text.replaceAll("'", "\\'") : text) + mark
}

function bytesText(value: Uint8Array): string {
  const text = Array.from(value, (byte) => String.fromCharCode(byte)).join('')
  return `b${quote(text).replace(/[\x80-\xff]/g, escaped)}`
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
/** Nearly all texts are, and asking is far quicker than looking for what is not. */
const PLAIN = /^[ -~]*$/
// What Python's str.isprintable() refuses.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu

function escape(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNPRINTABLE, escaped)
}

function escaped(character: string): string {
  const point = character.codePointAt(0) as number
  const hex = point.toString(16)
  if (point > 0xff) return point > 0xffff ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
  return NAMED[character] ?? `\\x${hex.padStart(2, '0')}`
}
