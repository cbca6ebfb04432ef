import { randomUUID } from 'node:crypto'
import { checkOptions, createLogger, EncodeError, workerDefaults } from '@arq-ts/core'
import type {
  AnyTask,
  Attempt,
  Client,
  CodecName,
  Job,
  JobContext,
  Logger,
  Middleware,
  Needs,
  ResultOf,
} from '@arq-ts/core'
import {
  attemptEndOf,
  enqueueWithin,
  handlerWithin,
  metadataIn,
  middlewareSchema,
  observerOf,
} from '@arq-ts/core/testing'
import type { Metadata } from '@arq-ts/core/testing'
import { asError } from '@arq-ts/protocol/errors'
import { decodeJob, decodeResult, encodeJob, encodeResult, settle } from '@arq-ts/protocol/jobs'
import type { Ending, WorkerRules } from '@arq-ts/protocol/jobs'
import type { InputOf } from '@arq-ts/core'
import { z } from 'zod'
import { aCodec, aFunction, aLogger, aSignal, aTask, fields } from './check.ts'
import { TestQueueError } from './errors.ts'
import { InlineJob } from './inline-job.ts'
import type { InlineEnd } from './inline-job.ts'

/** Fields that a task's handler needs in its context in addition to the job's own. */
export type NeedsOf<T> = T extends Needs<infer Extra> ? Extra : Record<never, never>

/** The job that a task is run as. */
export interface RunTaskOptions {
  /** Codec of the call and its result. Default: the task's own codec, else `msgpack`, as a client's. */
  codec?: CodecName
  /** The job's id. Default: a new one. */
  jobId?: string
  /** The try, from 1. Default 1. */
  jobTry?: number
  /** The queue the handler sees. Default `arq:queue`. */
  queueName?: string
  /** The signal the handler sees; abort it as a timeout or an abort would. Default: one that never fires. */
  signal?: AbortSignal
  /** The client the handler enqueues by. Default: none, and a handler that uses it fails. */
  client?: Pick<Client, 'enqueue' | 'enqueueMany'>
  /** Hears `ctx.progress(…)`. Default: nobody. */
  onProgress?: (fraction: number, message?: string) => void
  /** Called with each piece of the result that the handler emits by `ctx.emit`, as a reader gets it. */
  onEmit?: (value: unknown) => void
  /** `ctx.log`. Default: silent. */
  logger?: Logger
  /** Middleware around the call, as in a client, and around the handler, as in a worker. Default none. */
  middleware?: readonly Middleware[]
}

/** Options of `runTask`; `ctx` is there where the handler needs more of its context than the job's own fields. */
export type RunTaskRest<T> =
  Record<never, never> extends NeedsOf<T>
    ? [options?: RunTaskOptions & { ctx?: NeedsOf<T> }]
    : [options: RunTaskOptions & { ctx: NeedsOf<T> }]

const taskSchema = z.strictObject({ task: aTask })
const optionsSchema = z.strictObject({
  codec: aCodec.optional(),
  jobId: z.string().min(1).optional(),
  jobTry: z.number().int().min(1).optional(),
  queueName: z.string().min(1).optional(),
  signal: aSignal.optional(),
  client: z.custom<object>((value) => typeof value === 'object' && value !== null, 'Expected a client').optional(),
  onProgress: aFunction.optional(),
  onEmit: aFunction.optional(),
  logger: aLogger.optional(),
  ctx: fields.optional(),
  middleware: middlewareSchema.optional(),
})

/**
 * Runs a task once, without Redis, as a worker would: the call is written, read and bound to the parameters, the result is
 * written and read. A value that would not arrive fails here.
 *
 * ```ts
 * expect(await runTask(resize, { path: 'a.png' })).toEqual({ path: 'a.png', width: 800 })
 * ```
 *
 * @throws OptionsError; ArgumentsError when the input does not fit the task, EncodeError when the codec has no form for it, ResultError
 *   when the result does not fit `returns`; and whatever the handler throws, `Retry` included.
 */
export async function runTask<T extends AnyTask>(
  task: T,
  input: InputOf<T>,
  ...rest: RunTaskRest<T>
): Promise<ResultOf<T>> {
  checkOptions('runTask', taskSchema, { task })
  if (rest[0] !== undefined) checkOptions('runTask', optionsSchema, rest[0])
  const { ctx = {}, codec = task.codec ?? 'msgpack', jobTry = 1, middleware = [], ...job } = rest[0] ?? {}
  const { jobId = randomUUID(), queueName = 'arq:queue' } = job
  const enqueueTimeMs = Date.now()
  const run = (metadata?: Metadata) => {
    const { args, kwargs } = task.pack(input as never, codec)
    const payload = payloadWith({ functionName: task.name, args, kwargs, enqueueTimeMs }, codec, metadata)
    const running = { ...job, jobId, queueName, ctx, jobTry, middleware, rules: RULES }
    const result = tryPayload(task, payload, running).then((tried) => {
      if ('thrown' in tried) throw tried.thrown
      return tried.value as ResultOf<T>
    })
    return { args, kwargs, result }
  }
  const within = enqueueWithin(middleware)()
  if (!within) return run().result
  let result: Promise<ResultOf<T>> | undefined
  await within({ functionName: task.name, input, options: undefined }, async (_, metadata) => {
    const { args, kwargs, ...running } = run(metadata)
    result = running.result
    const ended = result.then(
      (value): { end: InlineEnd; tries: number } => ({ end: { value }, tries: jobTry }),
      (error: unknown) => ({ end: { error }, tries: jobTry }),
    )
    const fields = { jobId, queueName, functionName: task.name, args, kwargs, enqueueTimeMs, ended }
    return { status: 'queued', job: new InlineJob(fields) as unknown as Job }
  })
  return result as Promise<ResultOf<T>>
}

