import { randomUUID } from 'node:crypto'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import type { Connection } from './connection.ts'
import { readId, sendId } from './id-bytes.ts'
import { runScript } from './scripts.ts'

/** Bytes that are kept of one job. */
export const MAX_LOG_BYTES = 65_536
const MAX_JOBS = 500
/** Time for which a stream is kept at most after its last entry, in ms. */
export const MAX_LOG_TTL_MS = 7 * 86_400_000

/** Log streams of jobs, each of at most 64 KiB, for the newest 500 jobs that logged. */
export class JobLogStreams {
  readonly #connection: Connection
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(connection: Connection, calls: Calls, keys: Keys) {
    this.#connection = connection
    this.#calls = calls
    this.#keys = keys
  }

  /**
   * Appends entries to the log of a job, which is kept for `ttlMs` from now on, and wakes its readers. Waits for Redis;
   * entries whose reply was lost are there once.
   *
   * @throws RedisReplyError
   */
  async append(jobId: string, entries: readonly string[], ttlMs = MAX_LOG_TTL_MS): Promise<void> {
    const keys = [this.#keys.obsLog(jobId), this.#keys.obsLogged]
    const args = [MAX_LOG_BYTES, Math.round(ttlMs), MAX_JOBS, sendId(jobId), this.#keys.logChannel(jobId), randomUUID()]
    const gone = await this.#connection.run((client, attempt) =>
      runScript(client, 'log', keys, [...args, attempt > 0 ? 1 : 0, MAX_LOG_TTL_MS, ...entries]),
    )
    await this.#calls.pipeline(gone.map((id) => ['unlink', this.#keys.obsLog(readId(id as Buffer))]))
  }
}
