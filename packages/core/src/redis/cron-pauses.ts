import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import { intact } from './damage.ts'

/** Time for which an ended pause is kept, in ms: as long as a tick that it left out could still be made up for. */
const ENDED_TTL_MS = 7 * 86_400_000

/** The pause of one cron job. */
export interface CronPauseRecord {
  /** When it began, in unix ms of Redis; null where the entry does not say: it is a pause all the same. */
  sinceMs: number | null
  /** When it ended; null while it lasts. */
  untilMs: number | null
}

/** Pauses of cron jobs: one hash, which `tick.lua` asks before it enqueues a tick. */
export class CronPauses {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** Pauses by the names of their cron jobs, ended ones of the last seven days included; none where the key is damaged. */
  async all(): Promise<Map<string, CronPauseRecord>> {
    const [reply] = await this.#calls.attempt([['hgetall', this.#keys.cronPauses]])
    return new Map(Object.entries(intact<Record<string, string>>(reply, {})).map(([name, text]) => [name, read(text)]))
  }

  /** False where it is paused already. @throws RedisReplyError where the key holds another type of value. */
  async pause(name: string, nowMs: number): Promise<boolean> {
    const [text] = await this.#calls.pipeline([['hget', this.#keys.cronPauses, name]])
    if (isLasting(text)) return false
    await this.#calls.pipeline([['hset', this.#keys.cronPauses, name, nowMs]])
    await this.#forgetEnded(nowMs)
    return true
  }

  /** False where it is not paused. @throws RedisReplyError where the key holds another type of value. */
  async resume(name: string, nowMs: number): Promise<boolean> {
    const [text] = await this.#calls.pipeline([['hget', this.#keys.cronPauses, name]])
    if (!isLasting(text)) return false
    const sinceMs = read(text).sinceMs ?? 0
    await this.#calls.pipeline([['hset', this.#keys.cronPauses, name, `${sinceMs}-${nowMs}`]])
    return true
  }

  async #forgetEnded(nowMs: number): Promise<void> {
    const old = [...(await this.all())].filter(([, { untilMs }]) => untilMs !== null && nowMs - untilMs > ENDED_TTL_MS)
    if (old.length > 0) await this.#calls.pipeline([['hdel', this.#keys.cronPauses, ...old.map(([name]) => name)]])
  }
}

function isLasting(text: unknown): text is string {
  return typeof text === 'string' && read(text).untilMs === null
}

function read(text: string): CronPauseRecord {
  const [, since, until] = /^(\d+)-(\d+)$/.exec(text) ?? []
  if (since !== undefined) return { sinceMs: Number(since), untilMs: Number(until) }
  return { sinceMs: /^\d+$/.test(text) ? Number(text) : null, untilMs: null }
}
