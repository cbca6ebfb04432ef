import { setTimeout as sleep } from 'node:timers/promises'
import { ResultNotFoundError, TimeoutError } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import { checkOptions } from '@arq-ts/core/task-kit'
import { hasPersister } from './allow-list.ts'
import { bringPending, enqueuePersist, ensurePersist, freshEpoch } from './jobs.ts'
import { CacheFullError } from './errors.ts'
import { dirtyEntries, entriesOf, entryPage } from './entries.ts'
import type { DirtyEntry, EntryFilter, EntryPage, EntryPageRequest } from './entries.ts'
import { Loader } from './loading/loader.ts'
import {
  checkedArgument,
  checkedKey,
  checkedValue,
  entriesSchema,
  flushSchema,
  loaderSchema,
  loadSchema,
  optionsSchema,
  pageSchema,
  setSchema,
  writeSchema,
} from './options.ts'
import type { LoadContext, LoadOptions, Persisters, WriteBehindOptions, WriteOptions } from './options.ts'
import { persistKey } from './persist.ts'
import type { Outcome, Pending } from './plan.ts'
import { Store } from './store.ts'
import type { StoreFigures } from './figures.ts'
import { decode, encode } from './value.ts'

const FLUSH_AT_ONCE = 10
const BUSY_MS = 50
/** Between two tries of a write that waits for room: at first, and at most. */
const MIN_PAUSE_MS = 20
const MAX_PAUSE_MS = 250

/** Figures about the writes that wait in a cache. */
export type CacheStats = StoreFigures

/** A write whose job is dead: `failed()` lists them. */
export interface FailedWrite {
  key: string
  /** The newest that was written. */
  value: unknown
  version: number
  /** `module:name` of the function that failed. */
  persister: string
  /** Error it threw, in one line. */
  error: string
  failedAt: Date
}

/**
 * A cache whose writes become durable a little later, by `persist_cache` jobs: the newest value of each key, once for all
 * writes that come within the delay.
 *
 * ```ts
 * const cache = new WriteBehind({ client, redis: 'redis://localhost:6379/1' })
 * await cache.writeBehind('user:123', { name: 'John' }, { persister: 'app.db:save_user', delayMs: 5_000 })
 * await cache.get('user:123')
 * ```
 *
 * No write is lost once `writeBehind` has returned: it waits in Redis, apart from the cache entry and without expiry,
 * until its persister has succeeded. A worker with the tasks of `persistCache` has to run, its cron job included.
 */
export class WriteBehind {
  readonly #client: Client
  readonly #store: Store
  readonly #persisters: Persisters
  readonly #codec: 'json' | 'msgpack' | 'pickle'
  readonly #lockMs: number
  readonly #maxPending: number
  readonly #pendingWaitMs: number
  readonly #loader: Loader

  /** @throws OptionsError */
  constructor(options: WriteBehindOptions) {
    const given = checkOptions('WriteBehind', optionsSchema, options)
    const { client, redis, keyPrefix, persisters, codec, lockMs, maxPending, pendingWaitMs } = given
    this.#client = client as Client
    this.#store = new Store(redis, keyPrefix)
    this.#persisters = persisters
    this.#codec = codec
    this.#lockMs = lockMs
    this.#maxPending = maxPending
    this.#pendingWaitMs = pendingWaitMs
    this.#loader = new Loader(this.#store)
  }

  /** The cached value; where it has left the cache and is not persisted yet, that one. Undefined for none. */
  async get<Value = unknown>(key: string): Promise<Value | undefined> {
    const found = await this.#store.get(checkedKey('get', key))
    return found === null ? undefined : (decode(found) as Value)
  }

