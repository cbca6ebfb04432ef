import type { ChainableCommander, Redis } from 'ioredis'
import { z } from 'zod'
import { checkArguments, textSchema } from './arguments.ts'
import { readHistogram, writeHistogram } from './histogram-bytes.ts'
import type { Histogram } from './histogram-bytes.ts'
import { addLatencies, addLatency, noLatencies } from './judging/latency.ts'
import type { Latencies } from './judging/latency.ts'
import type { Moments } from './judging/statistics.ts'
import type { Tally } from './judging/tally.ts'
import type { Keys } from './keys.ts'
import { KnownMinutes } from './known-minutes.ts'
import { isValueName, VALUE_NAME } from './value-names.ts'
import { RECORD } from './record-script.ts'

const KEPT_S = 7_200
/** Latencies that Python's list keeps of a minute. */
const LISTED = 1_000
/** Lists of Python that one reading reads, of minutes under way and of those that are over: the rest waits for the next. */
const LISTS_READ = 2
/** Collections whose counters one command reads. */
const COLLECTIONS_READ = 10
/** A minute is over for every clock that counts after this many minutes. */
const OVER_MINUTES = 2

/** One request of a deployment, as it went. */
export interface RequestOutcome {
  deploymentId: string
  collection: string
  /** From 0 to 10^9. */
  latencyMs: number
  isError: boolean
  /** No user waited for it: it does not count for the observed share. Default false. */
  isShadow?: boolean
  /** Any numbers, by name, for `guards`: `{ ctr: 0.12, zeroHits: 0 }`. */
  values?: Record<string, number>
}

const outcomeSchema = z.strictObject({
  deploymentId: textSchema,
  collection: textSchema,
  latencyMs: z.number('Expected a number of milliseconds').min(0).max(1e9),
  isError: z.boolean('Expected true or false'),
  isShadow: z.boolean('Expected true or false').optional(),
  values: z
    .record(
      z
        .string()
        .regex(VALUE_NAME, 'Expected names of 1 to 64 letters, digits, dots, underscores or hyphens')
        .refine(isValueName, 'Expected names that no object of JavaScript has'),
      z.number('Expected a finite number'),
    )
    .optional(),
})

/** The script as a command of the connection: it is sent once. */
interface Recorder {
  canaryRecord: (...args: (string | number)[]) => Promise<unknown>
}

/** The counts of one minute of a collection. */
export interface CountedMinute {
  /** Since 1970. */
  minute: number
  tally: Tally
}

/** A collection's counts from one time to another, both unix ms. */
export interface CountRange {
  deploymentId: string
  collection: string
  fromMs: number
  toMs: number
}

/** A minute's counters as Redis has them. */
interface MinuteCells {
  minute: number
  requests: number
  errors: number
  /** The part of it that our histogram has: all, unless Python counted too. */
  ours: Histogram
  /** Latencies that only Python recorded, where they were read already. */
  theirs: Latencies | null
  /** Python's list has latencies that are neither in `ours` nor in `theirs`. */
  hasUnread: boolean
}

/** The minute a time is in, as keys are named: since 1970. */
export function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000)
}

/** The minutes of a time, at most those of the last two hours: counts are kept that long. */
function minutesOf({ fromMs, toMs }: Pick<CountRange, 'fromMs' | 'toMs'>): number[] {
  const last = minuteOf(toMs)
  const first = Math.max(minuteOf(fromMs), last - KEPT_S / 60)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
}

/**
 * Requests counted by the minute, in the Python application's keys and in histograms of ours.
 *
 * A reading costs the same however many requests there were: one MGET for all minutes, one HGETALL an hour where
 * numbers were recorded. Of minutes that are over and were read before, it reads the number of requests, and the rest only
 * where that has changed. Latencies that only Python recorded are in its lists alone: they are read once, when their minute
 * is over, and kept as a histogram, with the number of requests at that time: where that has changed, they are read again.
 */
