import { Agent, createServer, request } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Fault of a call. */
export interface Fault {
  /** `error`: an answer that says no. `close`: the connection is cut. `hang`: nothing for `ms`, then all as usual. */
  kind: 'error' | 'close' | 'hang'
  /** Calls it is about, as `METHOD /path`. Default: all. */
  call?: RegExp
  /** One such call in this many. Default 1: each. */
  every?: number
  /** Largest number of calls. Default: no limit. */
  times?: number
  /** `before` Qdrant hears of it (default), or `after`: the work is done and the answer is lost. */
  when?: 'before' | 'after'
  /** The HTTP status of `error`. Default 500. */
  status?: number
  /** Duration of `hang`. Default: until the fault is removed. */
  ms?: number
}

/** A fault that is switched on. */
export interface ActiveFault {
  /** Calls it has struck so far. */
  readonly hits: number
  /** Switches it off; calls that hang continue. */
  remove(): void
}

interface Entry extends Fault {
  seen: number
  hits: number
  readonly removed: AbortController
}

/** Stands between client and Qdrant, and makes calls fail on demand. Works in front of any Qdrant. */
export class FaultProxy {
  /** Every call so far, as `METHOD /path`, in the order of arrival. */
  readonly calls: string[] = []
  readonly #target: URL
  readonly #agent = new Agent({ keepAlive: true })
  readonly #faults = new Set<Entry>()
  readonly #server: Server
  #port = 0

  private constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((incoming, outgoing) => {
      this.#serve(incoming, outgoing).catch(() => outgoing.destroy())
    })
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await proxy.up()
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  add(fault: Fault): ActiveFault {
    const entry: Entry = { ...fault, seen: 0, hits: 0, removed: new AbortController() }
    this.#faults.add(entry)
    return {
      get hits() {
        return entry.hits
      },
      remove: () => this.#remove(entry),
    }
  }

  /** Switches all faults off and forgets the calls. */
  clear(): void {
    for (const entry of this.#faults) this.#remove(entry)
    this.calls.length = 0
  }

  /** Qdrant is gone: nobody listens, and connections are cut. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  /** Qdrant is back, at the same address. */
  async up(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.clear()
    if (this.#server.listening) await this.down()
    this.#agent.destroy()
  }

  #remove(entry: Entry): void {
    this.#faults.delete(entry)
    entry.removed.abort()
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = incoming
    const call = `${method} ${url.split('?')[0]}`
    this.calls.push(call)
    const body = await read(incoming)
    const fault = this.#strike(call)
    if (fault && fault.when !== 'after' && (await this.#fail(fault, outgoing))) return
    if (outgoing.destroyed) return // the client went away meanwhile
    const answer = await this.#forward(incoming, body)
    if (fault?.when === 'after' && (await this.#fail(fault, outgoing))) return
    const type = answer.contentType === undefined ? {} : { 'content-type': answer.contentType }
    outgoing.writeHead(answer.status, { ...type, 'content-length': answer.body.length })
    outgoing.end(answer.body)
  }

  /** The fault that this call meets, if any. */
  #strike(call: string): Entry | undefined {
    for (const entry of this.#faults) {
      if (entry.call?.test(call) === false) continue
      entry.seen++
      if (entry.seen % (entry.every ?? 1) !== 0 || entry.hits >= (entry.times ?? Infinity)) continue
      entry.hits++
      return entry
    }
    return undefined
  }

  /** True when that was the end of the call. */
  async #fail(fault: Entry, outgoing: ServerResponse): Promise<boolean> {
    if (fault.kind === 'close') {
      outgoing.destroy()
      return true
    }
    if (fault.kind === 'error') {
      const body = JSON.stringify({ status: { error: 'a fault of this test' }, time: 0 })
      outgoing.writeHead(fault.status ?? 500, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      })
      outgoing.end(body)
      return true
    }
    await sleep(fault.ms ?? 2_147_483_647, undefined, { signal: fault.removed.signal }).catch(() => {})
    return false
  }

  #forward(
    incoming: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; contentType: string | undefined; body: Buffer }> {
    const { hostname, port } = this.#target
    const { host: _, 'content-length': __, 'transfer-encoding': ___, connection: ____, ...headers } = incoming.headers
    return new Promise((resolve, reject) => {
      const options = { hostname, port, method: incoming.method, path: incoming.url, agent: this.#agent }
      const forwarded = request({ ...options, headers: { ...headers, 'content-length': body.length } }, (response) => {
        read(response).then(
          (answer) =>
            resolve({
              status: response.statusCode ?? 502,
              contentType: response.headers['content-type'],
              body: answer,
            }),
          reject,
        )
      })
      forwarded.on('error', reject)
      forwarded.end(body)
    })
  }
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
