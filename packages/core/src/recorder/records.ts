// Records of the history about single jobs, errors, workers and operators, and the reading of its entries.

import type { FunctionDefinition } from './function-definitions.ts'
import type { Language } from './series-name.ts'

/** `muted` stays so; `resolved` is open again once the error comes back. */
export type ErrorState = 'open' | 'muted' | 'resolved'
export const ERROR_STATES: readonly ErrorState[] = ['open', 'muted', 'resolved']

/** Errors of one type whose messages differ only in numbers, ids and times. */
export interface ErrorGroup {
  fingerprint: string
  /** The error's name, or the dotted name of a Python exception. */
  type: string
  /** The message with words in place of what differs, such as `<n>` and `<uuid>`. */
  message: string
  /** The last message as it came, without passwords. */
  sample: string
  /** The stack of the first; null where there is none. */
  stack: string | null
  count: number
  /** Unix ms of Redis. */
  firstMs: number
  lastMs: number
  state: ErrorState
  functions: string[]
  queues: string[]
  lastJobId: string
}

/** A job that ended lately: a failure, a sample of the others, or the slowest of its time. */
export interface RecentJob {
  /** Id of the entry. */
  id: string
  jobId: string
  functionName: string
  queueName: string
  language: Language
  outcome: 'complete' | 'failed' | 'aborted'
  why: 'failure' | 'sample' | 'slowest'
  jobTry: number
  /** Unix ms of Redis. */
  startedMs: number
  finishedMs: number
  waitMs: number
  runMs: number
  workerId: string
  error?: string
  fingerprint?: string
}

/** Something that happened to a job, a worker or a queue. */
export interface RecordedEvent {
  /** Id of the entry. */
  id: string
  /** Unix ms of Redis. */
  atMs: number
  kind:
    | 'failed'
    | 'retried'
    | 'lease-lost'
    | 'worker-started'
    | 'worker-stopped'
    | 'paused'
    | 'resumed'
    | 'cron-paused'
    | 'cron-resumed'
  jobId?: string
  functionName?: string
  queueName?: string
  workerId?: string
  jobTry?: number
  error?: string
  fingerprint?: string
  /** Version of arq-ts, of a worker that started. */
  version?: string
  delayMs?: number
  /** Number of events of this worker that were left out after this one: there were too many. */
  more?: number
}

/** A try that did not end its job well. */
export interface RecordedTry {
  /** Unix ms of Redis. */
  atMs: number
  jobTry: number
  kind: 'failed' | 'retried' | 'lease-lost'
  /** Null where no handler ran. */
  startedMs: number | null
  runMs: number | null
  workerId: string
  error?: string
  fingerprint?: string
  delayMs?: number
}

/**
 * Reason why a worker left a tick out: `overlap`, the one before still ran; `late`, Redis was away for too long; `paused`,
 * the cron job was paused.
 */
export type LeftOut = 'overlap' | 'late' | 'paused'

/** A tick of a cron job that ended, or that a worker left out. */
export interface RecordedTick {
  /** The moment of the schedule, in unix ms. */
  atMs: number
  /** The end of its job, or the reason why it was left out. */
  outcome: 'complete' | 'failed' | 'aborted' | LeftOut
  jobId: string
  queueName: string
  /** Unix ms of Redis; null where no handler ran. */
  startedMs: number | null
  finishedMs: number | null
  /** The worker that ran it or left it out; `python` for Python's. */
  workerId: string
  language: Language
}

/** True for the outcome of a tick that was not enqueued. */
export function isLeftOut(outcome: RecordedTick['outcome']): outcome is LeftOut {
  return outcome === 'overlap' || outcome === 'late' || outcome === 'paused'
}

/** Something an operator did. */
export interface AuditEntry {
  /** Id of the entry. */
  id: string
  /** Unix ms of Redis. */
  atMs: number
  actor: string
  action: string
  resource: string
  detail?: unknown
}

/** Reads an entry that is JSON of an object with these members; undefined for anything else. */
export function readEntry(
  value: string | null,
  members: Readonly<Record<string, 'string' | 'number'>>,
): Record<string, unknown> | undefined {
  if (value === null) return undefined
  let read: unknown
  try {
    read = JSON.parse(value)
  } catch {
    return undefined
  }
  if (typeof read !== 'object' || read === null) return undefined
  const fields = read as Record<string, unknown>
  return Object.entries(members).every(([name, type]) => typeof fields[name] === type) ? fields : undefined
}

/** Reads the hash of a fingerprint; undefined where there is none. */
export function readErrorGroup(fingerprint: string, hash: Readonly<Record<string, string>>): ErrorGroup | undefined {
  if (hash.type === undefined || hash.firstMs === undefined) return undefined
  const named = (prefix: string) =>
    Object.keys(hash)
      .filter((field) => field.startsWith(prefix))
      .map((field) => field.slice(prefix.length))
  return {
    fingerprint,
    type: hash.type,
    message: hash.message ?? '',
    sample: hash.sample ?? '',
    stack: hash.stack || null,
    count: Number(hash.count) || 0,
    firstMs: Number(hash.firstMs) || 0,
    lastMs: Number(hash.lastMs) || 0,
    state: ERROR_STATES.find((state) => state === hash.state) ?? 'open',
    functions: named('f:'),
    queues: named('q:'),
    lastJobId: hash.jobId ?? '',
  }
}

/** Reads the definition of a function; null where there is none. */
export function readDefinition(value: string | null): FunctionDefinition | null {
  const read = readEntry(value, { timeoutMs: 'number', maxTries: 'number', keepResultMs: 'number' })
  if (!read) return null
  const { limits, sandbox, chunk } = read
  const bounds = (chunk ?? {}) as Record<string, unknown>
  const { size, waitMs } = bounds
  return {
    ...(read as unknown as FunctionDefinition),
    // Older versions did not write these.
    limits: Array.isArray(limits) ? (limits as FunctionDefinition['limits']).filter(isDeclared) : [],
    sandbox: sandbox === 'thread' || sandbox === 'process' ? sandbox : null,
    chunk: typeof size === 'number' && typeof waitMs === 'number' ? { size, waitMs } : null,
  }
}

/** Reads a definition without trust: anybody may write one. */
function isDeclared(limit: unknown): boolean {
  return typeof (limit as { name?: unknown } | null)?.name === 'string'
}
