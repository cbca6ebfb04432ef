import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import type { RedisClock } from './clock.ts'

/** Kinds of values that are kept for a while under a token. */
export type ShelfKind = 'plan' | 'trash'

/** Plans of acts and what they have removed: strings that are taken once, and go by themselves. */
export class Shelf {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #clock: RedisClock

  constructor(calls: Calls, keys: Keys, clock: RedisClock) {
    this.#calls = calls
    this.#keys = keys
    this.#clock = clock
  }

  /**
   * Keeps a string; false when all that is kept would exceed `limitBytes`. Two that are kept at the same moment may exceed
   * it together.
   */
  async keep(
    kind: ShelfKind,
    token: string,
    text: string,
    limits: { ttlMs: number; limitBytes: number },
  ): Promise<boolean> {
    const [reply] = await this.#calls.pipeline([['hgetall', this.#index]])
    const nowMs = this.#clock.now()
    const kept = Object.entries(reply as Record<string, string>).map(([name, value]) => {
      const [bytes, untilMs] = value.split(':').map(Number)
      return { name, bytes: bytes ?? 0, isOver: !(untilMs! > nowMs) }
    })
    const bytes = Buffer.byteLength(text)
    const used = kept.reduce((sum, each) => sum + (each.isOver ? 0 : each.bytes), 0)
    if (used + bytes > limits.limitBytes) return false
    const over = kept.filter(({ isOver }) => isOver).map(({ name }) => name)
    await this.#calls.transaction([
      ...(over.length > 0 ? ([['hdel', this.#index, ...over]] as [string, ...string[]][]) : []),
      ['set', this.#key(kind, token), text, 'PX', limits.ttlMs],
      ['hset', this.#index, `${kind}:${token}`, `${bytes}:${nowMs + limits.ttlMs}`],
      ['pexpire', this.#index, 2 * limits.ttlMs],
    ])
    return true
  }

  /** A string, or null when it was taken or has gone. */
  async read(kind: ShelfKind, token: string): Promise<string | null> {
    const [text] = await this.#calls.pipeline([['get', this.#key(kind, token)]])
    return text as string | null
  }

  /** Takes a string; of several callers at once, one gets it. */
  async take(kind: ShelfKind, token: string): Promise<string | null> {
    const [text] = await this.#calls.transaction([
      ['getdel', this.#key(kind, token)],
      ['hdel', this.#index, `${kind}:${token}`],
    ])
    return text as string | null
  }

  get #index(): string {
    return `${this.#keys.prefix}arq:obs:shelf`
  }

  #key(kind: ShelfKind, token: string): string {
    return `${this.#keys.prefix}arq:obs:${kind}:${token}`
  }
}
