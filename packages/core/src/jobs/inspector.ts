import { JobFailedError, ResultNotFoundError } from '../errors.ts'
import { decodeResult, DEFAULT_QUEUE_NAME, encodeJob, EXPIRES_EXTRA_MS, parseHealthLine } from '@arq-ts/protocol/jobs'
import type { HealthCounts } from '@arq-ts/protocol/jobs'
import { deadLetters, toDeadLetter } from './dead-letters.ts'
import type { DeadFilter, DeadLetter } from './dead-letters.ts'
import { describeJob } from './details.ts'
import { explain } from './explain.ts'
import type { Reason } from './explain.ts'
import type { JobDetails } from './details.ts'
import { listJobs, namesOf } from './listing.ts'
import type { JobFilter, ListedJob } from './listing.ts'
import { pageOfJobs } from './pages.ts'
import type { JobPageRequest, PageOfJobs } from './pages.ts'
import type { Queues } from '../queues/queues.ts'
import { kindOfKey } from '../redis/key-kinds.ts'
import type { Link } from '../redis/link.ts'
import { readWorkerEvent } from '../fleet/events.ts'
import type { WorkerEventMessage } from '../fleet/events.ts'
import { liveWorkers, pythonWorkers, registeredWorkers } from '../fleet/live-workers.ts'
import type { PythonWorker, UnreadableWorker, WorkerEntry } from '../fleet/worker-entry.ts'

export { KEY_KINDS } from '../redis/key-kinds.ts'

/** A key that holds another type of value than arq and arq-ts keep there. */
export interface DamagedKey {
  key: string
  /** The key without what is particular to it: `arq:retry`, `arq:dead`, `queue` … */
  kind: string
}

/**
 * What an operator asks beside the jobs themselves. Use `client.inspector`. Every method rejects with
 * RedisUnavailableError when Redis does not answer within the client's `commandTimeoutMs`, and with RedisReplyError when
 * it refuses; methods that throw more say so.
 */
