import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Client, defineTask, Worker } from '../../src/index.ts'
import type { WorkerParts } from '../../src/worker/assembly.ts'
import { next, silent, useHarness } from './support.ts'

const tasks = [
  defineTask({
    name: 'until_aborted',
    handler: (ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
  }),
]

/** From here on the clock of this machine is this much ahead. */
function skewClock(aheadMs: number): void {
  const real = Date.now.bind(Date)
  vi.spyOn(Date, 'now').mockImplementation(() => real() + aheadMs)
}

describe('a client that only asks, with its own clock ten minutes ahead,', () => {
  const bench = useHarness()
  afterEach(() => vi.restoreAllMocks())

  test('knows what is deferred', async () => {
    const job = await bench.client().enqueue('f', [], { deferByMs: 60_000 })
    skewClock(600_000)
    const fresh = () => bench.client()
    expect(await fresh().job(job!.jobId).status()).toBe('deferred')
    expect(await fresh().jobs.details(job!.jobId)).toMatchObject({ status: 'deferred' })
    expect(await fresh().queues.stats('arq:queue')).toMatchObject({ pending: 0, deferred: 1 })
    for await (const { status } of fresh().jobs.list({ queueNames: ['arq:queue'] })) expect(status).toBe('deferred')
  })

  test('sees the live workers, and takes none of their jobs for lost', async () => {
    const worker = await bench.worker({ tasks })
    const started = next(worker, 'jobStarted')
    await bench.client().enqueue('until_aborted')
    await started
    skewClock(600_000)
    expect(await bench.client().workers.list()).toHaveLength(1)
    expect((await bench.client().doctor.examine()).findings.map(({ check }) => check)).not.toContain('lost-in-progress')
  })

  test('finds dead letters by their true age', async () => {
    await bench.worker({ tasks: [defineTask({ name: 'bad', handler: () => Promise.reject(new Error('no')) })] })
    const job = await bench.client().enqueue('bad')
    await expect(job!.result({ timeoutMs: 5_000 })).rejects.toThrow('no')
    skewClock(600_000)
    expect(await bench.client().deadLetters.list({ limit: Infinity, olderThanMs: 300_000 })).toEqual([])
  })
})

describe('a worker whose Redis says that it is an hour later', () => {
  const bench = useHarness()
  const setAhead = (worker: Worker) => {
    const { link } = Worker.partsOf(worker) as WorkerParts
    link.clock.observe(Date.now() + 3_600_000, Date.now())
  }

  test('keeps the lease of a job that runs', async () => {
    const { redis } = bench.database()
    // It hears nothing of Redis but by its renewals.
    const quiet = {
      allowAbortJobs: false,
      pollDelayMs: 3_600_000,
      recorder: false,
      healthCheckIntervalMs: 3_600_000,
    } as const
    const worker = await bench.worker({ tasks, leaseMs: 1_000, ...quiet })
    const started = next<{ jobId: string }>(worker, 'jobStarted')
    await bench.client().enqueue('until_aborted')
    const { jobId } = await started
    setAhead(worker)
    const leaseEnd = () => redis.pexpiretime(`arq:in-progress:${jobId}`)
    const before = await leaseEnd()
    await eventually(async () => (await leaseEnd()) > before)
  })

  test('runs no job of its own a second time', async () => {
    const { redis } = bench.database()
    const worker = await bench.worker({ tasks, leaseMs: 60_000, pollDelayMs: 3_600_000 })
    const started = next<{ jobId: string }>(worker, 'jobStarted')
    const client = bench.client()
    await client.enqueue('until_aborted')
    const { jobId } = await started
    // As after that: the lease has lapsed, the job is due, and time is an hour later.
    await redis.del(`arq:in-progress:${jobId}`)
    await redis.zadd('arq:queue', 1, jobId)
    setAhead(worker)
    const other = next<{ jobId: string }>(worker, 'jobStarted')
    // More than a wake-up names: the worker looks at the whole queue.
    await client.enqueueMany(Array.from({ length: 17 }, () => ['until_aborted'] as const))
    expect((await other).jobId).not.toBe(jobId)
    expect(await redis.get(`arq:retry:${jobId}`)).toBe('1')
    expect(await redis.exists(`arq:in-progress:${jobId}`)).toBe(1)
  })
})

test('a client asks Redis for its time once', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  const client = new Client({ redis: server.url, logger: silent })
  try {
    await Promise.all([client.job('x').status(), client.workers.list(), client.queues.stats('q')])
    for (let i = 0; i < 10; i++) await client.job('x').status()
    expect(await redis.info('commandstats')).toContain('cmdstat_time:calls=1,')
    await client.enqueue('f')
    await client.queuedJobs()
    expect(await redis.info('commandstats')).toContain('cmdstat_time:calls=2,') // the script's own
  } finally {
    await client.close()
    redis.disconnect()
    await server.stop()
  }
})
