import { JobFailedError, ResultNotFoundError } from '../errors.ts'
import { describeError } from '../logging/log-lines.ts'
import { toJobInfo, toJobResult } from './job.ts'
import type { JobInfo } from './job.ts'
import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import { parseHealthLine } from '@arq-ts/protocol/jobs'
import type { HealthCounts } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'
import { decodeJob, decodeResult, encodeJob, readable } from '@arq-ts/protocol/jobs'
import { statusOf } from '@arq-ts/protocol/jobs'
import type { JobStatus } from '@arq-ts/protocol/jobs'
import { liveWorkers } from '../queues/queues.ts'
import type { Queues } from '../queues/queues.ts'
import type { Link } from '../redis/link.ts'
import type { StoredDeadLetter } from '../redis/dead-letters.ts'
import type { WorkerEventMessage } from '../fleet/events.ts'
import type { WorkerEntry } from '../fleet/worker-entry.ts'

/** A job that failed for good, kept until it is replayed, purged, or out of bounds (age, count). */
export interface DeadLetter {
  /** The id it had, and has again when it is replayed. */
  jobId: string
  /** When it failed for good, by Redis's clock. */
  failedAt: Date
  /** The queue it goes back to. */
  queueName: string
  /** The function's name on the wire; `<unknown>` where nothing told it. */
  functionName: string
  /** The error in one line: type and message. */
  error: string
  /** The try that was its last. */
  jobTry: number
  /** The job itself; null when its payload had expired or no codec reads it. */
  job: JobInfo | null
}

/** Which dead letters are meant: those that fit all that is given. */
export interface DeadFilter {
  /** One of these. */
  jobIds?: readonly string[]
  /** Of this function. */
  functionName?: string
  /** Of this queue. */
  queueName?: string
  /** A part of the error's line. */
  error?: string
  /** Failed at least so many ms ago. */
  olderThanMs?: number
}

/** One job of a queue, as a list shows it. */
export interface ListedJob {
  /** Its id. */
  jobId: string
  /** By arq's names. */
  status: JobStatus
  /** When it is due; of a running one when its lease ends, or when it was due where Python runs it. */
  due: Date
  /** Null where its payload is gone, or no codec reads it. */
  info: JobInfo | null
}

/** All that is known of one job. */
export interface JobDetails {
  /** Its id. */
  jobId: string
  /** By arq's names; `not_found` where nothing is known of it. */
  status: JobStatus
  /** Where it is queued, or where it ran; null when nobody knows. */
  queueName: string | null
  /** The function's name on the wire. */
  functionName: string | null
  /** Positional arguments, as they were sent. */
  args: readonly unknown[]
  /** Keyword arguments, as they were sent. */
  kwargs: Readonly<Record<string, unknown>>
  /** When it was enqueued, by its producer's clock. */
  enqueueTime: Date | null
  /** When it is due; null once it runs or has ended. */
  dueTime: Date | null
  /** Of a running job only where an arq-ts worker runs it. */
  startTime: Date | null
  /** When it ended, or became a dead letter. */
  finishTime: Date | null
  /** The try that runs or ended it; of a queued job how often it was tried so far. */
  jobTry: number
  /** Null until it has ended. */
  success: boolean | null
  /** What the handler returned; undefined unless it ended well. */
  result: unknown
  /** Why it failed, in one line; null unless it did. */
  error: string | null
  /** True when it is kept as a dead letter. */
  dead: boolean
  /** The arq-ts worker that runs it. */
  workerId: string | null
}

/**
 * What an operator asks beside the jobs themselves. Use `client.inspector`. Every method rejects with
 * RedisUnavailableError when Redis does not answer within the client's `commandTimeoutMs`, and with RedisReplyError when
 * it refuses; methods that throw more say so.
 */
export class Inspector {
  readonly #link: Link
  readonly #queues: Queues

  /** @internal */
  constructor(link: Link, queues: Queues) {
    this.#link = link
    this.#queues = queues
  }

  /**
   * Redis's time in unix ms, by which every time of a job is told: due, started, failed. Asked for once; this machine's
   * clock may differ from it.
   */
  async now(): Promise<number> {
    await this.#link.syncClock()
    return this.#link.clock.now()
  }

