import { checkMethodOptions, checkName, methodSchemas } from '../options/arguments.ts'
import type { RedisContext } from '../redis/context.ts'
import { nameOfLimit } from '../redis/limits.ts'
import type { LimitJob } from '../redis/limits.ts'
import { checkLimitSettings, limitId, mergeSettings, readSettings, settingsText } from './limit.ts'
import type { LimitSettings, Rate } from './limit.ts'

export type { LimitJob }

/** A limit as it stands. */
export interface LimitStatus {
  /** Its name. */
  name: string
  /** The key it is counted by; null for one that has no keys, and for what is set for all keys. */
  key: string | null
  /** Jobs that may run at a time; null where any number may, or where only the workers know. */
  concurrency: number | null
  /** Rate at which jobs may start; null for no bound, or where only the workers know. */
  rate: Rate | null
  /** True where it was set at run time, for this key or for all. */
  isSet: boolean
  /** Jobs that have a place. */
  running: number
  /** Jobs that wait for a place, those included that are offered one. */
  waiting: number
}

/**
 * Limits at run time: `client.limits`. What is set here counts on every worker from the next start on, and wins over what
 * tasks declare; jobs that run continue.
 */
export class Limits {
  readonly #link: RedisContext

  /** @internal */
  constructor(link: RedisContext) {
    this.#link = link
  }

  /**
   * Sets a limit for all its keys, or for one `key`. `null` lifts what a task declares; 0 for `concurrency` lets nothing
   * start. Jobs that may start now are started.
   *
   * @throws OptionsError
   */
  async set(name: string, options: LimitSettings & { key?: string }): Promise<void> {
    checkName('limits.set', 'name', name)
    const { key, ...settings } = checkLimitSettings(name, options)
    await this.#link.limitRecords.set(limitId(name, key), settingsText(settings))
    await this.#refill(name, key)
  }

  /** A limit, or one `key` of it, as it stands. */
  async get(name: string, options: { key?: string } = {}): Promise<LimitStatus> {
    checkName('limits.get', 'name', name)
    checkMethodOptions('limits.get', methodSchemas.key, options)
    const [status] = await this.#describe([limitId(name, options.key)])
    return status!
  }

  /** Every limit that was set at run time or that jobs wait for, by id. */
  async list(): Promise<LimitStatus[]> {
    const { limitRecords: limits } = this.#link
    const [set, watched] = await Promise.all([limits.settings(), limits.watched()])
    const ids = [...new Set([...Object.keys(set), ...watched])]
    return this.#describe(ids.sort((a, b) => (a < b ? -1 : 1)))
  }

  /**
   * Jobs under a limit, or under one `key` of it: those that have a place, those that are offered one, and those that wait, in
   * their turn. At most `limit` of each, 100 by default.
   */
  async jobs(name: string, options: { key?: string; limit?: number } = {}): Promise<LimitJob[]> {
    checkName('limits.jobs', 'name', name)
    const { key, limit = 100 } = checkMethodOptions('limits.jobs', methodSchemas.limitJobs, options)
    await this.#link.syncClock()
    const { clock, limitRecords: limits } = this.#link
    return limits.members(limitId(name, key), clock.now(), limit)
  }

  /** Takes back what was set for all keys, or for one `key`: what tasks declare counts again. False where nothing was set. */
  async clear(name: string, options: { key?: string } = {}): Promise<boolean> {
    checkName('limits.clear', 'name', name)
    checkMethodOptions('limits.clear', methodSchemas.key, options)
    const wasSet = await this.#link.limitRecords.unset(limitId(name, options.key))
    if (wasSet) await this.#refill(name, options.key)
    return wasSet
  }

  async #refill(name: string, key: string | undefined): Promise<void> {
    const { limitRecords: limits } = this.#link
    const ids = key === undefined ? await limits.watched() : [limitId(name, key)]
    for (const id of ids) {
      if (nameOfLimit(id) !== name) continue
      await limits.serve({ id, name }, { places: [], jobs: [] }, { offerAnew: true })
    }
  }

  async #describe(ids: readonly string[]): Promise<LimitStatus[]> {
    await this.#link.syncClock()
    const { clock, limitRecords: limits } = this.#link
    const [set, counts] = await Promise.all([limits.settings(), limits.counts(ids, clock.now())])
    return counts.map(({ id, declared, running, offered, waiting }) => {
      const name = nameOfLimit(id)
      const texts = [declared, set[name] ?? '', set[id] ?? '']
      const { concurrency = null, rate = null } = mergeSettings(...texts.map(readSettings))
      return {
        name,
        key: id === name ? null : id.slice(name.length + 1),
        concurrency,
        rate,
        isSet: set[name] !== undefined || set[id] !== undefined,
        running,
        waiting: waiting + offered,
      }
    })
  }
}
