import type { Client, QueueSearch } from '@arq-ts/core'

/** Time between two looks through the database, at least. */
const MIN_AGE_MS = 30_000
/** Times that a look took until the next one: looking takes 2 % of the time. */
const REST = 50

/**
 * Names of queues for those who ask again and again. The first answer waits for a short look through the database. A look
 * at all of it follows behind the answers, and seldom: its cost grows with the database.
 */
export class QueueWatch {
  readonly #client: Client
  readonly #search: QueueSearch
  #found: { names: string[]; complete: boolean } | undefined
  #looking: Promise<void> | undefined
  #nextLookMs = 0

  constructor(client: Client, search: QueueSearch) {
    this.#client = client
    this.#search = search
  }

  /** The names that are known now, and whether they are all. */
  async names(): Promise<{ names: string[]; complete: boolean }> {
    if (!this.#found) {
      await this.#look(this.#search)
      if (this.#found!.complete) return this.#found!
      this.#nextLookMs = 0
    }
    if (performance.now() >= this.#nextLookMs) this.#lookAtAll()
    // Queues that workers or operators name meanwhile cost no look.
    const { names, complete } = this.#found!
    const near = await this.#client.queues.names({ known: names, scanKeys: 0 })
    return { names: near.names, complete }
  }

  /** Waits for a look that is under way. */
  async settled(): Promise<void> {
    await this.#looking
  }

  #lookAtAll(): void {
    const { known } = this.#search
    this.#looking ??= this.#look({ ...(known ? { known } : {}), scanKeys: Infinity })
      .catch(() => {}) // Redis is away: the next answer looks again
      .finally(() => (this.#looking = undefined))
  }

  async #look(search: QueueSearch): Promise<void> {
    const startedMs = performance.now()
    this.#nextLookMs = startedMs + MIN_AGE_MS
    this.#found = await this.#client.queues.names(search)
    const nowMs = performance.now()
    this.#nextLookMs = nowMs + Math.max(MIN_AGE_MS, REST * (nowMs - startedMs))
  }
}
