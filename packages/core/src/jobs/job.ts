import {
  JobAbortedError,
  JobFailedError,
  RedisReplyError,
  RedisUnavailableError,
  RemoteError,
  ResultNotFoundError,
  TimeoutError,
} from '../errors.ts'
import { decodeJob, decodeResult, detailsIn, restoreDetails } from '@arq-ts/protocol/jobs'
import type { JobRecord, ResultRecord } from '@arq-ts/protocol/jobs'
import { statusOf } from '@arq-ts/protocol/jobs'
import type { JobStatus } from '@arq-ts/protocol/jobs'
import type { AnyContract } from '../tasks/contract.ts'
import { jobEvents } from '../progress/job-events.ts'
import type { JobEventOptions } from '../progress/job-events.ts'
import type { JobLogEntry } from '../progress/job-log.ts'
import { checkMethodOptions, checkWait, methodSchemas } from '../options/arguments.ts'
import { Deadline } from '../time/deadline.ts'
import type { RedisContext } from '../redis/context.ts'

/** arq's own pace of asking for a result; ours hears of it sooner where a worker of ours ran the job. */
const POLL_DELAY_MS = 500

/** Data of a job; arq's `JobDef`. */
export interface JobInfo {
  jobId: string
  /** The function's name on the wire. */
  functionName: string
  /** Positional arguments, as they were sent. */
  args: readonly unknown[]
  /** Keyword arguments, as they were sent. */
  kwargs: Readonly<Record<string, unknown>>
  /** The try the producer asked for (a queued job), or the one that ended it (a result). */
  jobTry: number | null
  /** Time of the enqueue, by its producer's clock. */
  enqueueTime: Date
  /** Due time, in unix ms; null once it is no longer queued. A running job's score is its lease's end. */
  score: number | null
}

/** Result of a job; arq's `JobResult`. */
export interface JobResult extends JobInfo {
  /** False when it failed, timed out, or was aborted. */
  success: boolean
  /** Return value of the handler, or the error. */
  result: unknown
  /** Start of its last run; Redis's time where a worker of ours ran it, else the Python worker's. */
  startTime: Date
  /** End of that run, by the same clock. */
  finishTime: Date
  /** The queue it ran from. */
  queueName: string
}

/** Time to wait for the end of a job. */
export interface WaitOptions {
  /** In ms; 0 asks once. Default: for ever, as arq does. */
  timeoutMs?: number
}

/** The part of a task's contract by which what its jobs give is read. */
type Reading = Pick<AnyContract, 'unpack' | 'unpackEmitted'>

/** A handle on one job, queued by whichever language. arq's `Job`. */
export class Job<Result = unknown, Emitted = unknown> {
  readonly jobId: string
  readonly queueName: string
  readonly #link: RedisContext
  readonly #reading: Reading

  /** @internal Use `client.job(id)` or what `enqueue` gives. */
  constructor(jobId: string, queueName: string, link: RedisContext, reading: Reading = {}) {
    this.#reading = reading
    this.jobId = jobId
    this.queueName = queueName
    this.#link = link
  }

  /**
   * Waits for the end of the job and gives its result.
   *
   * @throws ResultError when the result does not fit the `returns` of its task.
   * @throws the job's own error: RemoteError for an exception, JobAbortedError, or JobFailedError where it has none.
   * @throws ResultNotFoundError when it is not queued and no result is kept.
   * @throws TimeoutError after `timeoutMs`, whatever Redis does; the job continues.
   * @throws RedisUnavailableError when Redis is away for longer than the client's `commandTimeoutMs`.
   */
  async result(options: WaitOptions = {}): Promise<Result> {
    checkWait('job.result', options)
    return this.#result(new Deadline(options.timeoutMs))
  }

