import { randomUUID } from 'node:crypto'
import type { Resource } from '../options.ts'
import type { Access } from './access.ts'
import { Shared } from '../read/shared.ts'
import type { DashboardUser } from './authenticators.ts'

/** Decides about a queue; false for null, a thing of which nobody knows the queue. */
export type Sees = (queueName: string | null) => boolean

/** Answers of `authorize` that one sight keeps; it asks again for those beyond. */
const MAX_KNOWN = 50_000

/**
 * The part of the installation that one user may see. An entry of a list that belongs to queues is shown to whoever may
 * see one of these queues, without the names of the others. An entry of no known queue is shown only to a user from whom
 * no queue is hidden.
 */
export class Sight {
  /** Nothing is hidden: the dashboard has no `authorize`. */
  static readonly whole = new Sight(() => Promise.resolve(true), true)
  /** True where no known queue is hidden from the user. */
  readonly isBroad: boolean
  readonly #ask: (resource: Resource) => Promise<boolean>
  /** Answers by type and name. */
  readonly #known = new Map<string, boolean>()

  private constructor(ask: (resource: Resource) => Promise<boolean>, isBroad: boolean) {
    this.#ask = ask
    this.isBroad = isBroad
  }

  /** The sight of a user, by each queue that is known. */
  static async of(access: Access, user: DashboardUser, queueNames: () => Promise<readonly string[]>): Promise<Sight> {
    if (!access.isLimited) return Sight.whole
    const ask = (resource: Resource) => access.may(user, 'view', resource)
    const names = await queueNames()
    const may = await Promise.all(names.map((name) => ask({ type: 'queue', name })))
    // A user who may see a queue of any name is limited by nothing that is not known yet.
    const isBroad = may.every(Boolean) && (await ask({ type: 'queue', name: randomUUID() }))
    const sight = new Sight(ask, isBroad)
    for (const [i, name] of names.entries()) sight.#known.set(`queue ${name}`, may[i]!)
    return sight
  }

  /** True where everything is shown without a question. */
  get isWhole(): boolean {
    return this === Sight.whole
  }

  /** Decides about these queues. */
  async over(queueNames: Iterable<string | null>): Promise<Sees> {
    if (this.isWhole) return () => true
    const names = [...new Set(queueNames)].filter((name) => name !== null)
    const may = await this.#may(names.map((name) => ({ type: 'queue', name })))
    const seen = new Set(names.filter((_, i) => may[i]))
    return (name) => (name === null ? this.isBroad : seen.has(name))
  }

  /** Answers about each resource; `authorize` is asked for those that it was not asked for before. */
  async #may(resources: readonly Resource[]): Promise<boolean[]> {
    return Promise.all(
      resources.map(async (resource) => {
        const key = `${resource.type} ${resource.name}`
        const known = this.#known.get(key)
        if (known !== undefined) return known
        const may = await this.#ask(resource)
        if (this.#known.size < MAX_KNOWN) this.#known.set(key, may)
        return may
      }),
    )
  }

  /** The entries of a list that are resources of their own, as far as the user may see each. */
  async own<T>(entries: readonly T[], resourceOf: (entry: T) => Resource): Promise<T[]> {
    if (this.isWhole) return [...entries]
    const may = await this.#may(entries.map(resourceOf))
    return entries.filter((_, i) => may[i])
  }

  /** The entries of a list whose queues the user may see. */
  async inQueues<T>(entries: readonly T[], queueOf: (entry: T) => string | null): Promise<T[]> {
    if (this.isWhole) return [...entries]
    const sees = await this.over(entries.map(queueOf))
    return entries.filter((entry) => sees(queueOf(entry)))
  }

  /** The jobs of a list that the user may see: each job, and its queue. */
  async jobs<T extends { jobId: string; queueName: string | null }>(jobs: readonly T[]): Promise<T[]> {
    const seen = await this.inQueues(jobs, ({ queueName }) => queueName || null)
    return this.own(seen, ({ jobId }) => ({ type: 'job', name: jobId }))
  }

  /** The entries of a list that belong to several queues, each with those queues that the user may see. */
  async withQueues<T extends { queues: string[] }>(entries: readonly T[]): Promise<T[]> {
    if (this.isWhole) return [...entries]
    const sees = await this.over(entries.flatMap(({ queues }) => queues))
    return entries.flatMap((entry) => {
      const queues = entry.queues.filter(sees)
      return queues.length > 0 || (entry.queues.length === 0 && this.isBroad) ? [{ ...entry, queues }] : []
    })
  }
}

/** Users whose sights are kept at a time. */
const MAX_USERS = 1_000
/** A right that changes takes effect within this time. */
const KEPT_MS = 1_000

/** The sights of users, each kept for a second: a page of ten requests asks `authorize` as often as one request does. */
export class Sights {
  readonly #kept: Shared

  /** @param now - monotonic time in ms. */
  constructor(now?: () => number) {
    this.#kept = new Shared(MAX_USERS, now)
  }

  /** The sight of a user, as it was within the last second. */
  of(access: Access, user: DashboardUser, queueNames: () => Promise<readonly string[]>): Promise<Sight> {
    if (!access.isLimited) return Promise.resolve(Sight.whole)
    return this.#kept.of(keyOf(user), KEPT_MS, () => Sight.of(access, user, queueNames))
  }
}

/**
 * Users of one key are one user to `authorize`. Where a function of the application makes users with more than simple
 * fields, only the object itself is known to be the same.
 */
function keyOf(user: DashboardUser): unknown {
  const fields = Object.entries(user)
  // Symbols and fields that are not enumerable may decide, too.
  const isWhole = Reflect.ownKeys(user).length === fields.length
  const isSimple = fields.every(([, value]) => ['string', 'number', 'boolean', 'undefined'].includes(typeof value))
  const prototype: unknown = Object.getPrototypeOf(user)
  if (!isWhole || !isSimple || (prototype !== Object.prototype && prototype !== null)) return user
  // JSON has one word for NaN, infinity and nothing.
  const written = fields.map(([name, value]) => [name, typeof value, String(value)])
  return JSON.stringify(written.sort(([a], [b]) => (a! < b! ? -1 : 1)))
}
