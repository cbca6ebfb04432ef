import { asError } from '@arq-ts/protocol/jobs'
import type { Job, JobLogEntry, JobResult } from '@arq-ts/core'

/** Outcome of a job. */
export type InlineEnd = { value: unknown } | { error: unknown }

interface Fields {
  jobId: string
  queueName: string
  functionName: string
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
  enqueueTimeMs: number
  tries: number
  end: InlineEnd
}

/** A job of an inline queue, which has ended: every method of a `Job`. */
export class InlineJob implements Pick<Job, keyof Job> {
  readonly jobId: string
  readonly queueName: string
  readonly #fields: Fields
  readonly #finishTime = new Date()

  constructor(fields: Fields) {
    this.jobId = fields.jobId
    this.queueName = fields.queueName
    this.#fields = fields
  }

  async result(): Promise<unknown> {
    const { end } = this.#fields
    if ('error' in end) throw asError(end.error)
    return end.value
  }

  async resultInfo(): Promise<JobResult> {
    const { args, end, enqueueTimeMs, functionName, jobId, kwargs, queueName, tries } = this.#fields
    const enqueueTime = new Date(enqueueTimeMs)
    const about = { jobId, functionName, args, kwargs, enqueueTime, queueName, score: null, jobTry: tries }
    const times = { startTime: enqueueTime, finishTime: this.#finishTime }
    return { ...about, ...times, success: 'value' in end, result: 'value' in end ? end.value : end.error }
  }

  info(): Promise<JobResult> {
    return this.resultInfo()
  }

  async status(): Promise<'complete'> {
    return 'complete'
  }

  /** False: it has ended otherwise. */
  async abort(): Promise<boolean> {
    return false
  }

  /** Nothing: what a job logs is kept in Redis. */
  async *events(): AsyncGenerator<JobLogEntry, void, undefined> {}
}
