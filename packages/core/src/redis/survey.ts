import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Calls } from './calls.ts'
import { runScript } from './scripts.ts'

/** One member of a queue, and all that decides whether something is wrong with it. */
export interface SurveyedJob {
  jobId: string
  score: number
  payload: Buffer | null
  /** What the in-progress key holds: `1` by Python, a token by ours; null when there is none. */
  holder: string | null
}

/** The server's settings that decide whether jobs are safe. Undefined where the user may not ask. */
export interface SurveyedServer {
  evictionPolicy: string | undefined
  /** Whether anything is written to disk. */
  persists: boolean | undefined
  /** Redis's time minus this machine's, in ms. */
  clockOffsetMs: number
}

/** What a doctor looks at, and what it mends. */
export class Survey {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  async server(): Promise<SurveyedServer> {
    const config = async (name: string) =>
      this.#calls
        .run((client) => client.config('GET', name) as Promise<string[]>)
        .then((reply) => reply[1])
        .catch(() => undefined)
    const info = () =>
      this.#calls
        .run((client) => client.info('memory'))
        .then((text) => /^maxmemory_policy:(.*?)\r?$/m.exec(text)?.[1])
        .catch(() => undefined)
    const [evictionPolicy, appendOnly, save] = [
      (await config('maxmemory-policy')) ?? (await info()),
      await config('appendonly'),
      await config('save'),
    ]
    const sent = Date.now()
    const [seconds, micros] = await this.#calls.run((client) => client.time())
    const clockOffsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - (sent + Date.now()) / 2
    const persists = appendOnly === undefined || save === undefined ? undefined : appendOnly === 'yes' || save !== ''
    return { evictionPolicy, persists, clockOffsetMs: Math.round(clockOffsetMs) }
  }

  /** Members of a queue by due time, up to `limit` of them. */
  async *jobs(queueName: string, limit: number): AsyncGenerator<SurveyedJob> {
    const key = this.#keys.queue(queueName)
    for (let from = 0; from < limit; from += PAGE) {
      const to = Math.min(from + PAGE, limit) - 1
      const members = await this.#calls.run((client) => client.zrange(key, from, String(to), 'WITHSCORES'))
      const ids = members.filter((_, i) => i % 2 === 0)
      const replies = await this.#calls.pipeline(
        ids.flatMap((id) => [
          ['getBuffer', this.#keys.job(id)],
          ['get', this.#keys.inProgress(id)],
        ]),
      )
      for (const [i, jobId] of ids.entries()) {
        const payload = replies[2 * i] as Buffer | null
        yield { jobId, score: Number(members[2 * i + 1]), payload, holder: replies[2 * i + 1] as string | null }
      }
      if (ids.length < PAGE) return
    }
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

  async dropAborts(jobIds: readonly string[]): Promise<number> {
    return this.#calls.run((client) => client.zrem(this.#keys.abort, ...jobIds))
  }

  /** Takes jobs from workers that are gone; gives how many. */
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

  /** Moves a queued job to the dead letters as it is. */
  async bury(queueName: string, jobId: string, payload: Buffer, error: string, ttlMs: number): Promise<void> {
    const keys = this.#keys
    const [seconds] = await this.#calls.run((client) => client.time())
    const failedAt = Number(seconds) * 1000
    const letter = keys.deadLetter(jobId)
    await this.#calls.transaction([
      ['zadd', keys.dead, failedAt, jobId],
      ['hset', letter, 'payload', payload, 'queue', queueName, 'function', '<unknown>', 'error', error],
      ['hset', letter, 'try', 0, 'failedAt', failedAt],
      ['pexpire', letter, ttlMs],
      ['zrem', keys.queue(queueName), jobId],
      ['del', keys.job(jobId)],
      ['del', keys.retry(jobId)],
    ])
  }

  /** @throws the server's error where the user may not. */
  async setEvictionPolicy(policy: string): Promise<void> {
    await this.#calls.run((client) => client.config('SET', 'maxmemory-policy', policy))
  }
}
