import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'

/** The channel on which workers publish what they do while somebody listens. */
export class WorkerEventChannel {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** True when anybody listens to the events of workers. */
  async hasListeners(): Promise<boolean> {
    const reply = await this.#calls.run((client) => client.pubsub('NUMSUB', this.#keys.events))
    return Number(reply[1]) > 0
  }

  /** Asks workers to look for listeners now. */
  async announceListener(): Promise<void> {
    await this.#calls.run((client) => client.publish(this.#keys.eventListeners, ''))
  }

  /** Publishes messages in one round trip. */
  async publish(messages: readonly string[]): Promise<void> {
    await this.#calls.pipeline(messages.map((message) => ['publish', this.#keys.events, message]))
  }
}
