import { showName } from '@arq-ts/protocol/show'
import { closed, Connection } from './connection.ts'
import type { RedisTarget } from './connection.ts'
import { Deadline } from '../time/deadline.ts'

type Log = ConstructorParameters<typeof Connection>[1]
type Listener = (message: Buffer) => unknown

/** Interval of PINGs on the subscribed connection: it sends nothing else, and must notice a dead peer. */
const PING_MS = 5_000
/** A listener that fails is logged at most this often, in ms. */
const REPEAT_MS = 60_000

/** A channel somebody listens on. */
interface Channel {
  listeners: Set<Listener>
  /** Resolves when the server has confirmed the subscription. */
  confirmed: Promise<unknown>
}

/**
 * Channels over a connection of their own, kept subscribed across outages. Messages published meanwhile are lost, as
 * pub/sub is; `onUp` is the moment to look for what was missed.
 *
 * idle (not connected) → open, from the first subscription on → closed
 */
export class Subscriber {
  readonly #target: RedisTarget
  readonly #log: Log
  readonly #timeoutMs: number | undefined
  readonly #channels = new Map<string, Channel>()
  #connection: Connection | undefined
  #ping: NodeJS.Timeout | undefined
  #closed = false
  #failedAtMs = -Infinity
  /** Called when the connection is back after an outage. */
  onUp: (() => void) | undefined
  readonly #whenUp = new Set<() => void>()

  /** `timeoutMs`: how long `listen` waits for Redis; default: for ever. */
  constructor(target: RedisTarget, log: Log, timeoutMs?: number) {
    this.#target = target
    this.#log = log
    this.#timeoutMs = timeoutMs
  }

  /**
   * Listens on a channel; resolves when the server has confirmed it. The answer ends the listening.
   *
   * @throws RedisUnavailableError after `timeoutMs`, or once closed; RedisReplyError when the server refuses.
   */
  listen(name: string, listener: (message: string) => unknown): Promise<() => void> {
    return this.listenToBytes(name, (message) => listener(message.toString()))
  }

  /** Listens like `listen`, to binary messages. */
  async listenToBytes(name: string, listener: Listener): Promise<() => void> {
    if (this.#closed) throw closed()
    const connection = this.#open()
    const channel = this.#channels.get(name) ?? this.#subscribe(connection, name)
    channel.listeners.add(listener)
    const deadline = new Deadline(this.#timeoutMs)
    try {
      await deadline.race(channel.confirmed, () => connection.noAnswer(deadline))
    } catch (error) {
      this.#unlisten(name, channel, listener)
      throw error
    }
    return () => this.#unlisten(name, channel, listener)
  }

  /** Calls back, in addition to `onUp`, when the connection is back after an outage. Call the returned function to end that. */
  whenUp(listener: () => void): () => void {
    this.#whenUp.add(listener)
    return () => this.#whenUp.delete(listener)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#ping)
    await this.#connection?.close()
  }

  #subscribe(connection: Connection, name: string): Channel {
    const channel: Channel = { listeners: new Set(), confirmed: Promise.resolve() }
    this.#channels.set(name, channel)
    // Not bounded by the time of one listener: others may wait longer, and who gave up takes the channel off the map.
    channel.confirmed = connection.run(async (client) => {
      if (this.#channels.get(name) === channel) await client.subscribe(name)
    })
    return channel
  }

  #unlisten(name: string, channel: Channel, listener: Listener): void {
    if (!channel.listeners.delete(listener) || channel.listeners.size > 0) return
    if (this.#channels.get(name) !== channel) return
    this.#channels.delete(name)
    if (this.#closed) return
    const unsubscribe = this.#connection?.run(async (client) => {
      if (!this.#channels.has(name)) await client.unsubscribe(name)
    })
    unsubscribe?.catch(() => {})
  }

  #open(): Connection {
    if (this.#connection) return this.#connection
    const connection = new Connection(this.#target, this.#log, 'channels')
    this.#connection = connection
    connection.onClient((client) => {
      client.on('messageBuffer', (name: Buffer, message: Buffer) => {
        const channel = name.toString()
        for (const listener of this.#channels.get(channel)?.listeners ?? []) this.#deliver(channel, listener, message)
      })
      client.on('ready', () => void this.#resubscribe(connection))
    })
    this.#ping = setInterval(() => {
      if (connection.isReady) connection.client.ping().catch(() => {})
    }, PING_MS)
    this.#ping.unref()
    return connection
  }

  /** Anybody may publish anything: a listener that fails must neither keep a message from others nor end the process. */
  #deliver(channel: string, listener: Listener, message: Buffer): void {
    const failed = (error: unknown) => {
      const now = performance.now()
      if (now - this.#failedAtMs < REPEAT_MS) return
      this.#failedAtMs = now
      this.#log.warn({ err: error }, `a listener of the channel '${showName(channel)}' failed, the message is lost`)
    }
    try {
      const returned: unknown = listener(message)
      if (returned instanceof Promise) returned.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  async #resubscribe(connection: Connection): Promise<void> {
    const names = [...this.#channels.keys()]
    try {
      if (names.length > 0) await connection.run((client) => client.subscribe(...names))
      this.onUp?.()
      for (const listener of this.#whenUp) listener()
    } catch (error) {
      if (!this.#closed) this.#log.warn({ err: error }, 'subscribing again failed')
    }
  }
}