/** The bytes of a job, with the metadata that middleware has added. */
export function payloadWith(
  call: Omit<Parameters<typeof encodeJob>[0], 'jobTry'>,
  codec: CodecName,
  metadata: Metadata | undefined,
): Uint8Array {
  return encodeJob({ ...call, jobTry: null, ...(metadata && { mark: { metadata } }) }, codec)
}

/** Rules of a worker without options. */
export const RULES: WorkerRules = {
  maxTries: workerDefaults.maxTries,
  retryJobs: true,
  retry: undefined,
  unknownFunction: 'fail',
}

/** Setting in which a payload runs. */
export interface Running extends Omit<RunTaskOptions, 'codec' | 'jobTry' | 'jobId' | 'queueName'> {
  jobId: string
  queueName: string
  ctx: object
  jobTry: number
  rules: WorkerRules
}

/** The outcome of a try, and how it ends by the rules of a worker. */
export type Tried = ({ value: unknown } | { thrown: unknown }) & { ending: Ending }

/** Tries the bytes of a job as a worker does; the value is the result as its producer reads it. */
export async function tryPayload(task: AnyTask, payload: Uint8Array, running: Running): Promise<Tried> {
  const { jobTry, middleware = [], rules } = running
  const startedMs = Date.now()
  const onEnd = observerOf(middleware, RETHROWING)({ payload, running, startedMs }, attemptOf)
  const tried = await runPayload(task, payload, running).then(
    (value) => ({ value }),
    (thrown: unknown) => ({ thrown }),
  )
  const outcome =
    'thrown' in tried
      ? ({ kind: 'threw', error: asError(tried.thrown) } as const)
      : ({ kind: 'returned', value: tried.value } as const)
  const ending = settle(outcome, undefined, { jobTry, task, timeoutMs: Infinity }, rules, 0.5)
  onEnd?.(attemptEndOf(ending, Date.now() - startedMs))
  return { ...tried, ending }
}

/** An error of middleware that observes is one of the test. */
const RETHROWING = {
  error({ err }: { err: unknown }): never {
    throw err
  },
}

function attemptOf(tried: { payload: Uint8Array; running: Running; startedMs: number }): Attempt {
  const { payload, running, startedMs } = tried
  const { jobId, jobTry, queueName } = running
  const { record } = decodeJob(payload)
  const { args, enqueueTimeMs, functionName, kwargs, mark } = record
  const job = { jobId, functionName, queueName, jobTry, isCron: false, args, kwargs, metadata: metadataIn(mark) }
  return { ...job, enqueueTimeMs, dueMs: enqueueTimeMs, startedMs }
}

/** Runs the bytes of a job as a worker does, and gives the result as its producer reads it. */
async function runPayload(task: AnyTask, payload: Uint8Array, running: Running): Promise<unknown> {
  const { jobId, jobTry, queueName } = running
  const { record, codec } = decodeJob(payload)
  const bound = await task.bind(record.args, record.kwargs)
  const ctx = contextOf(task, running, record)
  const handler = handlerWithin(running.middleware ?? [], () => true)({ record, task })
  const returned = await handler(ctx, ...bound)
  const result = task.packResult ? await task.packResult(returned, codec) : returned
  const times = { startTimeMs: record.enqueueTimeMs, finishTimeMs: Date.now() }
  const bytes = encodeResult({ ...record, ...times, jobTry, success: true, result, queueName, jobId }, codec, payload)
  const arrived = decodeResult(bytes).record.result
  return task.unpack ? task.unpack(arrived) : arrived
}

/** A piece as it arrives at a reader. @throws ResultError, EncodeError */
async function emit(task: AnyTask, value: unknown, onEmit: RunTaskOptions['onEmit']): Promise<void> {
  const packed = task.packEmitted ? await task.packEmitted(value) : value
  let json: string | undefined
  try {
    json = JSON.stringify(packed ?? null)
  } catch (error) {
    throw new EncodeError(`ctx.emit: JSON cannot write the value: ${asError(error).message}`)
  }
  if (json === undefined) throw new EncodeError(`ctx.emit: JSON cannot write a ${typeof packed}`)
  const arrived: unknown = JSON.parse(json)
  onEmit?.(task.unpackEmitted ? await task.unpackEmitted(arrived) : arrived)
}

function contextOf(
  task: AnyTask,
  running: Running,
  record: { enqueueTimeMs: number; kwargs: Readonly<Record<string, unknown>> },
): JobContext {
  const { ctx, client, jobId, jobTry, logger, onEmit, onProgress, queueName, signal } = running
  const made = {
    ...ctx,
    jobId,
    jobTry,
    queueName,
    enqueueTime: new Date(record.enqueueTimeMs),
    score: record.enqueueTimeMs,
    kwargs: record.kwargs,
    signal: signal ?? new AbortController().signal,
    log: logger ?? createLogger({ level: 'silent' }),
    emit(value: unknown) {
      const emitted = emit(task, value, onEmit)
      emitted.catch(() => {}) // the handler's to await, as on a worker
      return emitted
    },
    progress: (fraction: number, message?: string) => onProgress?.(fraction, message),
    client,
  }
  // As on a worker, a copy of the context leaves it out: only a handler that uses it is refused.
  return Object.defineProperty(made, 'flow', {
    get(): never {
      throw new TestQueueError('a task that runs without Redis is in no flow: use createTestQueue')
    },
  }) as unknown as JobContext
}
