import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { runScript } from './scripts.ts'

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

/** Jobs that failed for good: reads, bounds, replays and purges. A worker adds to them as it settles. */
export class DeadLetterRecords {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock

  constructor(calls: Calls, keys: Keys, clock: RedisClock) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
  }

  /** One page, newest first. */
  async page(offset: number, limit: number): Promise<StoredDeadLetter[]> {
    const members = await this.#calls.run((client) =>
      client.zrange(this.#keys.dead, offset, String(offset + limit - 1), 'REV', 'WITHSCORES'),
    )
    const ids = members.filter((_, i) => i % 2 === 0)
    const entries = (await this.#calls.pipeline(
      ids.map((id) => ['hgetallBuffer', this.#keys.deadLetter(id)]),
    )) as Record<string, Buffer>[]
    return ids.map((jobId, i) => toDeadLetter(jobId, Number(members[2 * i + 1]), entries[i] ?? {}))
  }

  /** One dead letter, or null. */
  async read(jobId: string): Promise<StoredDeadLetter | null> {
    const [score, entry] = (await this.#calls.pipeline([
      ['zscore', this.#keys.dead, jobId],
      ['hgetallBuffer', this.#keys.deadLetter(jobId)],
    ])) as [string | null, Record<string, Buffer>]
    return score === null ? null : toDeadLetter(jobId, Number(score), entry)
  }

  /** The number of dead letters, of all queues. */
  count(): Promise<number> {
    return this.#calls.run((client) => client.zcard(this.#keys.dead))
  }

  /** The number of dead letters of a queue. Reads all: their number is bounded. */
  async countOf(queueName: string): Promise<number> {
    let count = 0
    for (let from = 0; ; from += PAGE) {
      const ids = await this.#calls.run((client) => client.zrange(this.#keys.dead, from, String(from + PAGE - 1)))
      const names = await this.#calls.pipeline(ids.map((id) => ['hget', this.#keys.deadLetter(id), 'queue']))
      count += names.filter((name) => name === queueName).length
      if (ids.length < PAGE) return count
    }
  }

  /** Removes dead letters; returns their number. */
  async purge(jobIds: readonly string[]): Promise<number> {
    let purged = 0
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const page = jobIds.slice(from, from + PAGE)
      const [removed] = await this.#calls.pipeline([
        ['zrem', this.#keys.dead, ...page],
        ...page.map((id): Call => ['del', this.#keys.deadLetter(id)]),
      ])
      purged += Number(removed)
    }
    return purged
  }

  /** Removes what is out of bounds; returns the number of dead letters removed. */
  async trim(bounds: { maxAgeMs: number; maxCount: number }): Promise<number> {
    const { dead } = this.#keys
    const tooOld = await this.#calls.run((client) =>
      client.zrangebyscore(dead, '-inf', this.#clock.now() - bounds.maxAgeMs, 'LIMIT', 0, PAGE),
    )
    const tooMany = await this.#calls.run((client) => client.zrange(dead, 0, String(-bounds.maxCount - 1)))
    return this.purge([...new Set([...tooOld, ...tooMany])])
  }

  /** Puts a failed job back into its queue with a fresh try counter; false when it is queued or running already. */
  async replay(
    jobId: string,
    queueName: string,
    payload: Uint8Array,
    delayMs: number,
    lifetimeMs: number,
  ): Promise<boolean> {
    const keys = this.#keys
    const scriptKeys = [
      keys.dead,
      keys.deadLetter(jobId),
      keys.job(jobId),
      keys.result(jobId),
      keys.retry(jobId),
      keys.queue(queueName),
      keys.inProgress(jobId),
      keys.abort,
    ]
    const args = [jobId, delayMs, lifetimeMs, payload, keys.wakeChannel(queueName)]
    return (await this.#calls.run((client) => runScript(client, 'replay', scriptKeys, args)))[0] === 1
  }

  /** Moves a queued job that no codec reads to the dead letters as it is. */
  async add(queueName: string, jobId: string, payload: Buffer, error: string, ttlMs: number): Promise<void> {
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
