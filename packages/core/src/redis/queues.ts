import { ENDED_IN_PROGRESS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE, WrongType } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { intact } from './damage.ts'
import type { Damage, DamagedKeys } from './damage.ts'
import { isHolder } from './holds.ts'
import { HOLD_MS } from './limits.ts'
import type { LimitRecords } from './limits.ts'
import { readId } from './id-bytes.ts'
import { readMany } from './many.ts'
import { deathsIn, dueTimeIn } from './scores.ts'
import type { JobRecords, QueuePlace } from './jobs.ts'

/** Members of a queue that are looked at to count running jobs, at the head and in the lease window each. */
const MAX_LOOKED_AT = 5_000
/** Members per round trip of that look. */
const LOOK_PAGE = 1_000

/** Names of queues that are remembered, and for how long. */
const MAX_REMEMBERED = 10_000
const REMEMBERED_MS = 7 * 86_400_000
/** A queue that was noted so lately may have got its first job after a look at the database. */
const RECENTLY_NOTED_MS = 60_000

/** Members of a queue with scores from `min` to `max`, as `ZRANGE BYSCORE` reads bounds: `(5` is above 5. */
export interface ScoreRange {
  min?: string
  max?: string
}

/** Counts of a queue. */
export interface QueueCounts {
  total: number
  due: number
  /** Running jobs among the due ones: Python's stay where they are. */
  runningDue: number
  /** Running jobs among those not due: ours are moved to the end of their lease. */
  runningLater: number
  /** False where there are more members than are looked at; both numbers are then lower bounds. */
  exact: boolean
  /** False where the queue's own key holds no sorted set: nothing is known of its jobs. */
  readable: boolean
  /** Score of the first member that is due and does not run, in unix ms. */
  oldestDueMs: number | null
  /** Score of the first member that is not due and does not run; null where all of these are held. */
  nextDueMs: number | null
  paused: boolean
  ended: { complete: number; failed: number; aborted: number }
  /** Keys of the queue that hold another type of value than they should; what they would say is missing above. */
  damaged: Damage[]
}

/** Queues as a whole: their names, members, sizes and pauses, and the removal of all their jobs. */
export class QueueRecords {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock
  readonly #jobs: JobRecords
  readonly #damaged: DamagedKeys
  readonly #limits: LimitRecords

