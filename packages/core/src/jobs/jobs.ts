import { DEFAULT_QUEUE_NAME } from '@arq-ts/protocol/jobs'
import { describeJob } from './details.ts'
import type { JobDetails } from './details.ts'
import { explain } from './explain.ts'
import type { Reason } from './explain.ts'
import { listJobs, namesOf } from './listing.ts'
import type { JobFilter, ListedJob } from './listing.ts'
import { pageOfJobs } from './pages.ts'
import type { JobPageRequest, PageOfJobs } from './pages.ts'
import { retryJob } from './retry.ts'
import { checkMethodOptions, checkName, checkNames, checkText, methodSchemas } from '../options/arguments.ts'
import type { Queues } from '../queues/queues.ts'
import type { RedisContext } from '../redis/context.ts'
import { fleetOf, liveWorkers } from '../fleet/live-workers.ts'
import { tickOf } from '../recorder/tick-journal.ts'

/** The outcome of moving one job: moved, not there, running and left alone, or its id is taken in the other queue. */
export type MoveOutcome = 'moved' | 'absent' | 'running' | 'taken'

/** The outcome of removing one job: removed, not there, or running and left alone. */
export type RemoveOutcome = 'removed' | 'absent' | 'running'

/**
 * Jobs of both languages, by id and in lists. Use `client.jobs`; a handle that waits for one job is `client.job(id)`.
 * Every method rejects with OptionsError for wrong arguments, with RedisUnavailableError when Redis does not answer within
 * the client's `commandTimeoutMs`, and with RedisReplyError when it refuses; methods that throw more say so.
 */
export class Jobs {
  readonly #link: RedisContext
  readonly #queues: Queues

  /** @internal */
  constructor(link: RedisContext, queues: Queues) {
    this.#link = link
    this.#queues = queues
  }

