import { randomUUID } from 'node:crypto'
import { openRedis, redisNowMs } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'
import type { Redis } from 'ioredis'
import { COUNTED } from './figures.ts'
import type { Counted, StoreFigures } from './figures.ts'
import type { LoadEnd, LoadStep } from './loading/steps.ts'
import { readRecord, readSized, writeState } from './key-record.ts'
import type { DirtyPlace, KeyRecord, SizedState } from './key-record.ts'
import { CacheBusyError } from './errors.ts'
import { decide } from './plan.ts'
import type { KeyEvent, KeyState, Outcome } from './plan.ts'
import { BEGIN_LOAD, END_LOAD, READ_MANY, READ_DUE, READ_PAGE, READ_SIZES, SWAP, SWAP_MANY } from './scripts.ts'

/** Time a clean key's last version is remembered: a write that comes late must not take an older one. */
const REMEMBER_MS = 7 * 86_400_000
/** Two writers of one key meet; each try lets one of them through. */
const MAX_TRIES = 200
/** Length of a UUID. */
const STAMP_LENGTH = 36

/** Change of the cache entry by an event. */
type CacheChange = { kind: 'set'; value: Uint8Array; ttlMs: number } | { kind: 'delete' }

/** States of keys as they were read, or left by a change. */
export interface Snapshot {
  /** Redis's clock, measured by this machine's since the last look. */
  timeUs: () => number
  records: ReadonlyMap<string, KeyRecord>
}

/** The cache and the state of its keys in Redis. */
export class Store {
  readonly #redis: Redis
  readonly #prefix: string

  /** @param prefix - put before every key; a hash tag for Redis Cluster. */
  constructor(target: RedisTarget, prefix: string) {
    this.#prefix = prefix
    this.#redis = openRedis(target)
  }

