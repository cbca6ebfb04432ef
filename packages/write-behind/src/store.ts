import { randomUUID } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { CLEAN, decide } from './plan.ts'
import type { KeyEvent, KeyState, Outcome } from './plan.ts'

/** How long a clean key's last version is remembered: a write that comes late must not take an older one. */
const REMEMBER_MS = 7 * 86_400_000
/** Two writers of one key meet; each try lets one of them through. */
const MAX_TRIES = 200

/**
 * Replaces a key's state if it is still the one that was read, with the cache entry and the list of dirty keys.
 *
 * KEYS: state, cache entry, dirty. ARGV: stamp that was read ('' for none), new stamp, state, '1' and value or '0' for
 * none pending, then for the cache 'set', 'delete' or '', value, ttl in ms (0 for none), then for the list the score,
 * key, ms to remember.
 * Output: 0 (another was faster), 1 (done), 2 (done, and there was an entry to delete).
 */
const SWAP = `
if (redis.call('HGET', KEYS[1], 'stamp') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'stamp', ARGV[2], 'state', ARGV[3])
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'value', ARGV[5])
  redis.call('PERSIST', KEYS[1])
  redis.call('ZADD', KEYS[3], ARGV[9], ARGV[10])
else
  redis.call('HDEL', KEYS[1], 'value')
  redis.call('PEXPIRE', KEYS[1], ARGV[11])
  redis.call('ZREM', KEYS[3], ARGV[10])
end
if ARGV[6] == 'set' then
  if ARGV[8] == '0' then redis.call('SET', KEYS[2], ARGV[7]) else redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[8]) end
end
if ARGV[6] == 'delete' then return 1 + redis.call('DEL', KEYS[2]) end
return 1
`

/** What happens to the cache entry with an event. */
type CacheChange = { kind: 'set'; value: Uint8Array; ttlMs: number } | { kind: 'delete' }

/** Where Redis is: a URL, ioredis options, or a client whose settings are copied. */
export type RedisTarget = string | RedisOptions | Redis | Cluster

/** The cache and the state of its keys in Redis. */
export class Store {
  readonly #redis: Redis
  readonly #prefix: string

  /** @param prefix - put before every key; a hash tag for Redis Cluster. */
  constructor(target: RedisTarget, prefix: string) {
    this.#prefix = prefix
    this.#redis = open(target)
    this.#redis.on('error', () => {}) // told by the call that fails; ioredis reconnects by itself
  }

  /** The cached value, or else the one that waits to be persisted. */
  async get(key: string): Promise<Uint8Array | null> {
    const cached = await this.#redis.getBuffer(this.#cacheKey(key))
    if (cached) return cached
    const { isHidden, pending } = await this.state(key)
    return isHidden ? null : (pending?.value ?? null)
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    if (ttlMs === 0) await this.#redis.set(this.#cacheKey(key), Buffer.from(value))
    else await this.#redis.set(this.#cacheKey(key), Buffer.from(value), 'PX', ttlMs)
  }

  /** Milliseconds the entry has left; null for one that stays, undefined for none. */
  async ttl(key: string): Promise<number | null | undefined> {
    const left = await this.#redis.pttl(this.#cacheKey(key))
    return left === -2 ? undefined : left === -1 ? null : left
  }

