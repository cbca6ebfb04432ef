/**
 * Decisions about a job, made without Redis, clock or handler: arq's `run_job` (worker.py) taken apart.
 *
 * claimed → admit → run | fail | release
 * run → ended → settle → finish | reschedule | release
 */
import { MAX_DEFER_MS } from '../errors/max-defer.ts'
import { JobAbortedError, JobFailedError, JobTimeoutError, RemoteError } from '../errors.ts'
import type { Retry } from '../errors.ts'
import { isAbortError } from '../errors/abort-error.ts'
import { repr } from '../values/repr.ts'
import { decodeJob } from './records.ts'
import type { CodecName, JobRecord } from './records.ts'
import { retryDelayMs } from './retry-policy.ts'
import type { PayloadLimits } from '../values/limits.ts'
import type { RetryPolicy } from './retry-policy.ts'

/** The settings of a task that the rules need; everything unset falls back to the worker's own. */
export interface TaskRules {
  maxTries?: number | undefined
  retry?: RetryPolicy | undefined
}

export interface WorkerRules {
  maxTries: number
  /** arq's `retry_jobs`: false turns `Retry` and a shutdown into failures. */
  retryJobs: boolean
  retry: RetryPolicy | undefined
  unknownFunction: 'fail' | 'release'
  /** Limits of the payloads that are read. */
  limits?: PayloadLimits | undefined
}

export type FailureReason = 'expired' | 'undecodable' | 'aborted' | 'unknown function' | 'max tries exceeded'

export type Admission<T> =
  | { kind: 'run'; record: JobRecord; codec: CodecName; task: T; jobTry: number; setTry: boolean }
  | {
      kind: 'fail'
      record: JobRecord
      codec: CodecName | undefined
      jobTry: number
      reason: FailureReason
      error: Error
      /** Undefined where the function is unknown; its keep rules count otherwise. */
      task: T | undefined
      /** The tries that this job has. */
      maxTries: number
    }
  | { kind: 'release'; record: JobRecord }

/** Characters of a function's name that an error quotes. */
const MAX_NAME_LENGTH = 200

const UNKNOWN_JOB: JobRecord = { jobTry: null, functionName: '<unknown>', args: [], kwargs: {}, enqueueTimeMs: 0 }

/** Clock-skew tolerance for an abort request that predates its job. */
const ABORT_SLACK_MS = 3_600_000

/** False for a request that was made for an earlier job of the same id; arq's are never removed, and hit the next one. */
export function isAbortOf(askedMs: number, job: Pick<JobRecord, 'enqueueTimeMs'>): boolean {
  return askedMs >= job.enqueueTimeMs - ABORT_SLACK_MS
}

/** arq's seven checks, in arq's order. `codec` is undefined where the bytes do not show it. */
export function admit<T extends TaskRules>(
  claim: { payload: Uint8Array | null; jobTry: number; abortAskedMs: number | null; deaths?: number },
  find: (functionName: string) => T | undefined,
  rules: WorkerRules,
): Admission<T> {
  let jobTry = claim.jobTry
  let task: T | undefined
  const fail = (
    record: JobRecord,
    codec: CodecName | undefined,
    reason: FailureReason,
    error: Error,
  ): Admission<T> => ({
    kind: 'fail',
    record,
    codec,
    jobTry,
    reason,
    error,
    task,
    maxTries: task?.maxTries ?? rules.maxTries,
  })

  if (claim.payload === null) return fail(UNKNOWN_JOB, undefined, 'expired', new JobFailedError('job expired'))
  let decoded: ReturnType<typeof decodeJob>
  try {
    decoded = decodeJob(claim.payload, rules.limits)
  } catch (error) {
    // Whatever it is, a payload must not be claimed for ever.
    const remote = new RemoteError('arq.jobs.DeserializationError', [
      `unable to deserialize job: ${(error as Error).message}`,
    ])
    return fail(UNKNOWN_JOB, undefined, 'undecodable', remote)
  }
  const { record, codec } = decoded
  task = find(record.functionName)
  if (claim.abortAskedMs !== null && isAbortOf(claim.abortAskedMs, record))
    return fail(record, codec, 'aborted', new JobAbortedError('aborted before start'))
  if (task === undefined) {
    if (rules.unknownFunction === 'release') return { kind: 'release', record }
    const error = new JobFailedError(`function ${repr(record.functionName, MAX_NAME_LENGTH)} not found`)
    return fail(record, codec, 'unknown function', error)
  }
  const setTry = record.jobTry !== null && record.jobTry > jobTry
  if (setTry) jobTry = record.jobTry as number
  const maxTries = task.maxTries ?? rules.maxTries
  if (jobTry > maxTries) {
    const error = new JobFailedError(`max ${maxTries} retries exceeded${deathsText(claim.deaths)}`)
    return fail(record, codec, 'max tries exceeded', error)
  }
  return { kind: 'run', record, codec, task, jobTry, setTry }
}

/** Stands behind arq's own words: operators must not look for the cause in the handler's errors alone. */
function deathsText(deaths = 0): string {
  if (deaths === 0) return ''
  return ` (${deaths === 1 ? '1 try' : `${deaths} tries`} ended with the death of the worker)`
}

