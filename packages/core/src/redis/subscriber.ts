import { Connection } from './connection.ts'
import type { RedisTarget } from './connection.ts'

type Log = ConstructorParameters<typeof Connection>[1]
type Listener = (message: string) => void

/** How often the subscribed connection is asked for a sign of life: it sends nothing else, and must notice a dead peer. */
const PING_MS = 5_000

/**
 * Channels over a connection of their own, kept subscribed across outages. Messages published meanwhile are lost, as
 * pub/sub is; `onUp` is the moment to look for what was missed.
 *
 * idle (not connected) → open, from the first subscription on → closed
 */
export class Subscriber {
  readonly #target: RedisTarget
  readonly #log: Log
  readonly #listeners = new Map<string, Set<Listener>>()
  #connection: Connection | undefined
  #ping: NodeJS.Timeout | undefined
  #closed = false
  /** Called when the connection is back after an outage. */
  onUp: (() => void) | undefined

  constructor(target: RedisTarget, log: Log) {
    this.#target = target
    this.#log = log
  }

  /** Listens on a channel; resolves when the server has confirmed it. The answer ends the listening. */
  async listen(channel: string, listener: Listener): Promise<() => void> {
    const connection = this.#open()
    let listeners = this.#listeners.get(channel)
    const isNew = listeners === undefined
    if (!listeners) this.#listeners.set(channel, (listeners = new Set()))
    listeners.add(listener)
    if (isNew) await connection.run((client) => client.subscribe(channel))
    return () => this.#unlisten(channel, listener)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#ping)
    await this.#connection?.close()
  }

  #unlisten(channel: string, listener: Listener): void {
    const listeners = this.#listeners.get(channel)
    if (!listeners?.delete(listener) || listeners.size > 0) return
    this.#listeners.delete(channel)
    if (!this.#closed) this.#connection?.run((client) => client.unsubscribe(channel)).catch(() => {})
  }

  #open(): Connection {
    if (this.#connection) return this.#connection
    const connection = new Connection(this.#target, this.#log)
    this.#connection = connection
    connection.client.on('message', (channel: string, message: string) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(message)
    })
    connection.client.on('ready', () => void this.#resubscribe(connection))
    this.#ping = setInterval(() => {
      if (connection.isReady) connection.client.ping().catch(() => {})
    }, PING_MS)
    this.#ping.unref()
    return connection
  }

  async #resubscribe(connection: Connection): Promise<void> {
    const channels = [...this.#listeners.keys()]
    try {
      if (channels.length > 0) await connection.run((client) => client.subscribe(...channels))
      this.onUp?.()
    } catch (error) {
      if (!this.#closed) this.#log.warn({ err: error }, 'subscribing again failed')
    }
  }
}
