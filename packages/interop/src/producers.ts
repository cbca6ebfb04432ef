import { isDeepStrictEqual } from 'node:util'
import {
  Client,
  createLogger,
  Decimal,
  JobAbortedError,
  JobFailedError,
  RemoteError,
  ResultNotFoundError,
  Uuid,
} from '@arq-ts/core'
import type { CodecName, EnqueueOptions } from '@arq-ts/core'
import type { Child } from '@arq-ts/test-support'
import { pythonScript } from './python.ts'

/** One value, as each language writes it. */
export interface Value {
  py: string
  ts: unknown
}

export interface Call {
  function: string
  args?: readonly Value[]
  kwargs?: Readonly<Record<string, Value>>
}

/** Options both languages have, in seconds as Python has them. */
export interface CallOptions {
  job_id?: string
  queue_name?: string
  defer_by?: number
  defer_until?: number
  expires?: number
  job_try?: number
}

/** End of a job, in words both languages share. */
export type Ended = { equal: boolean | null; repr: string } | { error: string; args: string[] }

/** Abilities of a producer of either language. */
export interface Producer {
  enqueue(call: Call, options?: CallOptions): Promise<string | null>
  result(id: string, expected?: Value, timeoutMs?: number, queue?: string): Promise<Ended>
  status(id: string, queue?: string): Promise<string>
  info(id: string): Promise<{ function: string; job_try: number | null; success: boolean | null } | null>
  abort(id: string, queue?: string): Promise<boolean>
  queued(queue?: string): Promise<string[]>
  results(): Promise<string[]>
  close(): Promise<void>
}

/** Python's also takes arguments as Python writes them. */
export interface PythonProducer extends Producer {
  enqueueSource(call: { function: string; args: string; kwargs: string }, options?: CallOptions): Promise<string | null>
}

export async function pythonProducer(interpreter: string, url: string, codec: CodecName): Promise<PythonProducer> {
  const child: Child = pythonScript(interpreter, 'producer', { url, codec })
  await child.line(/"ready"/)
  let requests = 0
  const ask = async (command: string, fields: object): Promise<never> => {
    const request = ++requests
    child.write(JSON.stringify({ command, request, ...fields }))
    const line = await child.line(new RegExp(`^\\{"id": ${request},`), { timeoutMs: 30_000 })
    const { answer, failure } = JSON.parse(line) as { answer: never; failure?: string }
    if (failure !== undefined) throw new Error(failure)
    return answer
  }
  return {
    enqueueSource: (call, options = {}) => ask('enqueue', { ...call, options }),
    enqueue: (call, options = {}) =>
      ask('enqueue', {
        function: call.function,
        args: `[${(call.args ?? []).map((value) => value.py).join(', ')}]`,
        kwargs: `{${Object.entries(call.kwargs ?? {})
          .map(([key, value]) => `'${key}': ${value.py}`)
          .join(', ')}}`,
        options,
      }),
    result: (id, expected, timeoutMs = 15_000, queue) =>
      ask('result', {
        id,
        timeout: timeoutMs / 1000,
        ...(queue ? { queue } : {}),
        ...(expected ? { expected: expected.py } : {}),
      }),
    status: (id, queue) => ask('status', { id, ...(queue ? { queue } : {}) }),
    info: (id) => ask('info', { id }),
    abort: (id, queue) => ask('abort', { id, ...(queue ? { queue } : {}) }),
    queued: (queue) => ask('queued', queue ? { queue } : {}),
    results: () => ask('results', {}),
    close: async () => {
      await child.stop()
    },
  }
}

export async function typescriptProducer(url: string, codec: CodecName): Promise<Producer> {
  const client = new Client({ redis: url, codec, logger: createLogger({ level: 'error' }) })
  const job = (id: string, queue?: string) => client.job(id, queue ? { queueName: queue } : {})
  return {
    async enqueue(call, options = {}) {
      const { job_id, queue_name, defer_by, defer_until, expires, job_try } = options
      const given: Record<Exclude<keyof EnqueueOptions, 'headStartMs' | 'unique'>, unknown> = {
        jobId: job_id,
        queueName: queue_name,
        deferByMs: defer_by && defer_by * 1000,
        deferUntil: defer_until && defer_until * 1000,
        expiresMs: expires && expires * 1000,
        jobTry: job_try,
        kwargs: Object.fromEntries(Object.entries(call.kwargs ?? {}).map(([key, value]) => [key, value.ts])),
      }
      const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
      return (
        (
          await client.enqueue(
            call.function,
            (call.args ?? []).map((value) => value.ts),
            known,
          )
        )?.jobId ?? null
      )
    },
    async result(id, expected, timeoutMs = 15_000, queue) {
      try {
        const value = await job(id, queue).result({ timeoutMs })
        return {
          equal: expected ? isDeepStrictEqual(plain(value), plain(expected.ts)) : null,
          repr: String(JSON.stringify(plain(value))),
        }
      } catch (error) {
        return inPythonsWords(error)
      }
    },
    status: (id, queue) => job(id, queue).status(),
    async info(id) {
      const known = await job(id).info()
      return (
        known && {
          function: known.functionName,
          job_try: known.jobTry,
          success: 'success' in known ? known.success : null,
        }
      )
    },
    abort: (id, queue) => job(id, queue).abort({ timeoutMs: 15_000 }),
    queued: async (queue) =>
      (await client.queuedJobs(queue ? { queueName: queue } : {})).map((entry) => entry.jobId).sort(),
    results: async () => (await client.allJobResults()).map((entry) => entry.jobId).sort(),
    close: () => client.close(),
  }
}

function inPythonsWords(error: unknown): Ended {
  if (error instanceof RemoteError) return { error: error.pythonType, args: error.args.map(String) }
  if (error instanceof JobAbortedError) return { error: 'asyncio.exceptions.CancelledError', args: [] }
  if (error instanceof ResultNotFoundError) return { error: 'arq.jobs.ResultNotFound', args: [error.message] }
  if (error instanceof JobFailedError) {
    return {
      error: error.cause instanceof RemoteError ? error.cause.pythonType : 'arq.jobs.SerializationError',
      args: [error.message],
    }
  }
  throw error
}

/** Arrays, dates and strings without the classes that carry Python's finer kinds. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Decimal || value instanceof Uuid) return value.text
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (value instanceof Set) return [...value].map((item) => String(plain(item))).sort((a, b) => a.localeCompare(b))
  if (value instanceof Map) return [...value].map(([key, item]) => [plain(key), plain(item)])
  if (Array.isArray(value)) return Array.from(value, plain)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
  return typeof value === 'bigint' ? `${value}n` : value
}
