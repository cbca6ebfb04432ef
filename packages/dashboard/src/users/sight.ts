import { randomUUID } from 'node:crypto'
import type { Resource } from '../options.ts'
import type { Access } from './access.ts'
import type { DashboardUser } from './authenticators.ts'

/** Decides about a queue; false for null, a thing of which nobody knows the queue. */
export type Sees = (queueName: string | null) => boolean

/**
 * The part of the installation that one user may see. An entry of a list that belongs to queues is shown to whoever may
 * see one of these queues, without the names of the others. An entry of no known queue is shown only to a user from whom
 * no queue is hidden.
 */
export class Sight {
  /** Nothing is hidden: the dashboard has no `authorize`. */
  static readonly whole = new Sight(() => Promise.resolve(true), new Map(), true)
  /** True where no known queue is hidden from the user. */
  readonly isBroad: boolean
  readonly #ask: (resource: Resource) => Promise<boolean>
  readonly #known: Map<string, boolean>

  private constructor(ask: (resource: Resource) => Promise<boolean>, known: Map<string, boolean>, isBroad: boolean) {
    this.#ask = ask
    this.#known = known
    this.isBroad = isBroad
  }

  /** The sight of a user, by each queue that is known. */
  static async of(access: Access, user: DashboardUser, queueNames: () => Promise<readonly string[]>): Promise<Sight> {
    if (!access.isLimited) return Sight.whole
    const ask = (resource: Resource) => access.may(user, 'view', resource)
    const known = new Map<string, boolean>()
    // A user who may see a queue of any name is limited by nothing that is not known yet.
    const names = [...(await queueNames()), randomUUID()]
    const may = await Promise.all(names.map((name) => ask({ type: 'queue', name })))
    for (const [i, name] of names.entries()) known.set(name, may[i]!)
    return new Sight(ask, known, may.every(Boolean))
  }

  /** True where everything is shown without a question. */
  get isWhole(): boolean {
    return this === Sight.whole
  }

  /** Decides about these queues, each asked for once in a request. */
  async over(queueNames: Iterable<string | null>): Promise<Sees> {
    if (this.isWhole) return () => true
    const asked = [...new Set(queueNames)].filter((name) => name !== null && !this.#known.has(name)) as string[]
    const may = await Promise.all(asked.map((name) => this.#ask({ type: 'queue', name })))
    for (const [i, name] of asked.entries()) this.#known.set(name, may[i]!)
    return (name) => (name === null ? this.isBroad : this.#known.get(name) === true)
  }

  /** The entries of a list that are resources of their own, as far as the user may see each. */
  async own<T>(entries: readonly T[], resourceOf: (entry: T) => Resource): Promise<T[]> {
    if (this.isWhole) return [...entries]
    const may = await Promise.all(entries.map((entry) => this.#ask(resourceOf(entry))))
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
