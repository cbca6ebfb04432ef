import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE, WrongType } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { intact } from './damage.ts'
import type { Damage, DamagedKeys } from './damage.ts'
import { readId } from './id-bytes.ts'
import { typeByName } from './key-kinds.ts'
import { deathsIn, dueTimeIn } from './scores.ts'
import type { JobRecords, QueuePlace } from './jobs.ts'

/** Members of a queue that are looked at to count running jobs, at the head and in the lease window each. */
const MAX_LOOKED_AT = 5_000
/** Ends the name of a set of reservations, and of queues that happen to be called so. */
const RESERVED_SUFFIX = ':reserved'
/** A reservation lapses within a second: what is due later is a job. */
const RESERVED_MS = 60_000
/** Keys per step of a scan for queues; larger steps hold the server longer. */
const SCAN_STEP = 1_000
/** Follows the name of a queue in the key of its health line. */
const HEALTH_SUFFIX = ':health-check'
/** Keys of ours that are recorded or put aside, and the history that @arq-ts/canary keeps. */
const BESIDE = /^arq:(obs|damaged):|(^|:)canary:history$/

/** Members of a queue with scores from `min` to `max`, as `ZRANGE BYSCORE` reads bounds: `(5` is above 5. */
export interface ScoreRange {
  min?: string
  max?: string
}

/** What Redis has of a queue, counted. */
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
  /** Score of the first member that is not due and does not run. */
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

  constructor(calls: Calls, keys: Keys, clock: RedisClock, parts: { jobs: JobRecords; damaged: DamagedKeys }) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
    this.#jobs = parts.jobs
    this.#damaged = parts.damaged
  }

  /**
   * Queues found by a look at up to `maxKeys` keys of the database, whichever language made them: sorted sets that are
   * none of the others arq and we keep (one under the name of a job's key, say, is damage), and queues with a health line.
   * `complete` is false where there are more keys.
   */
  async find(maxKeys: number): Promise<{ names: string[]; complete: boolean }> {
    const { prefix } = this.#keys
    // Ids of jobs and workers may end as a health line's key does.
    const isOther = (key: string) =>
      typeByName(key.slice(prefix.length)) !== undefined || BESIDE.test(key.slice(prefix.length))
    const [sets, lines] = await Promise.all([
      this.#scan(maxKeys, { type: 'zset' }),
      this.#scan(maxKeys, { type: 'string', suffix: HEALTH_SUFFIX }),
    ])
    const queues: string[] = []
    const found = new Set(sets.keys.filter((key) => !isOther(key)))
    // A sorted set in place of a queue's health line is damage.
    const isLine = (key: string) => key.endsWith(HEALTH_SUFFIX) && found.has(key.slice(0, -HEALTH_SUFFIX.length))
    for (const key of found) if (!isLine(key) && !(await this.#isReservations(key))) queues.push(key)
    const served = lines.keys.filter((key) => !isOther(key))
    const names = [...queues, ...served.map((key) => key.slice(0, -HEALTH_SUFFIX.length))]
    return {
      names: [...new Set(names.map((key) => key.slice(prefix.length)))],
      complete: sets.complete && lines.complete,
    }
  }

  /**
   * True for the set of reservations of a queue. A queue may have a name that ends so: its members are due later than any
   * reservation lapses, or have a payload and are no members of the other queue.
   */
  async #isReservations(key: string): Promise<boolean> {
    if (!key.endsWith(RESERVED_SUFFIX)) return false
    const [head, last] = (await this.#calls.attempt([
      ['zrangeBuffer', key, 0, 99],
      ['zrangeBuffer', key, -1, -1, 'WITHSCORES'],
    ])) as [Buffer[], Buffer[]]
    if (last[1] && dueTimeIn(last[1].toString()) > this.#clock.now() + RESERVED_MS) return false
    const base = key.slice(0, -RESERVED_SUFFIX.length)
    const answers = await this.#calls.attempt(
      head.map(readId).flatMap((id): Call[] => [
        ['exists', this.#keys.job(id)],
        ['zscore', base, id],
      ]),
    )
    return head.every((_, i) => answers[2 * i] === 0 || typeof answers[2 * i + 1] === 'string')
  }

  async #scan(
    maxKeys: number,
    options: { type: string; suffix?: string },
  ): Promise<{ keys: string[]; complete: boolean }> {
    const keys: string[] = []
    if (maxKeys <= 0) return { keys, complete: false }
    const { prefix } = this.#keys
    let looked = 0
    for await (const page of this.#calls.scan(prefix, { ...options, count: SCAN_STEP })) {
      keys.push(...page)
      looked += SCAN_STEP
      if (looked >= maxKeys) return { keys, complete: false }
    }
    return { keys, complete: true }
  }

  /** Names of paused queues; none where the key that has them is damaged. */
  async paused(): Promise<string[]> {
    const [reply] = await this.#calls.attempt([['smembersBuffer', this.#keys.paused]])
    return intact<Buffer[]>(reply, []).map((key) => readId(key).slice(this.#keys.prefix.length))
  }

  /** False when it was paused before. */
  async pause(queueName: string): Promise<boolean> {
    const [added] = await this.#calls.pipeline([['sadd', this.#keys.paused, this.#keys.queue(queueName)]])
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
    const head = total === 0 ? none : await this.#running(key, '-inf', String(now))
    const window = total === 0 ? none : await this.#running(key, `(${now}`, String(now + leaseMs + 1_000))
    const later = total === 0 ? null : (window.firstIdle ?? (await this.#first(key, `(${now + leaseMs + 1_000}`)))
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

  /** Counts members in a range of scores that run, up to a bound, a page at a time. */
  async #running(
    key: string,
    min: string,
    max: string,
  ): Promise<{ running: number; firstIdle: number | null; exact: boolean }> {
    let running = 0
    let firstIdle: number | null = null
    for (let offset = 0; offset < MAX_LOOKED_AT; offset += PAGE) {
      const [answer] = await this.#calls.pipeline([
        ['zrangeBuffer', key, min, max, 'BYSCORE', 'LIMIT', offset, PAGE, 'WITHSCORES'],
      ])
      const members = answer as Buffer[]
      const ids = members.filter((_, i) => i % 2 === 0).map(readId)
      const held = await this.#held(ids)
      const idle = held.indexOf(false)
      if (firstIdle === null && idle !== -1) firstIdle = dueTimeIn(members[2 * idle + 1]!.toString())
      running += held.filter(Boolean).length
      if (ids.length < PAGE) return { running, firstIdle, exact: true }
    }
    return { running, firstIdle, exact: false }
  }

  /** For each job: true when its in-progress key exists. Where none does, one command tells. */
  async #held(jobIds: readonly string[]): Promise<boolean[]> {
    if (jobIds.length === 0) return []
    const keys = jobIds.map((id) => this.#keys.inProgress(id))
    const [some] = await this.#calls.pipeline([['exists', ...keys]])
    if (some === 0) return keys.map(() => false)
    const flags = await this.#calls.pipeline(keys.map((key) => ['exists', key]))
    return flags.map((flag) => flag === 1)
  }

  async #first(key: string, min: string): Promise<number | null> {
    const [answer] = await this.#calls.pipeline([
      ['zrangeBuffer', key, min, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES'],
    ])
    const score = (answer as Buffer[])[1]
    return score === undefined ? null : dueTimeIn(score.toString())
  }
}

/** A counter's value; 0 for what is no number. */
function countOf(value: string | undefined): number {
  const count = Number(value ?? 0)
  return Number.isFinite(count) ? count : 0
}
