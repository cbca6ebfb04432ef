import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { ObservedJob } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { runScript } from './scripts.ts'

/** A job as Redis has it; bytes are null where there are none. */
export interface StoredJob extends ObservedJob {
  job: Buffer | null
  result: Buffer | null
}

/** A dead letter as Redis has it; null fields where the entry itself has expired. */
export interface StoredDeadLetter {
  jobId: string
  failedAtMs: number
  payload: Buffer | null
  queueName: string | null
  functionName: string | null
  error: string | null
  jobTry: number | null
}

/** What is read from Redis, and what workers tell of themselves. */
export class Store {
  readonly keys: Keys
  readonly #calls: Calls
  readonly #clock: RedisClock

  constructor(calls: Calls, keys: Keys, clock: RedisClock) {
    this.#calls = calls
    this.keys = keys
    this.#clock = clock
  }

  /** Everything about one job, read in one transaction. */
  async read(jobId: string, queueName: string): Promise<StoredJob> {
    const { keys } = this
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
      score: score === null ? null : Number(score),
    }
  }

  /** How often a job was tried so far; 0 where it was not, or nobody remembers. */
  async tries(jobId: string): Promise<number> {
    return Number(await this.#calls.run((client) => client.get(this.keys.retry(jobId))))
  }

  /** A job's stored result and score, without its payload: what a waiting producer asks. */
  async readResult(jobId: string, queueName: string): Promise<{ result: Buffer | null; score: number | null }> {
    const { keys } = this
    const [result, score] = (await this.#calls.transaction([
      ['getBuffer', keys.result(jobId)],
      ['zscore', keys.queue(queueName), jobId],
    ])) as [Buffer | null, string | null]
    return { result, score: score === null ? null : Number(score) }
  }

  /** How many members the queues have together: deferred and running jobs included. */
  async countQueued(queueNames: readonly string[]): Promise<number> {
    const counts = await this.#calls.pipeline(queueNames.map((name) => ['zcard', this.keys.queue(name)]))
    return counts.reduce<number>((sum, count) => sum + Number(count), 0)
  }

  /** Members of a queue by due time, with their payloads, a page at a time. */
  async *queued(queueName: string): AsyncGenerator<{ jobId: string; score: number; job: Buffer | null }> {
    const members = await this.#calls.run((client) => client.zrange(this.keys.queue(queueName), 0, '-1', 'WITHSCORES'))
    for (let from = 0; from < members.length; from += 2 * PAGE) {
      const page = members.slice(from, from + 2 * PAGE)
      const ids = page.filter((_, i) => i % 2 === 0)
      const jobs = (await this.#calls.pipeline(ids.map((id) => ['getBuffer', this.keys.job(id)]))) as (Buffer | null)[]
      for (const [i, jobId] of ids.entries()) yield { jobId, score: Number(page[2 * i + 1]), job: jobs[i] ?? null }
    }
  }

  /** Every kept result, a page at a time. */
  async *results(): AsyncGenerator<{ jobId: string; result: Buffer }> {
    const prefix = this.keys.result('')
    for await (const page of this.#calls.scan(prefix)) {
      const results = (await this.#calls.pipeline(page.map((key) => ['getBuffer', key]))) as (Buffer | null)[]
      for (const [i, key] of page.entries()) {
        const result = results[i]
        if (result) yield { jobId: key.slice(prefix.length), result }
      }
    }
  }

  /** Dead letters, newest first. */
  async dead(offset: number, limit: number): Promise<StoredDeadLetter[]> {
    const members = await this.#calls.run((client) =>
      client.zrange(this.keys.dead, offset, String(offset + limit - 1), 'REV', 'WITHSCORES'),
    )
    const ids = members.filter((_, i) => i % 2 === 0)
    const entries = (await this.#calls.pipeline(
      ids.map((id) => ['hgetallBuffer', this.keys.deadLetter(id)]),
    )) as Record<string, Buffer>[]
    return ids.map((jobId, i) => toDeadLetter(jobId, Number(members[2 * i + 1]), entries[i] ?? {}))
  }

  async deadLetter(jobId: string): Promise<StoredDeadLetter | null> {
    const [score, entry] = (await this.#calls.pipeline([
      ['zscore', this.keys.dead, jobId],
      ['hgetallBuffer', this.keys.deadLetter(jobId)],
    ])) as [string | null, Record<string, Buffer>]
    return score === null ? null : toDeadLetter(jobId, Number(score), entry)
  }

  countDead(): Promise<number> {
    return this.#calls.run((client) => client.zcard(this.keys.dead))
  }

  /** How many dead letters a queue has. Reads all: their number is bounded. */
  async countDeadOf(queueName: string): Promise<number> {
    let count = 0
    for (let from = 0; ; from += PAGE) {
      const ids = await this.#calls.run((client) => client.zrange(this.keys.dead, from, String(from + PAGE - 1)))
      const names = await this.#calls.pipeline(ids.map((id) => ['hget', this.keys.deadLetter(id), 'queue']))
      count += names.filter((name) => name === queueName).length
      if (ids.length < PAGE) return count
    }
  }

  /** Removes dead letters; gives how many there were. */
  async purgeDead(jobIds: readonly string[]): Promise<number> {
    let purged = 0
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const page = jobIds.slice(from, from + PAGE)
      const [removed] = await this.#calls.pipeline([
        ['zrem', this.keys.dead, ...page],
        ...page.map((id): Call => ['del', this.keys.deadLetter(id)]),
      ])
      purged += Number(removed)
    }
    return purged
  }

  /** Keeps dead letters within their bounds; gives how many went. */
  async trimDead(bounds: { maxAgeMs: number; maxCount: number }): Promise<number> {
    const { dead } = this.keys
    const tooOld = await this.#calls.run((client) =>
      client.zrangebyscore(dead, '-inf', this.#clock.now() - bounds.maxAgeMs, 'LIMIT', 0, PAGE),
    )
    const tooMany = await this.#calls.run((client) => client.zrange(dead, 0, String(-bounds.maxCount - 1)))
    return this.purgeDead([...new Set([...tooOld, ...tooMany])])
  }

  /** Puts a job back into its queue with a fresh try counter; false when it is queued or running already. */
  async replay(
    jobId: string,
    queueName: string,
    payload: Uint8Array,
    delayMs: number,
    lifetimeMs: number,
  ): Promise<boolean> {
    const { keys } = this
    const scriptKeys = [
      keys.dead,
      keys.deadLetter(jobId),
      keys.job(jobId),
      keys.result(jobId),
      keys.retry(jobId),
      keys.queue(queueName),
      keys.inProgress(jobId),
    ]
    const args = [jobId, delayMs, lifetimeMs, payload, keys.wakeChannel(queueName)]
    return (await this.#calls.run((client) => runScript(client, 'replay', scriptKeys, args)))[0] === 1
  }

  /** Keeps a producer's trace context for the run; the first of several producers of one id counts. */
  async writeTrace(jobId: string, carrier: Record<string, string>): Promise<void> {
    const value = JSON.stringify(carrier)
    await this.#calls.run((client) => client.set(this.keys.trace(jobId), value, 'PX', EXPIRES_EXTRA_MS, 'NX'))
  }

  async readTrace(jobId: string): Promise<Record<string, string>> {
    const value = await this.#calls.run((client) => client.get(this.keys.trace(jobId)))
    return value === null ? {} : (JSON.parse(value) as Record<string, string>)
  }

  /** Whether anybody listens to the events of workers. */
  async hasEventListeners(): Promise<boolean> {
    const reply = await this.#calls.run((client) => client.pubsub('NUMSUB', this.keys.events))
    return Number(reply[1]) > 0
  }

  /** Tells workers to look for listeners now. */
  async announceListener(): Promise<void> {
    await this.#calls.run((client) => client.publish(this.keys.eventListeners, ''))
  }

  async publishEvents(messages: readonly string[]): Promise<void> {
    await this.#calls.pipeline(messages.map((message) => ['publish', this.keys.events, message]))
  }

  async writeHealth(healthCheckKey: string, line: string, ttlMs: number): Promise<void> {
    await this.#calls.run((client) => client.psetex(this.keys.prefix + healthCheckKey, Math.round(ttlMs), line))
  }

  /** Whether all of these health keys are there. */
  async hasHealth(healthCheckKeys: readonly string[]): Promise<boolean> {
    const found = await this.#calls.pipeline(healthCheckKeys.map((key) => ['exists', this.keys.prefix + key]))
    return found.every((flag) => flag === 1)
  }

  /** The health line of a queue under arq's default key. */
  readHealth(queueName: string): Promise<string | null> {
    return this.#calls.run((client) => client.get(this.keys.healthCheck(queueName)))
  }

  async removeHealth(healthCheckKeys: readonly string[]): Promise<void> {
    await this.#calls.pipeline(healthCheckKeys.map((key) => ['del', this.keys.prefix + key]))
  }

  /** The id of the last tick enqueued for a cron job that must not overlap. */
  lastTick(cronName: string): Promise<string | null> {
    return this.#calls.run((client) => client.get(this.keys.lastTick(cronName)))
  }

  async recordTick(cronName: string, jobId: string): Promise<void> {
    await this.#calls.run((client) => client.psetex(this.keys.lastTick(cronName), EXPIRES_EXTRA_MS, jobId))
  }

  /** Writes a worker's registry entry, which expires unless written again. */
  async register(workerId: string, entry: string, ttlMs: number): Promise<void> {
    await this.#calls.pipeline([
      ['psetex', this.keys.worker(workerId), ttlMs, entry],
      ['zadd', this.keys.workers, this.#clock.now() + ttlMs, workerId],
      ['zremrangebyscore', this.keys.workers, '-inf', this.#clock.now() - ttlMs],
    ])
  }

  async unregister(workerId: string): Promise<void> {
    await this.#calls.pipeline([
      ['del', this.keys.worker(workerId)],
      ['zrem', this.keys.workers, workerId],
    ])
  }

  /** The registry entries of live workers, as written. */
  async workers(): Promise<string[]> {
    const ids = await this.#calls.run((client) => client.zrangebyscore(this.keys.workers, this.#clock.now(), '+inf'))
    const entries = (await this.#calls.pipeline(ids.map((id) => ['get', this.keys.worker(id)]))) as (string | null)[]
    return entries.filter((entry) => entry !== null)
  }
}

function toDeadLetter(jobId: string, failedAtMs: number, entry: Record<string, Buffer>): StoredDeadLetter {
  return {
    jobId,
    failedAtMs,
    payload: entry.payload ?? null,
    queueName: entry.queue?.toString() ?? null,
    functionName: entry.function?.toString() ?? null,
    error: entry.error?.toString() ?? null,
    jobTry: entry.try === undefined ? null : Number(entry.try),
  }
}