  /**
   * The value that `get` gives, or else what `load` gives, which is cached. However many callers in however many processes
   * miss it at once, one loads it and the others wait: looked after at first every 10 ms, then every 250 ms. Should the
   * process that loads it die, another takes over within `leaseMs`. What a loader read before the key was written or
   * deleted, or before another loader overtook it, is never cached.
   *
   * @param load - gives the value; undefined for none, which is not cached. Callers of one process share its call.
   * @throws OptionsError, what `load` throws, EncodeError for a value that cannot be cached, TimeoutError.
   */
  getOrLoad<Value>(
    key: string,
    load: (context: LoadContext) => Value | undefined | Promise<Value | undefined>,
    options: LoadOptions = {},
  ): Promise<Value | undefined> {
    const { leaseMs, timeoutMs, ttlMs } = checkOptions('getOrLoad', loadSchema, options)
    checkedArgument('getOrLoad', 'load', loaderSchema, load)
    return this.#loader.get<Value>(checkedKey('getOrLoad', key), {
      load,
      leaseMs,
      timeoutMs,
      ttlMs: Math.round(ttlMs),
      encode: (value) => this.#encode(value),
      decode: (bytes) => decode(bytes) as Value,
    })
  }

  /** Puts a value into the cache only. `ttlMs`: 0 for ever; default 3,600,000. @throws OptionsError, EncodeError */
  async set(key: string, value: unknown, options: { ttlMs?: number } = {}): Promise<void> {
    const { ttlMs } = checkOptions('set', setSchema, options)
    checkedValue('set', value)
    await this.#store.set(checkedKey('set', key), this.#encode(value), Math.round(ttlMs))
  }

  /** Milliseconds the cache keeps the value; null for ever, undefined where there is none. */
  ttl(key: string): Promise<number | null | undefined> {
    return this.#store.ttl(checkedKey('ttl', key))
  }

  /** Takes a value from the cache. A write of it that waits is persisted all the same. False where there was nothing to read. */
  delete(key: string): Promise<boolean> {
    return this.#store.delete(checkedKey('delete', key))
  }

  /**
   * Puts a value into the cache, and has it persisted after `delayMs` with all that is written to the key until then: the
   * write that is due first counts, so that constant writes cannot put it off. Gives the version of this write.
   *
   * @throws OptionsError, EncodeError; CacheFullError when `maxPending` keys wait; RedisUnavailableError of the enqueue: then the write waits in Redis, and the next
   *   sweep of a worker has it persisted.
   */
  async writeBehind(key: string, value: unknown, options: WriteOptions): Promise<{ version: number }> {
    const { persister, delayMs, ttlMs } = checkOptions('writeBehind', writeSchema, options)
    checkedValue('writeBehind', value)
    const bytes = this.#encode(value)
    // A value that the job cannot carry is refused before anything is written.
    if (this.#client.codec !== this.#codec) encode(value, this.#client.codec)
    const { queueName } = this.#client
    const event = { kind: 'write', value: bytes, persister, delayMs: Math.round(delayMs), queueName } as const
    checkedKey('writeBehind', key)
    const outcome = await this.#whenThereIsRoom(key, () =>
      this.#store.apply(key, event, { value: bytes, ttlMs: Math.round(ttlMs) }, this.#maxPending),
    )
    if (outcome.kind !== 'written') throw new Error(`a write ended as ${outcome.kind}`) // decide() gives nothing else
    const { epoch, version } = outcome
    await ensurePersist(this.#client, key, { epoch, value, persister, delayMs })
    return { version }
  }

  /**
   * Persists what waits for a key now: here where its persister is known here, else by a worker. What is written
   * meanwhile may wait on.
   *
   * @param options - `timeoutMs`: how long it may take; default 10,000.
   * @throws OptionsError, what the persister throws, TimeoutError.
   */
  async flush(key: string, options: { timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs } = checkOptions('flush', flushSchema, options)
    checkedKey('flush', key)
    const signal = AbortSignal.timeout(timeoutMs)
    let wanted: number | undefined
    let persister = 'its persister'
    while (!signal.aborted) {
      const { pending, persisted } = await this.#store.state(key)
      wanted ??= pending?.version
      if (!pending || wanted === undefined || persisted >= wanted) return
      try {
        const isHere = hasPersister(this.#persisters, pending.persister)
        persister = isHere ? `'${pending.persister}'` : `a worker with the persister '${pending.persister}'`
        if (!isHere) await this.#flushByWorker(key, pending, timeoutMs)
        else if (await this.#flushHere(key, signal)) continue
      } catch (error) {
        if (!signal.aborted && !(error instanceof TimeoutError)) throw error
        break
      }
      await sleep(BUSY_MS)
    }
    throw new TimeoutError(
      `flush('${key}'): not persisted within ${timeoutMs} ms; its value keeps waiting for ${persister}`,
    )
  }

  /** Flushes every key whose writes wait, ten at a time; for the shutdown of a service. Gives what could not be. */
  async flushAll(
    options: { timeoutMs?: number } = {},
  ): Promise<{ flushed: number; failed: { key: string; error: Error }[] }> {
    checkOptions('flushAll', flushSchema, options)
    const keys = await this.#store.dirty()
    const failed: { key: string; error: Error }[] = []
    const queue = [...keys]
    const lane = async () => {
      for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
        await this.flush(key, options).catch((error: unknown) => failed.push({ key: key!, error: error as Error }))
      }
    }
    await Promise.all(Array.from({ length: FLUSH_AT_ONCE }, lane))
    return { flushed: keys.length - failed.length, failed }
  }

  /** Keys whose writes wait, those that failed for good included. */
  dirtyKeys(): Promise<string[]> {
    return this.#store.dirty()
  }

  /** The dirty keys with their states, the most overdue first and the dead last. Reads no values, only their sizes. */
  entries(filter: EntryFilter = {}): Promise<DirtyEntry[]> {
    return dirtyEntries(this.#store, checkOptions('entries', entriesSchema, filter) as EntryFilter)
  }

  /**
   * One page of `entries`: at most 2,000 keys are looked at, so that a page may be empty and not the last one. A key whose
   * state changes between two pages may be on both.
   *
   * @throws OptionsError, for a cursor that no page has given too.
   */
  page(request: EntryPageRequest = {}): Promise<EntryPage> {
    return entryPage(this.#store, checkOptions('page', pageSchema, request) as EntryPageRequest)
  }

  /** The state of a key; null for one that is not dirty. */
  async entry(key: string): Promise<DirtyEntry | null> {
    return (await entriesOf(this.#store, [checkedKey('entry', key)]))[0] ?? null
  }

  /**
   * Writes that failed for good, with the newest value of each key. They wait until their dead letter is retried
   * (`client.jobs.retry`, `arq-ts dead retry`), or the key is written or flushed.
   */
  async failed(): Promise<FailedWrite[]> {
    const found: FailedWrite[] = []
    for (const key of await this.#store.dead()) {
      const { dead, pending } = await this.#store.state(key)
      if (!dead || !pending) continue // written or persisted meanwhile
      const { persister, version } = pending
      const failedAt = new Date(dead.atMs)
      found.push({ key, value: decode(pending.value), version, persister, error: dead.error, failedAt })
    }
    return found
  }

  /**
   * Figures of the backlog: dirty and dead keys, the age of the oldest write, the delay of the most overdue one past
   * its time, and how many writes, persisted values and failures there were in the whole fleet. One round trip.
   */
  stats(): Promise<CacheStats> {
    return this.#store.figures()
  }

  /** Closes the connection to the cache. Writes that wait are the workers' business. */
  close(): Promise<void> {
    return this.#store.close()
  }

  /** False when another persists the key. */
  async #flushHere(key: string, signal: AbortSignal): Promise<boolean> {
    const { kind } = await persistKey(this.#store, key, {
      persisters: this.#persisters,
      lockMs: this.#lockMs,
      jobId: null,
      signal,
      bring: (newer) => bringPending(this.#client, key, newer),
      aftermath: () => ({ then: 'leave' }),
    })
    return kind === 'done'
  }

  async #flushByWorker(key: string, pending: Pending, timeoutMs: number): Promise<void> {
    const { persister, value } = pending
    const request = { epoch: freshEpoch(), value: decode(value), persister, delayMs: 0 }
    const job = await enqueuePersist(this.#client, key, request)
    await job?.result({ timeoutMs }).catch((error: unknown) => {
      if (!(error instanceof ResultNotFoundError)) throw error // none is kept: the key's state shows it
    })
  }

  /** Back-pressure: a producer that is faster than the workers slows down to their pace, and is refused in the end. */
  async #whenThereIsRoom(key: string, write: () => Promise<Outcome>): Promise<Outcome> {
    const began = performance.now()
    for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      const outcome = await write()
      if (outcome.kind !== 'full') return outcome
      const leftMs = this.#pendingWaitMs - (performance.now() - began)
      if (leftMs <= 0) throw new CacheFullError(key, this.#maxPending, this.#pendingWaitMs)
      await sleep(Math.min(pauseMs * (0.5 + Math.random() / 2), leftMs))
    }
  }

  #encode(value: unknown): Uint8Array {
    return encode(value, this.#codec)
  }
}
