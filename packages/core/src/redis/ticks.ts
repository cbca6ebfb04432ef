import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'

/** The last ticks of cron jobs that must not overlap. */
export class TickRecords {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** The id of the last tick enqueued for a cron job that must not overlap. */
  last(cronName: string): Promise<string | null> {
    return this.#calls.run((client) => client.get(this.#keys.lastTick(cronName)))
  }

  /** Records a tick for a day. */
  async record(cronName: string, jobId: string): Promise<void> {
    await this.#calls.run((client) => client.psetex(this.#keys.lastTick(cronName), EXPIRES_EXTRA_MS, jobId))
  }
}
