import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { CommandReader } from './commands.ts'
import { atTime } from './virtual-time.ts'

/** Address of a server: on a socket of this machine, or on a port, with TLS or without. */
export type Upstream = { path: string } | { host: string; port: number; isTls: boolean }

/**
 * A port of this machine behind which a Redis server has the time of a test queue. Commands pass as they are, in their
 * order; only those that ask for the time, and scripts, which may, are rewritten.
 *
 * open → closed
 */
export class TimeProxy {
  /** The time that Redis has behind this port, in unix ms. */
  nowMs: number
  readonly #upstream: Upstream
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(upstream: Upstream, nowMs: number) {
    this.nowMs = nowMs
    this.#upstream = upstream
    this.#server = createServer((client) => this.#serve(client))
  }

  /** Opens a proxy on a free port. It does not keep its process alive. */
  static async open(upstream: Upstream, nowMs: number): Promise<TimeProxy> {
    const proxy = new TimeProxy(upstream, nowMs)
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject)
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    proxy.#server.unref()
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #serve(client: Socket): void {
    const server = connectTo(this.#upstream)
    const reader = new CommandReader()
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    client.on('data', (bytes) => {
      const commands = reader.read(bytes).map((command) => atTime(command, this.nowMs))
      if (commands.length > 0) server.write(Buffer.concat(commands))
    })
    server.on('data', (bytes) => client.write(bytes))
  }
}

/** Opens a connection to a server. */
export function connectTo(upstream: Upstream): Socket {
  if ('path' in upstream) return connect(upstream.path)
  const { host, port, isTls } = upstream
  return isTls ? connectTls({ host, port, servername: host }) : connect(port, host)
}
