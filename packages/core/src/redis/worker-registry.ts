import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'
import { intact } from './damage.ts'
import { readId } from './id-bytes.ts'
import { readMany } from './many.ts'

/** Time by which the record of a line outlasts the line, in ms. */
const OUTLASTS_MS = 60_000

/** A health line, the time until it expires, and whether a worker of ours wrote it. */
export interface StoredHealth {
  line: string
  ttlMs: number
  isOurs: boolean
}

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

  /** Writes a health line, which expires after `ttlMs`. First the record that it is ours: a line without one is Python's. */
  async writeHealth(healthCheckKey: string, line: string, ttlMs: number): Promise<void> {
    const record = this.#keys.healthLine(healthCheckKey)
    // Together: a worker that dies between them must not leave the record of another line.
    await this.#calls.pipeline([
      ['psetex', record, Math.round(ttlMs) + OUTLASTS_MS, line],
      ['psetex', this.#keys.prefix + healthCheckKey, Math.round(ttlMs), line],
    ])
  }

  /** True when all of these health keys exist. */
  async hasHealth(healthCheckKeys: readonly string[]): Promise<boolean> {
    const found = await this.#calls.pipeline(healthCheckKeys.map((key) => ['exists', this.#keys.prefix + key]))
    return found.every((flag) => flag === 1)
  }

  /** The health lines of queues under arq's default keys. */
  async readHealth(queueNames: readonly string[]): Promise<(StoredHealth | null)[]> {
    const answers = await this.#calls.attempt(
      queueNames.flatMap((name) => [
        ['get', this.#keys.healthCheck(name)],
        ['pttl', this.#keys.healthCheck(name)],
        ['get', this.#keys.healthLine(`${name}:health-check`)],
      ]),
    )
    return queueNames.map((_, i) => {
      const [line, ttlMs, ours] = answers.slice(3 * i, 3 * i + 3)
      const text = intact<string | null>(line, null)
      return text === null ? null : { line: text, ttlMs: Number(ttlMs), isOurs: text === intact(ours, null) }
    })
  }

  /** Removes health lines, and the records that they were ours. */
  async removeHealth(healthCheckKeys: readonly string[]): Promise<void> {
    await this.#calls.pipeline(healthCheckKeys.map((key) => ['del', this.#keys.prefix + key]))
    await this.#calls.note(healthCheckKeys.map((key) => ['del', this.#keys.healthLine(key)]))
  }
}
