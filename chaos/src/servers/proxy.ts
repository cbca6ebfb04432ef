import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { ConnectStep } from '../plan/faults.ts'

/** One direction of one connection. Bytes keep their order, whatever the weather. */
class Lane {
  readonly #sink: Socket
  readonly #weather: Weather
  readonly #held: { chunk: Buffer; dueMs: number }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(sink: Socket, weather: Weather) {
    this.#sink = sink
    this.#weather = weather
  }

  push(chunk: Buffer): void {
    if (this.#held.length === 0 && !this.#weather.stalled && this.#weather.delayMs === 0) this.#sink.write(chunk)
    else {
      this.#held.push({ chunk, dueMs: performance.now() + this.#weather.delayMs })
      this.flush()
    }
  }

  /** Sends what is due. */
  flush(): void {
    clearTimeout(this.#timer)
    if (this.#weather.stalled) return
    const now = performance.now()
    while (this.#held.length > 0 && this.#held[0]!.dueMs <= now) this.#sink.write(this.#held.shift()!.chunk)
    const next = this.#held[0]
    if (next) this.#timer = setTimeout(() => this.flush(), Math.max(1, next.dueMs - now))
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#held.length = 0
  }
}

interface Weather {
  stalled: boolean
  delayMs: number
}

interface Pair {
  client: Socket
  upstream: Socket
  lanes: Lane[]
  /** The next bytes from the server are not delivered: the connection is cut. */
  cutAtReply: boolean
}

/** A TCP proxy in front of one server that can cut, stall and delay what it carries. */
export class Proxy {
  readonly #server: Server
  readonly #target: number
  readonly #pairs = new Set<Pair>()
  readonly #weather: Weather = { stalled: false, delayMs: 0 }
  #trap: { step: ConnectStep; afterSend: boolean } | undefined
  /** Connections that the trap has cut. */
  trapped = 0

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client))
  }

  /** Opens a proxy on a free port in front of a local port. */
  static async open(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject)
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resets every connection. */
  cut(): void {
    for (const pair of this.#pairs) drop(pair)
  }

  /** Cuts each connection that reaches a step of connecting, until `trap(undefined)`. */
  trap(trap: { step: ConnectStep; afterSend: boolean } | undefined): void {
    this.#trap = trap
  }

  stall(stalled: boolean): void {
    this.#weather.stalled = stalled
    this.#flush()
  }

  delay(delayMs: number): void {
    this.#weather.delayMs = delayMs
    this.#flush()
  }

  /** Ends every fault. */
  clear(): void {
    this.trap(undefined)
    this.#weather.delayMs = 0
    this.stall(false)
  }

  close(): void {
    this.#server.close()
    this.cut()
  }

  #flush(): void {
    for (const { lanes } of this.#pairs) for (const lane of lanes) lane.flush()
  }

  #accept(client: Socket): void {
    if (this.#trap?.step === 'accept') {
      this.trapped++
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const upstream = connect({ port: this.#target, host: '127.0.0.1', noDelay: true })
    const toServer = new Lane(upstream, this.#weather)
    const toClient = new Lane(client, this.#weather)
    const pair: Pair = { client, upstream, lanes: [toServer, toClient], cutAtReply: false }
    this.#pairs.add(pair)
    client.on('data', (chunk: Buffer) => {
      const trap = this.#trap
      if (trap && mentions(chunk, trap.step)) {
        this.trapped++
        if (!trap.afterSend) return drop(pair)
        pair.cutAtReply = true
      }
      toServer.push(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      if (pair.cutAtReply) drop(pair)
      else toClient.push(chunk)
    })
    const end = () => {
      this.#pairs.delete(pair)
      drop(pair)
    }
    for (const socket of [client, upstream]) {
      socket.on('error', () => {})
      socket.on('close', end)
    }
  }
}

function drop({ client, upstream, lanes }: Pair): void {
  for (const lane of lanes) lane.end()
  if (!client.destroyed) client.resetAndDestroy()
  upstream.destroy()
}

/** Steps are commands of their own, which ioredis sends as arrays of bulk strings; payloads are longer than these. */
function mentions(chunk: Buffer, step: ConnectStep): boolean {
  if (chunk.length > 4_096) return false
  const command = `\r\n$${step.length}\r\n${step.toLowerCase()}\r\n`
  return chunk.toString('latin1').toLowerCase().includes(command)
}
