import type { Keys } from '@arq-ts/protocol/jobs'
import type { Call, Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import type { Damage, DamagedKeys } from './damage.ts'
import type { Holds } from './holds.ts'
import { readId } from './id-bytes.ts'
import { isQueueKey, typeByName } from './key-kinds.ts'
import { OtherNamespaces } from './other-namespaces.ts'
import { dueTimeIn } from './scores.ts'

/** Ends the name of a set of reservations, and of queues that happen to be called so. */
const RESERVED_SUFFIX = ':reserved'
/** A reservation lapses within a second: what is due later is a job. */
const RESERVED_MS = 60_000
/** Keys per step of a scan for queues; larger steps hold the server longer. */
const SCAN_STEP = 2_000
/** Keys that are looked at however long that takes: a database of this size is always seen whole. */
const MIN_SCAN_KEYS = 20_000
/** Follows the name of a queue in the key of its health line. */
const HEALTH_SUFFIX = ':health-check'
/** Keys of ours that are recorded or put aside, and the sorted sets that our task packages keep, behind a prefix of theirs. */
const NO_QUEUE = /^arq:(obs|damaged):|(^|[:}])(canary:(active|history)|write-behind:(dirty|waiting))$/

/** Bounds of a look at the keys of the database. */
export interface ScanBounds {
  maxKeys: number
  /** Time after which the look ends, once it has seen 20,000 keys, in ms. Default: none. */
  maxMs?: number
}

/** Queues that have jobs, or those with the health line of a worker. */
export type QueueKind = 'waiting' | 'served'

/** Names of queues that a look has found. */
export interface FoundQueues {
  names: string[]
  /** False where the look ended at a bound. */
  complete: boolean
  /** The number of keys that were looked at. */
  looked: number
}

/** Everything that one walk over all keys has found. */
export interface Survey extends FoundQueues {
  /** Keys that hold another type of value than their names say. */
  damaged: Damage[]
  /** Ids of jobs whose in-progress keys never lapse. */
  endlessHolds: string[]
}

/** Looks at the keys of the database: for queues that nobody names, for damaged keys, for holds that never lapse. */
export class KeySurvey {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock
  readonly #damaged: DamagedKeys
  readonly #holds: Holds
  readonly #others: OtherNamespaces

  constructor(calls: Calls, keys: Keys, clock: RedisClock, parts: { damaged: DamagedKeys; holds: Holds }) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
    this.#damaged = parts.damaged
    this.#holds = parts.holds
    this.#others = new OtherNamespaces(calls, keys)
  }

  /**
   * Queues, whichever language made them: sorted sets that are none of the others arq and we keep (one under the name of
   * a job's key, say, is damage), and queues with a health line. `only` one of the two costs half.
   */
  async queues(bounds: ScanBounds, only?: QueueKind): Promise<FoundQueues> {
    const none = { found: new Set<string>(), complete: true, looked: 0 }
    const endMs = performance.now() + (bounds.maxMs ?? Infinity)
    const scan = async (options: { type: string; suffix?: string }) => {
      const found = new Set<string>()
      const left = { ...bounds, maxMs: endMs - performance.now() }
      return { ...(await this.#scan(left, options, (page) => page.forEach((key) => found.add(key)))), found }
    }
    // Queues with jobs first: where time is short, these must not be missed.
    const sets = only === 'served' ? none : await scan({ type: 'zset' })
    const lines = only === 'waiting' ? none : await scan({ type: 'string', suffix: HEALTH_SUFFIX })
    const names = await this.#namesIn(sets.found, lines.found)
    return { names, complete: sets.complete && lines.complete, looked: Math.max(sets.looked, lines.looked) }
  }

  /** One walk over every key, asking for its type: for all that only such a walk can find. */
  async all(bounds: ScanBounds, onProgress: (keys: number) => void = () => {}): Promise<Survey> {
    const { prefix } = this.#keys
    const holdPrefix = this.#keys.inProgress('')
    const sets = new Set<string>()
    const lines = new Set<string>()
    const damaged = new Map<string, Damage>()
    const endless = new Set<string>()
    const scanned = await this.#scan(bounds, {}, async (page, looked) => {
      const held = page.filter((key) => key.startsWith(holdPrefix)).map((key) => key.slice(holdPrefix.length))
      const [types, holds] = await Promise.all([this.#damaged.typesOf(page), this.#holds.endlessAmong(held)])
      for (const { jobId } of holds) endless.add(jobId)
      for (const each of types) {
        const expected = typeByName(each.key.slice(prefix.length))
        if (each.type === 'zset') sets.add(each.key)
        else if (each.type === 'string' && each.key.endsWith(HEALTH_SUFFIX)) lines.add(each.key)
        if (each.type !== 'none' && expected !== undefined && each.type !== expected) damaged.set(each.key, each)
      }
      onProgress(looked)
    })
    const names = await this.#namesIn(sets, lines)
    return { names, ...scanned, damaged: [...damaged.values()], endlessHolds: [...endless] }
  }

  /** Ids of jobs that have an in-progress key, in no order. */
  async *held(): AsyncGenerator<string[]> {
    const prefix = this.#keys.inProgress('')
    for await (const page of this.#calls.scan(prefix, { count: SCAN_STEP })) {
      if (page.length > 0) yield page.map((key) => key.slice(prefix.length))
    }
  }

  /** The number of keys in the database; the cost of a look grows with it. */
  async size(): Promise<number> {
    return this.#calls.run((client) => client.dbsize())
  }

  async #namesIn(sets: ReadonlySet<string>, lines: ReadonlySet<string>): Promise<string[]> {
    const { prefix } = this.#keys
    // Ids of jobs and workers may end as a health line's key does.
    const isOther = (key: string) => !isQueueKey(key.slice(prefix.length)) || NO_QUEUE.test(key.slice(prefix.length))
    const found = new Set([...sets].filter((key) => !isOther(key)))
    // A sorted set in place of a queue's health line is damage.
    const isLine = (key: string) => key.endsWith(HEALTH_SUFFIX) && found.has(key.slice(0, -HEALTH_SUFFIX.length))
    const foreign = await this.#others.holding([...found])
    const queues = new Set<string>()
    for (const key of found)
      if (!isLine(key) && !foreign.has(key) && !(await this.#isReservations(key))) queues.add(key)
    const served = [...lines].filter((key) => !isOther(key)).map((key) => key.slice(0, -HEALTH_SUFFIX.length))
    const others = await this.#others.serving(served.filter((key) => !queues.has(key)))
    const own = served.filter((key) => !others.has(key) && !foreign.has(key))
    return [...new Set([...queues, ...own].map((key) => key.slice(prefix.length)))]
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
    { maxKeys, maxMs = Infinity }: ScanBounds,
    options: { type?: string; suffix?: string },
    onPage: (keys: string[], looked: number) => unknown,
  ): Promise<{ complete: boolean; looked: number }> {
    if (maxKeys <= 0) return { complete: false, looked: 0 }
    const startedMs = performance.now()
    let looked = 0
    for await (const page of this.#calls.scan(this.#keys.prefix, { ...options, count: SCAN_STEP })) {
      if (looked >= maxKeys || (looked >= MIN_SCAN_KEYS && performance.now() - startedMs > maxMs))
        return { complete: false, looked }
      looked += SCAN_STEP
      await onPage(page, looked)
    }
    return { complete: true, looked }
  }
}
