import { Client } from '../client/client.ts'
import type { EnqueueRest } from '../client/client.ts'
import { taskQueueSchema, databaseOf } from '../config/schema.ts'
import type { TaskQueueConfig, TaskQueueInput } from '../config/schema.ts'
import { clientOptionsOf, queueNamesOf } from '../config/to-options.ts'
import { OptionsError } from '../errors.ts'
import type { DeadFilter, DeadLetter } from '../jobs/dead-letters.ts'
import type { DeadLetterChoice, RetriedDeadLetters } from '../jobs/dead-letter-collection.ts'
import type { JobDetails } from '../jobs/details.ts'
import type { Job } from '../jobs/job.ts'
import type { Logger } from '../logging/logger.ts'
import { checkObject } from '../options/arguments.ts'
import { checkOptions } from '../options/check.ts'
import { aLogger } from '../options/connection.ts'
import { enqueueSchema } from '../options/enqueue.ts'
import type { EnqueueOptions } from '../options/enqueue.ts'
import * as z from '../options/zod.ts'
import type { QueueStats } from '../queues/queues.ts'
import type { AnyContract, EmittedOf, ResultOf } from '../tasks/contract.ts'

/** Options of one job, by the manager's names. */
export interface ManagerEnqueueOptions extends Omit<EnqueueOptions, 'deferByMs'> {
  /** Milliseconds until it is due; the `_delay` of the Python manager. Excludes `deferUntil`. */
  delayMs?: number
}

const optionsSchema = z.strictObject({ logger: aLogger.optional() })

const { deferByMs: delayMs, ...enqueueShape } = enqueueSchema.shape
const enqueueOptionsSchema = z.strictObject({ ...enqueueShape, delayMs })

/**
 * The task queue of one application, by its `task_queue` settings: what the operations guide's `TaskQueueManager` is in
 * Python, over the same keys.
 *
 * ```ts
 * const manager = new TaskQueueManager(loadConfig().config)
 * await manager.initialize()
 * const job = await manager.enqueue('delete_collection', [], { kwargs: { collection_name: 'old' }, delayMs: 3_600_000 })
 * await manager.getJobStatus(job!.jobId)
 * await manager.cleanup()
 * ```
 *
 * created → initialized → cleaned up; `initialize` may then open it anew.
 */
export class TaskQueueManager {
  /** The settings in force; durations in seconds. */
  readonly config: TaskQueueConfig
  readonly #logger: Logger | undefined
  #client: Client | undefined
  #initializing: Promise<void> | undefined

  /**
   * @param settings - what stands under `task_queue`, or what `loadConfig()` gave as `config`.
   * @throws OptionsError that names the setting.
   */
  constructor(settings: TaskQueueInput | TaskQueueConfig = {}, options: { logger?: Logger } = {}) {
    checkObject('task_queue', settings)
    checkOptions('TaskQueueManager', optionsSchema, options)
    // As in a configuration file: the URL's database counts where no other is named.
    const redis_database = settings.redis_database ?? databaseOf(settings.redis_url)
    const given = redis_database === undefined ? settings : { ...settings, redis_database }
    this.config = checkOptions('task_queue', taskQueueSchema, given)
    this.#logger = options.logger
  }

