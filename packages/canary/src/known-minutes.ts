/** Minutes that were read before. */
import type { CountedMinute } from './requests.ts'

/** Collections whose minutes are kept: those of ten deployments. Each takes up to 250 KB. */
const COLLECTIONS = 20

/**
 * Keeps minutes that are over, so that a look reads one number of each instead of its histogram. Everything that counts a
 * request raises the minute's number of requests, so a minute with the same number is the same, however late somebody
 * counts for it.
 */
export class KnownMinutes {
  /** Minutes by collection, the one used last at the end. */
  readonly #collections = new Map<string, Map<number, CountedMinute>>()

  /** Minutes of a collection, to be read and added to; those before `first` are forgotten. */
  of(deploymentId: string, collection: string, first: number): Map<number, CountedMinute> {
    const name = JSON.stringify([deploymentId, collection])
    const known = this.#collections.get(name) ?? new Map<number, CountedMinute>()
    this.#collections.delete(name)
    this.#collections.set(name, known)
    for (const minute of known.keys()) if (minute < first) known.delete(minute)
    const [oldest] = this.#collections.keys()
    if (this.#collections.size > COLLECTIONS) this.#collections.delete(oldest!)
    return known
  }
}