export class RequestCounts {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #known = new KnownMinutes()

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
    redis.defineCommand('canaryRecord', { numberOfKeys: 5, lua: RECORD })
  }

  /** Counts one. @throws ArgumentsError; what Redis throws. */
  async add(request: RequestOutcome, nowMs: number): Promise<void> {
    const checked = checkArguments('record', outcomeSchema, request)
    const { collection, deploymentId, isError, isShadow = false, latencyMs, values = {} } = checked
    const minute = minuteOf(nowMs)
    await (this.#redis as Redis & Recorder).canaryRecord(
      this.#keys.latency(deploymentId, collection, minute),
      this.#keys.count(deploymentId, collection, minute),
      this.#keys.errors(deploymentId, collection, minute),
      this.#keys.histogram(deploymentId, collection, minute),
      this.#keys.values(deploymentId, collection, Math.floor(minute / 60)),
      latencyMs,
      isError ? 1 : 0,
      isShadow ? 1 : 0,
      KEPT_S,
      LISTED,
      minute,
      ...Object.entries(values).flat(),
    )
  }

  /** The counts from one time to another, by whole minutes; at most of the last two hours: they are kept that long. */
  async read(deploymentId: string, collection: string, fromMs: number, toMs: number): Promise<CountedMinute[]> {
    const last = minuteOf(toMs)
    const isOver = (minute: number) => minute < last - OVER_MINUTES
    const minutes = minutesOf({ fromMs, toMs })
    const known = this.#known.of(deploymentId, collection, last - KEPT_S / 60)
    const { read, same: found } = await this.#changed(deploymentId, collection, minutes, known)
    const valued = read.filter(({ ours }) => ours.valued > 0).map(({ minute }) => minute)
    const [lists, values] = await Promise.all([
      this.#theirs(deploymentId, collection, read, isOver),
      this.#values(deploymentId, collection, valued),
    ])
    for (const cells of read) {
      const { hasUnread, minute } = cells
      const listed = lists.get(minute)
      const minuteCounted = counted(cells, listed, values.get(minute))
      found.set(minute, minuteCounted)
      const isComplete = !hasUnread || listed !== undefined
      if (isComplete && isOver(minute)) known.set(minute, minuteCounted)
    }
    return minutes.map((minute) => found.get(minute)!)
  }

  /** Minutes that are as they were read before, and the counters of all others. */
  async #changed(
    deploymentId: string,
    collection: string,
    minutes: readonly number[],
    known: ReadonlyMap<number, CountedMinute>,
  ): Promise<{ same: Map<number, CountedMinute>; read: MinuteCells[] }> {
    const of = (some: readonly number[]) => [{ deploymentId, collection, minutes: some }]
    // Taken now: another reading may forget minutes meanwhile.
    const before = minutes.flatMap((minute) => known.get(minute) ?? [])
    const [[fresh = []], requests] = await Promise.all([
      this.#cells(of(minutes.filter((minute) => !known.has(minute)))),
      before.length === 0
        ? []
        : this.#redis.mget(before.map(({ minute }) => this.#keys.count(deploymentId, collection, minute))),
    ])
    const hasMoved = (each: CountedMinute, i: number) => each.tally.requests !== Number(requests[i] ?? 0)
    const moved = before.filter(hasMoved).map(({ minute }) => minute)
    const [again = []] = moved.length === 0 ? [] : await this.#cells(of(moved))
    const same = before.filter((each, i) => !hasMoved(each, i))
    return { same: new Map(same.map((each) => [each.minute, each])), read: [...fresh, ...again] }
  }

  /**
   * The same for many collections at once, in one command for each ten of them: without the numbers recorded with
   * requests, and without latencies that only Python's lists have.
   */
  async readTotals(ranges: readonly CountRange[]): Promise<CountedMinute[][]> {
    const found: CountedMinute[][] = []
    for (let at = 0; at < ranges.length; at += COLLECTIONS_READ) {
      const some = ranges.slice(at, at + COLLECTIONS_READ)
      const read = await this.#cells(some.map((range) => ({ ...range, minutes: minutesOf(range) })))
      found.push(...read.map((minutes) => minutes.map((cells) => counted(cells))))
    }
    return found
  }

  /** The counters of these minutes: by one MGET, and one more for those in which Python counted too. */
  async #cells(
    wanted: readonly { deploymentId: string; collection: string; minutes: readonly number[] }[],
  ): Promise<MinuteCells[][]> {
    const places = wanted.flatMap(({ minutes, ...of }) => minutes.map((minute) => ({ ...of, minute })))
    const found = await this.#pairs(places, 'count', 'histogram')
    const cells = found.map(([requests, histogram], i): MinuteCells => {
      const ours = readHistogram(histogram)
      const { errors } = ours
      const count = Number(requests ?? 0)
      return {
        minute: places[i]!.minute,
        requests: count,
        errors,
        ours,
        theirs: null,
        hasUnread: count > ours.requests,
      }
    })
    const mixed = [...cells.keys()].filter((i) => cells[i]!.hasUnread)
    const more = await this.#pairs(
      mixed.map((i) => places[i]!),
      'errors',
      'adopted',
    )
    for (const [i, [errors, adopted]] of more.entries()) {
      const each = cells[mixed[i]!]!
      each.errors = Math.min(each.requests, Number(errors ?? 0)) // more may have been counted since
      if (!adopted) continue
      const { latency, requests } = readHistogram(adopted)
      each.theirs = latency
      each.hasUnread = requests !== each.requests
    }
    let at = 0
    return wanted.map(({ minutes }) => cells.slice(at, (at += minutes.length)))
  }

  /** Two keys of each minute, by one MGET. */
  async #pairs(
    places: readonly { deploymentId: string; collection: string; minute: number }[],
    ...kinds: ['count', 'histogram'] | ['errors', 'adopted']
  ): Promise<[Buffer | null, Buffer | null][]> {
    if (places.length === 0) return []
    const names = places.flatMap(({ collection, deploymentId, minute }) =>
      kinds.map((kind) => this.#keys[kind](deploymentId, collection, minute)),
    )
    const values = await this.#redis.mgetBuffer(...names)
    return places.map((_, i) => [values[2 * i] ?? null, values[2 * i + 1] ?? null])
  }

  /** Latencies of minutes in which Python counted too, the newest minutes first; kept once a minute is over. */
  async #theirs(
    id: string,
    collection: string,
    read: readonly MinuteCells[],
    isOver: (minute: number) => boolean,
  ): Promise<Map<number, Latencies>> {
    const mixed = read.filter(({ hasUnread }) => hasUnread)
    const wanted = [true, false].flatMap((over) =>
      mixed.filter(({ minute }) => isOver(minute) === over).slice(-LISTS_READ),
    )
    if (wanted.length === 0) return new Map()
    const calls = this.#redis.pipeline()
    for (const { minute } of wanted) calls.lrange(this.#keys.latency(id, collection, minute), 0, LISTED - 1)
    const lists = (await repliesOf(calls)) as string[][]
    const found = new Map(
      wanted.map(({ minute, ours, requests }, i) => [minute, listedByPython(lists[i]!, requests, ours)]),
    )
    const keeping = this.#redis.pipeline()
    for (const { minute, requests } of wanted) {
      if (!isOver(minute)) continue
      const adopted = writeHistogram(found.get(minute)!, requests)
      keeping.set(this.#keys.adopted(id, collection, minute), adopted, 'EX', KEPT_S)
    }
    if (keeping.length > 0) await repliesOf(keeping)
    return found
  }

  async #values(
    id: string,
    collection: string,
    minutes: readonly number[],
  ): Promise<Map<number, Record<string, Moments>>> {
    const found = new Map<number, Record<string, Moments>>(minutes.map((minute) => [minute, {}]))
    const hours = new Set(minutes.map((minute) => Math.floor(minute / 60)))
    if (hours.size === 0) return found
    const calls = this.#redis.pipeline()
    for (const hour of hours) calls.hgetall(this.#keys.values(id, collection, hour))
    for (const fields of (await repliesOf(calls)) as Record<string, string>[]) {
      for (const [field, text] of Object.entries(fields)) {
        const minute = Number(field.slice(0, field.indexOf(':')))
        const values = found.get(minute)
        const name = field.slice(field.indexOf(':') + 1)
        if (!values || !isValueName(name)) continue
        const [count = 0, sum = 0, squares = 0, min = 0, max = 0] = text.split(' ').map(Number)
        values[name] = { count, sum, squares, min, max }
      }
    }
    return found
  }
}

function counted(
  { errors, minute, ours, requests, theirs }: MinuteCells,
  listed?: Latencies,
  values: Record<string, Moments> = {},
): CountedMinute {
  const { latency, shadowed } = ours
  const more = listed ?? theirs
  if (more) addLatencies(latency, more)
  return { minute, tally: { requests, errors, shadowed, latency, values } }
}

/**
 * Latencies of a minute's list that our histogram does not have. The list mixes both; it has the newest 1,000 of the
 * minute, so our part of it is our histogram in the same proportion.
 */
function listedByPython(list: readonly string[], requests: number, ours: Histogram): Latencies {
  const all = noLatencies()
  for (const text of list) {
    const ms = Number(text)
    if (ms >= 0) addLatency(all, ms)
  }
  if (ours.latency.count === 0) return all
  const listedShare = Math.min(1, list.length / Math.max(1, requests))
  const left = { ...noLatencies(), first: all.first }
  all.buckets.forEach((count, i) => {
    left.buckets[i] = Math.max(0, count - Math.round(ours.latency.buckets[i]! * listedShare))
    left.count += left.buckets[i]!
  })
  left.maxMs = left.count > 0 ? all.maxMs : 0
  left.sumMs = Math.max(0, all.sumMs - ours.latency.sumMs * listedShare)
  return left
}

/** @throws the first failure among the commands. */
async function repliesOf(calls: ChainableCommander): Promise<unknown[]> {
  return ((await calls.exec()) ?? []).map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}
