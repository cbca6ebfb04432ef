import type { EventEmitter } from 'node:events'
import { PUBLISHED_EVENTS } from '../fleet/events.ts'
import type { WorkerEvents } from '../fleet/events.ts'
import { describeError } from '../logging/log-lines.ts'
import type { WorkerEventChannel } from '../redis/worker-events.ts'

/** Number of events that are published one by one; a longer burst is truncated, and counted in `missed`. */
const MAX_WAITING = 10_000

/**
 * Publishes what a worker does while somebody listens, and costs nothing while nobody does.
 *
 * silent ⇄ publishing, as `look` finds listeners
 */
export class EventPublisher {
  readonly #worker: EventEmitter<WorkerEvents>
  readonly #channel: WorkerEventChannel
  readonly #workerId: string
  readonly #now: () => number
  readonly #listeners: [name: (typeof PUBLISHED_EVENTS)[number], listener: (about: object) => void][]
  #waiting: string[] = []
  #missed = 0
  #isPublishing = false

  constructor(options: {
    worker: EventEmitter<WorkerEvents>
    workerId: string
    channel: WorkerEventChannel
    now: () => number
  }) {
    this.#worker = options.worker
    this.#workerId = options.workerId
    this.#channel = options.channel
    this.#now = options.now
    this.#listeners = PUBLISHED_EVENTS.map((name) => [name, (about) => this.#add(name, about)])
  }

  /** Begins or ends publishing. */
  async look(): Promise<void> {
    const heard = await this.#channel.hasListeners()
    if (heard === this.#isPublishing) return
    this.#isPublishing = heard
    for (const [name, listener] of this.#listeners) this.#worker[heard ? 'on' : 'off'](name, listener)
  }

  #add(event: string, about: object): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#missed++
      return
    }
    const { error, ...rest } = about as { error?: unknown }
    const shown = error === undefined ? {} : { error: describeError(error) }
    const missed = this.#missed === 0 ? {} : { missed: this.#missed }
    this.#missed = 0
    this.#waiting.push(
      JSON.stringify({ event, atMs: this.#now(), workerId: this.#workerId, ...rest, ...shown, ...missed }),
    )
    if (this.#waiting.length === 1) setImmediate(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    const messages = this.#waiting
    this.#waiting = []
    // Listeners may miss events, as with any pub/sub; jobs do not depend on them.
    await this.#channel.publish(messages).catch(() => {})
  }
}
