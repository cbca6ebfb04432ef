import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { intact } from './damage.ts'
import type { Damage, DamagedKeys } from './damage.ts'
import { readId } from './id-bytes.ts'
import { dueTimeIn } from './scores.ts'

/** A dead letter as Redis has it; null fields where the entry itself has expired. */
export interface StoredDeadLetter {
  jobId: string
  failedAtMs: number
  payload: Buffer | null
  queueName: string | null
  functionName: string | null
  error: string | null
  jobTry: number | null
  /** Its entry, where that holds another type of value than a hash. */
  damaged: Damage[]
}

/** Jobs that failed for good: reads, bounds, replays and purges. A worker adds to them as it settles. */
export class DeadLetterRecords {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock
  readonly #damaged: DamagedKeys

  constructor(calls: Calls, keys: Keys, clock: RedisClock, damaged: DamagedKeys) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
    this.#damaged = damaged
  }

  /** One page, newest first; empty where the key that has them is damaged. */
  async page(offset: number, limit: number): Promise<StoredDeadLetter[]> {
    const [reply] = await this.#calls.attempt([
      ['zrangeBuffer', this.#keys.dead, offset, offset + limit - 1, 'REV', 'WITHSCORES'],
    ])
    const members = intact<Buffer[]>(reply, [])
    const ids = members.filter((_, i) => i % 2 === 0).map(readId)
    const entries = await this.#calls.attempt(ids.map((id) => ['hgetallBuffer', this.#keys.deadLetter(id)]))
    const damaged = await this.#damaged.among(entries)
    return ids.map((jobId, i) => {
      const own = damaged.filter(({ key }) => key === this.#keys.deadLetter(jobId))
      return toDeadLetter(jobId, dueTimeIn(members[2 * i + 1]!.toString()), intact(entries[i], {}), own)
    })
  }

  /** One dead letter, or null. */
  async read(jobId: string): Promise<StoredDeadLetter | null> {
    const [place, entry] = await this.#calls.attempt([
      ['zscore', this.#keys.dead, jobId],
      ['hgetallBuffer', this.#keys.deadLetter(jobId)],
    ])
    const score = intact<string | null>(place, null)
    if (score === null) return null
    return toDeadLetter(jobId, dueTimeIn(score), intact(entry, {}), await this.#damaged.among([entry]))
  }

  /** The number of dead letters, of all queues. */
  async count(): Promise<number> {
    const [count] = await this.#calls.attempt([['zcard', this.#keys.dead]])
    return intact(count, 0)
  }

  /** The number of dead letters of each queue. Reads all: their number is bounded. */
  async countByQueue(): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (let from = 0; ; from += PAGE) {
      const [reply] = await this.#calls.attempt([['zrangeBuffer', this.#keys.dead, from, from + PAGE - 1]])
      const ids = intact<Buffer[]>(reply, []).map(readId)
      const names = await this.#calls.attempt(ids.map((id) => ['hget', this.#keys.deadLetter(id), 'queue']))
      for (const name of names) {
        const queueName = intact<string | null>(name, null)
        if (queueName !== null) counts.set(queueName, (counts.get(queueName) ?? 0) + 1)
      }
      if (ids.length < PAGE) return counts
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
    const replies = await this.#calls.pipeline([
      ['zrangebyscoreBuffer', dead, '-inf', this.#clock.now() - bounds.maxAgeMs, 'LIMIT', 0, PAGE],
      ['zrangeBuffer', dead, 0, -bounds.maxCount - 1],
    ])
    return this.purge([...new Set((replies.flat() as Buffer[]).map(readId))])
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
    return (await this.#calls.script('replay', scriptKeys, args))[0] === 1
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

function toDeadLetter(
  jobId: string,
  failedAtMs: number,
  entry: Record<string, Buffer>,
  damaged: Damage[],
): StoredDeadLetter {
  return {
    jobId,
    failedAtMs,
    damaged,
    payload: entry.payload ?? null,
    queueName: entry.queue?.toString() ?? null,
    functionName: entry.function?.toString() ?? null,
    error: entry.error?.toString() ?? null,
    jobTry: entry.try === undefined ? null : Number(entry.try),
  }
}