export class Inspector {
  readonly #link: Link
  readonly #queues: Queues
  #ignoredMessages = 0

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
    const { offset = 0, limit = 100 } = options
    const found: DeadLetter[] = []
    while (found.length < limit) {
      const size = Math.min(500, limit - found.length)
      const { letters, looked } = await this.#link.deadLetters.page(offset + found.length, size)
      found.push(...letters.map((letter) => toDeadLetter(letter, this.#link.limits)))
      if (looked < size) break
    }
    return found
  }

  /** One dead letter, or null. */
  async deadLetter(jobId: string): Promise<DeadLetter | null> {
    const stored = await this.#link.deadLetters.read(jobId)
    return stored && toDeadLetter(stored, this.#link.limits)
  }

  /** Dead letters that fit all that is given, newest first. Reads all: their number is bounded. */
  async findDead(filter: DeadFilter = {}): Promise<DeadLetter[]> {
    const found: DeadLetter[] = []
    for await (const letter of deadLetters(this.#link, filter)) found.push(letter)
    return found
  }

  /** How many dead letters there are, of all queues. */
  countDead(): Promise<number> {
    return this.#link.deadLetters.count()
  }

  /** Removes these dead letters, or all; gives how many went. Their results stay as long as they are kept. */
  async purgeDead(jobIds?: readonly string[]): Promise<number> {
    const { deadLetters: letters } = this.#link
    if (jobIds) return letters.purge(jobIds)
    let purged = 0
    for (;;) {
      const page = await letters.page(0, 500)
      if (page.looked === 0) return purged
      purged += await letters.purge(page.letters.map((entry) => entry.jobId))
    }
  }

  /**
   * Puts a failed job back into its queue with its tries counted anew: a dead letter with its original bytes, or the
   * kept failed result of a Python worker. False when the job is queued or running already.
   *
   * @throws ResultNotFoundError when neither is there; JobFailedError when its payload is gone, or it did not fail.
   */
  async retryJob(jobId: string, options: { delayMs?: number } = {}): Promise<boolean> {
    const { deadLetters: letters, jobs } = this.#link
    const delayMs = Math.round(options.delayMs ?? 0)
    const dead = await letters.read(jobId)
    if (dead) {
      if (!dead.payload?.length || dead.queueName === null) {
        throw new JobFailedError(`the payload of dead letter ${jobId} is gone; enqueue the job anew`)
      }
      return letters.replay(jobId, dead.queueName, dead.payload, delayMs, EXPIRES_EXTRA_MS)
    }
    const { result } = await jobs.readResult(jobId, '')
    if (!result && (await this.queueOf(jobId)) !== undefined) return false
    if (!result) throw new ResultNotFoundError(`job ${jobId} is no dead letter and has no kept result; enqueue it anew`)
    const { record, codec } = decodeResult(result, this.#link.limits)
    if (record.success) throw new JobFailedError(`job ${jobId} succeeded; enqueue it anew to run it again`)
    const payload = encodeJob({ ...record, jobTry: null }, codec, this.#link.limits)
    return letters.replay(jobId, record.queueName, payload, delayMs, EXPIRES_EXTRA_MS)
  }

  /** Live arq-ts workers, as they last reported (every 2 s). Entries that nobody can read are left out. */
  workers(): Promise<WorkerEntry[]> {
    return liveWorkers(this.#link)
  }

  /**
   * Orders a live worker of ours to claim nothing more: it ends what it runs, and stays up. False when there is none of
   * that id. Python workers take no orders.
   */
  quietWorker(workerId: string): Promise<boolean> {
    return this.#order(workerId, 'quiet')
  }

  /** Ends the quiet of a worker. False when there is none of that id. */
  resumeWorker(workerId: string): Promise<boolean> {
    return this.#order(workerId, 'resume')
  }

  async #order(workerId: string, order: 'quiet' | 'resume'): Promise<boolean> {
    if (!(await this.workers()).some(({ id }) => id === workerId)) return false
    await this.#link.orders.give(workerId, order)
    return true
  }

  /**
   * Live workers of both languages: those of arq-ts, entries that nobody can read, and the Python workers of these
   * queues, by their health lines.
   */
  async fleet(
    queueNames: readonly string[],
  ): Promise<{ workers: WorkerEntry[]; unreadable: UnreadableWorker[]; python: PythonWorker[] }> {
    const { workers, unreadable } = await registeredWorkers(this.#link)
    return { workers, unreadable, python: await pythonWorkers(this.#link, queueNames, workers) }
  }

  /**
   * Everything about one job. The queue is looked for among those that `client.queues.names()` finds when none is given.
   */
  async job(jobId: string, options: { queueName?: string } = {}): Promise<JobDetails> {
    return describeJob(this.#link, jobId, options.queueName ?? (await this.queueOf(jobId)))
  }

  /**
   * Jobs of a queue in the order they are due, running ones included, whatever is wrong with them; pages are read as
   * they are asked for.
   */
  async *jobs(queueName: string, filter: JobFilter = {}): AsyncGenerator<ListedJob> {
    yield* listJobs(this.#link, [queueName], await this.workers(), filter)
  }

  /**
   * Jobs of several queues (default: of all that `client.queues.discover()` finds) and of both languages, in any state:
   * waiting and running ones, then dead letters, then those with a kept result, for which the database is scanned.
   * `queueNames` may become known by and by: more of them are asked for only once the jobs of those before were taken.
   */
  async *list(
    filter: JobFilter & {
      queueNames?: readonly string[] | AsyncIterable<readonly string[]>
      everyQueue?: boolean
    } = {},
  ): AsyncGenerator<ListedJob> {
    const { queueNames, everyQueue = queueNames === undefined, ...rest } = filter
    const names = queueNames ?? namesOf(this.#queues.discover({ only: 'waiting' }))
    yield* listJobs(this.#link, names, await this.workers(), rest, everyQueue)
  }

  /**
   * One page of jobs of these queues in any state: waiting and running ones, then dead letters, then kept results. Its
   * cost is bounded by `budget`, and does not grow with the number of pages before it.
   *
   * @throws OptionsError for a cursor that no page has given.
   */
  async page(request: JobPageRequest): Promise<PageOfJobs> {
    return pageOfJobs(this.#link, await this.workers(), request)
  }

  /** The number of jobs that `page` looks at in these queues, without kept results; `dead` counts dead letters of all queues. */
  sizeOf(queueNames: readonly string[], options: { dead?: boolean } = {}): Promise<number> {
    return this.#link.jobPages.size(queueNames, options.dead === true)
  }

  /** The queue that has the job as a member; undefined when none has. */
  async queueOf(jobId: string): Promise<string | undefined> {
    return (await this.queuesOf([jobId])).get(jobId)
  }

  /** The queues that have these jobs as members; a job that is in none is left out. Scans the database once at most; with `among` only these queues are asked. */
  async queuesOf(jobIds: readonly string[], options: { among?: readonly string[] } = {}): Promise<Map<string, string>> {
    if (options.among) return this.#link.jobs.queuesOf(jobIds, options.among)
    const found = new Map<string, string>()
    let left = jobIds
    for await (const { names } of this.#queues.discover({ scanKeys: Infinity, only: 'waiting' })) {
      for (const [jobId, name] of await this.#link.jobs.queuesOf(left, names)) found.set(jobId, name)
      left = left.filter((id) => !found.has(id))
      if (left.length === 0) break
    }
    return found
  }

  /** Explains why a job runs, or does not: everything that decides it, in the order in which a worker asks. */
  async explain(jobId: string, options: { queueName?: string } = {}): Promise<{ job: JobDetails; reasons: Reason[] }> {
    const queueName = options.queueName ?? (await this.queueOf(jobId))
    const job = await describeJob(this.#link, jobId, queueName)
    const isQueued = job.score !== null && queueName !== undefined
    const { workers, python } = await this.fleet(isQueued ? [queueName] : [])
    const queue = isQueued ? await this.#queues.stats(queueName) : null
    return { job, reasons: explain(job, { nowMs: await this.now(), queue, workers, python }) }
  }

  /**
   * Asks for the abort of a job, as `Job.abort()` does, and does not wait for it. False when it is neither queued nor
   * running.
   */
  async requestAbort(jobId: string, options: { queueName?: string } = {}): Promise<boolean> {
    const queueName = options.queueName ?? (await this.queueOf(jobId))
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
    const queueName = options.queueName ?? (await this.queueOf(jobId)) ?? DEFAULT_QUEUE_NAME
    const [outcome] = await this.#link.jobs.remove(queueName, [jobId], {
      running: options.force === true,
      kept: true,
    })
    return outcome!
  }

  /** Removes jobs of one queue, as `removeJob` does. */
  removeJobs(
    queueName: string,
    jobIds: readonly string[],
    options: { force?: boolean } = {},
  ): Promise<('removed' | 'absent' | 'running')[]> {
    return this.#link.jobs.remove(queueName, jobIds, { running: options.force === true, kept: true })
  }

  /** Makes waiting jobs of a queue due now; for each: moved, not there, or running and left alone. */
  async runNow(queueName: string, jobIds: readonly string[]): Promise<('moved' | 'absent' | 'running' | 'taken')[]> {
    return this.#link.jobs.move(queueName, queueName, jobIds, await this.now())
  }

  /**
   * Moves waiting jobs of a queue to another one, due as they were; for each: moved, not there, running and left alone,
   * or taken: the other queue has a job of that id.
   */
  move(
    queueName: string,
    toQueue: string,
    jobIds: readonly string[],
  ): Promise<('moved' | 'absent' | 'running' | 'taken')[]> {
    return this.#link.jobs.move(queueName, toQueue, jobIds, null)
  }

  /**
   * Listens to what arq-ts workers do: starts, ends, retries, hand-backs, dead letters. They tell only while somebody
   * listens. Like all pub/sub it is told once, and missed while Redis is away. The answer ends the listening.
   */
  async listen(listener: (event: WorkerEventMessage) => void): Promise<() => void> {
    const { keys, events, subscriber } = this.#link
    const stop = await subscriber.listen(keys.events, (message) => {
      const event = readWorkerEvent(message)
      if (event) listener(event)
      else this.#ignoredMessages++
    })
    try {
      await events.announceListener()
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  /** Messages on the channel of worker events that were none, since this client was made. They are ignored. */
  get ignoredMessages(): number {
    return this.#ignoredMessages
  }

  /**
   * Keys of a wrong type that reads of this client have met since the last call of this method, at most a thousand. What
   * such a key would say is missing in their answers.
   */
  takeDamagedKeys(): DamagedKey[] {
    const { metDamage } = this.#link
    const keys = [...metDamage].map((key) => ({ key, kind: kindOfKey(key) }))
    metDamage.clear()
    return keys
  }

  /** The health line of a queue's workers of either language, or null when none has written lately. */
  async health(queueName: string): Promise<(HealthCounts & { line: string }) | null> {
    const [health] = await this.#link.registry.readHealth([queueName])
    const counts = health && parseHealthLine(health.line)
    return health && counts ? { ...counts, line: health.line } : null
  }
}