  /** Dead letters, newest first. `limit` defaults to 100. */
  async deadLetters(options: { offset?: number; limit?: number } = {}): Promise<DeadLetter[]> {
    const stored = await this.#link.deadLetters.page(options.offset ?? 0, options.limit ?? 100)
    return stored.map((letter) => toDeadLetter(letter, this.#link.limits))
  }

  /** One dead letter, or null. */
  async deadLetter(jobId: string): Promise<DeadLetter | null> {
    const stored = await this.#link.deadLetters.read(jobId)
    return stored && toDeadLetter(stored, this.#link.limits)
  }

  /** Dead letters that fit all that is given, newest first. Reads all: their number is bounded. */
  async findDead(filter: DeadFilter = {}): Promise<DeadLetter[]> {
    const { jobIds, functionName, queueName, error, olderThanMs } = filter
    if (olderThanMs !== undefined) await this.#link.syncClock()
    const before = olderThanMs === undefined ? Infinity : this.#link.clock.now() - olderThanMs
    const wanted = jobIds && new Set(jobIds)
    const found: DeadLetter[] = []
    for (let offset = 0; ; offset += 500) {
      const page = await this.deadLetters({ offset, limit: 500 })
      for (const letter of page) {
        if (wanted && !wanted.has(letter.jobId)) continue
        if (functionName !== undefined && letter.functionName !== functionName) continue
        if (queueName !== undefined && letter.queueName !== queueName) continue
        if (error !== undefined && !letter.error.includes(error)) continue
        if (letter.failedAt.getTime() <= before) found.push(letter)
      }
      if (page.length < 500) return found
    }
  }

  /** How many dead letters there are, of all queues. */
  countDead(): Promise<number> {
    return this.#link.deadLetters.count()
  }

  /** Removes these dead letters, or all; gives how many went. Their results stay as long as they are kept. */
  async purgeDead(jobIds?: readonly string[]): Promise<number> {
    const { deadLetters } = this.#link
    if (jobIds) return deadLetters.purge(jobIds)
    let purged = 0
    for (;;) {
      const page = await deadLetters.page(0, 500)
      if (page.length === 0) return purged
      purged += await deadLetters.purge(page.map((entry) => entry.jobId))
    }
  }

  /**
   * Puts a failed job back into its queue with its tries counted anew: a dead letter with its original bytes, or the
   * kept failed result of a Python worker. False when the job is queued or running already.
   *
   * @throws ResultNotFoundError when neither is there; JobFailedError when its payload is gone, or it did not fail.
   */
  async retryJob(jobId: string, options: { delayMs?: number } = {}): Promise<boolean> {
    const { deadLetters, jobs } = this.#link
    const delayMs = Math.round(options.delayMs ?? 0)
    const dead = await deadLetters.read(jobId)
    if (dead) {
      if (!dead.payload?.length || dead.queueName === null) {
        throw new JobFailedError(`the payload of dead letter ${jobId} is gone; enqueue the job anew`)
      }
      return deadLetters.replay(jobId, dead.queueName, dead.payload, delayMs, EXPIRES_EXTRA_MS)
    }
    const { result } = await jobs.readResult(jobId, '')
    if (!result && (await this.#holderOf(jobId)) !== undefined) return false
    if (!result) throw new ResultNotFoundError(`job ${jobId} is no dead letter and has no kept result; enqueue it anew`)
    const { record, codec } = decodeResult(result, this.#link.limits)
    if (record.success) throw new JobFailedError(`job ${jobId} succeeded; enqueue it anew to run it again`)
    const payload = encodeJob({ ...record, jobTry: null }, codec, this.#link.limits)
    return deadLetters.replay(jobId, record.queueName, payload, delayMs, EXPIRES_EXTRA_MS)
  }

  /** Live arq-ts workers, as they last told of themselves (every 2 s). */
  workers(): Promise<WorkerEntry[]> {
    return liveWorkers(this.#link)
  }

  /**
   * Everything about one job. The queue is looked for among those that `client.queues.names()` finds when none is given.
   */
  async job(jobId: string, options: { queueName?: string } = {}): Promise<JobDetails> {
    const { clock, jobs, deadLetters } = this.#link
    const queueName = options.queueName ?? (await this.#holderOf(jobId))
    const [stored, letter, tries, workers] = await Promise.all([
      jobs.read(jobId, queueName ?? ''),
      deadLetters.read(jobId),
      jobs.tries(jobId),
      this.workers(),
    ])
    const ended =
      stored.result && readable(() => toJobResult(decodeResult(stored.result!, this.#link.limits).record, jobId, null))
    const info =
      stored.job && readable(() => toJobInfo(decodeJob(stored.job!, this.#link.limits).record, jobId, stored.score))
    const known = ended ?? info ?? (letter && toDeadLetter(letter, this.#link.limits).job)
    const worker = workers.find((entry) => entry.running.some((run) => run.jobId === jobId))
    const run = worker?.running.find((run) => run.jobId === jobId)
    const status = statusOf(stored, clock.now())
    const isWaiting = status === 'queued' || status === 'deferred'
    return {
      jobId,
      status,
      queueName: ended?.queueName ?? queueName ?? letter?.queueName ?? null,
      functionName: known?.functionName ?? letter?.functionName ?? null,
      args: known?.args ?? [],
      kwargs: known?.kwargs ?? {},
      enqueueTime: known?.enqueueTime ?? null,
      dueTime: isWaiting && stored.score !== null ? new Date(stored.score) : null,
      startTime: ended?.startTime ?? (run ? new Date(run.startedAtMs) : null),
      finishTime: ended?.finishTime ?? (letter ? new Date(letter.failedAtMs) : null),
      jobTry: ended?.jobTry ?? run?.jobTry ?? letter?.jobTry ?? tries,
      success: ended ? ended.success : letter ? false : null,
      result: ended?.success ? ended.result : undefined,
      error: letter?.error ?? (ended && !ended.success ? describeError(ended.result) : null),
      dead: letter !== null,
      workerId: worker?.id ?? null,
    }
  }

  /**
   * Jobs of a queue in the order they are due, running ones included, whatever is wrong with them; pages are read as
   * they are asked for.
   */
  async *jobs(queueName: string): AsyncGenerator<ListedJob> {
    await this.#link.syncClock()
    for await (const { jobId, score, payload, holder } of this.#link.queues.members(queueName)) {
      const info = payload && readable(() => toJobInfo(decodeJob(payload, this.#link.limits).record, jobId, score))
      const observed = { hasResult: false, inProgress: holder !== null, score }
      yield { jobId, status: statusOf(observed, this.#link.clock.now()), due: new Date(score), info }
    }
  }

  /**
   * Asks for the abort of a job, as `Job.abort()` does, and does not wait for it. False when it is neither queued nor
   * running.
   */
  async requestAbort(jobId: string, options: { queueName?: string } = {}): Promise<boolean> {
    const queueName = options.queueName ?? (await this.#holderOf(jobId))
    return queueName === undefined ? false : this.#link.broker.requestAbort(jobId, queueName, this.#link.timeoutMs)
  }

  /**
   * Removes a job with all that is kept of it: payload, tries, result, dead letter. `running`: the job is at work, and
   * was left alone unless `force` is given; with it the worker goes on and settles nothing.
   */
  async removeJob(
    jobId: string,
    options: { queueName?: string; force?: boolean } = {},
  ): Promise<'removed' | 'absent' | 'running'> {
    const queueName = options.queueName ?? (await this.#holderOf(jobId)) ?? ''
    const [outcome] = await this.#link.jobs.remove(queueName, [jobId], {
      running: options.force === true,
      kept: true,
    })
    return outcome!
  }

  async #holderOf(jobId: string): Promise<string | undefined> {
    const { names, complete } = await this.#queues.names()
    const holder = await this.#link.jobs.queueOf(jobId, names)
    if (holder !== undefined || complete) return holder
    // The database is large, and its queue may be among the keys that were not looked at.
    const all = await this.#queues.names({ scanKeys: Infinity })
    return this.#link.jobs.queueOf(jobId, all.names)
  }

  /**
   * Listens to what arq-ts workers do: starts, ends, retries, hand-backs, dead letters. They tell only while somebody
   * listens. Like all pub/sub it is told once, and missed while Redis is away. The answer ends the listening.
   */
  async listen(listener: (event: WorkerEventMessage) => void): Promise<() => void> {
    const { keys, events, subscriber } = this.#link
    const stop = await subscriber.listen(keys.events, (message) => listener(JSON.parse(message) as WorkerEventMessage))
    try {
      await events.announceListener()
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  /** The health line of a queue's workers of either language, or null when none has written lately. */
  async health(queueName: string): Promise<(HealthCounts & { line: string }) | null> {
    const line = await this.#link.registry.readHealth(queueName)
    const counts = line === null ? undefined : parseHealthLine(line)
    return line !== null && counts ? { ...counts, line } : null
  }
}

function toDeadLetter(stored: StoredDeadLetter, limits: PayloadLimits): DeadLetter {
  const { jobId, payload } = stored
  return {
    jobId,
    failedAt: new Date(stored.failedAtMs),
    queueName: stored.queueName ?? '',
    functionName: stored.functionName ?? '<unknown>',
    error: stored.error ?? '',
    jobTry: stored.jobTry ?? 0,
    job: payload?.length ? readable(() => toJobInfo(decodeJob(payload, limits).record, jobId, null)) : null,
  }
}
