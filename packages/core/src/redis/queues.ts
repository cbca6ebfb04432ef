import { dueTimeOf } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import type { JobRecords } from './jobs.ts'

/** Members of a queue that are looked at to count running jobs, at the head and in the lease window each. */
const MAX_LOOKED_AT = 20_000
/** Keys per step of a scan for queues; larger steps hold the server longer. */
const SCAN_STEP = 1_000

/** One member of a queue, and all that decides whether something is wrong with it. */
export interface QueueMember {
  jobId: string
  score: number
  payload: Buffer | null
  /** The value of the in-progress key: `1` by Python, a token by ours; null when there is none. */
  holder: string | null
}

/** What Redis has of a queue, counted. */
export interface QueueCounts {
  total: number
  due: number
  /** Running jobs among the due ones: Python's stay where they are. */
  runningDue: number
  /** Running jobs among those not due: ours are moved to the end of their lease. */
  runningLater: number
  /** False where more members had to be looked at than are; both numbers are then lower bounds. */
  exact: boolean
  /** Score of the first member that is due and does not run, in unix ms. */
  oldestDueMs: number | null
  /** Score of the first member that is not due and does not run. */
  nextDueMs: number | null
  paused: boolean
  ended: { complete: number; failed: number; aborted: number }
}

/** Queues as a whole: their names, members, sizes and pauses, and the removal of all their jobs. */
export class QueueRecords {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock
  readonly #jobs: JobRecords

