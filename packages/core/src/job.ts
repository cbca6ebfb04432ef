import { JobAbortedError, JobFailedError, RemoteError, ResultNotFoundError, TimeoutError } from './errors.ts'
import { decodeJob, decodeResult } from './protocol/records.ts'
import type { JobRecord, ResultRecord } from './protocol/records.ts'
import { statusOf } from './protocol/status.ts'
import type { JobStatus } from './protocol/status.ts'
import type { Link } from './redis/link.ts'

/** arq's own pace of asking for a result; ours hears of it sooner where a worker of ours ran the job. */
const POLL_DELAY_MS = 500

/** What is known of a job; arq's `JobDef`. */
export interface JobInfo {
  jobId: string
  functionName: string
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
  /** The try the producer asked for (a queued job), or the one that ended it (a result). */
  jobTry: number | null
  enqueueTime: Date
  /** When it is due, in unix ms; null once it is no longer queued. A running job's score is its lease's end. */
  score: number | null
}

/** How a job ended; arq's `JobResult`. */
export interface JobResult extends JobInfo {
  success: boolean
  /** What the handler returned, or the error. */
  result: unknown
  startTime: Date
  finishTime: Date
  queueName: string
}

/** How long to wait, in ms; by default for ever, as arq does. */
export interface WaitOptions {
  timeoutMs?: number
}

/** A handle on one job, queued by whichever language. arq's `Job`. */
export class Job<Result = unknown> {
  readonly jobId: string
  readonly queueName: string
  readonly #link: Link

  /** @internal Use `client.job(id)` or what `enqueue` gives. */
  constructor(jobId: string, queueName: string, link: Link) {
    this.jobId = jobId
    this.queueName = queueName
    this.#link = link
  }

  /**
   * Waits for the end of the job and gives its result.
   *
   * @throws the job's own error: RemoteError for an exception, JobAbortedError, or JobFailedError where it has none.
   * @throws ResultNotFoundError when it is not queued and no result is kept.
   * @throws TimeoutError after `timeoutMs`; the job goes on.
   */
  async result(options: WaitOptions = {}): Promise<Result> {
    const found = (await this.#poll()) ?? (await this.#wait(options.timeoutMs ?? Infinity))
    const { record } = decodeResult(found)
    if (record.success) return record.result as Result
    throw failureOf(record)
  }

  /** The stored result, or null when there is none (yet). Does not throw when the job failed. */
  async resultInfo(): Promise<JobResult | null> {
    const { result, score } = await this.#link.store.readResult(this.jobId, this.queueName)
    return result === null ? null : toJobResult(decodeResult(result).record, this.jobId, score)
  }

  /** What is known of the job, its result included; null when nothing is. */
  async info(): Promise<JobInfo | JobResult | null> {
    const stored = await this.#link.store.read(this.jobId, this.queueName)
    if (stored.result) return toJobResult(decodeResult(stored.result).record, this.jobId, stored.score)
    return stored.job ? toJobInfo(decodeJob(stored.job).record, this.jobId, stored.score) : null
  }

  async status(): Promise<JobStatus> {
    return statusOf(await this.#link.store.read(this.jobId, this.queueName), this.#link.clock.now())
  }

  /**
   * Aborts the job, queued, deferred or running, on workers of both languages that allow it.
   * True when it ended aborted; false when it ended otherwise, was not found, or left no result to tell.
   *
   * @throws TimeoutError after `timeoutMs`; the request stands.
   */
  async abort(options: WaitOptions = {}): Promise<boolean> {
    if (!(await this.#link.broker.requestAbort(this.jobId, this.queueName))) return false
    try {
      await this.result(options)
      return false
    } catch (error) {
      if (error instanceof TimeoutError) throw error
      return error instanceof JobAbortedError
    }
  }

  async #poll(): Promise<Buffer | null> {
    const { result, score } = await this.#link.store.readResult(this.jobId, this.queueName)
    if (result === null && score === null) {
      throw new ResultNotFoundError(
        `job ${this.jobId} is not in ${this.queueName} and has no result; is its worker configured to keep results?`,
      )
    }
    return result
  }

  async #wait(timeoutMs: number): Promise<Buffer> {
    const deadline = performance.now() + timeoutMs
    let wake = () => {}
    const stop = await this.#link.subscriber.listen(this.#link.keys.resultChannel(this.jobId), () => wake())
    try {
      for (;;) {
        const heard = new Promise<void>((resolve) => (wake = resolve))
        const result = await this.#poll()
        if (result) return result
        const leftMs = deadline - performance.now()
        if (leftMs <= 0) throw new TimeoutError(`job ${this.jobId} did not end within ${timeoutMs} ms; it goes on`)
        let timer: NodeJS.Timeout | undefined
        const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(POLL_DELAY_MS, leftMs))))
        await Promise.race([heard, timeout])
        clearTimeout(timer)
      }
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

/** The error a failed result stands for: what Python's `Job.result()` would raise. */
function failureOf(record: ResultRecord): Error {
  const { result } = record
  if (!(result instanceof RemoteError)) return new JobFailedError(String(result))
  if (/^(asyncio\.exceptions|asyncio|concurrent\.futures\._base|builtins)\.CancelledError$/.test(result.pythonType)) {
    return new JobAbortedError(`job ${record.jobId} was aborted`, { cause: result })
  }
  if (result.pythonType === 'arq.worker.JobExecutionFailed')
    return new JobFailedError(String(result.args[0] ?? ''), { cause: result })
  return result
}
