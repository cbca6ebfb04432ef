import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import { PAGE, WrongType } from './calls.ts'
import type { Calls } from './calls.ts'
import type { Connection } from './connection.ts'
import { readId, sendId } from './id-bytes.ts'
import { runScript } from './scripts.ts'
import type { ScriptValue } from './scripts.ts'

/** Fields of a schedule that a write may set, in addition to those the script keeps. */
const SET = ['rule', 'function', 'codec', 'overlap', 'missed', 'paused', 'putMs', 'payload', 'queue'] as const
const FIELDS = [...SET, 'revision', 'done', 'last', 'lastMs', 'lastQueue'] as const

/** A schedule as it lies in Redis: strings, and the payload of its jobs. */
export type ScheduleRecord = Record<Exclude<(typeof FIELDS)[number], 'payload'>, string> & { payload: Buffer }

/** The schedules that a worker has taken. */
export interface TakenSchedules {
  /** Redis time in unix ms. */
  nowMs: number
  /** The earliest tick of all others in unix ms; null where there is none. */
  nextMs: number | null
  names: string[]
}

/** One tick to enqueue. */
export interface ScheduledTick {
  jobId: string
  dueMs: number
}

/** The end of one tick: `known` had its id taken, `overlap` was left out since the job before is queued or runs. */
export type ScheduledOutcome = 'queued' | 'known' | 'overlap'

/** A change of a schedule, planned from what was read of it. */
export interface ScheduleWrite {
  name: string
  /** Record as it was read; null where there was none. */
  read: Pick<ScheduleRecord, 'revision' | 'done' | 'last' | 'lastQueue'> | null
  /** A name of this version; the one that was read where only ticks are enqueued. */
  revision: string
  /** Time up to which all ticks are decided, in unix ms. */
  doneMs: number
  /** The next tick in unix ms; null where none comes. */
  nextMs: number | null
  /** True to remove the schedule. */
  remove?: boolean
  /** True to wake the workers, which may sleep past the next tick. */
  announce?: boolean
  fields?: Partial<Pick<ScheduleRecord, (typeof SET)[number]>>
  ticks?: readonly ScheduledTick[]
  /** The job of the ticks. */
  job?: { payload: Buffer; queueName: string; skipOverlap: boolean }
}

/** Schedules in Redis: a hash each, and the set of all by their next tick. */
export class ScheduleRecords {
  readonly #connection: Connection
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #expiresExtraMs: number

  constructor(connection: Connection, calls: Calls, keys: Keys, expiresExtraMs = EXPIRES_EXTRA_MS) {
    this.#connection = connection
    this.#calls = calls
    this.#keys = keys
    this.#expiresExtraMs = expiresExtraMs
  }

  /** Takes at most `most` schedules that have a tick due, for `momentMs`. Waits for Redis. */
  async take(momentMs: number, most: number): Promise<TakenSchedules> {
    const reply = await this.#connection.run((client, attempt) =>
      runScript(client, 'scheduleTake', [this.#keys.schedules], [momentMs, most, attempt > 0 ? 1 : 0]),
    )
    const next = String(reply[1])
    return {
      nowMs: Number(reply[0]),
      nextMs: next === '' ? null : Number(next),
      names: reply.slice(2).map((name) => readId(name as Buffer)),
    }
  }

  /**
   * Schedules by their names; null if there is none, or if the key holds something else. A schedule that lacks its
   * `revision` counts, with an empty one.
   */
  async read(names: readonly string[]): Promise<(ScheduleRecord | null)[]> {
    const found: (ScheduleRecord | null)[] = []
    for (let from = 0; from < names.length; from += PAGE) {
      const calls = names
        .slice(from, from + PAGE)
        .map((name): [string, ...string[]] => ['hmgetBuffer', this.#keys.schedule(name), ...FIELDS])
      const replies = await this.#calls.attempt(calls)
      found.push(...replies.map((reply) => (reply instanceof WrongType ? null : toRecord(reply as (Buffer | null)[]))))
    }
    return found
  }

  /** Names of all schedules, in order; none where the key holds something else. */
  async names(): Promise<string[]> {
    const [names] = await this.#calls.attempt([['zrangeBuffer', this.#keys.schedules, 0, -1]])
    return names instanceof WrongType ? [] : (names as Buffer[]).map(readId).sort((a, b) => (a < b ? -1 : 1))
  }

  /** Writes a schedule and enqueues its ticks; null where it was written in between. */
  async write(write: ScheduleWrite): Promise<ScheduledOutcome[] | null> {
    const { name, read, revision, doneMs, nextMs, remove, announce, fields = {}, ticks = [], job } = write
    const keys = this.#keys
    const queueName = job?.queueName ?? ''
    const scriptKeys = [
      keys.schedules,
      keys.schedule(name),
      keys.queue(queueName),
      keys.queue(read?.lastQueue || queueName),
      ...ticks.flatMap(({ jobId }) => [keys.job(jobId), keys.result(jobId)]),
    ]
    const args: ScriptValue[] = [
      sendId(name),
      read?.revision ?? '',
      read?.done ?? '',
      `${revision} ${doneMs}`,
      remove ? '' : (nextMs ?? '+inf'),
      job?.skipOverlap ? 1 : 0,
      sendId(read?.last ?? ''),
      this.#expiresExtraMs,
      job?.payload ?? '',
      sendId(queueName),
      keys.wakeChannel(queueName),
      announce ? keys.scheduleChannel : '',
      ticks.length,
      ...ticks.flatMap(({ jobId, dueMs }) => [sendId(jobId), dueMs]),
      ...Object.entries(fields).flatMap(([field, value]) => [field, typeof value === 'string' ? sendId(value) : value]),
    ]
    const reply = await this.#calls.run((client, attempt) =>
      runScript(client, 'scheduleWrite', scriptKeys, [attempt > 0 ? 1 : 0, ...args]),
    )
    if (!Array.isArray(reply)) return null
    return reply.map((outcome) => (outcome === 1 ? 'queued' : outcome === 0 ? 'known' : 'overlap'))
  }
}

function toRecord(values: (Buffer | null)[]): ScheduleRecord | null {
  const entries = FIELDS.map((field, i) => {
    const value = values[i] ?? Buffer.alloc(0)
    return [field, field === 'payload' ? value : readId(value)]
  })
  const record = Object.fromEntries(entries) as ScheduleRecord
  return values.every((value) => value === null) ? null : record
}
