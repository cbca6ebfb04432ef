import { randomUUID } from 'node:crypto'
import { checkOptions, createLogger } from '@arq-ts/core'
import type { AnyTask, Client, CodecName, JobContext, Logger, Needs, ResultOf } from '@arq-ts/core'
import { decodeJob, decodeResult, encodeJob, encodeResult } from '@arq-ts/protocol/jobs'
import type { InputOf } from '@arq-ts/core'
import { z } from 'zod'
import { aCodec, aFunction, aLogger, aTask, fields } from './check.ts'
import { TestQueueError } from './errors.ts'

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
  /** Called with each piece of the result that the handler emits by `ctx.emit`. */
  onEmit?: (value: unknown) => void
  /** `ctx.log`. Default: silent. */
  logger?: Logger
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
  signal: z.instanceof(AbortSignal).optional(),
  client: z.custom<object>((value) => typeof value === 'object' && value !== null, 'Expected a client').optional(),
  onProgress: aFunction.optional(),
  onEmit: aFunction.optional(),
  logger: aLogger.optional(),
  ctx: fields.optional(),
})

/**
 * Runs a task once, without Redis, as a worker would: the call is written, read and bound to the parameters, the result is
 * written and read. What would not arrive fails here.
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
  const { ctx = {}, codec = task.codec ?? 'msgpack', jobTry = 1, ...job } = rest[0] ?? {}
  const nowMs = Date.now()
  const { args, kwargs } = task.pack(input as never, codec)
  const payload = encodeJob({ jobTry: null, functionName: task.name, args, kwargs, enqueueTimeMs: nowMs }, codec)
  return runPayload(task, payload, { ...job, ctx, jobTry }) as Promise<ResultOf<T>>
}

/** Setting in which a payload runs. */
export interface Running extends Omit<RunTaskOptions, 'codec' | 'jobTry'> {
  ctx: object
  jobTry: number
}

/** Runs the bytes of a job as a worker does, and gives the result as its producer reads it. */
export async function runPayload(task: AnyTask, payload: Uint8Array, running: Running): Promise<unknown> {
  const { jobId = randomUUID(), jobTry, queueName = 'arq:queue' } = running
  const { record, codec } = decodeJob(payload)
  const bound = await task.bind(record.args, record.kwargs)
  const ctx = contextOf({ ...running, jobId, queueName }, record)
  const returned = await task.handler(ctx, ...bound)
  const result = task.packResult ? await task.packResult(returned, codec) : returned
  const times = { startTimeMs: record.enqueueTimeMs, finishTimeMs: Date.now() }
  const bytes = encodeResult({ ...record, ...times, jobTry, success: true, result, queueName, jobId }, codec, payload)
  const arrived = decodeResult(bytes).record.result
  return task.unpack ? task.unpack(arrived) : arrived
}

function contextOf(
  running: Running & { jobId: string; queueName: string },
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
    emit: async (value: unknown) => onEmit?.(value),
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
