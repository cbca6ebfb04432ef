import type { Keys } from '@arq-ts/protocol/jobs'
import { WrongType } from './calls.ts'
import type { Call, Calls } from './calls.ts'

/**
 * Says that an in-progress key holds its job, whatever its value or type: anything but the fence of an ended job, which
 * `finish.lua` leaves.
 */
export function isHolder(value: unknown): boolean {
  return value !== null && !((typeof value === 'string' || value instanceof Buffer) && String(value) === 'ended')
}

/** An in-progress key that never lapses. */
export interface EndlessHold {
  jobId: string
  /** Its value: `1` by Python, a token by arq-ts. */
  holder: string
}

/** In-progress keys as such, whether their jobs are in a queue or not. */
export class Holds {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /**
   * In-progress keys of these jobs that have no expiry: every worker of either language sets one. Keys that hold no string
   * are left out.
   */
  endlessAmong(jobIds: readonly string[]): Promise<EndlessHold[]> {
    return this.#read(jobIds)
  }

  /** Removes those of these keys that still never lapse; returns the number removed. */
  async drop(jobIds: readonly string[]): Promise<number> {
    const still = await this.#read(jobIds)
    await this.#calls.pipeline(still.map(({ jobId }): Call => ['del', this.#keys.inProgress(jobId)]))
    return still.length
  }

  async #read(jobIds: readonly string[]): Promise<EndlessHold[]> {
    const answers = await this.#calls.attempt(
      jobIds.flatMap((id): Call[] => [
        ['pttl', this.#keys.inProgress(id)],
        ['get', this.#keys.inProgress(id)],
      ]),
    )
    return jobIds.flatMap((jobId, i) => {
      const [ttl, holder] = [answers[2 * i], answers[2 * i + 1]]
      return ttl === -1 && holder !== null && !(holder instanceof WrongType)
        ? [{ jobId, holder: holder as string }]
        : []
    })
  }
}
