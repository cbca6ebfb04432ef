/** A poll skips up to this many ids of a queue at next to no cost. */
export const FEW = 1_000
/** Ids of a queue that are remembered at most; where there are more, the broker knows the stretch that holds them. */
const MAX_SKIPPED = 100_000
const FEW_MS = 5_000
const MANY_MS = 60_000
const NONE: ReadonlyMap<string, number> = new Map()

/**
 * Jobs that were handed back, as unknown or as suspects, which are left to other workers for a while. Unknown ones stay
 * unknown to this one; the time is for ids that are used again, and where there are many it is longer, so that a worker can
 * look past all of them before the first come back. No id is forgotten before its time: the first stand at the head of the
 * queue, and would be claimed again at once.
 */
export class SkipList {
  readonly #queues = new Map<string, Map<string, number>>()

  /** `nowMs` is monotonic; `forMs` is the time for which the id is skipped. */
  add(queueName: string, jobId: string, nowMs: number, forMs?: number): void {
    let ids = this.#queues.get(queueName)
    if (!ids) this.#queues.set(queueName, (ids = new Map()))
    if (ids.size < MAX_SKIPPED) ids.set(jobId, nowMs + (forMs ?? (ids.size < FEW ? FEW_MS : MANY_MS)))
  }

  /** Skips an id no longer. */
  remove(queueName: string, jobId: string): void {
    this.#queues.get(queueName)?.delete(jobId)
  }

  /** The ids of a queue to skip now, with the time each of them comes back. */
  of(queueName: string, nowMs: number): ReadonlyMap<string, number> {
    const ids = this.#queues.get(queueName)
    if (!ids) return NONE
    for (const [id, until] of ids) {
      if (until <= nowMs) ids.delete(id)
    }
    return ids
  }
}
