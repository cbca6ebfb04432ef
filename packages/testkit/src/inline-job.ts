import { asError } from '@arq-ts/protocol/errors'
import type { Job, JobLogEntry, JobResult, JobStatus } from '@arq-ts/core'

/** Outcome of a job. */
export type InlineEnd = { value: unknown } | { error: unknown }

interface Fields {
  jobId: string
  queueName: string
  functionName: string
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
  enqueueTimeMs: number
  /** Resolves when the job has ended, with its tries. */
  ended: Promise<{ end: InlineEnd; tries: number }>
}

/** A job of an inline queue: every method of a `Job`. It has ended, unless it is asked for while it runs. */
export class InlineJob implements Pick<Job, keyof Job> {
  readonly jobId: string
  readonly queueName: string
  readonly #fields: Fields
  #finishTime: Date | undefined

  constructor(fields: Fields) {
    this.jobId = fields.jobId
    this.queueName = fields.queueName
    this.#fields = fields
    void fields.ended.then(
      () => (this.#finishTime = new Date()),
      () => {},
    )
  }

  async result(): Promise<unknown> {
    const { end } = await this.#fields.ended
    if ('error' in end) throw asError(end.error)
    return end.value
  }

  async resultInfo(): Promise<JobResult> {
    const { args, ended, enqueueTimeMs, functionName, jobId, kwargs, queueName } = this.#fields
    const { end, tries } = await ended
    const enqueueTime = new Date(enqueueTimeMs)
    const about = { jobId, functionName, args, kwargs, enqueueTime, queueName, score: null, jobTry: tries }
    const times = { startTime: enqueueTime, finishTime: this.#finishTime ?? new Date() }
    return { ...about, ...times, success: 'value' in end, result: 'value' in end ? end.value : end.error }
  }

  info(): Promise<JobResult> {
    return this.resultInfo()
  }

  async status(): Promise<JobStatus> {
    return this.#finishTime ? 'complete' : 'in_progress'
  }

  /** False: it has ended otherwise. */
  async abort(): Promise<boolean> {
    return false
  }

  /** Nothing: what a job logs is kept in Redis. */
  async *events(): AsyncGenerator<JobLogEntry, void, undefined> {}
}
