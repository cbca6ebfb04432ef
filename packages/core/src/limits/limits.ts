import { checkMethodOptions, checkName, methodSchemas } from '../options/arguments.ts'
import type { RedisContext } from '../redis/context.ts'
import { nameOfLimit } from '../redis/limits.ts'
import type { LimitJob } from '../redis/limits.ts'
import { checkLimitSettings, limitId, mergeSettings, readSettings, settingsText } from './limit.ts'
import type { LimitSettings, Rate } from './limit.ts'

export type { LimitJob }

/** Limits of one page, unless another number is asked for. */
const PAGE = 1_000
/** Limits that are served at once where one was set for all its keys. */
const REFILLED_AT_ONCE = 100

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

  /**
   * Limits that were set at run time or that jobs wait for, by name and key: at most `limit`, 1,000 by default, after the one
   * called `after`, which is `name` or `name:key`. `inUse`: only those that jobs wait for.
   */
  async list(options: { after?: string; limit?: number; inUse?: boolean } = {}): Promise<LimitStatus[]> {
    const { after, inUse = false, limit = PAGE } = checkMethodOptions('limits.list', methodSchemas.limits, options)
    const { limitRecords: limits } = this.#link
    const all = new Set((await Promise.all([inUse ? [] : limits.setIds(), limits.watched()])).flat())
    const ids = [...all].filter((id) => after === undefined || id > after)
    return this.#describe(ids.sort((a, b) => (a < b ? -1 : 1)).slice(0, limit))
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
    const own = ids.filter((id) => nameOfLimit(id) === name)
    const serve = (id: string) => limits.serve({ id, name }, { places: [], jobs: [] }, { offerAnew: true })
    for (let from = 0; from < own.length; from += REFILLED_AT_ONCE)
      await Promise.all(own.slice(from, from + REFILLED_AT_ONCE).map(serve))
  }

  async #describe(ids: readonly string[]): Promise<LimitStatus[]> {
    await this.#link.syncClock()
    const { clock, limitRecords: limits } = this.#link
    const settable = [...new Set([...ids.map(nameOfLimit), ...ids])]
    const [texts, counts] = await Promise.all([limits.settings(settable), limits.counts(ids, clock.now())])
    const set = new Map(settable.map((id, i) => [id, texts[i] ?? null]))
    return counts.map(({ id, declared, running, offered, waiting }) => {
      const name = nameOfLimit(id)
      const [forAll, own] = [set.get(name) ?? null, set.get(id) ?? null]
      const settings = [declared, forAll ?? '', own ?? ''].map(readSettings)
      const { concurrency = null, rate = null } = mergeSettings(...settings)
      return {
        name,
        key: id === name ? null : id.slice(name.length + 1),
        concurrency,
        rate,
        isSet: forAll !== null || own !== null,
        running,
        waiting: waiting + offered,
      }
    })
  }
}
