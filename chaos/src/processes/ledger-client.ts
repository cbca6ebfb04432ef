import { Redis } from 'ioredis'

/** Key of the stream that everybody writes, on a Redis of its own. Its ids are the ledger's clock. */
export const LEDGER = 'ledger'

/** Writes ledger entries. An awaited entry is stored. */
export class LedgerClient {
  readonly #redis: Redis

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
    await this.#redis.xadd(LEDGER, '*', ...Object.entries(entry).flat())
  }

  /** Waits until everything is stored, and closes. */
  async close(): Promise<void> {
    await this.#redis.quit()
  }
}
