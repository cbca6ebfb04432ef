import { Client, Worker } from '@arq-ts/core'
import type { AnyContract, InputOf, WorkerEvents, WorkerOptions } from '@arq-ts/core'
import { followTime, orderJobIds, SteppedWorker } from '@arq-ts/core/testing'
import { expectIn } from './assert/expect-enqueued.ts'
import type { ExpectedJob, Pattern } from './assert/expect-enqueued.ts'
import type { TestJob } from './assert/test-job.ts'
import { functionNameOf } from './check.ts'
import { TestQueueError } from './errors.ts'
import { Journal } from './journal.ts'
import { checkAdvance, resolveTestQueueOptions } from './options.ts'
import type { ResolvedTestQueueOptions, TestQueueOptions } from './options.ts'
import { KeySpace } from './server/key-space.ts'

/** A job that ended for good. */
export interface EndedJob {
  jobId: string
  functionName: string
  queueName: string
  outcome: 'complete' | 'failed' | 'aborted'
  /** The tries it took. */
  tries: number
  /** Error of the handler in the last try; undefined where it is complete. */
  error: unknown
  /** Time of its end, in unix ms of the queue's time. */
  atMs: number
}

/** Outcome of a step of the queue. */
export interface Steps {
  /** Jobs that ended, in that order. */
  ended: readonly EndedJob[]
  /** Tries that another one follows. */
  retried: number
}

/**
 * Opens a queue on a real Redis whose time stands still until `advance` moves it.
 *
 * ```ts
 * const queue = await createTestQueue({ tasks: [resize] })
 * await queue.client.enqueue(resize, { path: 'a.png' }, { deferByMs: 60_000 })
 * await queue.expectEnqueued(resize, { path: 'a.png' }, { dueInMs: 60_000 })
 * await queue.advance(60_000)
 * await queue.close()
 * ```
 *
 * @throws OptionsError; TestQueueError where there is no Redis, or where an empty `keyPrefix` meets a database with keys.
 */
export async function createTestQueue(options: TestQueueOptions): Promise<TestQueue> {
  const settings = resolveTestQueueOptions(options)
  orderJobIds()
  const space = await KeySpace.open(settings)
  try {
    return new TestQueue(settings, space)
  } catch (error) {
    await space.close()
    throw error
  }
}

/**
 * A queue under test: a client, one worker that runs by steps, and a time of its own.
 *
 * open (idle ⇄ stepping: `drain`, `advance`) → closed
 */
export class TestQueue {
  /** Client for the code under test. With `mode: 'inline'` its `enqueue` returns once the job, and what follows, has run. */
  readonly client: Client
  /** Connection by which further clients, workers and task packages reach the same jobs and the same time: `new Client({ ...queue.connection })`. */
  readonly connection: { readonly redis: string; readonly keyPrefix: string }
  readonly #settings: ResolvedTestQueueOptions
  readonly #space: KeySpace
  readonly #journal: Journal
  #ended: EndedJob[] = []
  #retried = 0
  #stepped: SteppedWorker | undefined
  #step: Promise<unknown> = Promise.resolve()
  #isStepping = false
  #isClosed = false

  /** @internal Use `createTestQueue`. */
  constructor(settings: ResolvedTestQueueOptions, space: KeySpace) {
    this.#settings = settings
    this.#space = space
    this.#journal = new Journal(settings.tasks)
    const { codec, mode, queues } = settings
    const { redis, keyPrefix } = space
    this.connection = { redis, keyPrefix }
    this.client = new Client({ ...this.connection, codec, queueName: queues[0]!, logger: settings.logger })
    followTime(this.client, () => this.now())
    if (mode === 'inline') this.#enqueueInline()
  }

  /** The queue's time, in unix ms. */
  now(): number {
    return this.#space.nowMs
  }

  /** Every job that ended for good, in that order. */
  get ended(): readonly EndedJob[] {
    return this.#ended
  }

