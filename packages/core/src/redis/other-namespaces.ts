import type { Keys } from '@arq-ts/protocol/jobs'
import type { Call, Calls } from './calls.ts'
import { intact } from './damage.ts'
import { readId } from './id-bytes.ts'

/** Members of a queue whose payloads are asked for, at most. */
const HEAD = 10
/** Queues per round trip. */
const PAGE = 500

/**
 * Queues of other namespaces in the same database. The key of the queue `mail` under the prefix `orders:` is also that of a
 * queue `orders:mail` without a prefix: the payloads of its jobs decide to which namespace it belongs.
 */
export class OtherNamespaces {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** Finds the keys of queues whose jobs have payloads under another prefix alone. */
  async holding(queues: readonly string[]): Promise<Set<string>> {
    const found = new Set<string>()
    const asked = queues.filter((key) => this.#prefixesOf(key).length > 0)
    for (let from = 0; from < asked.length; from += PAGE) {
      const page = asked.slice(from, from + PAGE)
      const heads = await this.#calls.attempt(page.map((key): Call => ['zrangeBuffer', key, 0, HEAD - 1]))
      const ids = heads.map((head) => intact<Buffer[]>(head, []).map(readId))
      const own = await this.#exist(ids.map((each) => each.map((id) => this.#keys.job(id))))
      const rest = page.flatMap((key, i) => (own[i] ? [] : [{ key, ids: ids[i]! }]))
      const other = await this.#exist(
        rest.map(({ key, ids: each }) =>
          this.#prefixesOf(key).flatMap((prefix) => each.map((id) => this.#jobIn(prefix, id))),
        ),
      )
      for (const [i, { key }] of rest.entries()) if (other[i]) found.add(key)
    }
    return found
  }

  /** Finds the keys of queues below a longer prefix, under which workers are registered. */
  async serving(queues: readonly string[]): Promise<Set<string>> {
    const { prefix, workers } = this.#keys
    const registries = queues.map((key) =>
      this.#prefixesOf(key)
        .filter((other) => other.length > prefix.length)
        .map((other) => other + workers.slice(prefix.length)),
    )
    const served = await this.#exist(registries)
    return new Set(queues.filter((_, i) => served[i]))
  }

  /**
   * Parts of a key that may be the prefix of another namespace: up to a colon or the end of a hash tag, or nothing. In a
   * Redis Cluster, a shorter one than ours lies in another slot.
   */
  #prefixesOf(key: string): string[] {
    const { prefix } = this.#keys
    const ends = [0, ...Array.from(key.slice(0, -1).matchAll(/[:}]/g), ({ index }) => index + 1)]
    const least = prefix.includes('{') ? prefix.length : 0
    return ends.filter((end) => end >= least && end !== prefix.length).map((end) => key.slice(0, end))
  }

  #jobIn(prefix: string, jobId: string): string {
    return prefix + this.#keys.job(jobId).slice(this.#keys.prefix.length)
  }

  /** For each group, true where one of its keys exists. */
  async #exist(groups: readonly (readonly string[])[]): Promise<boolean[]> {
    const counts = await this.#calls.attempt(groups.flatMap((keys) => keys.map((key): Call => ['exists', key])))
    let at = 0
    return groups.map((keys) => {
      const mine = counts.slice(at, (at += keys.length))
      return mine.includes(1)
    })
  }
}