/** The reason a run was interrupted. */
export type Interruption = 'aborted' | 'timed out' | 'stopped' | 'lost'

/** End of a handler. `abandoned`: it ignored its AbortSignal past the grace and still runs. */
export type Outcome = { kind: 'returned'; value: unknown } | { kind: 'threw'; error: Error } | { kind: 'abandoned' }

/** `retry`: the handler threw Retry. `cancelled`: it was cancelled from within, or threw RetryJob. `policy`: a retry policy says so. */
export type RescheduleCause = 'retry' | 'cancelled' | 'policy'

export type Ending =
  | { kind: 'finish'; success: true; value: unknown }
  | { kind: 'finish'; success: false; error: unknown; aborted: boolean; dead: boolean }
  | { kind: 'reschedule'; cause: RescheduleCause; delayMs: number | null; error: unknown }
  | { kind: 'release' }

/**
 * arq's endings, and ours: a retry policy, and a hand-back at shutdown that counts as no try.
 * `delayMs: null` keeps the job's score, as arq does for `Retry()` without a deferral. A lost lease settles nothing
 * and never comes here.
 *
 * @param random - in [0, 1), for jitter.
 */
export function settle(
  outcome: Outcome,
  interruption: Exclude<Interruption, 'lost'> | undefined,
  run: { jobTry: number; task: TaskRules; timeoutMs: number },
  rules: WorkerRules,
  random: number,
): Ending {
  if (outcome.kind === 'returned') return { kind: 'finish', success: true, value: outcome.value }
  if (outcome.kind === 'threw' && rules.retryJobs) {
    const { error } = outcome
    const deferMs = retryDeferMs(error)
    if (deferMs !== undefined) return { kind: 'reschedule', cause: 'retry', delayMs: deferMs || null, error }
    if (interruption === undefined && isCancellation(error)) {
      return { kind: 'reschedule', cause: 'cancelled', delayMs: null, error }
    }
  }
  if (interruption === 'aborted') {
    const error = new JobAbortedError('aborted while running')
    return { kind: 'finish', success: false, error, aborted: true, dead: false }
  }
  if (interruption === 'stopped' && rules.retryJobs) return { kind: 'release' }

  const error =
    outcome.kind === 'threw' && interruption === undefined
      ? outcome.error
      : interruptionError(interruption, run.timeoutMs)
  const policy = run.task.retry ?? rules.retry
  const triesLeft = run.jobTry < (run.task.maxTries ?? rules.maxTries)
  if (policy && triesLeft && isRetryable(error)) {
    const delayMs = retryDelayMs(policy, run.jobTry, error, random)
    return { kind: 'reschedule', cause: 'policy', delayMs, error }
  }
  return { kind: 'finish', success: false, error, aborted: false, dead: true }
}

function interruptionError(interruption: Interruption | undefined, timeoutMs: number): Error {
  return interruption === 'timed out'
    ? new JobTimeoutError(`the job ran longer than its timeout of ${timeoutMs} ms`)
    : new JobAbortedError('cancelled by the shutdown of its worker')
}

/**
 * The deferral that a Retry asks for, undefined for any other error. By code, not by class: a project may hold two
 * copies of this package. As in arq, the Retry with which another job has failed counts when a handler passes it on.
 */
function retryDeferMs(error: Error): number | undefined {
  if (codeOf(error) === 'ARQ_RETRY') return boundedDeferMs((error as Retry).deferMs)
  if (!isRemote(error, 'arq.worker.Retry')) return undefined
  return boundedDeferMs((error.attributes as { defer_score?: unknown } | undefined)?.defer_score)
}

/** A deferral that came as data: what is no time becomes 0, and what Redis takes for no score the longest there is. */
function boundedDeferMs(deferMs: unknown): number {
  return typeof deferMs === 'number' && deferMs > 0 ? Math.min(Math.round(deferMs), MAX_DEFER_MS) : 0
}

/**
 * True for RetryJob, and for the end of something that the handler itself cancelled: an AbortError of the platform, or
 * another job's abort. arq runs a job again that raises its RetryJob or asyncio.CancelledError.
 */
function isCancellation(error: Error): boolean {
  const code = codeOf(error)
  if (code === 'ARQ_RETRY_JOB' || code === 'ARQ_JOB_ABORTED') return true
  return (
    isAbortError(error) ||
    isRemote(error, 'arq.worker.RetryJob') ||
    isRemote(error, 'asyncio.exceptions.CancelledError')
  )
}

function isRemote(error: Error, pythonType: string): error is RemoteError {
  return codeOf(error) === 'ARQ_REMOTE' && (error as RemoteError).pythonType === pythonType
}

function codeOf(error: Error): unknown {
  return (error as { code?: unknown }).code
}

const NOT_RETRIED = new Set<unknown>(['ARQ_ARGUMENTS', 'ARQ_NON_RETRYABLE', 'ARQ_RETRY', 'ARQ_RETRY_JOB'])

function isRetryable(error: Error): boolean {
  return !NOT_RETRIED.has(codeOf(error))
}
