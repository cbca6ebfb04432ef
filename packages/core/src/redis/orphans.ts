import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'

/** A queue is behind where its first job is due for this long, in ms. */
export const BEHIND_MS = 1_000
/** Members that one call looks at, at most. */
const PAGE = 2_000
/** Time between two searches of one queue, in ms, by whichever workers. */
const BETWEEN_MS = 200
/** Time between two pages of one search, in ms. */
export const BETWEEN_PAGES_MS = 20
const MARK_MS = 3_600_000
/** Members that every worker may look at each time, so that short queues need no key. */
const FEW = 200

/** One look for orphans: how many jobs went to the head, whether the queue is behind, and whether more is left to search. */
export interface OrphanSearch {
  moved: number
  isBehind: boolean
  isMore: boolean
}

/** Jobs whose worker died, which stand behind everything that was queued before their leases ended. */
export class Orphans {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /**
   * Moves orphans of a queue that is behind to its head, as far as one page of it has any; see `bring-forward.lua`.
   * `isContinued`: the caller's page before this one left more to search.
   */
  async bringForward(queueName: string, isContinued = false): Promise<OrphanSearch> {
    const betweenMs = isContinued ? BETWEEN_PAGES_MS : BETWEEN_MS
    const keys = [this.#keys.queue(queueName), this.#keys.orphans(queueName)]
    const [moved, behind, more] = await this.#calls.script('bringForward', keys, [
      BEHIND_MS,
      PAGE,
      betweenMs,
      MARK_MS,
      FEW,
    ])
    return { moved: Number(moved), isBehind: behind === 1, isMore: more === 1 }
  }
}