  constructor(
    calls: Calls,
    keys: Keys,
    clock: RedisClock,
    parts: { jobs: JobRecords; damaged: DamagedKeys; limits: LimitRecords },
  ) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
    this.#jobs = parts.jobs
    this.#damaged = parts.damaged
    this.#limits = parts.limits
  }

  /** Names of queues that earlier looks at a large database have found; some may be gone. */
  async remembered(): Promise<string[]> {
    const [reply] = await this.#calls.attempt([['get', this.#keys.obsQueues]])
    return namesIn(intact<string | null>(reply, null))
  }

  /** Keeps names of queues for later looks, the first 10,000. A replica, and a user who may only read, keep none. */
  async remember(queueNames: readonly string[]): Promise<void> {
    const names = JSON.stringify(queueNames.slice(0, MAX_REMEMBERED))
    await this.#calls.note([['set', this.#keys.obsQueues, names, 'PX', REMEMBERED_MS]])
  }

  /** Names of queues that producers of ours have noted; some may be gone. */
  async noted(): Promise<string[]> {
    const [reply] = await this.#calls.attempt([['hkeysBuffer', this.#keys.obsNoted]])
    return intact<Buffer[]>(reply, []).map(readId)
  }

  /** Notes that jobs are enqueued into a queue, unless 10,000 are noted. A user who may not write here notes nothing. */
  async note(queueName: string): Promise<void> {
    const { obsNoted } = this.#keys
    const [count] = await this.#calls.attempt([['hlen', obsNoted]])
    if (intact(count, MAX_REMEMBERED) >= MAX_REMEMBERED) return
    await this.#calls.attempt([
      ['hset', obsNoted, queueName, this.#clock.now()],
      ['pexpire', obsNoted, REMEMBERED_MS],
    ])
  }

  /** Forgets notes of queues that a look at the whole database did not find, but those of the last minute. */
  async forgetNoted(found: ReadonlySet<string>): Promise<void> {
    const [reply] = await this.#calls.attempt([['hgetall', this.#keys.obsNoted]])
    const oldMs = this.#clock.now() - RECENTLY_NOTED_MS
    const notes = Object.entries(intact<Record<string, string>>(reply, {}))
    const gone = notes.filter(([name, at]) => !found.has(name) && !(Number(at) > oldMs)).map(([name]) => name)
    if (gone.length > 0) await this.#calls.note([['hdel', this.#keys.obsNoted, ...gone]])
  }

  /** Names of paused queues; none where the key that has them is damaged. */
  async paused(): Promise<string[]> {
    const [reply] = await this.#calls.attempt([['smembersBuffer', this.#keys.paused]])
    return intact<Buffer[]>(reply, []).map((key) => readId(key).slice(this.#keys.prefix.length))
  }

  /** Also empties the list of workers to which jobs may be handed. False when it was paused before. */
  async pause(queueName: string): Promise<boolean> {
    const [added] = await this.#calls.transaction([
      ['sadd', this.#keys.paused, this.#keys.queue(queueName)],
      ['del', this.#keys.waiting(queueName)],
    ])
    return added === 1
  }

  /** Wakes the queue's workers. False when it was not paused. */
  async resume(queueName: string): Promise<boolean> {
    const [removed] = await this.#calls.pipeline([
      ['srem', this.#keys.paused, this.#keys.queue(queueName)],
      ['publish', this.#keys.wakeChannel(queueName), this.#clock.now()],
    ])
    return removed === 1
  }

  /** True when Redis has a sorted set of this name. */
  async exists(queueName: string): Promise<boolean> {
    const [type] = await this.#calls.pipeline([['type', this.#keys.queue(queueName)]])
    return type === 'zset'
  }

  /** The number of members that the queues have together: deferred and running jobs included. */
  async size(queueNames: readonly string[]): Promise<number> {
    const counts = await this.#calls.pipeline(queueNames.map((name) => ['zcard', this.#keys.queue(name)]))
    return counts.reduce<number>((sum, count) => sum + Number(count), 0)
  }

  /** The number of members that are due by `nowMs`, and the time of the next one after it, running jobs included. */
  async due(queueNames: readonly string[], nowMs: number): Promise<{ count: number; nextMs: number | null }> {
    const replies = await this.#calls.pipeline(
      queueNames.flatMap((name) => [
        ['zcount', this.#keys.queue(name), '-inf', nowMs],
        ['zrangebyscore', this.#keys.queue(name), `(${nowMs}`, '+inf', 'WITHSCORES', 'LIMIT', 0, 1],
      ]),
    )
    let count = 0
    let nextMs: number | null = null
    for (let i = 0; i < replies.length; i += 2) {
      count += Number(replies[i])
      const score = (replies[i + 1] as string[])[1]
      if (score !== undefined) nextMs = Math.min(nextMs ?? Infinity, Math.ceil(Number(score)))
    }
    return { count, nextMs }
  }

  /**
   * Members of a queue by due time, a page at a time. Pages follow each other by score, so that jobs which leave the
   * head meanwhile hide none that stay; one whose score grows meanwhile may come twice.
   *
   * @throws RedisReplyError where the key holds another type of value.
   */
  async *members(
    queueName: string,
    { min = '-inf', max = '+inf' }: ScoreRange = {},
    pageSize = PAGE,
  ): AsyncGenerator<QueuePlace[]> {
    const key = this.#keys.queue(queueName)
    let from = min
    /** Read members with the score `from`, and their number when none of them has left. */
    let seen = new Set<string>()
    let offset = 0
    for (;;) {
      // The last member read comes again, as a sign that none before it has left.
      const overlap = offset > 0 ? 1 : 0
      const limit = [offset - overlap, pageSize + overlap]
      const [answer] = await this.#calls.pipeline([
        ['zrangeBuffer', key, from, max, 'BYSCORE', 'LIMIT', ...limit, 'WITHSCORES'],
      ])
      const reply = answer as Buffer[]
      if (overlap && !(reply[1]?.toString() === from && seen.has(readId(reply[0]!)))) {
        offset = 0
        continue
      }
      const page: QueuePlace[] = []
      for (let i = 2 * overlap; i < reply.length; i += 2) {
        const [jobId, score] = [readId(reply[i]!), reply[i + 1]!.toString()]
        if (score !== from) [from, seen, offset] = [score, new Set(), 0]
        offset++
        if (!seen.has(jobId)) page.push({ jobId, score: dueTimeIn(score), deaths: deathsIn(score) })
        seen.add(jobId)
      }
      if (page.length > 0) yield page
      if (reply.length < 2 * (pageSize + overlap)) return
    }
  }

  /** Counts a queue. The cost does not grow with its length. `leaseMs`: the longest lease its workers use. */
  async counts(queueName: string, leaseMs: number): Promise<QueueCounts> {
    const key = this.#keys.queue(queueName)
    const now = this.#clock.now()
    const answers = await this.#calls.attempt([
      ['zcard', key],
      ['zcount', key, '-inf', now],
      ['sismember', this.#keys.paused, key],
      ['hgetall', this.#keys.stats(queueName)],
      ['strlen', this.#keys.healthCheck(queueName)],
    ])
    const [total, due, paused] = answers.map((answer) => intact(answer, 0)) as [number, number, number]
    const ended = intact<Record<string, string>>(answers[3], {})
    const none = { running: 0, firstIdle: null, exact: true }
    // A lease that was just renewed ends a full lease from now; a second more for what the clocks disagree.
    const [head, window] =
      total === 0
        ? [none, none]
        : await Promise.all([
            this.#running(key, '-inf', String(now), true),
            this.#running(key, `(${now}`, String(now + leaseMs + 1_000)),
          ])
    const later = total === 0 ? null : (window.firstIdle ?? (await this.#nextDue(key, now + leaseMs + 1_000)))
    return {
      total,
      due,
      runningDue: head.running,
      runningLater: window.running,
      exact: head.exact && window.exact,
      readable: !(answers[0] instanceof WrongType),
      oldestDueMs: head.firstIdle,
      nextDueMs: later,
      paused: paused === 1,
      ended: {
        complete: countOf(ended.complete),
        failed: countOf(ended.failed),
        aborted: countOf(ended.aborted),
      },
      damaged: await this.#damaged.among(answers),
    }
  }

  /** Removes every job that does not run; returns their number. `onProgress` gets the number so far. */
  async purge(queueName: string, onProgress?: (removed: number) => void): Promise<number> {
    let removed = 0
    // One look at each member: whatever becomes of it, the next page is another.
    for await (const page of this.members(queueName)) {
      const ids = page.map(({ jobId }) => jobId)
      const outcomes = await this.#jobs.remove(queueName, ids, { running: false, kept: false })
      const gone = outcomes.filter((outcome) => outcome === 'removed').length
      removed += gone
      if (gone > 0) onProgress?.(removed)
    }
    return removed
  }

  /**
   * Counts members in a range of scores that run, up to a bound, a page at a time. `inOrder`: workers take jobs by their
   * scores, so that a page of which none runs ends the count: those that run stand before it.
   */
  async #running(
    key: string,
    min: string,
    max: string,
    inOrder = false,
  ): Promise<{ running: number; firstIdle: number | null; exact: boolean }> {
    let running = 0
    let firstIdle: number | null = null
    for (let offset = 0; offset < MAX_LOOKED_AT; offset += LOOK_PAGE) {
      // Scores only for a search of the first one: they are half of the reply.
      const scores = firstIdle === null ? (['WITHSCORES'] as const) : []
      const [answer] = await this.#calls.pipeline([
        ['zrangeBuffer', key, min, max, 'BYSCORE', 'LIMIT', offset, LOOK_PAGE, ...scores],
      ])
      const members = answer as Buffer[]
      const width = 1 + scores.length
      const ids = members.filter((_, i) => i % width === 0).map(readId)
      const { count, idle } = await this.#held(ids)
      if (firstIdle === null && idle !== -1) firstIdle = dueTimeIn(members[width * idle + 1]!.toString())
      running += count
      if (ids.length < LOOK_PAGE) return { running, firstIdle, exact: true }
      if (inOrder && count === 0) break
    }
    return { running, firstIdle, exact: false }
  }

  /**
   * The number of jobs whose in-progress keys exist, whatever they hold but the fence of an ended job, and the place of the
   * first other one, or -1.
   */
  async #held(jobIds: readonly string[]): Promise<{ count: number; idle: number }> {
    if (jobIds.length === 0) return { count: 0, idle: -1 }
    const keys = jobIds.map((id) => this.#keys.inProgress(id))
    const reply = await this.#calls.readingScript('countHeld', keys, [ENDED_IN_PROGRESS])
    if (reply) {
      const [count, first, ...faulty] = reply.map(Number) as [number, number, ...number[]]
      // An incomplete answer must name the key.
      await this.#calls.attempt(faulty.map((at): Call => ['get', keys[at - 1]!]))
      return { count, idle: first - 1 }
    }
    const [holders = []] = await readMany(this.#calls, [keys])
    const held = holders.map(isHolder)
    return { count: held.filter(Boolean).length, idle: held.indexOf(false) }
  }

  /** Score of the first member after a time; null where that is held, and waits for no time. */
  async #nextDue(key: string, afterMs: number): Promise<number | null> {
    const [answer] = await this.#calls.pipeline([
      ['zrangeBuffer', key, `(${afterMs}`, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES'],
    ])
    const [member, text] = answer as Buffer[]
    if (!member || !text) return null
    const score = dueTimeIn(text.toString())
    if (score < afterMs + HOLD_MS / 2 || !Number.isFinite(score)) return score
    const [hold] = await this.#limits.holdsOf([{ jobId: readId(member), score }])
    return hold ? null : score
  }
}

/** A counter's value; 0 for what is no number. */
function countOf(value: string | undefined): number {
  const count = Number(value ?? 0)
  return Number.isFinite(count) ? count : 0
}

/** The names in a remembered list; none where it is damaged. */
function namesIn(text: string | null): string[] {
  try {
    const names: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []
  } catch {
    return []
  }
}
