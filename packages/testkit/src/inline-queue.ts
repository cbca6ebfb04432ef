import { randomUUID } from 'node:crypto'
import { checkOptions, JobAbortedError, JobFailedError, OptionsError } from '@arq-ts/core'
import type { AnyContract, AnyTask, Client, CodecName, EnqueueItem, EnqueueOptions, InputOf } from '@arq-ts/core'
import { checkEnqueueOptions, packCall } from '@arq-ts/core/testing'
import { admit, asError, encodeJob, settle } from '@arq-ts/protocol/jobs'
import { z } from 'zod'
import { expectIn } from './assert/expect-enqueued.ts'
import type { ExpectedJob, Pattern } from './assert/expect-enqueued.ts'
import type { TestJob } from './assert/test-job.ts'
import { aCodec, aTask, fields, functionNameOf } from './check.ts'
import { InlineJob } from './inline-job.ts'
import type { InlineEnd } from './inline-job.ts'
import { runPayload } from './run-task.ts'

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
}

const schema = z.strictObject({
  tasks: z.array(aTask),
  ctx: fields.optional(),
  queueName: z.string().min(1).optional(),
  codec: aCodec.optional(),
  maxTries: z.number().int().min(1).optional(),
})

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
  readonly #jobs = new Map<string, TestJob>()

  /** @internal Use `createInlineQueue`. */
  constructor(options: InlineQueueOptions) {
    const {
      codec = 'msgpack',
      ctx = {},
      maxTries = 5,
      queueName = 'arq:queue',
      tasks,
    } = checkOptions('createInlineQueue', schema, options)
    this.#tasks = new Map(tasks.map((task) => [task.name, task]))
    this.#ctx = ctx
    this.#maxTries = maxTries
    const enqueue = (task: AnyContract | string, input?: unknown, given?: EnqueueOptions) =>
      this.#enqueue(task, input, given)
    this.client = {
      queueName,
      codec,
      enqueue: enqueue as unknown as InlineClient['enqueue'],
      enqueueMany: (async (items: readonly EnqueueItem<string>[]) => {
        const outcomes = []
        for (const item of items) outcomes.push(await outcomeOf(() => enqueue(...item)))
        return outcomes
      }) as unknown as InlineClient['enqueueMany'],
    }
  }

  /** Every job that was enqueued, in that order, or those of one task. */
  enqueued(task?: AnyContract | string): TestJob[] {
    const name = task === undefined ? undefined : functionNameOf('enqueued', task)
    return [...this.#jobs.values()].filter((job) => name === undefined || job.functionName === name)
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

  async #enqueue(task: AnyContract | string, input: unknown, options: EnqueueOptions = {}): Promise<InlineJob | null> {
    checkEnqueueOptions(options)
    if (options.unique) throw new OptionsError('InlineQueue: `unique` needs Redis; use createTestQueue')
    const { jobId = randomUUID().replaceAll('-', ''), jobTry = 1, queueName = this.client.queueName } = options
    const contract = typeof task === 'string' ? undefined : task
    const codec = contract?.codec ?? this.client.codec
    const { args, kwargs } = packCall(task, input, options, codec)
    const functionName = contract?.name ?? (task as string)
    const nowMs = Date.now()
    const payload = encodeJob({ jobTry: null, functionName, args, kwargs, enqueueTimeMs: nowMs }, codec)
    if (this.#jobs.has(jobId)) return null
    const job: TestJob = {
      jobId,
      functionName,
      queueName,
      input: Object.keys(kwargs).length === 0 ? args : args.length === 0 ? kwargs : { args, kwargs },
      state: 'begun',
      dueMs: nowMs,
    }
    this.#jobs.set(jobId, job)
    const { end, tries } = await this.#run(payload, job, jobTry)
    return new InlineJob({ jobId, queueName, functionName, args, kwargs, enqueueTimeMs: nowMs, tries, end })
  }

  /** Tries a job until it has ended, by the rules of a worker. */
  async #run(payload: Uint8Array, job: TestJob, firstTry: number): Promise<{ end: InlineEnd; tries: number }> {
    const rules = {
      maxTries: this.#maxTries,
      retryJobs: true,
      retry: undefined,
      unknownFunction: 'fail',
    } as const
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
      }
      const outcome = await runPayload(
        { ...task, handler: (ctx, ...args) => this.#begin(task, job, args, () => task.handler(ctx, ...args)) },
        payload,
        running,
      ).then(
        (value) => ({ kind: 'returned', value }) as const,
        (error: unknown) => ({ kind: 'threw', error: asError(error) }) as const,
      )
      const ending = settle(outcome, undefined, { jobTry, task, timeoutMs: Infinity }, rules, 0.5)
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

async function outcomeOf(enqueue: () => Promise<InlineJob | null>) {
  try {
    const job = await enqueue()
    return job ? { status: 'queued' as const, job } : { status: 'duplicate' as const }
  } catch (error) {
    return { status: 'failed' as const, error: asError(error) }
  }
}