  /** The cached value, or else the one that waits to be persisted. */
  async get(key: string): Promise<Uint8Array | null> {
    const cached = await this.#redis.getBuffer(this.#cacheKey(key))
    if (cached) return cached
    const { isHidden, pending } = await this.state(key)
    return isHidden ? null : (pending?.value ?? null)
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    const change = this.#redis.multi().del(this.#key('load', key))
    if (ttlMs === 0) change.set(this.#cacheKey(key), Buffer.from(value))
    else change.set(this.#cacheKey(key), Buffer.from(value), 'PX', ttlMs)
    values(await change.exec())
  }

  /** Milliseconds the entry has left; null for one that stays, undefined for none. */
  async ttl(key: string): Promise<number | null | undefined> {
    const left = await this.#redis.pttl(this.#cacheKey(key))
    return left === -2 ? undefined : left === -1 ? null : left
  }

  /** False where there was nothing to be read. */
  async delete(key: string): Promise<boolean> {
    const { pending } = await this.state(key)
    if (!pending) {
      const [, deleted] = values(await this.#redis.multi().del(this.#key('load', key)).del(this.#cacheKey(key)).exec())
      return deleted === 1
    }
    const { outcome, hadEntry } = await this.#change(key, { kind: 'delete' }, { kind: 'delete' })
    return hadEntry || (outcome.kind === 'deleted' && outcome.wasShown)
  }

  /** Reads the state of a key. */
  async state(key: string): Promise<KeyState> {
    return (await this.#read(key)).state
  }

  /** Keys whose value waits, by the time by which it should be persisted; the dead come last. */
  dirty(limit?: number): Promise<string[]> {
    const range = [this.#key('dirty'), '-inf', '+inf', 'BYSCORE'] as const
    return limit === undefined ? this.#redis.zrange(...range) : this.#redis.zrange(...range, 'LIMIT', 0, limit)
  }

  /** Keys whose value is due, the most overdue first; without the dead. */
  async due({ limit, offset }: { offset: number; limit: number }): Promise<string[]> {
    const keys = (await READ_DUE(this.#redis, [this.#key('dirty')], [offset, limit])) as Buffer[]
    return keys.map(String)
  }

  /** A page of the dirty keys behind a place, in the order of `dirty`; `isDead`: only those that failed for good. */
  async dirtyPage(after: DirtyPlace | null, limit: number, isDead: boolean): Promise<DirtyPlace[]> {
    const lowest = isDead ? '+inf' : '-inf'
    const args = [after?.score ?? '', after?.key ?? '', lowest, limit]
    const found = (await READ_PAGE(this.#redis, [this.#key('dirty')], args)) as Buffer[]
    return Array.from({ length: found.length / 2 }, (_, i) => ({
      key: String(found[2 * i]),
      score: String(found[2 * i + 1]),
    }))
  }

  /** States of keys with the sizes of their values, which are not read. Those that are not dirty are left out. */
  async sizes(keys: readonly string[]): Promise<{ nowMs: number; sized: Map<string, SizedState> }> {
    const sized = new Map<string, SizedState>()
    if (keys.length === 0) return { nowMs: 0, sized }
    const states = keys.map((key) => this.#key('state', key))
    const [nowMs, reply] = await Promise.all([this.nowMs(), READ_SIZES(this.#redis, states, [])])
    const found = reply as (Buffer | number | null)[]
    keys.forEach((key, i) => {
      const record = found[2 * i] ? readSized(String(found[2 * i]).slice(STAMP_LENGTH), Number(found[2 * i + 1])) : null
      if (record) sized.set(key, record)
    })
    return { nowMs, sized }
  }

  /** Since when keys are dirty, in unix ms; null for those that are not, and for the dead. */
  async dirtySince(keys: readonly string[]): Promise<(number | null)[]> {
    if (keys.length === 0) return []
    const scores = await this.#redis.zmscore(this.#key('waiting'), ...keys)
    return scores.map((score) => (score === null ? null : Number(score)))
  }

  /** Keys whose value failed for good. */
  dead(): Promise<string[]> {
    return this.#redis.zrange(this.#key('dirty'), '+inf', '+inf', 'BYSCORE')
  }

  /**
   * Time the one who persists a key holds it without a sign of life, in ms, where he has no job that comes again: a
   * flush, or a batch. 0 where that time is over, null where nobody holds it, or a job.
   */
  async joblessHoldMs(key: string): Promise<number | null> {
    const { nowUs, state } = await this.#read(key)
    return state.lock?.jobId === null ? Math.max(0, (state.lock.untilUs - nowUs) / 1_000) : null
  }

  /** Redis's clock, in unix ms. */
  nowMs(): Promise<number> {
    return redisNowMs(this.#redis)
  }

  /** Reads the figures of the backlog in one round trip. */
  async figures(): Promise<StoreFigures> {
    const replies = await this.#redis
      .multi()
      .time()
      .zcard(this.#key('dirty'))
      .zcount(this.#key('dirty'), '+inf', '+inf')
      .zrange(this.#key('waiting'), '0', '0', 'WITHSCORES')
      .zrange(this.#key('dirty'), '0', '0', 'WITHSCORES')
      .hgetall(this.#key('totals'))
      .exec()
    const [time, dirty, dead, oldest, first, totals] = values(replies) as [
      [string, string],
      number,
      number,
      [string?, string?],
      [string?, string?],
      Record<string, string>,
    ]
    const nowMs = Math.floor(toUs(time) / 1_000)
    const dueMs = Number(first[1] ?? Infinity)
    const count = (name: Counted) => Number(totals[name] ?? 0)
    return {
      dirty,
      dead,
      oldestMs: oldest[1] === undefined ? 0 : Math.max(0, nowMs - Number(oldest[1])),
      overdueMs: Number.isFinite(dueMs) ? Math.max(0, nowMs - dueMs) : 0,
      writes: count('writes'),
      persisted: count('persisted'),
      failures: count('failures'),
    }
  }

  /**
   * Applies one event to a key, with the cache entry where one is given. Events of a key follow one another.
   *
   * @param maxDirty - the event is refused (`full`) when it would make one key more than that dirty; 0 for no limit.
   */
  async apply(
    key: string,
    event: KeyEvent,
    cache?: { value: Uint8Array; ttlMs: number },
    maxDirty = 0,
  ): Promise<Outcome> {
    return (await this.#change(key, event, cache && { kind: 'set', ...cache }, maxDirty)).outcome
  }

  /**
   * Applies one event to each of many keys, in two round trips. `eventOf` says which, by the state of the key; null leaves
   * it alone. No event may bring a value.
   *
   * @param known - the states as an earlier call left them: one round trip is saved, and nothing is lost where somebody
   *   has changed a key since.
   * @returns the outcome of each key. One that somebody else changed meanwhile, or that Redis holds something else under,
   *   is not among them, and is unchanged.
   */
  async applyMany(
    keys: readonly string[],
    eventOf: (key: string, state: KeyState, nowUs: number) => KeyEvent | null,
    { counted = '', known }: { counted?: Counted | ''; known?: Snapshot } = {},
  ): Promise<{ outcomes: Map<string, Outcome>; after: Snapshot }> {
    const outcomes = new Map<string, Outcome>()
    const { records, timeUs } = known ?? (await this.snapshot(keys))
    const stamp = randomUUID()
    const nowUs = timeUs()
    const after = { timeUs, records: new Map<string, KeyRecord>() }
    const changed: { key: string; outcome: Outcome }[] = []
    const args: (string | number)[] = [stamp, REMEMBER_MS, counted]
    for (const key of keys) {
      const record = records.get(key)
      const event = record && eventOf(key, record.state, nowUs)
      if (!record || !event) continue
      const { outcome, state: next } = decide(record.state, event, nowUs)
      after.records.set(key, next === record.state ? record : { state: next, stamp })
      if (next === record.state) outcomes.set(key, outcome)
      else {
        changed.push({ key, outcome })
        args.push(`${record.stamp.padEnd(STAMP_LENGTH)}${scoreChange(record.state, next)}|${writeState(next)}`)
      }
    }
    if (changed.length === 0) return { outcomes, after }
    const states = changed.map(({ key }) => this.#key('state', key))
    const sets = [this.#key('dirty'), this.#key('waiting'), this.#key('totals')]
    const done = (await SWAP_MANY(this.#redis, [...sets, ...states], args)) as number[]
    changed.forEach(({ key, outcome }, i) => {
      if (done[i] === 1) outcomes.set(key, outcome)
      else after.records.delete(key)
    })
    return { outcomes, after }
  }

  /** Looks a key up, and takes the lease to load it where nothing is there and nobody else loads it. */
  async beginLoad(key: string, leaseMs: number): Promise<LoadStep> {
    const keys = [this.#cacheKey(key), this.#key('state', key), this.#key('load', key), this.#key('tokens')]
    const [kind, first, second] = (await BEGIN_LOAD(this.#redis, keys, [leaseMs])) as [
      Buffer,
      Buffer | number | null,
      Buffer?,
    ]
    switch (String(kind)) {
      case 'hit':
        return { kind: 'hit', value: first as Buffer }
      case 'waits':
        return { kind: 'waits', value: second!, isHidden: (JSON.parse(String(first)) as KeyState).isHidden }
      case 'held':
        return { kind: 'held', leftMs: Number(first) }
      default:
        return { kind: 'load', token: Number(first) }
    }
  }

  /** Stores what was loaded, extends the lease or gives it back; false where the lease is somebody else's by now. */
  async endLoad(key: string, token: number, end: LoadEnd): Promise<boolean> {
    const more = end.kind === 'store' ? [Buffer.from(end.value), end.ttlMs] : end.kind === 'renew' ? [end.leaseMs] : []
    const keys = [this.#cacheKey(key), this.#key('load', key)]
    return (await END_LOAD(this.#redis, keys, [token, end.kind, ...more])) === 1
  }

  async #change(
    key: string,
    event: KeyEvent,
    cache: CacheChange | undefined,
    maxDirty = 0,
  ): Promise<{ outcome: Outcome; hadEntry: boolean }> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const { state, stamp, nowUs } = await this.#read(key)
      const { outcome, state: next } = decide(state, event, nowUs)
      if (next === state && !cache) return { outcome, hadEntry: false }
      const counted = COUNTED[event.kind] ?? ''
      const swapped = await this.#swap(key, { stamp, next, nowUs, cache, maxDirty, counted })
      if (swapped > 0) return { outcome, hadEntry: swapped === 2 }
      if (swapped < 0) return { outcome: { kind: 'full' }, hadEntry: false }
      // Whoever was faster is done; a random pause keeps many writers from meeting again.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(attempt, 20)))
    }
    throw new CacheBusyError(key, MAX_TRIES)
  }

  async close(): Promise<void> {
    await this.#redis.quit().catch(() => this.#redis.disconnect())
  }

  async #read(key: string): Promise<KeyRecord & { nowUs: number }> {
    const stateKey = this.#key('state', key)
    const replies = await this.#redis
      .multi()
      .time()
      .hmget(stateKey, 'stamp', 'state')
      .hgetBuffer(stateKey, 'value')
      .exec()
    const [time, fields, value] = values(replies) as [[string, string], [string | null, string | null], Buffer | null]
    return { ...readRecord(fields[0], fields[1], value), nowUs: toUs(time) }
  }

  /** Reads the state of many keys in one round trip; without those under which Redis holds something else. */
  async snapshot(keys: readonly string[]): Promise<Snapshot> {
    const records = new Map<string, KeyRecord>()
    if (keys.length === 0) return { timeUs: () => 0, records }
    const [time, found] = await Promise.all([
      this.#redis.time(),
      READ_MANY(
        this.#redis,
        keys.map((key) => this.#key('state', key)),
        [],
      ),
    ])
    const readAt = performance.now()
    const fields = found as (Buffer | null)[]
    keys.forEach((key, i) => {
      const text = fields[2 * i] ? String(fields[2 * i]) : null
      try {
        const [stamp, state] = text === null ? [null, null] : [text.slice(0, STAMP_LENGTH), text.slice(STAMP_LENGTH)]
        records.set(key, readRecord(stamp, state, fields[2 * i + 1] ?? null))
      } catch {
        // Not a state of ours: whoever handles this key alone says so.
      }
    })
    return { timeUs: () => toUs(time) + Math.floor((performance.now() - readAt) * 1_000), records }
  }

  #swap(
    key: string,
    {
      cache,
      counted,
      maxDirty,
      next,
      nowUs,
      stamp,
    }: {
      stamp: string
      next: KeyState
      nowUs: number
      cache: CacheChange | undefined
      maxDirty: number
      counted: Counted | ''
    },
  ): Promise<number> {
    const { pending } = next
    const entry = cache?.kind === 'set' ? cache : { value: '', ttlMs: 0 }
    const sets = [this.#key('dirty'), this.#key('waiting'), this.#key('totals')]
    return SWAP(
      this.#redis,
      [this.#key('state', key), this.#cacheKey(key), this.#key('load', key), ...sets],
      [
        stamp,
        randomUUID(),
        writeState(next),
        pending ? '1' : '0',
        pending?.value ?? '',
        cache?.kind ?? '',
        entry.value,
        entry.ttlMs,
        scoreOf(next),
        key,
        Math.floor(nowUs / 1_000),
        REMEMBER_MS,
        counted,
        Number.isFinite(maxDirty) ? maxDirty : 0,
      ],
    ) as Promise<number>
  }

  #key(name: 'dirty' | 'waiting' | 'totals' | 'tokens' | 'state' | 'load', key?: string): string {
    return `${this.#prefix}write-behind:${name}${key === undefined ? '' : `:${key}`}`
  }

  #cacheKey(key: string): string {
    return `${this.#prefix}cache:${key}`
  }
}

function scoreOf({ dead, dueMs }: KeyState): string {
  return dead ? '+inf' : String(dueMs)
}

/** The score that a changed key gets among the dirty ones: '' for none, '=' for the one it has. */
function scoreChange(before: KeyState, after: KeyState): string {
  if (!after.pending) return ''
  const score = scoreOf(after)
  return before.pending && scoreOf(before) === score ? '=' : score
}

function toUs([seconds, micros]: readonly (string | number)[]): number {
  return Number(seconds) * 1_000_000 + Number(micros)
}

/** The replies of a transaction. @throws the first error among them */
function values(replies: [Error | null, unknown][] | null): unknown[] {
  return (replies ?? []).map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}