  /** False where there was nothing to be read. */
  async delete(key: string): Promise<boolean> {
    const { pending } = await this.state(key)
    if (!pending) return (await this.#redis.del(this.#cacheKey(key))) === 1
    const { outcome, hadEntry } = await this.#change(key, { kind: 'delete' }, { kind: 'delete' })
    return hadEntry || (outcome.kind === 'deleted' && outcome.wasShown)
  }

  /** What is known of a key. */
  async state(key: string): Promise<KeyState> {
    return (await this.#read(key)).state
  }

  /** Keys whose value waits, by the time by which it should be persisted; the dead come last. */
  dirty(): Promise<string[]> {
    return this.#redis.zrange(this.#dirtyKey, '-inf', '+inf', 'BYSCORE')
  }

  /** Keys whose value should have been persisted so long ago; without the dead. */
  async overdue(byMs: number): Promise<string[]> {
    const [seconds] = await this.#redis.time()
    return this.#redis.zrange(this.#dirtyKey, '-inf', String(Number(seconds) * 1_000 - byMs), 'BYSCORE')
  }

  /** Keys whose value failed for good. */
  dead(): Promise<string[]> {
    return this.#redis.zrange(this.#dirtyKey, '+inf', '+inf', 'BYSCORE')
  }

  /** Applies one event to a key, with the cache entry where one is given. Events of a key follow one another. */
  async apply(key: string, event: KeyEvent, cache?: { value: Uint8Array; ttlMs: number }): Promise<Outcome> {
    return (await this.#change(key, event, cache && { kind: 'set', ...cache })).outcome
  }

  async #change(
    key: string,
    event: KeyEvent,
    cache: CacheChange | undefined,
  ): Promise<{ outcome: Outcome; hadEntry: boolean }> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const { state, stamp, nowUs } = await this.#read(key)
      const { outcome, state: next } = decide(state, event, nowUs)
      if (next === state && !cache) return { outcome, hadEntry: false }
      const swapped = await this.#swap(key, stamp, next, cache)
      if (swapped > 0) return { outcome, hadEntry: swapped === 2 }
      // Whoever was faster is done; a random pause keeps many writers from meeting again.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(attempt, 20)))
    }
    throw new Error(`write-behind: '${key}' is written to by too many at once; ${MAX_TRIES} attempts failed`)
  }

  async close(): Promise<void> {
    await this.#redis.quit().catch(() => this.#redis.disconnect())
  }

  async #read(key: string): Promise<{ state: KeyState; stamp: string; nowUs: number }> {
    const replies = await this.#redis
      .multi()
      .time()
      .hmget(this.#stateKey(key), 'stamp', 'state')
      .hgetBuffer(this.#stateKey(key), 'value')
      .exec()
    const [time, fields, value] = replies!.map(([error, reply]) => {
      if (error) throw error
      return reply
    }) as [[string, string], [string | null, string | null], Buffer | null]
    const nowUs = Number(time[0]) * 1_000_000 + Number(time[1])
    const [stamp, text] = fields
    if (stamp === null || text === null) return { state: CLEAN, stamp: '', nowUs }
    const stored = JSON.parse(text) as KeyState
    const pending = stored.pending && value ? { ...stored.pending, value } : null
    return { state: { ...CLEAN, ...stored, pending }, stamp, nowUs }
  }

  #swap(key: string, stamp: string, state: KeyState, cache: CacheChange | undefined): Promise<number> {
    const { pending } = state
    const text = JSON.stringify({
      ...state,
      pending: pending && { version: pending.version, persister: pending.persister },
    })
    const entry = cache?.kind === 'set' ? cache : { value: '', ttlMs: 0 }
    return this.#redis.eval(
      SWAP,
      3,
      this.#stateKey(key),
      this.#cacheKey(key),
      this.#dirtyKey,
      stamp,
      randomUUID(),
      text,
      pending ? '1' : '0',
      Buffer.from(pending?.value ?? ''),
      cache?.kind ?? '',
      Buffer.from(entry.value),
      entry.ttlMs,
      state.dead ? '+inf' : state.dueMs,
      key,
      REMEMBER_MS,
    ) as Promise<number>
  }

  get #dirtyKey(): string {
    return `${this.#prefix}write-behind:dirty`
  }

  #stateKey(key: string): string {
    return `${this.#prefix}write-behind:state:${key}`
  }

  #cacheKey(key: string): string {
    return `${this.#prefix}cache:${key}`
  }
}

function open(target: RedisTarget): Redis {
  if (target instanceof Redis) return target.duplicate()
  // A Cluster client has the same commands.
  if (target instanceof Cluster) return target.duplicate() as unknown as Redis
  if (typeof target === 'string') return new Redis(target, { protocol: 2 })
  const { replyMapping: _, ...theirs } = target
  return new Redis({ ...theirs, protocol: 2 })
}
