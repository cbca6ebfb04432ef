import { dueTimeOf, EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { ObservedJob } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Calls } from './calls.ts'
import { runScript } from './scripts.ts'

/** A job as Redis has it; bytes are null where there are none. */
export interface StoredJob extends ObservedJob {
  job: Buffer | null
  result: Buffer | null
}

/** Jobs one by one: payload, result, tries, trace and abort requests, and their removal. */
export class JobRecords {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** Everything about one job, read in one transaction. */
  async read(jobId: string, queueName: string): Promise<StoredJob> {
    const keys = this.#keys
    const [result, job, inProgress, score] = (await this.#calls.transaction([
      ['getBuffer', keys.result(jobId)],
      ['getBuffer', keys.job(jobId)],
      ['exists', keys.inProgress(jobId)],
      ['zscore', keys.queue(queueName), jobId],
    ])) as [Buffer | null, Buffer | null, number, string | null]
    return {
      result,
      job,
      hasResult: result !== null,
      inProgress: inProgress === 1,
      score: score === null ? null : dueTimeOf(Number(score)),
    }
  }

  /** The number of tries of a job so far; 0 when it has none, or its counter has expired. */
  async tries(jobId: string): Promise<number> {
    return Number(await this.#calls.run((client) => client.get(this.#keys.retry(jobId))))
  }

  /** A job's stored result and score, without its payload: the question of a waiting producer. */
  async readResult(jobId: string, queueName: string): Promise<{ result: Buffer | null; score: number | null }> {
    const [result, score] = (await this.#calls.transaction([
      ['getBuffer', this.#keys.result(jobId)],
      ['zscore', this.#keys.queue(queueName), jobId],
    ])) as [Buffer | null, string | null]
    return { result, score: score === null ? null : dueTimeOf(Number(score)) }
  }

  /** Every kept result, a page at a time. */
  async *results(): AsyncGenerator<{ jobId: string; result: Buffer }> {
    const prefix = this.#keys.result('')
    for await (const page of this.#calls.scan(prefix)) {
      const results = (await this.#calls.pipeline(page.map((key) => ['getBuffer', key]))) as (Buffer | null)[]
      for (const [i, key] of page.entries()) {
        const result = results[i]
        if (result) yield { jobId: key.slice(prefix.length), result }
      }
    }
  }

  /** The first of these queues that has the job; undefined when none has. */
  async queueOf(jobId: string, queueNames: readonly string[]): Promise<string | undefined> {
    const scores = await this.#calls.pipeline(queueNames.map((name) => ['zscore', this.#keys.queue(name), jobId]))
    return queueNames.find((_, i) => scores[i] !== null)
  }

  /** Removes jobs of one queue; for each: removed, not there, or running and left alone. */
  async remove(
    queueName: string,
    jobIds: readonly string[],
    options: { running: boolean; kept: boolean },
  ): Promise<('removed' | 'absent' | 'running')[]> {
    const outcomes: ('removed' | 'absent' | 'running')[] = []
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const page = jobIds.slice(from, from + PAGE)
      const { abort, dead } = this.#keys
      const keys = [this.#keys.queue(queueName), this.#keys.reserved(queueName), abort, dead]
      for (const id of page) keys.push(...this.#keysOf(id))
      const args = [options.running ? '1' : '0', options.kept ? '1' : '0', ...page]
      const replies = await this.#calls.run((client) => runScript(client, 'remove', keys, args))
      for (const reply of replies) outcomes.push(reply === 1 ? 'removed' : reply === 2 ? 'running' : 'absent')
    }
    return outcomes
  }

  /** Takes running jobs from workers that are gone, while those still hold them; returns their number. */
  async free(queueName: string, jobs: readonly { jobId: string; holder: string }[]): Promise<number> {
    let freed = 0
    for (let from = 0; from < jobs.length; from += PAGE) {
      const page = jobs.slice(from, from + PAGE)
      const keys = [this.#keys.queue(queueName), ...page.map((job) => this.#keys.inProgress(job.jobId))]
      const args = [this.#keys.wakeChannel(queueName), ...page.flatMap((job) => [job.jobId, job.holder])]
      const replies = await this.#calls.run((client) => runScript(client, 'free', keys, args))
      freed += replies.filter((reply) => reply === 1).length
    }
    return freed
  }

  /** Abort requests for jobs that are in none of these queues and do not run. */
  async staleAborts(queueNames: readonly string[]): Promise<string[]> {
    const ids = await this.#calls.run((client) => client.zrange(this.#keys.abort, 0, '-1'))
    const stale: string[] = []
    for (let from = 0; from < ids.length; from += PAGE) {
      const page = ids.slice(from, from + PAGE)
      const width = queueNames.length + 1
      const replies = await this.#calls.pipeline(
        page.flatMap((id) => [
          ['get', this.#keys.inProgress(id)],
          ...queueNames.map((name): [string, string, string] => ['zscore', this.#keys.queue(name), id]),
        ]),
      )
      stale.push(...page.filter((_, i) => replies.slice(i * width, (i + 1) * width).every((reply) => reply === null)))
    }
    return stale
  }

  /** Removes abort requests; returns their number. */
  async dropAborts(jobIds: readonly string[]): Promise<number> {
    return this.#calls.run((client) => client.zrem(this.#keys.abort, ...jobIds))
  }

  /** Keeps a producer's trace context for the run; the first of several producers of one id counts. */
  async writeTrace(jobId: string, carrier: Record<string, string>): Promise<void> {
    const value = JSON.stringify(carrier)
    await this.#calls.run((client) => client.set(this.#keys.trace(jobId), value, 'PX', EXPIRES_EXTRA_MS, 'NX'))
  }

  /** The trace context of a job's producer; empty when none was kept. */
  async readTrace(jobId: string): Promise<Record<string, string>> {
    const value = await this.#calls.run((client) => client.get(this.#keys.trace(jobId)))
    return value === null ? {} : (JSON.parse(value) as Record<string, string>)
  }

  #keysOf(jobId: string): string[] {
    const keys = this.#keys
    return [
      keys.inProgress(jobId),
      keys.job(jobId),
      keys.retry(jobId),
      keys.result(jobId),
      keys.deadLetter(jobId),
      keys.trace(jobId),
    ]
  }
}