  /**
   * The stored result, or null when there is none (yet). Does not throw when the job failed.
   *
   * @throws RedisUnavailableError when Redis does not answer; DecodeError when no codec reads what is stored.
   */
  async resultInfo(): Promise<JobResult | null> {
    const { result, score } = await this.#link.jobs.readResult(this.jobId, this.queueName)
    return result === null ? null : toJobResult(decodeResult(result, this.#link.limits).record, this.jobId, score)
  }

  /**
   * Returns the data of the job, its result included; null when nothing is known.
   *
   * @throws RedisUnavailableError when Redis does not answer; DecodeError when no codec reads what is stored.
   */
  async info(): Promise<JobInfo | JobResult | null> {
    const stored = await this.#link.jobs.read(this.jobId, this.queueName)
    if (stored.result)
      return toJobResult(decodeResult(stored.result, this.#link.limits).record, this.jobId, stored.score)
    return stored.job ? toJobInfo(decodeJob(stored.job, this.#link.limits).record, this.jobId, stored.score) : null
  }

  /**
   * Returns the state of the job, by arq's names: `deferred`, `queued`, `in_progress`, `complete` (also failed) or `not_found`.
   *
   * @throws RedisUnavailableError when Redis does not answer.
   */
  async status(): Promise<JobStatus> {
    const { jobs, clock } = this.#link
    const [stored] = await Promise.all([jobs.read(this.jobId, this.queueName), this.#link.syncClock()])
    return statusOf(stored, clock.now())
  }

  /**
   * Aborts the job, queued, deferred or running, on workers of both languages that allow it.
   * True when it ended aborted; false when it ended otherwise, was not found, or left no result.
   *
   * @throws TimeoutError after `timeoutMs`, whatever Redis does; a request that was made stands.
   * @throws RedisUnavailableError when Redis is away for longer than the client's `commandTimeoutMs`.
   */
  async abort(options: WaitOptions = {}): Promise<boolean> {
    checkWait('job.abort', options)
    const deadline = new Deadline(options.timeoutMs)
    if (!(await this.#requestAbort(deadline))) return false
    try {
      await this.#result(deadline)
      return false
    } catch (error) {
      if ([TimeoutError, RedisUnavailableError, RedisReplyError].some((kind) => error instanceof kind)) throw error
      return error instanceof JobAbortedError
    }
  }

  /**
   * Events of the job, live, until it has ended or `signal` fires: what it logs (tasks with `record: { logs: true }`), its
   * progress, the pieces that its handler emits, and its end. Each has the try that wrote it: a job that is tried again
   * begins anew. The last 64 KiB of a job are kept, of the newest 500 jobs that had any, as long as its result or its dead
   * letter: at least a minute, at most 7 days.
   *
   * @throws OptionsError; ResultError when a piece does not fit the `emits` of its task; RedisUnavailableError when Redis does
   *   not answer. `after` continues behind the last event.
   */
  events(options: JobEventOptions = {}): AsyncGenerator<JobLogEntry<Emitted>, void, undefined> {
    checkMethodOptions('job.events', methodSchemas.events, options)
    const { unpackEmitted = (value: unknown) => value } = this.#reading
    return jobEvents(this.#link, this, options, unpackEmitted)
  }

  #requestAbort(deadline: Deadline): Promise<boolean> {
    const { broker, timeoutMs } = this.#link
    // Without time to wait it is asked once, in the time a call may take.
    if (deadline.ms === 0) return broker.requestAbort(this.jobId, this.queueName, timeoutMs)
    const late = () =>
      new TimeoutError(
        `the abort of job ${this.jobId} was not confirmed within ${deadline.ms} ms: Redis did not answer, and may still get it`,
      )
    // A little longer than is waited for, so that it is always the wait that ends.
    const forMs = Math.min(deadline.leftMs + 100, timeoutMs)
    return deadline.race(broker.requestAbort(this.jobId, this.queueName, forMs), late)
  }

  async #result(deadline: Deadline): Promise<Result> {
    const late = () => new TimeoutError(`job ${this.jobId} did not end within ${deadline.ms} ms; it continues`)
    // Without time to wait it is asked once, in the time a call may take.
    const found = await (deadline.ms === 0 ? this.#poll() : deadline.race(this.#end(deadline), late))
    if (!found) throw late()
    const { record } = decodeResult(found, this.#link.limits)
    const { unpack } = this.#reading
    if (record.success) return (unpack ? await unpack(record.result) : record.result) as Result
    throw failureOf(record)
  }

  async #poll(): Promise<Buffer | null> {
    const { result, score } = await this.#link.jobs.readResult(this.jobId, this.queueName)
    if (result === null && score === null) {
      throw new ResultNotFoundError(
        `job ${this.jobId} is not in ${this.queueName} and has no result; is its worker configured to keep results?`,
      )
    }
    return result
  }

  /** The stored result once there is one; null after the deadline. */
  async #end(deadline: Deadline): Promise<Buffer | null> {
    const found = await this.#poll()
    if (found) return found
    let wake = () => {}
    const stop = await this.#link
      .onEnd(this.jobId, () => wake())
      .catch((error: unknown) => {
        // A user who may not listen waits as arq's do.
        if (error instanceof RedisReplyError && error.prefix === 'NOPERM') return () => {}
        throw error
      })
    try {
      while (!deadline.isOver) {
        const heard = new Promise<void>((resolve) => (wake = resolve))
        const result = await this.#poll()
        if (result) return result
        let timer: NodeJS.Timeout | undefined
        const pause = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, Math.min(POLL_DELAY_MS, deadline.leftMs))
        })
        await Promise.race([heard, pause])
        clearTimeout(timer)
      }
      return null
    } finally {
      stop()
    }
  }
}

/** @internal */
export function toJobInfo(record: JobRecord, jobId: string, score: number | null): JobInfo {
  const { functionName, args, kwargs, jobTry, enqueueTimeMs } = record
  return { jobId, functionName, args, kwargs, jobTry, enqueueTime: new Date(enqueueTimeMs), score }
}

/** @internal */
export function toJobResult(record: ResultRecord, jobId: string, score: number | null): JobResult {
  return {
    ...toJobInfo(record, jobId, score),
    success: record.success,
    result: record.success ? record.result : failureOf(record),
    startTime: new Date(record.startTimeMs),
    finishTime: new Date(record.finishTimeMs),
    queueName: record.queueName,
  }
}

/** @internal End of a job, in one word. */
export function endedState({ success, result }: JobResult): 'complete' | 'failed' | 'aborted' {
  if (success) return 'complete'
  return result instanceof JobAbortedError ? 'aborted' : 'failed'
}

/** The error a failed result stands for: what Python's `Job.result()` would raise. */
function failureOf(record: ResultRecord): Error {
  const { result } = record
  if (!(result instanceof RemoteError)) return new JobFailedError(String(result))
  if (/^(asyncio\.exceptions|asyncio|concurrent\.futures\._base|builtins)\.CancelledError$/.test(result.pythonType)) {
    return new JobAbortedError(`job ${record.jobId} was aborted`, { cause: result })
  }
  if (result.pythonType === 'arq.worker.JobExecutionFailed')
    return new JobFailedError(String(result.args[0] ?? ''), { cause: result })
  return restoreDetails(result, detailsIn(result))
}
