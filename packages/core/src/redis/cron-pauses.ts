import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import { intact } from './damage.ts'
import { readId, sendId } from './id-bytes.ts'

/** Time for which an ended pause is kept, in ms: the time within which a tick could still be made up for. */
const ENDED_TTL_MS = 7 * 86_400_000
/** Pauses of one cron job that are kept: the newest. */
const MAX_SPANS = 32

/** One pause of a cron job. */
export interface CronPauseSpan {
  /** Its beginning, in unix ms of Redis; null where the entry does not say: it is a pause all the same. */
  sinceMs: number | null
  /** End in unix ms of Redis; null while it lasts. */
  untilMs: number | null
}

/** The pause of a cron job that lasts, or else its last one. */
export interface CronPauseRecord extends CronPauseSpan {
  /** Pauses before it whose ticks could still be made up for, the oldest first. */
  earlier: readonly CronPauseSpan[]
}

/** Pauses of cron jobs: one hash, which `tick.lua` asks before it enqueues a tick. An entry has all that still count. */
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

  /** Begins a pause; false if there is one already. @throws RedisReplyError where the key holds another type of value. */
  async pause(name: string, nowMs: number): Promise<boolean> {
    const hasChanged = await this.#change(name, (text) => {
      if (isLasting(text)) return null
      return entryOf(text === null ? [] : allOf(read(text)), `${nowMs}`, nowMs)
    })
    if (hasChanged) await this.#forgetEnded(nowMs)
    return hasChanged
  }

  /** Ends a pause; false if there is none. @throws RedisReplyError where the key holds another type of value. */
  async resume(name: string, nowMs: number): Promise<boolean> {
    return this.#change(name, (text) => {
      if (!isLasting(text)) return null
      const { earlier, sinceMs } = read(text)
      return entryOf(earlier, `${sinceMs ?? 0}-${nowMs}`, nowMs)
    })
  }

  /** Plans an entry from the one that is there, and begins anew where another client wrote it in between. */
  async #change(name: string, plan: (entry: string | null) => string | null): Promise<boolean> {
    const { cronPauses } = this.#keys
    for (;;) {
      // As bytes: what is not UTF-8 would never be equal to what is there, and this would have no end.
      const [bytes] = (await this.#calls.pipeline([['hgetBuffer', cronPauses, name]])) as [Buffer | null]
      const next = plan(bytes && readId(bytes))
      if (next === null) return false
      const [isWritten] = await this.#calls.script('cronPause', [cronPauses], [sendId(name), bytes ?? '', next])
      if (isWritten === 1) return true
    }
  }

  async #forgetEnded(nowMs: number): Promise<void> {
    const old = [...(await this.all())].filter(([, { untilMs }]) => untilMs !== null && nowMs - untilMs > ENDED_TTL_MS)
    if (old.length > 0) await this.#calls.pipeline([['hdel', this.#keys.cronPauses, ...old.map(([name]) => name)]])
  }
}

function isLasting(text: string | null): text is string {
  return text !== null && read(text).untilMs === null
}

/** An entry as `tick.lua` reads it. */
function read(text: string): CronPauseRecord {
  const spans = text.split(',').map(readSpan)
  const last = spans.find(({ untilMs }) => untilMs === null) ?? spans.at(-1)!
  return { ...last, earlier: spans.filter((span) => span !== last) }
}

function readSpan(text: string): CronPauseSpan {
  const [, since, until] = /^(\d+)-(\d+)$/.exec(text) ?? []
  if (since !== undefined) return { sinceMs: Number(since), untilMs: Number(until) }
  return { sinceMs: /^\d+$/.test(text) ? Number(text) : null, untilMs: null }
}

function allOf({ earlier, ...last }: CronPauseRecord): CronPauseSpan[] {
  return [...earlier, last]
}

/** An entry of pauses that have ended, as far as they still count, and of the newest one. */
function entryOf(ended: readonly CronPauseSpan[], newest: string, nowMs: number): string {
  const kept = ended.flatMap(({ sinceMs, untilMs }) =>
    sinceMs === null || untilMs === null || nowMs - untilMs > ENDED_TTL_MS ? [] : [`${sinceMs}-${untilMs}`],
  )
  return [...kept.slice(1 - MAX_SPANS), newest].join(',')
}
