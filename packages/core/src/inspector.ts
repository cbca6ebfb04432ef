import { JobFailedError, ResultNotFoundError } from './errors.ts'
import { toJobInfo } from './job.ts'
import type { JobInfo } from './job.ts'
import { EXPIRES_EXTRA_MS } from './protocol/keys.ts'
import { parseHealthLine } from './protocol/health.ts'
import type { HealthCounts } from './protocol/health.ts'
import { decodeJob, decodeResult, encodeJob } from './protocol/records.ts'
import type { Link } from './redis/link.ts'
import type { StoredDeadLetter } from './redis/store.ts'
import type { WorkerEntry } from './worker-entry.ts'

/** A job that failed for good, kept until it is replayed, purged, or out of bounds (age, count). */
export interface DeadLetter {
  jobId: string
  failedAt: Date
  queueName: string
  functionName: string
  /** The error in one line: type and message. */
  error: string
  jobTry: number
  /** The job itself; null when its payload had expired or no codec reads it. */
  job: JobInfo | null
}

/** What an operator asks beside the jobs themselves. Use `client.inspector`. */
export class Inspector {
  readonly #link: Link

  /** @internal */
  constructor(link: Link) {
    this.#link = link
  }

  /** Dead letters, newest first. `limit` defaults to 100. */
  async deadLetters(options: { offset?: number; limit?: number } = {}): Promise<DeadLetter[]> {
    const stored = await this.#link.store.dead(options.offset ?? 0, options.limit ?? 100)
    return stored.map(toDeadLetter)
  }

  /** One dead letter, or null. */
  async deadLetter(jobId: string): Promise<DeadLetter | null> {
    const stored = await this.#link.store.deadLetter(jobId)
    return stored && toDeadLetter(stored)
  }

  countDead(): Promise<number> {
    return this.#link.store.countDead()
  }

  /** Removes these dead letters, or all; gives how many went. Their results stay as long as they are kept. */
  async purgeDead(jobIds?: readonly string[]): Promise<number> {
    const { store } = this.#link
    if (jobIds) return store.purgeDead(jobIds)
    let purged = 0
    for (;;) {
      const page = await store.dead(0, 500)
      if (page.length === 0) return purged
      purged += await store.purgeDead(page.map((entry) => entry.jobId))
    }
  }

  /**
   * Puts a failed job back into its queue with its tries counted anew: a dead letter with its original bytes, or the
   * kept failed result of a Python worker. False when the job is queued or running already.
   *
   * @throws ResultNotFoundError when neither is there; JobFailedError when its payload is gone, or it did not fail.
   */
  async retryJob(jobId: string, options: { delayMs?: number } = {}): Promise<boolean> {
    const { store } = this.#link
    const delayMs = Math.round(options.delayMs ?? 0)
    const dead = await store.deadLetter(jobId)
    if (dead) {
      if (!dead.payload?.length || dead.queueName === null) {
        throw new JobFailedError(`the payload of dead letter ${jobId} is gone; enqueue the job anew`)
      }
      return store.replay(jobId, dead.queueName, dead.payload, delayMs, EXPIRES_EXTRA_MS)
    }
    const { result } = await store.readResult(jobId, '')
    if (!result) throw new ResultNotFoundError(`job ${jobId} is no dead letter and has no kept result; enqueue it anew`)
    const { record, codec } = decodeResult(result)
    if (record.success) throw new JobFailedError(`job ${jobId} succeeded; enqueue it anew to run it again`)
    const payload = encodeJob({ ...record, jobTry: null }, codec)
    return store.replay(jobId, record.queueName, payload, delayMs, EXPIRES_EXTRA_MS)
  }

  /** Live arq-ts workers, as they last told of themselves (at most 15 s ago). */
  async workers(): Promise<WorkerEntry[]> {
    const entries = await this.#link.store.workers()
    return entries.map((entry) => JSON.parse(entry) as WorkerEntry)
  }

  /** The health line of a queue's workers of either language, or null when none has written lately. */
  async health(queueName: string): Promise<(HealthCounts & { line: string }) | null> {
    const line = await this.#link.store.readHealth(queueName)
    const counts = line === null ? undefined : parseHealthLine(line)
    return line !== null && counts ? { ...counts, line } : null
  }
}

function toDeadLetter(stored: StoredDeadLetter): DeadLetter {
  const { jobId, payload } = stored
  return {
    jobId,
    failedAt: new Date(stored.failedAtMs),
    queueName: stored.queueName ?? '',
    functionName: stored.functionName ?? '<unknown>',
    error: stored.error ?? '',
    jobTry: stored.jobTry ?? 0,
    job: payload?.length ? readJob(payload, jobId) : null,
  }
}

function readJob(payload: Buffer, jobId: string): JobInfo | null {
  try {
    return toJobInfo(decodeJob(payload).record, jobId, null)
  } catch {
    return null // the letter is shown without it
  }
}
