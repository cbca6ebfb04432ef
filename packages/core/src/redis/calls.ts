import { Cluster } from 'ioredis'
import type { Connection } from './connection.ts'

/** Keys read per round trip when many are read. */
export const PAGE = 500

/** One command and its arguments. */
export type Call = [command: string, ...args: (string | number | Buffer)[]]

/** Plain commands over a connection, one by one or together. Calls wait out an outage, up to `timeoutMs`. */
export class Calls {
  readonly #connection: Connection
  readonly #timeoutMs: number | undefined

  constructor(connection: Connection, timeoutMs?: number) {
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  run<T>(operation: (client: Connection['client']) => Promise<T>): Promise<T> {
    return this.#connection.run(operation, { timeoutMs: this.#timeoutMs })
  }

  pipeline(calls: Call[]): Promise<unknown[]> {
    if (calls.length === 0) return Promise.resolve([])
    return this.run(async (client) => unwrap(await client.pipeline(calls as unknown[][]).exec()))
  }

  transaction(calls: Call[]): Promise<unknown[]> {
    return this.run(async (client) => unwrap(await client.multi(calls as unknown[][]).exec()))
  }

  /** Keys under a prefix, a page at a time. Every primary of a cluster is scanned; a key may come twice, as SCAN has it. */
  async *scan(prefix: string, options: { type?: string; count?: number } = {}): AsyncGenerator<string[]> {
    const { type, count = PAGE } = options
    const nodes = await this.run(async (client) =>
      (client as unknown) instanceof Cluster ? (client as unknown as Cluster).nodes('master') : [client],
    )
    const filter = ['MATCH', `${escapeGlob(prefix)}*`, 'COUNT', String(count), ...(type ? ['TYPE', type] : [])]
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, keys] = (await this.run(() => node.call('SCAN', cursor, ...filter))) as [string, string[]]
        cursor = next
        yield keys
      } while (cursor !== '0')
    }
  }
}

function unwrap(replies: [Error | null, unknown][] | null): unknown[] {
  if (replies === null) throw new Error('the transaction was discarded')
  return replies.map(([error, value]) => {
    if (error) throw error
    return value
  })
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&')
}
