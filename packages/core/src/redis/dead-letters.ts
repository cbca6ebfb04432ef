import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE, WrongType } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { intact } from './damage.ts'
import type { Damage, DamagedKeys } from './damage.ts'
import { readId } from './id-bytes.ts'
import { dueTimeIn } from './scores.ts'
import type { ScriptReply } from './scripts.ts'

/** Dead letters that one call counts. */
const COUNT_PAGE = 1_000
/** Time for which numbers by queue are good where the list has not changed: an entry may have expired on its own. */
const COUNTED_MS = 60_000
/** Fields of a dead letter without its payload, which may be large. */
const HEADER = ['queue', 'function', 'error', 'try'] as const

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

interface Place {
  jobId: string
  failedAtMs: number
}

/** Jobs that failed for good: reads, bounds, replays and purges. A worker adds to them as it settles. */
export class DeadLetterRecords {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock
  readonly #damaged: DamagedKeys
  /** Numbers by queue, and the state of the list that they are of. */
  #counted: { state: string; atMs: number; counts: ReadonlyMap<string, number> } | undefined

  constructor(calls: Calls, keys: Keys, clock: RedisClock, damaged: DamagedKeys) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
    this.#damaged = damaged
  }

  /**
   * One page, newest first, of those that `wants` lets through, and the number of letters that were looked at; empty where
   * the key that has them is damaged. Payloads, which may be large, are read of these alone.
   */
  async page(
    offset: number,
    limit: number,
    wants?: (letter: StoredDeadLetter) => boolean,
  ): Promise<{ letters: StoredDeadLetter[]; looked: number }> {
    const places = await this.#places(offset, limit)
    const headers = wants && (await this.#headersOf(places))
    const wanted = headers ? places.filter((_, i) => wants(headers[i]!)) : places
    const entries = await this.#calls.attempt(
      wanted.map(({ jobId }): Call => ['hgetallBuffer', this.#keys.deadLetter(jobId)]),
    )
    return { letters: await this.#lettersOf(wanted, entries), looked: places.length }
  }

  /** One page, newest first, without payloads. */
  async headers(offset: number, limit: number): Promise<StoredDeadLetter[]> {
    return this.#headersOf(await this.#places(offset, limit))
  }

  async #places(offset: number, limit: number): Promise<Place[]> {
    const [reply] = await this.#calls.attempt([
      ['zrangeBuffer', this.#keys.dead, offset, offset + limit - 1, 'REV', 'WITHSCORES'],
    ])
    const members = intact<Buffer[]>(reply, [])
    const places: Place[] = []
    for (let i = 0; i < members.length; i += 2)
      places.push({ jobId: readId(members[i]!), failedAtMs: dueTimeIn(members[i + 1]!.toString()) })
    return places
  }

  async #headersOf(places: readonly Place[]): Promise<StoredDeadLetter[]> {
    const letters = places.map(({ jobId }) => this.#keys.deadLetter(jobId))
    const entries = (await this.#readHeaders(letters)).map((answer) =>
      Array.isArray(answer) ? Object.fromEntries(HEADER.map((field, i) => [field, answer[i] ?? undefined])) : answer,
    )
    return this.#lettersOf(places, entries)
  }

  /** The fields of each letter; a script reads them with a tenth of the CPU that a command for each takes here. */
  async #readHeaders(letters: readonly string[]): Promise<unknown[]> {
    const read = (keys: readonly string[]) =>
      this.#calls.attempt(keys.map((key): Call => ['hmgetBuffer', key, ...HEADER]))
    const reply = letters.length > 0 ? await this.#calls.readingScript('deadHeaders', letters, HEADER) : undefined
    if (!reply) return read(letters)
    const [values, faulty] = reply as [(Buffer | null)[], number[]]
    const answers: unknown[] = letters.map((_, i) => values.slice(i * HEADER.length, (i + 1) * HEADER.length))
    // An answer that lacks a letter must name its key.
    const wrong = await read(faulty.map((at) => letters[at - 1]!))
    for (const [i, at] of faulty.entries()) answers[at - 1] = wrong[i]
    return answers
  }

  async #lettersOf(places: readonly Place[], entries: readonly unknown[]): Promise<StoredDeadLetter[]> {
    const damaged = await this.#damaged.among(entries)
    return places.map(({ jobId, failedAtMs }, i) => {
      const own = damaged.filter(({ key }) => key === this.#keys.deadLetter(jobId))
      return toDeadLetter(jobId, failedAtMs, intact(entries[i], {}), own)
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

  /**
   * The number of dead letters of each queue, a call for each thousand: their number is bounded. While nothing came or went,
   * three commands say that the numbers of the last minute still hold.
   */
  async countByQueue(): Promise<ReadonlyMap<string, number>> {
    const known = this.#counted
    const state = await this.#stateOfList()
    if (known?.state === state && performance.now() - known.atMs < COUNTED_MS) return known.counts
    const { counts, isWhole } = await this.#countAll()
    // An answer that lacks a letter must name its key each time.
    this.#counted = isWhole ? { state, atMs: performance.now(), counts } : undefined
    return counts
  }

  /** The size of the list, its oldest and its newest members. */
  async #stateOfList(): Promise<string> {
    const { dead } = this.#keys
    const replies = await this.#calls.attempt([
      ['zcard', dead],
      ['zrangeBuffer', dead, 0, 0, 'WITHSCORES'],
      ['zrangeBuffer', dead, -3, -1, 'WITHSCORES'],
    ])
    const [card, ...members] = replies.map((reply) => intact<number | Buffer[]>(reply, 0))
    return JSON.stringify([card, ...members.map((each) => (Array.isArray(each) ? each.map(String) : each))])
  }

  async #countAll(): Promise<{ counts: ReadonlyMap<string, number>; isWhole: boolean }> {
    const counts = new Map<string, number>()
    let isWhole = true
    for (let from = 0; ; from += COUNT_PAGE) {
      const [reply] = await this.#calls.attempt([['zrangeBuffer', this.#keys.dead, from, from + COUNT_PAGE - 1]])
      const ids = intact<Buffer[]>(reply, []).map(readId)
      if (ids.length > 0 && !(await this.#addTo(counts, ids))) isWhole = false
      if (ids.length < COUNT_PAGE) return { counts, isWhole }
    }
  }

  /** False where the entry of a letter holds another type of value. */
  async #addTo(counts: Map<string, number>, jobIds: readonly string[]): Promise<boolean> {
    const letters = jobIds.map((id) => this.#keys.deadLetter(id))
    const add = (queueName: string, count: number) => counts.set(queueName, (counts.get(queueName) ?? 0) + count)
    const readQueues = (keys: readonly string[]) =>
      this.#calls.attempt(keys.map((key): Call => ['hgetBuffer', key, 'queue']))
    const reply = (await this.#calls.readingScript('deadQueues', letters)) as [ScriptReply[], number[]] | undefined
    if (reply) {
      const [found, faulty] = reply
      for (let i = 0; i < found.length; i += 2) add(readId(found[i] as Buffer), Number(found[i + 1]))
      await readQueues(faulty.map((at) => letters[at - 1]!))
      return faulty.length === 0
    }
    const names = await readQueues(letters)
    for (const name of names) {
      const queueName = intact<Buffer | null>(name, null)
      if (queueName !== null) add(readId(queueName), 1)
    }
    return !names.some((name) => name instanceof WrongType)
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
  entry: Record<string, Buffer | undefined>,
  damaged: Damage[],
): StoredDeadLetter {
  return {
    jobId,
    failedAtMs,
    damaged,
    payload: entry.payload ?? null,
    queueName: entry.queue ? readId(entry.queue) : null,
    functionName: entry.function?.toString() ?? null,
    error: entry.error?.toString() ?? null,
    jobTry: entry.try === undefined ? null : Number(entry.try),
  }
}