  /** Jobs that wait, by due time, those of all queues, or of one task. */
  async enqueued(task?: AnyContract | string): Promise<TestJob[]> {
    const name = task === undefined ? undefined : functionNameOf('enqueued', task)
    const { names } = await this.client.queues.names({ known: this.#settings.queues })
    const lists = await Promise.all(
      names.map(async (queueName) => {
        const jobs = await this.client.queuedJobs({ queueName })
        return Promise.all(jobs.map((job) => this.#journal.waiting(job, queueName)))
      }),
    )
    return lists
      .flat()
      .filter((job) => name === undefined || job.functionName === name)
      .sort((a, b) => a.dueMs - b.dueMs)
  }

  /**
   * Asserts that jobs of a task were enqueued, whether they wait or have begun, and returns them. `pattern` is any part of
   * the handler's input.
   *
   * @throws AssertionError that shows, of each job of the task, why it does not fit.
   */
  async expectEnqueued<T extends AnyContract | string>(
    task: T,
    pattern?: T extends AnyContract ? Pattern<InputOf<T>> : unknown,
    expected: ExpectedJob = {},
  ): Promise<TestJob[]> {
    const waiting = await this.enqueued()
    const ids = new Set(waiting.map((job) => job.jobId))
    const begun = this.#journal.begun.filter((job) => !ids.has(job.jobId))
    return expectIn([...begun, ...waiting], task, pattern, expected, this.now())
  }

  /**
   * Runs what is due now, and what follows from it, until nothing is due. A job that fails does not reject: see `ended`.
   *
   * @throws TestQueueError when jobs are due and none of them starts.
   */
  drain(): Promise<Steps> {
    return this.advance(0)
  }

  /**
   * Moves the queue's time, from one due time to the next: jobs, retries, cron ticks and places of limits come in their
   * order, each at its own time. A job that fails does not reject: see `ended`.
   *
   * @throws TestQueueError when jobs are due and none of them starts.
   */
  advance(ms: number): Promise<Steps> {
    checkAdvance(ms)
    return this.#stepping(() => this.#advanceTo(this.now() + ms))
  }

  /** Removes every job and key, and forgets what ended; the time stays. For use between tests. */
  reset(): Promise<void> {
    return this.#stepping(async () => {
      await this.#stop()
      await this.#space.clear()
      this.#journal.forget()
      this.#ended = []
      this.#retried = 0
    })
  }

  /** Ends the worker, removes every key and closes the connections. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#step.catch(() => {})
    try {
      await this.#stop()
      await this.client.close()
    } finally {
      await this.#space.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** One step after the other. */
  #stepping<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#step
      .catch(() => {})
      .then(async () => {
        if (this.#isClosed) throw new TestQueueError('the test queue was closed; create a new one')
        this.#isStepping = true
        try {
          return await step()
        } finally {
          this.#isStepping = false
        }
      })
    this.#step = next
    return next
  }

  async #advanceTo(targetMs: number): Promise<Steps> {
    const from = this.#ended.length
    const retried = this.#retried
    const worker = await this.#worker()
    await this.#runDue(worker)
    for (;;) {
      const nextMs = await worker.nextMs(this.now())
      if (nextMs === null || nextMs > targetMs) break
      await this.#moveTo(nextMs, worker)
      await this.#runDue(worker)
    }
    if (targetMs > this.now()) await this.#moveTo(targetMs, worker)
    return { ended: this.#ended.slice(from), retried: this.#retried - retried }
  }

  async #moveTo(ms: number, worker: SteppedWorker): Promise<void> {
    await this.#space.moveTo(ms)
    await worker.look()
  }

  async #runDue(worker: SteppedWorker): Promise<void> {
    const stuck = await worker.runDue(this.now())
    if (stuck === 0) return
    const queues = this.#settings.queues.map((name) => `'${name}'`).join(', ')
    throw new TestQueueError(
      `${stuck === 1 ? '1 job is' : `${stuck} jobs are`} due in ${queues} and did not start within ${this.#settings.stuckAfterMs} ms; ` +
        '`queue.client.jobs.explain(jobId)` says why',
    )
  }

  async #worker(): Promise<SteppedWorker> {
    if (this.#stepped) return this.#stepped
    const { cron, queues, tasks, worker: options, logger, codec } = this.#settings
    const worker = new Worker({
      recorder: false,
      keyspaceNotifications: false,
      ...(options as WorkerOptions),
      ...(codec === undefined ? {} : { codec }),
      ...this.connection,
      logger,
      queues,
      tasks: tasks.map((task) => this.#journal.watch(task)),
      cron: this.#journal.watchAll(cron),
      handleSignals: false,
    } as WorkerOptions)
    worker.on('jobFinished', (job) => this.#note(job))
    worker.on('jobRetried', () => this.#retried++)
    const stepped = new SteppedWorker(worker, { now: () => this.now(), stuckAfterMs: this.#settings.stuckAfterMs })
    this.#stepped = stepped
    try {
      await stepped.start()
      await stepped.look()
      return stepped
    } catch (error) {
      this.#stepped = undefined
      throw error
    }
  }

  #note({ jobId, functionName, queueName, outcome, jobTry, error }: WorkerEvents['jobFinished'][0]): void {
    this.#ended.push({ jobId, functionName, queueName, outcome, tries: jobTry, error, atMs: this.now() })
  }

  async #stop(): Promise<void> {
    await this.#stepped?.stop()
    this.#stepped = undefined
  }

  /** Enqueuing runs the job, unless a step is under way already, whose job may be the one that enqueues. */
  #enqueueInline(): void {
    const run = async () => {
      if (!this.#isStepping) await this.drain()
    }
    for (const method of ['enqueue', 'enqueueMany'] as const) {
      const enqueue = this.client[method].bind(this.client) as (...args: unknown[]) => Promise<unknown>
      const inline = async (...args: unknown[]) => {
        const enqueued = await enqueue(...args)
        await run()
        return enqueued
      }
      Object.defineProperty(this.client, method, { value: inline })
    }
  }
}
