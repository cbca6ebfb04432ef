import { createHash } from 'node:crypto'
import { asError } from '@arq-ts/protocol/errors'
import { RemoteError } from '../errors.ts'
import { maskMessage } from '../logging/secrets.ts'

/** Characters that are looked at; a message may have megabytes. */
const MAX_MESSAGE = 1_000
const MAX_STACK = 4_000

/** Patterns of what differs from one error of a kind to the next, each with the word that stands for it, in order. */
const VARIABLE: readonly [RegExp, string][] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<uuid>'],
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?\b/g, '<time>'],
  [/\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}\b/g, '<email>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b/g, '<address>'],
  [/\b0x[0-9a-f]{1,64}\b/gi, '<hex>'],
  [/\b(?=[0-9a-f]{0,63}\d)(?=[0-9a-f]{0,63}[a-f])[0-9a-f]{8,64}\b/gi, '<hex>'],
  [/\d+(?:[.,]\d+)*/g, '<n>'],
]

/** An error as it is grouped and shown. */
export interface DescribedError {
  fingerprint: string
  type: string
  /** The message without what differs from one such error to the next. */
  message: string
  /** The message as it came, without passwords. */
  sample: string
  stack: string
}

/** The message with ids, numbers, times and addresses replaced; the job's own id too. */
export function normalise(message: string, jobId?: string): string {
  let text = message.slice(0, MAX_MESSAGE)
  if (jobId !== undefined && jobId.length >= 4) text = text.replaceAll(jobId, '<job>')
  for (const [pattern, word] of VARIABLE) text = text.replace(pattern, word)
  return text.replace(/\s+/g, ' ').trim()
}

/** The fingerprint of errors of a type whose normalised messages are equal. */
export function fingerprintOf(type: string, message: string): string {
  return createHash('sha256').update(`${type} ${message}`).digest('hex').slice(0, 16)
}

/** Describes what was thrown; never throws itself, whatever that is. */
export function describeThrown(thrown: unknown, jobId: string): DescribedError {
  const { type, message, stack } = readThrown(thrown)
  const sample = maskMessage(message.slice(0, MAX_MESSAGE))
  const normalised = normalise(sample, jobId)
  return {
    fingerprint: fingerprintOf(type, normalised),
    type,
    message: normalised,
    sample,
    stack: maskMessage(stack.slice(0, MAX_STACK)),
  }
}

function readThrown(thrown: unknown): { type: string; message: string; stack: string } {
  const error = asError(thrown)
  const { message, name, stack = '' } = error
  return error instanceof RemoteError
    ? { type: String(error.pythonType).slice(0, 200), message, stack: '' }
    : { type: name, message, stack }
}
