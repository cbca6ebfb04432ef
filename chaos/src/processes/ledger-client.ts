import { Redis } from 'ioredis'

/** Key of the stream that everybody writes, on a Redis of its own. Its ids are the ledger's clock. */
export const LEDGER = 'ledger'

/** Writes ledger entries. An awaited entry is stored. */
export class LedgerClient {
  readonly #redis: Redis
  readonly #writes = new Set<Promise<unknown>>()

  constructor(port: number) {
    this.#redis = new Redis({
      port,
      host: '127.0.0.1',
      protocol: 2,
      enableAutoPipelining: true,
      maxRetriesPerRequest: null,
    })
    // The ledger suffers no faults: without it, a run means nothing.
    this.#redis.on('error', (error) => {
      console.error(`ledger: ${error.message}`)
    })
  }

  async write(entry: { event: string } & Record<string, string>): Promise<void> {
    const write = this.#redis.xadd(LEDGER, '*', ...Object.entries(entry).flat())
    this.#writes.add(write)
    try {
      await write
    } finally {
      this.#writes.delete(write)
    }
  }

  /** Waits until everything is stored, and closes. */
  async close(): Promise<void> {
    // Writes of this turn are sent at its end, which is behind a QUIT.
    while (this.#writes.size > 0) await Promise.all(this.#writes)
    await this.#redis.quit()
  }
}
