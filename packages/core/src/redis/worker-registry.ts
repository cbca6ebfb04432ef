import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { intact } from './damage.ts'
import { readId } from './id-bytes.ts'
import { readMany } from './many.ts'

/** Signs of life: the registry of arq-ts workers, and the health lines that workers of both languages write. */
export class WorkerRegistry {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock

  constructor(calls: Calls, keys: Keys, clock: RedisClock) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
  }

  /** Writes a worker's registry entry, which expires unless written again. */
  async register(workerId: string, entry: string, ttlMs: number): Promise<void> {
    await this.#calls.pipeline([
      ['psetex', this.#keys.worker(workerId), ttlMs, entry],
      ['zadd', this.#keys.workers, this.#clock.now() + ttlMs, workerId],
      ['zremrangebyscore', this.#keys.workers, '-inf', this.#clock.now() - ttlMs],
    ])
  }

  /** Removes a worker's entry. */
  async unregister(workerId: string): Promise<void> {
    await this.#calls.pipeline([
      ['del', this.#keys.worker(workerId)],
      ['zrem', this.#keys.workers, workerId],
    ])
  }

  /** The registry entries of live workers as written; null where an entry is gone or holds no string. */
  async entries(): Promise<{ workerId: string; entry: string | null }[]> {
    const [reply] = await this.#calls.attempt([['zrangebyscoreBuffer', this.#keys.workers, this.#clock.now(), '+inf']])
    const ids = intact<Buffer[]>(reply, []).map(readId)
    const [entries = []] = await readMany(this.#calls, [ids.map((id) => this.#keys.worker(id))])
    return ids.map((workerId, i) => ({ workerId, entry: intact<Buffer | null>(entries[i], null)?.toString() ?? null }))
  }

  /** Writes a health line, which expires after `ttlMs`. */
  async writeHealth(healthCheckKey: string, line: string, ttlMs: number): Promise<void> {
    await this.#calls.pipeline([['psetex', this.#keys.prefix + healthCheckKey, Math.round(ttlMs), line]])
  }

  /** True when all of these health keys exist. */
  async hasHealth(healthCheckKeys: readonly string[]): Promise<boolean> {
    const found = await this.#calls.pipeline(healthCheckKeys.map((key) => ['exists', this.#keys.prefix + key]))
    return found.every((flag) => flag === 1)
  }

  /** The health lines of queues under arq's default keys, and the time until each expires, in ms. */
  async readHealth(queueNames: readonly string[]): Promise<({ line: string; ttlMs: number } | null)[]> {
    const answers = await this.#calls.attempt(
      queueNames.flatMap((name) => [
        ['get', this.#keys.healthCheck(name)],
        ['pttl', this.#keys.healthCheck(name)],
      ]),
    )
    return queueNames.map((_, i) => {
      const line = intact<string | null>(answers[2 * i], null)
      return line === null ? null : { line, ttlMs: Number(answers[2 * i + 1]) }
    })
  }

  /** Removes health lines. */
  async removeHealth(healthCheckKeys: readonly string[]): Promise<void> {
    await this.#calls.pipeline(healthCheckKeys.map((key) => ['del', this.#keys.prefix + key]))
  }
}
