import { setImmediate } from 'node:timers/promises'
import { eventually } from '@arq-ts/test-support'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { hostileThrown } from '../../../protocol/test/support/hostile-thrown.ts'
import { createLogger, defineTask, Worker } from '../../src/index.ts'
import type { Logger, WorkerOptions } from '../../src/index.ts'
import { collectStrayErrors } from '../support/stray-errors.ts'
import { useHarness } from './support.ts'

const SEPARATOR = '|'
const KINDS = Object.keys(hostileThrown)
/** One in this many values is tried at each place, another one with each place and logger; `ARQ_TEST_MATRIX=all` tries all. */
const SHARE = process.env.ARQ_TEST_MATRIX === 'all' ? 1 : 12
const SEED = Number(process.env.ARQ_TEST_SEED ?? 0)

function kindsFor(place: number): string[] {
  return KINDS.filter((kind, i) => kind === 'a revoked Proxy' || (i + place + SEED) % SHARE === 0)
}

/** Throws what the id of a job names, where the id names this place. */
function throwAt(place: string, jobId: string): void {
  const [at, kind] = jobId.split(SEPARATOR)
  if (at === place) throw hostileThrown[kind!]!()
}

async function rejectAt(place: string, jobId: string): Promise<void> {
  await setImmediate()
  throwAt(place, jobId)
}

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })
/** Functions of the user's that a worker calls about a job, each with the task whose jobs come there. */
const places = {
  'a handler': 'plain',
  'a handler that is async': 'plain',
  'a middleware around the run': 'plain',
  'a middleware after the run': 'plain',
  'a middleware that observes': 'plain',
  'a middleware that observes the end': 'plain',
  'onJobStart': 'plain', // prettier-ignore
  'onJobEnd': 'plain', // prettier-ignore
  'afterJobEnd': 'plain', // prettier-ignore
  'a listener of an event': 'plain',
  'a listener of an event that is async': 'plain',
  'the backoff of a retry policy': 'retried',
  'the key of a limit': 'limited',
  'the check of a parameter': 'checked',
  'the check of a result': 'returning',
  'the handler of a chunk': 'chunked',
  'a job of a chunk': 'chunked',
} as const

const tasks = [
  echo,
  defineTask({
    name: 'plain',
    handler: async (ctx) => {
      throwAt('a handler', ctx.jobId)
      await rejectAt('a handler that is async', ctx.jobId)
      return 'done'
    },
  }),
  defineTask({
    name: 'retried',
    maxTries: 2,
    retry: {
      delayMs: 1,
      backoff: (_failedTry, error) => (throwAt('the backoff of a retry policy', String((error as Error).message)), 1),
    },
    handler: (ctx) => Promise.reject(new Error(ctx.jobId)),
  }),
  defineTask({
    name: 'limited',
    limits: [
      { name: 'l', key: (...[jobId]: readonly unknown[]) => (throwAt('the key of a limit', String(jobId)), 'k') },
    ],
    handler: (_ctx, jobId: unknown) => jobId,
  }),
  defineTask({
    name: 'checked',
    params: z.object({ id: z.string().refine((id) => (throwAt('the check of a parameter', id), true)) }),
    handler: () => 1,
  }),
  defineTask({
    name: 'returning',
    returns: z.string().refine((id) => (throwAt('the check of a result', id), true)),
    handler: (ctx) => ctx.jobId,
  }),
  defineTask({
    name: 'chunked',
    params: z.object({}),
    chunk: { size: 20, waitMs: 1 },
    handler: (jobs) => {
      for (const job of jobs) {
        try {
          throwAt('a job of a chunk', job.jobId)
        } catch (error) {
          job.fail(error)
        }
      }
      for (const job of jobs) throwAt('the handler of a chunk', job.jobId)
    },
  }),
]

