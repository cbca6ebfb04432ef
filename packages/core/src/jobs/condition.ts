import { DecodeError } from '../errors.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import type { PayloadLimits } from '@arq-ts/protocol'
import { decodeJob, ENDED_IN_PROGRESS, isWellFormed, PYTHON_IN_PROGRESS, showId } from '@arq-ts/protocol/jobs'
import type { CodecName, JobRecord } from '@arq-ts/protocol/jobs'
import { spanText } from '../time/span.ts'
import type { Damage } from '../redis/damage.ts'
import { isCounter } from '../redis/jobs.ts'
import type { ExaminedJob } from '../redis/jobs.ts'

/**
 * The state of a job in one word, for tables, filters and JSON alike. `Job.status()` has arq's words, which know neither
 * retries nor dead letters.
 *
 * - `queued`: due, waits for a worker · `deferred`: not due yet · `retrying`: was tried, waits for the next try
 * - `running`: a worker of either language holds it
 * - `complete`, `failed`, `aborted`: ended, with a kept result · `dead`: failed for good, kept as a dead letter
 * - `not_found`: nothing is known of it
 */
export type JobState = 'queued' | 'deferred' | 'retrying' | 'running' | EndedState | 'not_found'

/** States of jobs that have ended. */
export type EndedState = 'complete' | 'failed' | 'aborted' | 'dead'

/** All states that a job can be listed by. */
export const JOB_STATES = [
  'queued',
  'deferred',
  'retrying',
  'running',
  'complete',
  'failed',
  'aborted',
  'dead',
] as const satisfies readonly JobState[]

/** The worker that holds a running job, from its in-progress key. */
export interface JobHolder {
  language: 'python' | 'arq-ts' | 'unknown'
  /** The id of the arq-ts worker; null where a Python worker holds it: they all write the same value. */
  workerId: string | null
  /** True when that worker is alive; null where nobody can know. */
  alive: boolean | null
  /** Start of the run, in unix ms of Redis; null unless a live arq-ts worker names it. */
  sinceMs: number | null
  /** Time until the hold lapses unless it is renewed, in ms; null where it never does. */
  expiresInMs: number | null
}

/** The state of a member of a queue. */
export function waitingState(
  job: { score: number; isHeld: boolean; tries: string | null },
  nowMs: number,
): 'queued' | 'deferred' | 'retrying' | 'running' {
  if (job.isHeld) return 'running'
  if (triesOf(job.tries) > 0) return 'retrying'
  return job.score > nowMs ? 'deferred' : 'queued'
}

/** The number in a try counter; 0 where it holds none. */
export function triesOf(counter: string | null): number {
  const tries = Number(counter)
  return Number.isSafeInteger(tries) ? Math.max(0, tries) : 0
}

/** A job's payload as it was read: the record, or why no codec reads it. */
export type ReadPayload =
  | { kind: 'record'; record: JobRecord; codec: CodecName }
  | { kind: 'unreadable'; reason: string }
  | { kind: 'missing' }

/** Reads a payload. */
export function readPayload(payload: Buffer | null, limits?: PayloadLimits): ReadPayload {
  if (payload === null) return { kind: 'missing' }
  try {
    return { kind: 'record', ...decodeJob(payload, limits) }
  } catch (error) {
    if (error instanceof DecodeError) return { kind: 'unreadable', reason: error.message }
    throw error
  }
}

/** Finds the holder of a job. `ttlMs`: until the in-progress key expires. */
export function holderOf(
  jobId: string,
  { isHeld, holder }: Pick<ExaminedJob, 'isHeld' | 'holder'>,
  workers: readonly WorkerInfo[],
  ttlMs: number | null,
): JobHolder | null {
  if (!isHeld) return null
  const unknown = { workerId: null, alive: null, sinceMs: null, expiresInMs: ttlMs }
  if (holder === null) return { language: 'unknown', ...unknown }
  if (holder === ENDED_IN_PROGRESS) return null
  if (holder === PYTHON_IN_PROGRESS) return { language: 'python', ...unknown }
  const workerId = workerIdOf(holder)
  const worker = workers.find((each) => each.id === workerId)
  const run = worker?.running.find((each) => each.jobId === jobId)
  return {
    language: workerId === null ? 'unknown' : 'arq-ts',
    workerId,
    // An empty registry may have been lost.
    alive: workerId === null || workers.length === 0 ? null : worker !== undefined,
    sinceMs: run?.startedAtMs ?? null,
    expiresInMs: ttlMs,
  }
}

/** The worker's id in a fencing token; null for a value that is none. */
export function workerIdOf(holder: string): string | null {
  const end = holder.lastIndexOf('/')
  return end <= 0 ? null : holder.slice(0, end)
}

const TYPES: Readonly<Record<string, string>> = { zset: 'sorted set' }

/** A damaged key in words. */
export function damageText({ key, type }: Damage): string {
  return `the key "${showId(key)}" holds a ${TYPES[type] ?? type}, which neither arq nor arq-ts reads`
}

/** Everything that is wrong with a waiting or running job, a sentence each. */
export function problemsOf(job: ExaminedJob, read: ReadPayload, holder: JobHolder | null): string[] {
  const problems = job.damaged.map(damageText)
  const isDamaged = (part: string) => job.damaged.some(({ key }) => key.includes(part))
  if (read.kind === 'missing' && !isDamaged('arq:job:')) {
    problems.push('it has no payload: that has expired, was evicted, or was deleted')
  }
  if (read.kind === 'unreadable') problems.push(`no codec reads its payload: ${read.reason}`)
  if (read.kind === 'record' && !isDate(read.record.enqueueTimeMs)) {
    problems.push(`its enqueue time ${numberText(read.record.enqueueTimeMs)} is no time`)
  }
  if (!isCounter(job.tries)) problems.push(`its try counter holds ${JSON.stringify(job.tries)}, which is no number`)
  const score = scoreProblem(job.score)
  if (score !== null) problems.push(score)
  if (!isWellFormed(job.jobId)) problems.push('its id is not UTF-8: a Python worker that reads it ends with an error')
  if (holder?.alive === false) {
    const until = holder.expiresInMs === null ? 'and never lapses' : `and lapses in ${spanText(holder.expiresInMs)}`
    problems.push(`the worker ${holder.workerId} that holds it is gone; the hold stays ${until}`)
  }
  return problems
}

/** The problem of a score that is no time; null for any other. */
export function scoreProblem(score: number | null): string | null {
  if (score === null || isDate(score)) return null
  const early = 'it was due before any other, and a Python worker that reads it ends with an error'
  return `its score is ${score === Infinity ? '+inf' : numberText(score)}: ${score > 0 ? 'it is never due' : early}`
}

/** True when a Date can hold this time. */
export function isDate(ms: number): boolean {
  return !Number.isNaN(new Date(ms).getTime())
}

/** A number as Redis and Python write it. */
export function numberText(value: number): string {
  return String(value).replace('Infinity', 'inf')
}
