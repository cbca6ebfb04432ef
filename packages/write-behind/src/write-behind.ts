import { setTimeout as sleep } from 'node:timers/promises'
import { TimeoutError } from '@arq-ts/core'
import type { Client, Job } from '@arq-ts/core'
import { checked, keySchema, optionsSchema, ttlSchema, writeSchema } from './options.ts'
import type { Persisters, WriteBehindOptions, WriteOptions } from './options.ts'
import { persistKey } from './persist.ts'
import { Store } from './store.ts'
import { encode, decode } from './value.ts'

const FLUSH_AT_ONCE = 10
const BUSY_MS = 50

/** The job that persists a key's writes of one epoch. */
export function persistJobId(key: string, epoch: number): string {
  return `write-behind:${epoch}:${key}`
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
 * until its persister has succeeded.
 */
export class WriteBehind {
  readonly #client: Client
  readonly #store: Store
  readonly #persisters: Persisters
  readonly #codec: 'json' | 'msgpack' | 'pickle'
  readonly #lockMs: number

  /** @throws OptionsError */
  constructor(options: WriteBehindOptions) {
    const { client, redis, keyPrefix, persisters, codec, lockMs } = checked('WriteBehind', optionsSchema, options)
    this.#client = client as Client
    this.#store = new Store(redis as WriteBehindOptions['redis'], keyPrefix)
    this.#persisters = persisters
    this.#codec = codec
    this.#lockMs = lockMs
  }

  /** The cached value; where it has left the cache and is not persisted yet, that one. Undefined for none. */
  async get<Value = unknown>(key: string): Promise<Value | undefined> {
    const found = await this.#store.get(checked('get', keySchema, key))
    return found === null ? undefined : (decode(found) as Value)
  }

  /** Puts a value into the cache only. `ttlMs`: 0 for ever; default 3,600,000. @throws OptionsError, EncodeError */
  async set(key: string, value: unknown, options: { ttlMs?: number } = {}): Promise<void> {
    const ttlMs = checked('set', ttlSchema, options.ttlMs ?? 3_600_000)
    await this.#store.set(checked('set', keySchema, key), this.#encode(value), Math.round(ttlMs))
  }

  /** Milliseconds the cache keeps the value; null for ever, undefined where there is none. */
  ttl(key: string): Promise<number | null | undefined> {
    return this.#store.ttl(checked('ttl', keySchema, key))
  }

  /** Takes a value from the cache. A write of it that waits is persisted all the same. False where there was none. */
  delete(key: string): Promise<boolean> {
    return this.#store.delete(checked('delete', keySchema, key))
  }

  /**
   * Puts a value into the cache, and has it persisted after `delayMs` with all that is written to the key until then:
   * the first write's delay counts, so that constant writes cannot put it off. Gives the version of this write.
   *
   * @throws OptionsError, EncodeError; RedisUnavailableError of the enqueue: then the write waits in Redis, and the next
   *   sweep of a worker has it persisted.
   */
  async writeBehind(key: string, value: unknown, options: WriteOptions): Promise<{ version: number }> {
    const { persister, delayMs, ttlMs } = checked('writeBehind', writeSchema, options)
    const bytes = this.#encode(value)
    const event = { kind: 'write', value: bytes, persister, delayMs: Math.round(delayMs) } as const
    const outcome = await this.#store.apply(checked('writeBehind', keySchema, key), event, {
      value: bytes,
      ttlMs: Math.round(ttlMs),
    })
    if (outcome.kind !== 'written') throw new Error(`a write came to ${outcome.kind}`) // decide() gives nothing else
    const id = persistJobId(key, outcome.epoch)
    const job = await this.#enqueue(id, key, value, persister, delayMs)
    // The id is taken: by the job that this write joins, or by one that ended without taking it (aborted, say).
    if (!job && (await this.#client.job(id).status()) === 'complete') {
      await this.#enqueue(persistJobId(key, outcome.version), key, value, persister, delayMs)
    }
    return { version: outcome.version }
  }

  /**
   * Persists what waits for a key now: here where the persister is known here, else by a worker.
   *
   * @throws what the persister throws, TimeoutError after `timeoutMs` (default 10,000).
   */
  async flush(key: string, options: { timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = 10_000 } = options
    const signal = AbortSignal.timeout(timeoutMs)
    const isHere = Object.keys(this.#persisters).length > 0
    while (!signal.aborted) {
      if (isHere) {
        const { kind } = await persistKey(this.#store, key, {
          persisters: this.#persisters,
          lockMs: this.#lockMs,
          signal,
        })
        if (kind === 'clean') return
        if (kind === 'newer') continue
      } else if (await this.#flushByWorker(key, timeoutMs)) return
      await sleep(BUSY_MS)
    }
    throw new TimeoutError(`flush('${key}'): not persisted within ${timeoutMs} ms; it waits on`)
  }

  /** Flushes every key whose writes wait, ten at a time; for the shutdown of a service. Gives what could not be. */
  async flushAll(
    options: { timeoutMs?: number } = {},
  ): Promise<{ flushed: number; failed: { key: string; error: Error }[] }> {
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

  /** Keys whose writes wait. */
  dirtyKeys(): Promise<string[]> {
    return this.#store.dirty()
  }

  /** Closes the connection to the cache. Writes that wait are the workers' business. */
  close(): Promise<void> {
    return this.#store.close()
  }

  /** True when nothing waits for the key any more. */
  async #flushByWorker(key: string, timeoutMs: number): Promise<boolean> {
    if (!(await this.#store.dirty()).includes(key)) return true
    const job = await this.#enqueue(persistJobId(key, Date.now() * 1_000), key, null, 'flush:flush', 0)
    await job?.result({ timeoutMs })
    return !(await this.#store.dirty()).includes(key)
  }

  #enqueue(jobId: string, key: string, value: unknown, persister: string, delayMs: number): Promise<Job | null> {
    const [persist_func_module, persist_func_name] = persister.split(':')
    return this.#client.enqueue('persist_cache', [], {
      jobId,
      deferByMs: delayMs,
      kwargs: { key, value, persist_func_module, persist_func_name, delay: delayMs / 1_000 },
    })
  }

  #encode(value: unknown): Uint8Array {
    return encode(value, this.#codec)
  }
}
