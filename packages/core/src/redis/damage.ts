import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE, WrongType } from './calls.ts'
import type { Calls } from './calls.ts'
import { typeByName } from './key-kinds.ts'

/** A key that holds another type of value than arq and we keep there. */
export interface Damage {
  key: string
  /** Redis's word for its type: `hash`, `list`, `string`, `zset`, `set`, `stream`. */
  type: string
}

/** Where damaged keys are put aside, and for how long. */
const ASIDE = 'arq:damaged:'
const ASIDE_MS = 7 * 86_400_000
/** Keys per step of a scan. */
const SCAN_STEP = 1_000

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
    return (await this.#typesOf([...keys])).filter(({ type }) => type !== 'none')
  }

  /**
   * Damaged keys among those of jobs, dead letters, workers and queues. Looks at up to `maxKeys` keys of the database,
   * once for each type, without reading a value; `complete` is false where there are more.
   */
  async find(queueNames: readonly string[], maxKeys: number): Promise<{ damaged: Damage[]; complete: boolean }> {
    const keys = this.#keys
    const expected = new Map<string, string>([
      [keys.abort, 'zset'],
      [keys.dead, 'zset'],
      [keys.workers, 'zset'],
      [keys.paused, 'set'],
    ])
    for (const name of queueNames) {
      expected.set(keys.queue(name), 'zset').set(keys.reserved(name), 'zset')
      expected.set(keys.stats(name), 'hash').set(keys.healthCheck(name), 'string')
    }
    const types = await this.#typesOf([...expected.keys()])
    const damaged = types.filter(({ key, type }) => type !== 'none' && type !== expected.get(key))
    let complete = true
    const scan = async (prefix: string, type: string, isDamaged: (key: string) => boolean) => {
      let looked = 0
      for await (const page of this.#calls.scan(prefix, { type, count: SCAN_STEP })) {
        for (const key of page) if (isDamaged(key) && !expected.has(key)) damaged.push({ key, type })
        if ((looked += SCAN_STEP) < maxKeys) continue
        complete = false
        return
      }
    }
    const { prefix } = keys
    const other = (type: string) => (key: string) => (typeByName(key.slice(prefix.length)) ?? type) !== type
    for (const type of ['hash', 'list', 'set', 'zset', 'stream']) await scan(`${prefix}arq:`, type, other(type))
    await scan(`${prefix}arq:obs:`, 'string', other('string'))
    await scan(keys.deadLetter(''), 'string', () => true)
    await scan(keys.stats(''), 'string', () => true)
    return { damaged: [...new Map(damaged.map((each) => [each.key, each])).values()], complete }
  }

  /**
   * Renames keys to `arq:damaged:<key>`, where they stay for seven days, as long as they have the type that was seen.
   * Returns the number of keys renamed.
   */
  async putAside(damaged: readonly Damage[]): Promise<number> {
    let moved = 0
    for (let from = 0; from < damaged.length; from += PAGE) {
      const page = damaged.slice(from, from + PAGE)
      const now = await this.#typesOf(page.map(({ key }) => key))
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

  /** Those of these queues whose key holds something else than a sorted set. */
  async amongQueues(queueNames: readonly string[]): Promise<(Damage & { queueName: string })[]> {
    const types = await this.#typesOf(queueNames.map((name) => this.#keys.queue(name)))
    return types
      .map((damage, i) => ({ ...damage, queueName: queueNames[i]! }))
      .filter(({ type }) => type !== 'none' && type !== 'zset')
  }

  async #typesOf(keys: readonly string[]): Promise<Damage[]> {
    const types = (await this.#calls.pipeline(keys.map((key) => ['type', key]))) as string[]
    return keys.map((key, i) => ({ key, type: types[i]! }))
  }
}

/** The answer, or `fallback` where its key is damaged. */
export function intact<T>(answer: unknown, fallback: T): T {
  return answer instanceof WrongType ? fallback : (answer as T)
}