  /** The client underneath, once initialized. @throws OptionsError before. */
  get client(): Client {
    if (!this.#client) throw new OptionsError('TaskQueueManager: call `await manager.initialize()` first')
    return this.#client
  }

  /** Connects, and makes sure that Redis answers. Once, however often it is called. @throws RedisUnavailableError after 10 s. */
  async initialize(): Promise<void> {
    this.#initializing ??= this.#connect()
    try {
      await this.#initializing
    } catch (error) {
      this.#initializing = undefined
      throw error
    }
  }

  async #connect(): Promise<void> {
    const client = new Client({
      ...clientOptionsOf(this.config),
      ...(this.#logger ? { logger: this.#logger } : {}),
    })
    try {
      await client.queues.paused()
    } catch (error) {
      await client.close()
      throw error
    }
    this.#client = client
  }

  /** Sends what is waiting and closes the connection. */
  async cleanup(): Promise<void> {
    await this.#initializing?.catch(() => {})
    this.#initializing = undefined
    const client = this.#client
    this.#client = undefined
    await client?.close()
  }

  /**
   * Enqueues a task, or a function by its name on the wire. Null when the id is queued, running or has a kept result.
   * Errors as `Client.enqueue` has them.
   */
  // One signature, not an overload each: a compiler reports the wrong field of an only candidate. `Result` is for names.
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  async enqueue<Result = unknown, T extends AnyContract | string = string>(
    task: T,
    ...given: EnqueueRest<T, ManagerEnqueueOptions>
  ): Promise<Job<T extends AnyContract ? ResultOf<T> : Result, EmittedOf<T>> | null> {
    const [input, options = {}] = given
    const { delayMs, ...rest } = checkOptions('enqueue', enqueueOptionsSchema, options) as ManagerEnqueueOptions
    const named = delayMs === undefined ? rest : { ...rest, deferByMs: delayMs }
    return this.client.enqueue<Result, T>(task, ...([input, named] as unknown as EnqueueRest<T>))
  }

  /** All that is known of a job, whichever language enqueued or ran it; status `not_found` for one that is unknown. */
  getJobStatus(jobId: string, options: { queueName?: string } = {}): Promise<JobDetails> {
    return this.client.jobs.details(jobId, options)
  }

  /** Asks for the abort of a queued, deferred or running job and does not wait for it. False when it is neither. */
  cancelJob(jobId: string, options: { queueName?: string } = {}): Promise<boolean> {
    return this.client.jobs.requestAbort(jobId, options)
  }

  /**
   * Retries a failed job: a dead letter, or the kept failed result of either language. False when it is queued or
   * running already.
   *
   * @throws ResultNotFoundError when neither is there, JobFailedError when its payload is gone or it did not fail.
   */
  retryJob(jobId: string, options: { delayMs?: number } = {}): Promise<boolean> {
    return this.client.jobs.retry(jobId, options)
  }

  /** A queue in numbers, at a cost that does not grow with its length. Default: the first of the configuration. */
  getQueueStats(queueName: string = queueNamesOf(this.config)[0]!): Promise<QueueStats> {
    return this.client.queues.stats(queueName)
  }

  /** Dead letters that fit the filter, newest first. `limit` defaults to 100. */
  listDeadLetters(options: DeadFilter & { offset?: number; limit?: number } = {}): Promise<DeadLetter[]> {
    return this.client.deadLetters.list(options)
  }

  /**
   * Retries the dead letters that fit the filter, or with `{ all: true }` all of them; the reason of each that is refused.
   *
   * @throws OptionsError when neither a filter nor `{ all: true }` is given.
   */
  retryDeadLetters(choice: DeadLetterChoice, options: { delayMs?: number } = {}): Promise<RetriedDeadLetters> {
    return this.client.deadLetters.retry(choice, options)
  }

  /**
   * Removes the dead letters that fit the filter, or with `{ all: true }` all of them, for good; returns their number.
   *
   * @throws OptionsError when neither a filter nor `{ all: true }` is given.
   */
  purgeDeadLetters(choice: DeadLetterChoice): Promise<number> {
    return this.client.deadLetters.purge(choice)
  }

  /** arq-ts workers start no more jobs of the queue; false when it was paused before. */
  pauseQueue(queueName: string = queueNamesOf(this.config)[0]!): Promise<boolean> {
    return this.client.queues.pause(queueName)
  }

  /** Ends a pause; false when there was none. */
  resumeQueue(queueName: string = queueNamesOf(this.config)[0]!): Promise<boolean> {
    return this.client.queues.resume(queueName)
  }
}
