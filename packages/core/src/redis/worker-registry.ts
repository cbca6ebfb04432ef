import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'

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

  /** The registry entries of live workers, as written. */
  async entries(): Promise<string[]> {
    const ids = await this.#calls.run((client) => client.zrangebyscore(this.#keys.workers, this.#clock.now(), '+inf'))
    const entries = (await this.#calls.pipeline(ids.map((id) => ['get', this.#keys.worker(id)]))) as (string | null)[]
    return entries.filter((entry) => entry !== null)
  }

  /** Writes a health line, which expires after `ttlMs`. */
  async writeHealth(healthCheckKey: string, line: string, ttlMs: number): Promise<void> {
    await this.#calls.run((client) => client.psetex(this.#keys.prefix + healthCheckKey, Math.round(ttlMs), line))
  }

  /** True when all of these health keys exist. */
  async hasHealth(healthCheckKeys: readonly string[]): Promise<boolean> {
    const found = await this.#calls.pipeline(healthCheckKeys.map((key) => ['exists', this.#keys.prefix + key]))
    return found.every((flag) => flag === 1)
  }

  /** The health line of a queue under arq's default key. */
  readHealth(queueName: string): Promise<string | null> {
    return this.#calls.run((client) => client.get(this.#keys.healthCheck(queueName)))
  }

  /** Removes health lines. */
  async removeHealth(healthCheckKeys: readonly string[]): Promise<void> {
    await this.#calls.pipeline(healthCheckKeys.map((key) => ['del', this.#keys.prefix + key]))
  }
}