const options: Partial<WorkerOptions> = {
  onJobStart: (ctx) => throwAt('onJobStart', ctx.jobId),
  onJobEnd: (ctx) => rejectAt('onJobEnd', ctx.jobId),
  afterJobEnd: (ctx) => throwAt('afterJobEnd', ctx.jobId),
  middleware: [
    {
      isActive: () => {
        throw hostileThrown['a revoked Proxy']!()
      },
      run: async (ctx, next) => {
        throwAt('a middleware around the run', ctx.jobId)
        const result = await next()
        throwAt('a middleware after the run', ctx.jobId)
        return result
      },
      observe: ({ jobId }) => {
        throwAt('a middleware that observes', jobId)
        return () => throwAt('a middleware that observes the end', jobId)
      },
    },
  ],
}

/** Errors that nobody caught: each would have ended the process. */
const stray = collectStrayErrors(() => 'an error')

const nowhere = { write: () => true } as never
const refuse = () => {
  throw hostileThrown['a revoked Proxy']!()
}
const loggers: Record<string, () => Logger> = {
  'a logger of ours': () => createLogger({ level: 'trace', destination: nowhere }),
  'a plain pino': () => pino({ level: 'trace' }, nowhere),
  'a logger that throws at each line': () => {
    const log = pino({ level: 'trace' }, nowhere)
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((level) => [level, refuse] as const)
    return Object.assign(Object.create(log) as Logger, Object.fromEntries(levels), { isLevelEnabled: refuse })
  },
}

describe('a worker outlives whatever its user throws, and settles each job,', () => {
  const bench = useHarness()

  test.each(Object.entries(loggers))('with %s', { timeout: 180_000 }, async (name, makeLogger) => {
    const worker = await bench.worker({ tasks, maxJobs: 50, logger: makeLogger(), ...options })
    worker.on('jobStarted', ({ jobId }) => throwAt('a listener of an event', jobId))
    worker.on('jobFinished', (async ({ jobId }: { jobId: string }) =>
      rejectAt('a listener of an event that is async', jobId)) as never)
    const client = bench.client()
    const turn = Object.keys(loggers).indexOf(name)
    const calls = Object.entries(places).flatMap(([place, task], at) =>
      kindsFor(at + turn).map((kind) => {
        const jobId = `${place}${SEPARATOR}${kind}`
        const input = task === 'checked' ? { kwargs: { id: jobId } } : {}
        return [task, task === 'limited' ? [jobId] : [], { jobId, ...input }] as const
      }),
    )
    await client.enqueueMany(calls as never)
    const ended = await Promise.allSettled(
      calls.map(([, , { jobId }]) => client.job(jobId).result({ timeoutMs: 60_000 })),
    )
    for (const [i, end] of ended.entries()) {
      if (end.status === 'fulfilled') continue
      const { code } = end.reason as { code?: unknown }
      expect([end.reason instanceof Error, code === 'ARQ_TIMEOUT'], calls[i]![2].jobId).toEqual([true, false])
    }
    // An error thrown about a job, and not by it, leaves its result alone.
    const byPlace = (place: string) => ended.filter((_end, i) => calls[i]![2].jobId.startsWith(place + SEPARATOR))
    for (const place of ['a middleware that observes', 'onJobEnd', 'afterJobEnd', 'a listener of an event'])
      expect(byPlace(place)).toEqual(byPlace(place).map(() => ({ status: 'fulfilled', value: 'done' })))
    for (const place of ['a handler', 'the key of a limit', 'the handler of a chunk'])
      expect(byPlace(place).every(({ status }) => status === 'rejected')).toBe(true)
    expect(await (await client.enqueue(echo, [7]))!.result({ timeoutMs: 20_000 })).toBe(7)
    await eventually(() => worker.describe().running.length === 0)
    expect(stray).toEqual([])
  })
})

describe('the hooks of a worker’s own life', () => {
  const bench = useHarness()
  const base = { tasks: [echo], logger: loggers['a plain pino']!(), handleSignals: false }

  test.each(kindsFor(0))('end it where onStartup throws, and not where onShutdown does: %s', async (kind) => {
    const throwing = () => {
      throw hostileThrown[kind]!()
    }
    const redis = bench.database().url
    await new Worker({ ...base, redis, onStartup: throwing }).run().then(
      () => expect.unreachable(),
      () => {},
    )
    const worker = new Worker({ ...base, redis, burst: true, onShutdown: throwing })
    await worker.run()
    expect(stray).toEqual([])
  })
})