  /**
   * Everything about one job. The queue is looked for among those that `client.queues.names()` finds when none is given.
   */
  async details(jobId: string, options: { queueName?: string } = {}): Promise<JobDetails> {
    checkName('jobs.details', 'jobId', jobId)
    const { queueName } = checkMethodOptions('jobs.details', methodSchemas.queueName, options)
    return describeJob(this.#link, jobId, queueName ?? (await this.queueOf(jobId)))
  }

  /**
   * The trace context of a job: the map with W3C's `traceparent` that a Python producer has written as JSON to
   * `arq:trace:<id>`. Empty where there is none; what arq-ts enqueues has its context in its metadata. Rejects with
   * SyntaxError for what is no JSON.
   */
  async traceContext(jobId: string): Promise<Readonly<Record<string, string>>> {
    checkName('jobs.traceContext', 'jobId', jobId)
    return this.#link.jobs.readTrace(jobId)
  }

  /** Explains why a job runs, or does not: everything that decides it, in the order in which a worker asks. */
  async explain(jobId: string, options: { queueName?: string } = {}): Promise<{ job: JobDetails; reasons: Reason[] }> {
    checkName('jobs.explain', 'jobId', jobId)
    const given = checkMethodOptions('jobs.explain', methodSchemas.queueName, options)
    const link = this.#link
    const queueName = given.queueName ?? (await this.queueOf(jobId))
    const { workers, python } = await fleetOf(link, queueName === undefined ? [] : [queueName])
    const job = await describeJob(link, jobId, queueName, workers)
    const isQueued = job.score !== null && queueName !== undefined
    const queue = isQueued ? { queueName, paused: (await this.#queues.paused()).includes(queueName) } : null
    const pausedCron = await this.#pausedCronOf(job)
    const circumstances = { nowMs: link.clock.now(), queue, workers, python, ...(pausedCron && { pausedCron }) }
    return { job, reasons: explain(job, circumstances) }
  }

  /** The paused cron job whose tick has this id; undefined where there is none. */
  async #pausedCronOf({
    jobId,
    functionName,
  }: JobDetails): Promise<{ name: string; sinceMs: number | null } | undefined> {
    const tick = tickOf(jobId, functionName)
    const pause = tick && (await this.#link.cronPauses.all()).get(tick.name)
    if (!tick || !pause || pause.untilMs !== null) return undefined
    const isBefore = functionName === null && pause.sinceMs !== null && tick.atMs < pause.sinceMs
    return isBefore ? undefined : { name: tick.name, sinceMs: pause.sinceMs }
  }

  /**
   * Jobs of several queues (default: of all that `client.queues.discover()` finds) and of both languages, in any state:
   * waiting and running ones in the order they are due, then dead letters, then those with a kept result, for which the
   * database is scanned. Pages are read as they are asked for. `everyQueue` includes ended jobs of queues that are not
   * named; default: true unless `queueNames` is given. `queueNames` may come in batches: the next one is asked for once
   * the jobs of those before are taken.
   */
  async *list(
    filter: JobFilter & {
      queueNames?: readonly string[] | AsyncIterable<readonly string[]>
      everyQueue?: boolean
    } = {},
  ): AsyncGenerator<ListedJob> {
    checkMethodOptions('jobs.list', methodSchemas.list, filter)
    const { queueNames, everyQueue = queueNames === undefined, ...rest } = filter
    const names = queueNames ?? namesOf(this.#queues.discover({ only: 'waiting' }))
    yield* listJobs(this.#link, names, await liveWorkers(this.#link), rest, everyQueue)
  }

  /**
   * One page of jobs of these queues in any state: waiting and running ones, then dead letters, then kept results. Its
   * cost is bounded by `budget`, and does not grow with the number of pages before it.
   *
   * @throws OptionsError for a cursor that no page has given.
   */
  async page(request: JobPageRequest): Promise<PageOfJobs> {
    checkMethodOptions('jobs.page', methodSchemas.page, request ?? null)
    return pageOfJobs(this.#link, await liveWorkers(this.#link), request)
  }

  /** The number of jobs that `page` looks at in these queues, without kept results; `dead` counts dead letters of all queues. */
  async count(queueNames: readonly string[], options: { dead?: boolean } = {}): Promise<number> {
    checkNames('jobs.count', 'queueNames', queueNames)
    const { dead } = checkMethodOptions('jobs.count', methodSchemas.count, options)
    return this.#link.jobPages.size(queueNames, dead === true)
  }

  /** The queue that has the job as a member; undefined when none has. */
  async queueOf(jobId: string): Promise<string | undefined> {
    checkName('jobs.queueOf', 'jobId', jobId)
    return (await this.queuesOf([jobId])).get(jobId)
  }

  /** The queues that have these jobs as members; a job that is in none is left out. Scans the database once at most; with `among` only these queues are asked. */
  async queuesOf(jobIds: readonly string[], options: { among?: readonly string[] } = {}): Promise<Map<string, string>> {
    checkNames('jobs.queuesOf', 'jobIds', jobIds)
    const { among } = checkMethodOptions('jobs.queuesOf', methodSchemas.among, options)
    if (among) return this.#link.jobs.queuesOf(jobIds, among)
    const found = new Map<string, string>()
    let left = jobIds
    for await (const { names } of this.#queues.discover({ scanKeys: Infinity, only: 'waiting' })) {
      for (const [jobId, name] of await this.#link.jobs.queuesOf(left, names)) found.set(jobId, name)
      left = left.filter((id) => !found.has(id))
      if (left.length === 0) break
    }
    return found
  }

  /**
   * Puts a failed job back into its queue with its tries counted anew: a dead letter with its original bytes, or the
   * kept failed result of either language. False when the job is queued or running already. `delayMs` defaults to 0.
   *
   * @throws ResultNotFoundError when neither is there; JobFailedError when its payload is gone, or it did not fail.
   */
  async retry(jobId: string, options: { delayMs?: number } = {}): Promise<boolean> {
    checkName('jobs.retry', 'jobId', jobId)
    const { delayMs = 0 } = checkMethodOptions('jobs.retry', methodSchemas.delay, options)
    return retryJob(this.#link, jobId, delayMs, async () => (await this.queueOf(jobId)) !== undefined)
  }

  /**
   * Asks for the abort of a job, as `Job.abort()` does, and does not wait for it. False when it is neither queued nor
   * running.
   */
  async requestAbort(jobId: string, options: { queueName?: string } = {}): Promise<boolean> {
    checkName('jobs.requestAbort', 'jobId', jobId)
    const given = checkMethodOptions('jobs.requestAbort', methodSchemas.queueName, options)
    const queueName = given.queueName ?? (await this.queueOf(jobId))
    return queueName === undefined ? false : this.#link.broker.requestAbort(jobId, queueName, this.#link.timeoutMs)
  }

  /**
   * Removes a job with all that is kept of it: payload, tries, result, dead letter. A running job is left alone unless
   * `force` is given; with it the worker continues and settles nothing.
   */
  async remove(jobId: string, options: { queueName?: string; force?: boolean } = {}): Promise<RemoveOutcome> {
    checkName('jobs.remove', 'jobId', jobId)
    const given = checkMethodOptions('jobs.remove', methodSchemas.queueAndForce, options)
    const queueName = given.queueName ?? (await this.queueOf(jobId)) ?? DEFAULT_QUEUE_NAME
    const [outcome] = await this.#link.jobs.remove(queueName, [jobId], { running: given.force === true, kept: true })
    return outcome!
  }

  /** Removes jobs of one queue, as `remove` does; an outcome for each. */
  async removeMany(
    queueName: string,
    jobIds: readonly string[],
    options: { force?: boolean } = {},
  ): Promise<RemoveOutcome[]> {
    checkText('jobs.removeMany', 'queueName', queueName)
    checkNames('jobs.removeMany', 'jobIds', jobIds)
    const { force } = checkMethodOptions('jobs.removeMany', methodSchemas.force, options)
    return this.#link.jobs.remove(queueName, jobIds, { running: force === true, kept: true })
  }

  /** Makes waiting jobs of a queue due now; an outcome for each. */
  async runNow(queueName: string, jobIds: readonly string[]): Promise<MoveOutcome[]> {
    checkName('jobs.runNow', 'queueName', queueName)
    checkNames('jobs.runNow', 'jobIds', jobIds)
    await this.#link.syncClock()
    return this.#link.jobs.move(queueName, queueName, jobIds, this.#link.clock.now())
  }

  /** Moves waiting jobs of a queue to another one, due as they were; an outcome for each. */
  async move(queueName: string, toQueue: string, jobIds: readonly string[]): Promise<MoveOutcome[]> {
    checkName('jobs.move', 'queueName', queueName)
    checkName('jobs.move', 'toQueue', toQueue)
    checkNames('jobs.move', 'jobIds', jobIds)
    return this.#link.jobs.move(queueName, toQueue, jobIds, null)
  }
}
