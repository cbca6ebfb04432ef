import { randomUUID } from 'node:crypto'
import {
  checkOptions,
  clientDefaults,
  JobAbortedError,
  JobFailedError,
  OptionsError,
  workerDefaults,
} from '@arq-ts/core'
import type {
  AnyContract,
  AnyTask,
  Client,
  CodecName,
  EnqueueItem,
  EnqueueOptions,
  InputOf,
  Job,
  Middleware,
} from '@arq-ts/core'
import { checkEnqueueOptions, enqueueWithin, middlewareSchema, packCall } from '@arq-ts/core/testing'
import type { EnqueueWithin, Metadata } from '@arq-ts/core/testing'
import { asError } from '@arq-ts/protocol/errors'
import { admit } from '@arq-ts/protocol/jobs'
import { z } from 'zod'
import { expectIn } from './assert/expect-enqueued.ts'
import type { ExpectedJob, Pattern } from './assert/expect-enqueued.ts'
import type { TestJob } from './assert/test-job.ts'
import { aCodec, aTask, fields, functionNameOf } from './check.ts'
import { InlineJob } from './inline-job.ts'
import type { InlineEnd } from './inline-job.ts'
import { payloadWith, RULES, tryPayload } from './run-task.ts'

/**
 * Producer of an inline queue, for code that takes what it needs of a `Client`. The jobs it gives have every method of a
 * `Job`, and have ended.
 */
export type InlineClient = Pick<Client, 'queueName' | 'codec' | 'enqueue' | 'enqueueMany'>

/** Options of `createInlineQueue`. */
export interface InlineQueueOptions {
  /** Tasks that run. A job of another function fails, as on a worker. */
  tasks: readonly AnyTask[]
  /** Fields of every handler's context in addition to the job's own. Default none. */
  ctx?: object
  /** Queue for jobs that name none. Default `arq:queue`. */
  queueName?: string
  /** Codec of payloads. Default `msgpack`. */
  codec?: CodecName
  /** Tries before a job fails for good; a task's own wins. Default 5. */
  maxTries?: number
  /** Middleware around each call of `enqueue`, and around each run of a handler. Default none. */
  middleware?: readonly Middleware[]
}

const schema = z.strictObject({
  tasks: z.array(aTask),
  ctx: fields.optional(),
  queueName: z.string().min(1).optional(),
  codec: aCodec.optional(),
  maxTries: z.number().int().min(1).optional(),
  middleware: middlewareSchema.optional(),
})

/** Outcome of a call of `enqueue`. */
interface InlineOutcome {
  status: 'queued' | 'duplicate'
  job: InlineJob
}

/**
 * Opens a queue that needs no Redis: each `enqueue` runs its job at once, as a worker would, whatever its due time; tries
 * follow each other without a pause. Limits, unique keys, timeouts and lifetimes need `createTestQueue`.
 *
 * @throws OptionsError
 */
export function createInlineQueue(options: InlineQueueOptions): InlineQueue {
  return new InlineQueue(options)
}

/** A queue that runs each job as it is enqueued, without Redis. */
export class InlineQueue {
  /** Producer for the code under test. */
  readonly client: InlineClient
  readonly #tasks: ReadonlyMap<string, AnyTask>
  readonly #ctx: object
  readonly #maxTries: number
  readonly #middleware: readonly Middleware[]
  readonly #within: () => EnqueueWithin | undefined
  readonly #jobs = new Map<string, { job: TestJob; handle: InlineJob }>()

