import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { EnqueueCall } from './broker.ts'
import type { Connection } from './connection.ts'
import { runScript } from './scripts.ts'

/**
 * The outcome of a request to enqueue a tick: `known` was queued or decided before, `paused` was left out since the cron job is
 * paused, `late` is past by more than `lateMs`, `overlap` was left out since the tick before is queued or runs.
 */
export type TickOutcome = 'queued' | 'known' | 'paused' | 'late' | 'overlap'

/** The rules of one tick, without its job. */
export interface TickRules {
  /** Name of the cron job. */
  name: string
  /** Unix ms at which the tick is due. */
  dueMs: number
  /** The record of its schedule, and for how many ms it is kept; null for a tick that is not the clock's. */
  record: { schedule: string; lifetimeMs: number } | null
  /** Delay up to which it may be enqueued, in ms. */
  lateMs: number
  /** Time before its due time at which a tick may be recorded, in ms; a record beyond is of a clock that was wrong. */
  aheadMs: number
  /** True where all ticks of the job have one id. */
  isFixedId: boolean
  /** True to leave it out while the tick before is queued or runs. */
  skipOverlap: boolean
}

/** Ticks of cron jobs, each enqueued at most once, and when the last one of each schedule was due. */
export class TickRecords {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #expiresExtraMs: number

  constructor(connection: Connection, keys: Keys, expiresExtraMs: number = EXPIRES_EXTRA_MS) {
    this.#connection = connection
    this.#keys = keys
    this.#expiresExtraMs = expiresExtraMs
  }

  /** Enqueues a tick unless it was decided before, is paused or too late, or overlaps. Waits for Redis. */
  async enqueue({ jobId, queueName, payload }: EnqueueCall, rules: TickRules): Promise<TickOutcome> {
    const keys = this.#keys
    const { record } = rules
    const scriptKeys = [
      keys.queue(queueName),
      keys.job(jobId),
      keys.result(jobId),
      keys.inProgress(jobId),
      keys.tickRecord(record?.schedule ?? rules.name),
      keys.lastTick(rules.name),
      keys.cronPauses,
    ]
    const args = [
      jobId,
      rules.dueMs,
      rules.lateMs,
      record?.lifetimeMs ?? 0,
      rules.aheadMs,
      this.#expiresExtraMs,
      rules.skipOverlap ? 1 : 0,
      EXPIRES_EXTRA_MS,
      keys.wakeChannel(queueName),
      payload,
      rules.isFixedId ? 1 : 0,
    ]
    const reply = await this.#connection.run((client, attempt) =>
      runScript(client, 'tick', scriptKeys, [...args, attempt > 0 ? 1 : 0, rules.name]),
    )
    return String(reply) as TickOutcome
  }

  /** Due time of the last tick of a schedule, in unix ms. One that is not known is watched from `nowMs` on. */
  async watch(schedule: string, nowMs: number, lifetimeMs: number): Promise<number> {
    const key = this.#keys.tickRecord(schedule)
    return this.#connection.run(async (client) => {
      const isNew = await client.set(key, nowMs, 'PX', lifetimeMs, 'NX')
      if (isNew) return nowMs
      // A key that holds something else is overwritten by the next tick.
      const last = Number(await client.get(key).catch(nullIfWrongType))
      return last > 0 ? last : nowMs
    })
  }
}

function nullIfWrongType(error: Error): null {
  if (error.message.startsWith('WRONGTYPE')) return null
  throw error
}
