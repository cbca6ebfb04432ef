import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { runScript } from './scripts.ts'

/** Members of a queue that are looked at to count running jobs, at the head and in the lease window each. */
const MAX_LOOKED_AT = 20_000
/** Keys per step of a scan for queues; larger steps hold the server longer. */
const SCAN_STEP = 1_000

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

/** Queues as a whole: their names, sizes, pauses, and the removal of their jobs. */
export class QueueStore {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock

  constructor(calls: Calls, keys: Keys, clock: RedisClock) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
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

  /** Removes every job that does not run; gives how many went. `onProgress` gets the number so far. */
  async purge(queueName: string, onProgress?: (removed: number) => void): Promise<number> {
    const key = this.#keys.queue(queueName)
    let removed = 0
    let left = 0
    for (;;) {
      const ids = await this.#calls.run((client) => client.zrange(key, left, String(left + PAGE - 1)))
      if (ids.length === 0) return removed
      const outcomes = await this.remove(queueName, ids, { running: false, kept: false })
      const gone = outcomes.filter((outcome) => outcome === 'removed').length
      removed += gone
      left += outcomes.filter((outcome) => outcome === 'running').length
      if (gone > 0) onProgress?.(removed)
    }
  }

  /** Which of these queues has the job; undefined when none has. */
  async holderOf(jobId: string, queueNames: readonly string[]): Promise<string | undefined> {
    const scores = await this.#calls.pipeline(queueNames.map((name) => ['zscore', this.#keys.queue(name), jobId]))
    return queueNames.find((_, i) => scores[i] !== null)
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