  /** @internal Use `createInlineQueue`. */
  constructor(options: InlineQueueOptions) {
    const {
      codec = clientDefaults.codec,
      ctx = {},
      maxTries = workerDefaults.maxTries,
      middleware = [],
      queueName = clientDefaults.queueName,
      tasks,
    } = checkOptions('createInlineQueue', schema, options)
    this.#tasks = new Map(tasks.map((task) => [task.name, task]))
    this.#ctx = ctx
    this.#maxTries = maxTries
    this.#middleware = middleware as readonly Middleware[]
    this.#within = enqueueWithin(this.#middleware)
    const enqueue = async (task: AnyContract | string, input?: unknown, given?: EnqueueOptions) => {
      const { job, status } = await this.#enqueue(task, input, given)
      return status === 'queued' ? job : null
    }
    this.client = {
      queueName,
      codec,
      enqueue: enqueue as unknown as InlineClient['enqueue'],
      enqueueMany: (async (items: readonly EnqueueItem<string>[]) => {
        const outcomes = []
        for (const item of items) outcomes.push(await this.#enqueue(...item).catch(failed))
        return outcomes
      }) as unknown as InlineClient['enqueueMany'],
    }
  }

  /** Every job that was enqueued, in that order, or those of one task. */
  enqueued(task?: AnyContract | string): TestJob[] {
    const name = task === undefined ? undefined : functionNameOf('enqueued', task)
    return [...this.#jobs.values()]
      .map(({ job }) => job)
      .filter((job) => name === undefined || job.functionName === name)
  }

  /**
   * Asserts that jobs of a task were enqueued, and returns them. `pattern` is any part of the handler's input.
   *
   * @throws AssertionError that shows, of each job of the task, why it does not fit.
   */
  expectEnqueued<T extends AnyContract | string>(
    task: T,
    pattern?: T extends AnyContract ? Pattern<InputOf<T>> : unknown,
    expected: Omit<ExpectedJob, 'dueInMs' | 'dueAt'> = {},
  ): TestJob[] {
    return expectIn(this.enqueued(), task, pattern, expected, Date.now())
  }

  /** Forgets every job. */
  reset(): void {
    this.#jobs.clear()
  }

  async #enqueue(task: AnyContract | string, input: unknown, options: EnqueueOptions = {}): Promise<InlineOutcome> {
    const within = this.#within()
    if (!within) return this.#send(task, input, options)
    const functionName = typeof task === 'string' ? task : task.name
    let outcome: InlineOutcome | undefined
    await within({ functionName, input, options }, async (given, metadata) => {
      outcome = await this.#send(task, input, given, metadata)
      return { status: outcome.status, job: outcome.job as unknown as Job }
    })
    return outcome!
  }

  async #send(
    task: AnyContract | string,
    input: unknown,
    options: EnqueueOptions,
    metadata?: Metadata,
  ): Promise<InlineOutcome> {
    checkEnqueueOptions(options)
    if (options.unique) throw new OptionsError('InlineQueue: `unique` needs Redis; use createTestQueue')
    const { jobId = randomUUID().replaceAll('-', ''), jobTry = 1, queueName = this.client.queueName } = options
    const contract = typeof task === 'string' ? undefined : task
    const codec = contract?.codec ?? this.client.codec
    const { args, kwargs } = packCall(task, input, options, codec)
    const functionName = contract?.name ?? (task as string)
    const nowMs = Date.now()
    const payload = payloadWith({ functionName, args, kwargs, enqueueTimeMs: nowMs }, codec, metadata)
    const known = this.#jobs.get(jobId)
    if (known) return { status: 'duplicate', job: known.handle }
    const job: TestJob = {
      jobId,
      functionName,
      queueName,
      input: Object.keys(kwargs).length === 0 ? args : args.length === 0 ? kwargs : { args, kwargs },
      state: 'begun',
      dueMs: nowMs,
    }
    let end!: (ended: { end: InlineEnd; tries: number }) => void
    const ended = new Promise<{ end: InlineEnd; tries: number }>((resolve) => (end = resolve))
    const handle = new InlineJob({ jobId, queueName, functionName, args, kwargs, enqueueTimeMs: nowMs, ended })
    this.#jobs.set(jobId, { job, handle })
    end(await this.#run(payload, job, jobTry))
    return { status: 'queued', job: handle }
  }

  /** Tries a job until it has ended, by the rules of a worker. */
  async #run(payload: Uint8Array, job: TestJob, firstTry: number): Promise<{ end: InlineEnd; tries: number }> {
    const rules = { ...RULES, maxTries: this.#maxTries }
    for (let jobTry = firstTry; ; jobTry++) {
      const failed = (error: unknown) => ({ end: { error }, tries: jobTry })
      const admission = admit({ payload, jobTry, abortAskedMs: null }, (name) => this.#tasks.get(name), rules)
      if (admission.kind !== 'run')
        return failed(admission.kind === 'fail' ? admission.error : new JobFailedError('the job was handed back'))
      const { task } = admission
      const running = {
        jobId: job.jobId,
        queueName: job.queueName,
        jobTry,
        ctx: this.#ctx,
        client: this.client as never,
        middleware: this.#middleware,
        rules,
      }
      const { ending } = await tryPayload(
        { ...task, handler: (ctx, ...args) => this.#begin(task, job, args, () => task.handler(ctx, ...args)) },
        payload,
        running,
      )
      if (ending.kind === 'finish')
        return ending.success ? { end: { value: ending.value }, tries: jobTry } : failed(ending.error)
      if (ending.kind === 'release') return failed(new JobAbortedError('the job was cancelled'))
    }
  }

  #begin(task: AnyTask, job: TestJob, args: readonly unknown[], run: () => unknown): unknown {
    job.input = task.params === undefined ? args : args[0]
    return run()
  }
}

function failed(error: unknown): { status: 'failed'; error: Error } {
  return { status: 'failed', error: asError(error) }
}
