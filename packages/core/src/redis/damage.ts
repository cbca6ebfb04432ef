import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE, WrongType } from './calls.ts'
import type { Call, Calls } from './calls.ts'

/** A key that holds another type of value than arq and we keep there. */
export interface Damage {
  key: string
  /** Redis's word for its type: `hash`, `list`, `string`, `zset`, `set`, `stream`. */
  type: string
}

/** Prefix of damaged keys that are put aside, and their lifetime. */
const ASIDE = 'arq:damaged:'
const ASIDE_MS = 7 * 86_400_000
/** Keys whose types one call asks for. */
const TYPES_PAGE = 1_000

/** Keys of the wrong type: their names, their types, and their removal from the way. */
export class DamagedKeys {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** The damaged keys among these answers, with their types; keys that are gone meanwhile are left out. */
  async among(answers: readonly unknown[]): Promise<Damage[]> {
    const keys = new Set(answers.filter((answer) => answer instanceof WrongType).map((answer) => answer.key))
    if (keys.size === 0) return []
    return (await this.typesOf([...keys])).filter(({ type }) => type !== 'none')
  }

  /**
   * Damaged keys among those that there is one of, those of these queues, and `suspects`, which are asked for again: what
   * was repaired or removed meanwhile is left out.
   */
  async find(queueNames: readonly string[], suspects: readonly Damage[]): Promise<Damage[]> {
    const keys = this.#keys
    const expected = new Map<string, string>([
      [keys.abort, 'zset'],
      [keys.dead, 'zset'],
      [keys.workers, 'zset'],
      [keys.paused, 'set'],
      [keys.cronPauses, 'hash'],
    ])
    for (const name of queueNames) {
      expected.set(keys.queue(name), 'zset').set(keys.reserved(name), 'zset').set(keys.waiting(name), 'list')
      expected.set(keys.stats(name), 'hash').set(keys.healthCheck(name), 'string').set(keys.orphans(name), 'string')
    }
    const named = await this.typesOf([...expected.keys()])
    const damaged = named.filter(({ key, type }) => type !== 'none' && type !== expected.get(key))
    const others = suspects.filter(({ key }) => !expected.has(key))
    const now = await this.typesOf(others.map(({ key }) => key))
    return [...damaged, ...others.filter(({ type }, i) => now[i]!.type === type)]
  }

  /**
   * Renames keys to `arq:damaged:<key>`, where they stay for seven days, as long as they have the type that was seen.
   * Returns the number of keys renamed.
   */
  async putAside(damaged: readonly Damage[]): Promise<number> {
    let moved = 0
    for (let from = 0; from < damaged.length; from += PAGE) {
      const page = damaged.slice(from, from + PAGE)
      const now = await this.typesOf(page.map(({ key }) => key))
      const still = page.filter(({ type }, i) => now[i]!.type === type)
      for (const { key } of still) {
        const { prefix } = this.#keys
        const aside = prefix + ASIDE + key.slice(prefix.length)
        await this.#calls.transaction([
          ['rename', key, aside],
          ['pexpire', aside, ASIDE_MS],
        ])
        moved++
      }
    }
    return moved
  }

  /** Queues among these whose key holds something else than a sorted set. */
  async amongQueues(queueNames: readonly string[]): Promise<(Damage & { queueName: string })[]> {
    const types = await this.typesOf(queueNames.map((name) => this.#keys.queue(name)))
    return types
      .map((damage, i) => ({ ...damage, queueName: queueNames[i]! }))
      .filter(({ type }) => type !== 'none' && type !== 'zset')
  }

  /** The types of these keys; `none` for one that does not exist. */
  async typesOf(keys: readonly string[]): Promise<Damage[]> {
    const types: string[] = []
    for (let from = 0; from < keys.length; from += TYPES_PAGE) {
      const page = keys.slice(from, from + TYPES_PAGE)
      const found =
        (await this.#calls.readingScript('types', page)) ??
        (await this.#calls.pipeline(page.map((key): Call => ['type', key])))
      types.push(...found.map(String))
    }
    return keys.map((key, i) => ({ key, type: types[i]! }))
  }
}

/** The answer, or `fallback` where its key is damaged. */
export function intact<T>(answer: unknown, fallback: T): T {
  return answer instanceof WrongType ? fallback : (answer as T)
}