  constructor(calls: Calls, keys: Keys, clock: RedisClock, jobs: JobRecords) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
    this.#jobs = jobs
  }

  /**
   * Queues found by a look at up to `maxKeys` keys of the database, whichever language made them: sorted sets that are
   * none of the others arq and we keep. `complete` is false where there are more keys.
   */
  async find(maxKeys: number): Promise<{ names: string[]; complete: boolean }> {
    const { prefix } = this.#keys
    const others = new Set([this.#keys.abort, this.#keys.dead, this.#keys.workers])
    const names = new Set<string>()
    let looked = 0
    for await (const page of this.#calls.scan(prefix, { type: 'zset', count: SCAN_STEP })) {
      for (const key of page) if (!others.has(key) && !key.endsWith(':reserved')) names.add(key.slice(prefix.length))
      looked += SCAN_STEP
      if (looked >= maxKeys) return { names: [...names], complete: false }
    }
    return { names: [...names], complete: true }
  }

  /** Names of paused queues. */
  async paused(): Promise<string[]> {
    const keys = await this.#calls.run((client) => client.smembers(this.#keys.paused))
    return keys.map((key) => key.slice(this.#keys.prefix.length))
  }

  /** False when it was paused before. */
  async pause(queueName: string): Promise<boolean> {
    return (await this.#calls.run((client) => client.sadd(this.#keys.paused, this.#keys.queue(queueName)))) === 1
  }

  /** Wakes the queue's workers. False when it was not paused. */
  async resume(queueName: string): Promise<boolean> {
    const [removed] = await this.#calls.pipeline([
      ['srem', this.#keys.paused, this.#keys.queue(queueName)],
      ['publish', this.#keys.wakeChannel(queueName), this.#clock.now()],
    ])
    return removed === 1
  }

  /** The number of members that the queues have together: deferred and running jobs included. */
  async size(queueNames: readonly string[]): Promise<number> {
    const counts = await this.#calls.pipeline(queueNames.map((name) => ['zcard', this.#keys.queue(name)]))
    return counts.reduce<number>((sum, count) => sum + Number(count), 0)
  }

  /**
   * Members of a queue by due time, up to `limit` of them, a page at a time. Pages follow each other by score, so that
   * jobs which leave the head meanwhile hide none that stay; one whose score grows meanwhile may come twice.
   */
  async *members(queueName: string, limit = Infinity): AsyncGenerator<QueueMember> {
    const key = this.#keys.queue(queueName)
    let from = '-inf'
    /** Read members with the score `from`, and their number when none of them has left. */
    let seen = new Set<string>()
    let offset = 0
    for (let left = limit; left > 0;) {
      const want = Math.min(PAGE, left)
      // The last member read comes again, as a sign that none before it has left.
      const overlap = offset > 0 ? 1 : 0
      const reply = await this.#calls.run((client) =>
        client.zrange(key, from, '+inf', 'BYSCORE', 'LIMIT', offset - overlap, want + overlap, 'WITHSCORES'),
      )
      if (overlap && !(reply[1] === from && seen.has(reply[0]!))) {
        offset = 0
        continue
      }
      const page: { jobId: string; score: string }[] = []
      for (let i = 2 * overlap; i < reply.length; i += 2) {
        const [jobId, score] = [reply[i]!, reply[i + 1]!]
        if (score !== from) [from, seen, offset] = [score, new Set(), 0]
        offset++
        if (!seen.has(jobId)) page.push({ jobId, score })
        seen.add(jobId)
      }
      yield* this.#withPayloads(page)
      if (reply.length < 2 * (want + overlap)) return
      left -= page.length
    }
  }

  async *#withPayloads(page: readonly { jobId: string; score: string }[]): AsyncGenerator<QueueMember> {
    const replies = await this.#calls.pipeline(
      page.flatMap(({ jobId }) => [
        ['getBuffer', this.#keys.job(jobId)],
        ['get', this.#keys.inProgress(jobId)],
      ]),
    )
    for (const [i, { jobId, score }] of page.entries()) {
      const payload = replies[2 * i] as Buffer | null
      yield { jobId, score: dueTimeOf(Number(score)), payload, holder: replies[2 * i + 1] as string | null }
    }
  }

  /** Counts a queue. The cost does not grow with its length. `leaseMs`: the longest lease its workers use. */
  async counts(queueName: string, leaseMs: number): Promise<QueueCounts> {
    const key = this.#keys.queue(queueName)
    const now = this.#clock.now()
    const [total, due, paused, ended] = (await this.#calls.pipeline([
      ['zcard', key],
      ['zcount', key, '-inf', now],
      ['sismember', this.#keys.paused, key],
      ['hgetall', this.#keys.stats(queueName)],
    ])) as [number, number, number, Record<string, string>]
    // A lease that was just renewed ends a full lease from now; a second more for what the clocks disagree.
    const head = await this.#running(key, '-inf', String(now), true)
    const window = await this.#running(key, `(${now}`, String(now + leaseMs + 1_000), false)
    const later = window.firstIdle ?? (await this.#first(key, `(${now + leaseMs + 1_000}`))
    return {
      total,
      due,
      runningDue: head.running,
      runningLater: window.running,
      exact: head.exact && window.exact,
      oldestDueMs: head.firstIdle,
      nextDueMs: later,
      paused: paused === 1,
      ended: {
        complete: Number(ended.complete ?? 0),
        failed: Number(ended.failed ?? 0),
        aborted: Number(ended.aborted ?? 0),
      },
    }
  }

  /** Removes every job that does not run; gives how many went. `onProgress` gets the number so far. */
  async purge(queueName: string, onProgress?: (removed: number) => void): Promise<number> {
    const key = this.#keys.queue(queueName)
    let removed = 0
    let left = 0
    for (;;) {
      const ids = await this.#calls.run((client) => client.zrange(key, left, String(left + PAGE - 1)))
      if (ids.length === 0) return removed
      const outcomes = await this.#jobs.remove(queueName, ids, { running: false, kept: false })
      const gone = outcomes.filter((outcome) => outcome === 'removed').length
      removed += gone
      left += outcomes.filter((outcome) => outcome === 'running').length
      if (gone > 0) onProgress?.(removed)
    }
  }

  /**
   * Counts members in a range of scores that run, a page at a time. `mayStop`: running ones stand at the head, so that
   * two pages without any end the search.
   */
  async #running(
    key: string,
    min: string,
    max: string,
    mayStop: boolean,
  ): Promise<{ running: number; firstIdle: number | null; exact: boolean }> {
    let running = 0
    let firstIdle: number | null = null
    let idlePages = 0
    for (let offset = 0; offset < MAX_LOOKED_AT; offset += PAGE) {
      const members = await this.#calls.run((client) =>
        client.zrange(key, min, max, 'BYSCORE', 'LIMIT', offset, PAGE, 'WITHSCORES'),
      )
      const ids = members.filter((_, i) => i % 2 === 0)
      const exists = await this.#calls.pipeline(ids.map((id) => ['exists', this.#keys.inProgress(id)]))
      const found = exists.filter((flag) => flag === 1).length
      const idle = exists.indexOf(0)
      if (firstIdle === null && idle !== -1) firstIdle = Number(members[2 * idle + 1])
      running += found
      idlePages = found === 0 ? idlePages + 1 : 0
      if (ids.length < PAGE || (mayStop && idlePages === 2)) return { running, firstIdle, exact: true }
    }
    return { running, firstIdle, exact: false }
  }

  async #first(key: string, min: string): Promise<number | null> {
    const [, score] = await this.#calls.run((client) =>
      client.zrange(key, min, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES'),
    )
    return score === undefined ? null : Number(score)
  }
}
