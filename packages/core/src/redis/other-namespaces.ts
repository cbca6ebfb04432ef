import type { Keys } from '@arq-ts/protocol/jobs'
import type { Call, Calls } from './calls.ts'
import { intact } from './damage.ts'
import { readId } from './id-bytes.ts'

/** Members of a queue whose payloads are asked for, at most. */
const HEAD = 10
/** Queues per round trip. */
const PAGE = 500
/** Keys per round trip. */
const KEYS_PAGE = 5_000
/** Prefixes of one key that are looked at: anybody may give a queue a name of a thousand colons. */
const MAX_PREFIXES = 16

/** The key of a queue, and the ids of its first jobs. */
interface Members {
  key: string
  ids: readonly string[]
}

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
      const members = page.map((key, i) => ({ key, ids: intact<Buffer[]>(heads[i], []).map(readId) }))
      // Nearly all queues are shown to be ours by their first job.
      const unsure = await this.#without(members, ({ ids }) => this.#ownJobs(ids.slice(0, 1)))
      const rest = await this.#without(unsure, ({ ids }) => this.#ownJobs(ids.slice(1)))
      const nobodys = new Set(await this.#without(rest, (each) => this.#otherJobs(each)))
      for (const each of rest) if (!nobodys.has(each)) found.add(each.key)
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
    const others = ends.filter((end) => end >= least && end !== prefix.length)
    return others.slice(0, MAX_PREFIXES).map((end) => key.slice(0, end))
  }

  #ownJobs(ids: readonly string[]): string[] {
    return ids.map((id) => this.#keys.job(id))
  }

  #otherJobs({ key, ids }: Members): string[] {
    const names = this.#ownJobs(ids).map((name) => name.slice(this.#keys.prefix.length))
    return this.#prefixesOf(key).flatMap((prefix) => names.map((name) => prefix + name))
  }

  /** The queues of which none of these keys exists. */
  async #without(queues: readonly Members[], keysOf: (queue: Members) => string[]): Promise<Members[]> {
    const exist = await this.#exist(queues.map(keysOf))
    return queues.filter((_, i) => !exist[i])
  }

  /** For each group, true where one of its keys exists. */
  async #exist(groups: readonly (readonly string[])[]): Promise<boolean[]> {
    const calls = groups.flatMap((keys) => keys.map((key): Call => ['exists', key]))
    const counts: unknown[] = []
    for (let from = 0; from < calls.length; from += KEYS_PAGE)
      counts.push(...(await this.#calls.attempt(calls.slice(from, from + KEYS_PAGE))))
    let at = 0
    return groups.map((keys) => {
      const mine = counts.slice(at, (at += keys.length))
      return mine.includes(1)
    })
  }
}
