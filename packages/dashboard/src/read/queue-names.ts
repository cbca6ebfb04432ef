import type { Client } from '@arq-ts/core'

/** Keys that are scanned while a request waits: 40 commands. The rest is scanned behind it. */
const QUICK_KEYS = 20_000
const ALL_KEYS = 5_000_000
const MIN_AGE_MS = 60_000
const HEAD_START_MS = 500
/** The share of time that looking for queues may take. */
const SHARE = 100

/** Names of queues. Looking for them means scanning the database, so that is done seldom and never makes a page wait. */
export class QueueNames {
  readonly #client: Client
  readonly #given: readonly string[]
  #found: { names: string[]; complete: boolean } | undefined
  #first: Promise<void> | undefined
  #scan: Promise<void> | undefined
  #nextScanMs = 0

  constructor(client: Client, given: readonly string[]) {
    this.#client = client
    this.#given = given
  }

  /** The names that are known now, and whether they are all. A queue that is worth a scan is found a little later. */
  async known(): Promise<{ names: string[]; complete: boolean }> {
    if (this.#found === undefined) {
      this.#first ??= this.#look(QUICK_KEYS).finally(() => (this.#first = undefined))
      await this.#first
      // A small database was seen as a whole; of a large one, the first page has its data before the rest is looked at.
      this.#nextScanMs = performance.now() + (this.#found!.complete ? MIN_AGE_MS : HEAD_START_MS)
    }
    if (performance.now() >= this.#nextScanMs) this.#scanAll()
    const near = await this.#client.queues.names({ known: this.#found!.names, scanKeys: 0 })
    return { names: near.names, complete: this.#found!.complete }
  }

  /** Waits for a scan that is under way. */
  async settled(): Promise<void> {
    await this.#scan
  }

  #scanAll(): void {
    if (this.#scan) return
    const startedMs = performance.now()
    this.#scan = this.#look(ALL_KEYS)
      .catch(() => {}) // the next request asks again
      .finally(() => {
        this.#scan = undefined
        this.#nextScanMs = performance.now() + Math.max(MIN_AGE_MS, SHARE * (performance.now() - startedMs))
      })
  }

  async #look(scanKeys: number): Promise<void> {
    const options = this.#given.length > 0 ? { known: this.#given, scanKeys } : { scanKeys }
    this.#found = await this.#client.queues.names(options)
  }
}
