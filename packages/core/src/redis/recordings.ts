import type { Keys } from '@arq-ts/protocol/jobs'
import type { Call, Calls } from './calls.ts'
import { PAGE } from './calls.ts'
import { intact } from './damage.ts'
import type { Connection } from './connection.ts'
import type { Faults } from './faults.ts'
import { readId } from './id-bytes.ts'
import { faultIn, runScript } from './scripts.ts'
import type { ScriptReply, ScriptValue } from './scripts.ts'

/** Time for which the number of a worker's last call is kept. */
const FLUSH_TTL_MS = 3_600_000

/** One call of a flush: operations of record.lua, whose keys are numbered from 2. */
export interface RecordCall {
  keys: readonly string[]
  operations: readonly ScriptValue[]
}

/** A series that asks for its place in the table. */
export interface SeriesEntry {
  field: string
  id: string
}

/** Recordings of the queues, under `arq:obs:`. */
export class Recordings {
  readonly keys: Keys
  readonly #calls: Calls
  readonly #connection: Connection
  readonly #faults: Faults

  constructor(options: { calls: Calls; connection: Connection; keys: Keys; faults: Faults }) {
    this.#calls = options.calls
    this.#connection = options.connection
    this.keys = options.keys
    this.#faults = options.faults
  }

  /** Admits series to the table of at most `most`; false for those that found no place. Waits for Redis. */
  async admit(
    series: readonly SeriesEntry[],
    { most, nowMs, staleMs }: { most: number; nowMs: number; staleMs: number },
  ): Promise<boolean[]> {
    const args = [most, nowMs, nowMs - staleMs, ...series.flatMap(({ field, id }) => [field, id])]
    const reply = await this.#connection.run((client) => runScript(client, 'recordSeries', [this.keys.obsSeries], args))
    const reason = reply[series.length]
    if (reason !== undefined) this.#report(this.keys.obsSeries, faultIn('recordSeries', String(reason)))
    return series.map((_, i) => reply[i] === 1)
  }

  /**
   * Writes one call of a worker's flush; a call that is sent again counts once. False where the call is bound to a lease
   * that has another holder. Waits for Redis.
   */
  async write(workerId: string, number: number, { keys, operations }: RecordCall): Promise<boolean> {
    const all = [this.keys.obsFlush(workerId), ...keys]
    const args = [number, FLUSH_TTL_MS, ...operations]
    const reply = await this.#connection.run((client) => runScript(client, 'record', all, args))
    const [faults, pushedOut, isLost] = reply as [ScriptReply[], ScriptReply[], ScriptReply?]
    for (let at = 0; at < faults.length; at += 2)
      this.#report(all[Number(faults[at]) - 1]!, faultIn('record', String(faults[at + 1])))
    const gone: string[] = []
    for (let at = 0; at < pushedOut.length; at += 2) {
      const name = readId(pushedOut[at + 1] as Buffer)
      gone.push(String(pushedOut[at]) === 'try' ? this.keys.obsTries(name) : this.keys.obsError(name))
    }
    await this.#calls.pipeline(gone.map((key) => ['unlink', key]))
    return isLost !== 1
  }

  /** Appends one entry to a stream of about `most`; returns its id. @throws RedisReplyError where the key is no stream. */
  async append(key: string, value: string, most: number): Promise<string> {
    const [id] = await this.#calls.pipeline([['xadd', key, 'MAXLEN', '~', most, '*', 'j', value]])
    return String(id)
  }

  /**
   * Entries of a stream with their ids: from the newest on, before `before`; or from the oldest on, after `after`. None
   * where the key holds something else.
   */
  async entries(
    key: string,
    { after, before, limit }: { after?: string | undefined; before?: string | undefined; limit: number },
  ): Promise<{ id: string; value: string }[]> {
    const call: Call =
      after === undefined
        ? ['xrevrange', key, before === undefined ? '+' : `(${before}`, '-', 'COUNT', limit]
        : ['xrange', key, `(${after}`, '+', 'COUNT', limit]
    const [reply] = await this.#calls.attempt([call])
    const entries = intact<[id: string, fields: string[]][]>(reply, [])
    return entries.map(([id, fields]) => ({ id, value: fields[fields.indexOf('j') + 1] ?? '' }))
  }

  /** Whole hashes; an empty one where there is none, or where a key holds something else. */
  async hashes(keys: readonly string[]): Promise<Record<string, string>[]> {
    const replies = await this.#calls.attempt(keys.map((key) => ['hgetall', key]))
    return replies.map((reply) => intact(reply, {}))
  }

  /** Strings; null where there is none, or where a key holds something else. */
  async strings(keys: readonly string[]): Promise<(string | null)[]> {
    const replies = await this.#calls.attempt(keys.map((key) => ['get', key]))
    return replies.map((reply) => intact<string | null>(reply, null))
  }

  /** All entries of a list. */
  async list(key: string): Promise<string[]> {
    const [reply] = await this.#calls.attempt([['lrange', key, 0, -1]])
    return intact<string[]>(reply, [])
  }

  /** Sets a field of a hash that exists; false where there is none. */
  async setField(key: string, field: string, value: string): Promise<boolean> {
    const [exists] = await this.#calls.attempt([['hexists', key, 'firstMs']])
    if (exists !== 1) return false
    await this.#calls.pipeline([['hset', key, field, value]])
    return true
  }

  /** Takes the turn to measure a queue in a slot: true for one caller. */
  async takeTurn(key: string, field: string, ttlMs: number): Promise<boolean> {
    const [isFirst] = await this.#calls.attempt([
      ['hsetnx', key, field, ''],
      ['pexpire', key, ttlMs],
    ])
    return isFirst === 1
  }

  /** The table of series: each field with its id and the time it was last seen. */
  async series(): Promise<{ field: string; id: string; seenMs: number }[]> {
    const [reply] = await this.#calls.attempt([['hgetall', this.keys.obsSeries]])
    return Object.entries(intact<Record<string, string>>(reply, {})).map(([field, value]) => {
      const [id = '', seen] = value.split(' ')
      return { field, id, seenMs: Number(seen) || 0 }
    })
  }

  /** Fields of hashes as bytes; null where there is none, or where the key holds something else. */
  async fields(requests: readonly { key: string; fields: readonly string[] }[]): Promise<(Buffer | null)[][]> {
    const found: (Buffer | null)[][] = []
    for (let from = 0; from < requests.length; from += PAGE) {
      const page = requests.slice(from, from + PAGE)
      const replies = await this.#calls.attempt(page.map(({ key, fields }) => ['hmgetBuffer', key, ...fields]))
      for (const [i, reply] of replies.entries())
        found.push(
          intact(
            reply,
            page[i]!.fields.map(() => null),
          ),
        )
    }
    return found
  }

  #report(key: string, reason: string): void {
    this.#faults.report({ queueName: undefined, jobId: undefined, key, reason })
  }
}
