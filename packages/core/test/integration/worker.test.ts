import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { cron, defineTask, NonRetryableError, Retry, Worker } from '../../src/index.ts'
import type { JobContext } from '../../src/index.ts'
import { next, silent, useHarness } from './support.ts'

const echo = defineTask({ name: 'echo', handler: (_ctx: JobContext, value: unknown) => value })

describe('a worker', () => {
  const bench = useHarness()

  test('binds positional, keyword and mixed arguments as Python does', async () => {
    const area = defineTask({
      name: 'area',
      params: z.object({ w: z.number(), h: z.number().default(2) }),
      handler: (_ctx, { w, h }) => w * h,
    })
    await bench.worker({ tasks: [area] })
    const client = bench.client()
    const run = async (args: unknown[], kwargs = {}) =>
      (await client.enqueue('area', args, { kwargs }))?.result({ timeoutMs: 5_000 })
    expect(await run([3])).toBe(6)
    expect(await run([3, 4])).toBe(12)
    expect(await run([3], { h: 5 })).toBe(15)
    await expect(run([1, 2, 3])).rejects.toMatchObject({
      pythonType: 'builtins.TypeError',
      args: ['area() takes 2 positional arguments but 3 were given'],
    })
    await expect(run([1], { w: 2 })).rejects.toThrow("got multiple values for argument 'w'")
    await expect(run([], { x: 1 })).rejects.toThrow("unexpected keyword argument 'x'")
    await expect(run([])).rejects.toThrow("missing 1 required argument: 'w'")
  })

  test('gives handlers state, hooks their order, and the job its context', async () => {
    const seen: string[] = []
    const look = defineTask({
      name: 'look',
      handler: (ctx: JobContext<{ db: string }>, ...args: readonly unknown[]) => {
        seen.push('handler')
        return [
          ctx.db,
          ctx.jobTry,
          ctx.queueName,
          ctx.kwargs.k,
          args.length,
          ctx.enqueueTime instanceof Date,
          ctx.signal.aborted,
        ]
      },
    })
    const note = (name: string) => () => void seen.push(name)
    const worker = await bench.worker({
      tasks: [look],
      onStartup: (ctx) => {
        ctx.db = 'pool'
        seen.push('onStartup')
      },
      onShutdown: note('onShutdown'),
      onJobStart: note('onJobStart'),
      onJobEnd: note('onJobEnd'),
      afterJobEnd: note('afterJobEnd'),
    })
    const job = await bench.client().enqueue('look', [1, 2], { kwargs: { k: 'v' } })
    expect(await job?.result({ timeoutMs: 5_000 })).toEqual(['pool', 1, 'arq:queue', 'v', 2, true, false])
    await eventually(() => seen.includes('afterJobEnd'))
    await worker.stop()
    expect(seen).toEqual(['onStartup', 'onJobStart', 'handler', 'onJobEnd', 'afterJobEnd', 'onShutdown'])
  })

  test('fails a run whose onJobStart throws, logs other hooks, and continues', async () => {
    const broken = () => {
      throw new Error('hook')
    }
    await bench.worker({
      tasks: [echo],
      onJobStart: (ctx) => ctx.jobId === 'first' && broken(),
      onJobEnd: broken,
      afterJobEnd: broken,
    })
    const client = bench.client()
    await expect((await client.enqueue('echo', [1], { jobId: 'first' }))?.result({ timeoutMs: 5_000 })).rejects.toThrow(
      'hook',
    )
    expect(await (await client.enqueue('echo', [2]))?.result({ timeoutMs: 5_000 })).toBe(2)
  })

  test('settles whatever a handler returns or throws, and lives', async () => {
    const trap = () => {
      throw new Error('do not look at me')
    }
    const evil = new Proxy({}, { get: trap, ownKeys: trap, getPrototypeOf: trap, has: trap })
    const outcomes: Record<string, () => unknown> = {
      proxy: () => evil,
      getter: () => Object.defineProperty({}, 'x', { get: trap, enumerable: true }),
      'bad thenable': () => Object.defineProperty({}, 'then', { get: trap }),
      'thrown proxy': () => Promise.reject(evil),
      'error without words': () => Promise.reject(Object.defineProperty(new Error(), 'message', { get: trap })),
      symbol: () => Symbol('s'),
      null: () => Promise.reject(null),
    }
    await bench.worker({
      tasks: [defineTask({ name: 'odd', handler: (_ctx, kind: string) => outcomes[kind]?.() })],
      leaseMs: 60_000,
    })
    const client = bench.client()
    for (const kind of Object.keys(outcomes)) {
      const job = await client.enqueue('odd', [kind])
      await eventually(async () => (await job?.status()) === 'complete')
      expect(await job?.resultInfo(), kind).toMatchObject({ success: false })
    }
    expect(await bench.database().redis.zcard('arq:queue')).toBe(0)
  })

  test('retries every error by a policy, except non-retryable ones, and keeps the last as a dead letter', async () => {
    const runs: Record<string, number> = {}
    const flaky = defineTask({
      name: 'flaky',
      maxTries: 3,
      retry: { delayMs: 20, backoff: 'fixed' },
      handler: (_ctx, kind: string) => {
        runs[kind] = (runs[kind] ?? 0) + 1
        if (kind === 'never') throw new NonRetryableError('no use')
        throw new Error(`failure ${runs[kind]}`)
      },
    })
    await bench.worker({ tasks: [flaky] })
    const client = bench.client()
    await expect((await client.enqueue(flaky, ['always']))?.result({ timeoutMs: 5_000 })).rejects.toThrow('failure 3')
    await expect((await client.enqueue(flaky, ['never']))?.result({ timeoutMs: 5_000 })).rejects.toThrow('no use')
    expect(runs).toEqual({ always: 3, never: 1 })
    expect(await client.deadLetters.count()).toBe(2)
    const [last] = await client.deadLetters.list({ limit: 1 })
    expect(last).toMatchObject({
      functionName: 'flaky',
      queueName: 'arq:queue',
      error: 'NonRetryableError: no use',
      job: { args: ['never'] },
    })
  })

  test('retries a dead letter with its tries counted anew', async () => {
    let broken = true
    const fixed = defineTask({
      name: 'fixed',
      maxTries: 1,
      handler: (ctx) => {
        if (broken) throw new Error('broken')
        return ctx.jobTry
      },
    })
    await bench.worker({ tasks: [fixed] })
    const client = bench.client()
    const job = await client.enqueue(fixed, [])
    await expect(job?.result({ timeoutMs: 5_000 })).rejects.toThrow('broken')
    broken = false
    expect(await client.jobs.retry(job?.jobId as string)).toBe(true)
    expect(await job?.result({ timeoutMs: 5_000 })).toBe(1)
    expect(await client.deadLetters.count()).toBe(0)
    await expect(client.jobs.retry(job?.jobId as string)).rejects.toThrow('succeeded')
    await expect(client.jobs.retry('nobody')).rejects.toMatchObject({ code: 'ARQ_RESULT_NOT_FOUND' })
  })

  test('keeps dead letters within their bounds', async () => {
    const worker = await bench.worker({
      tasks: [defineTask({ name: 'bad', handler: () => Promise.reject(new Error('bad')) })],
      deadLetter: { maxCount: 5 },
    })
    const client = bench.client()
    const outcomes = await client.enqueueMany(Array.from({ length: 20 }, () => ['bad', []] as const) as never)
    for (const outcome of outcomes as { job: { result(): Promise<unknown> } }[])
      await outcome.job.result().catch(() => {})
    await eventually(async () => (await client.deadLetters.count()) === 5, { timeoutMs: 15_000 })
    expect((await bench.database().redis.keys('arq:dead:*')).length).toBe(5)
    await worker.stop()
    expect(await client.deadLetters.purge({ all: true })).toBe(5)
  })

  test('defers a retry past the end of the payload without losing the job', async () => {
    const late = defineTask({
      name: 'late',
      handler: (ctx) => {
        if (ctx.jobTry === 1) throw new Retry({ deferMs: 700 })
        return 'not lost'
      },
    })
    await bench.worker({ tasks: [late] })
    const job = await bench.client().enqueue('late', [], { expiresMs: 300 })
    expect(await job?.result({ timeoutMs: 5_000 })).toBe('not lost')
  })

  test('runs no more than maxJobs at a time', async () => {
    let running = 0
    let most = 0
    const count = defineTask({
      name: 'count',
      handler: async () => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 10))
        running--
      },
    })
    const client = bench.client()
    const worker = new Worker({
      redis: bench.database().url,
      tasks: [count],
      maxJobs: 3,
      burst: true,
      logger: silent,
      handleSignals: false,
    })
    await client.enqueueMany(Array.from({ length: 30 }, () => ['count', []] as const) as never)
    expect(await worker.runCheck()).toBe(30)
    expect(most).toBe(3)
  })

  test('ends a burst when the queue is empty, or at its limit; runCheck reports failures', async () => {
    const client = bench.client()
    const burst = (options = {}) =>
      new Worker({
        redis: bench.database().url,
        tasks: [echo],
        burst: true,
        pollDelayMs: 600_000, // a burst waits for the end of its jobs, not for a poll
        logger: silent,
        handleSignals: false,
        ...options,
      })
    await client.enqueueMany(Array.from({ length: 7 }, (_, i) => ['echo', [i]] as const) as never)
    expect(await burst({ maxBurstJobs: 3 }).runCheck()).toBe(3)
    expect(await bench.database().redis.zcard('arq:queue')).toBe(4)
    expect(await burst().runCheck()).toBe(4)
    await client.enqueue('nowhere', [])
    await expect(burst().runCheck()).rejects.toMatchObject({ code: 'ARQ_FAILED_JOBS', count: 1 })
  })

  test('serves several queues: strictly in order', async () => {
    const order: unknown[] = []
    const note = defineTask({ name: 'note', handler: (_ctx, value: unknown) => void order.push(value) })
    const client = bench.client()
    const past = Date.now() - 1_000
    for (let i = 0; i < 3; i++) await client.enqueue('note', [`low ${i}`], { queueName: 'low', deferUntil: past + i })
    for (let i = 0; i < 3; i++) await client.enqueue('note', [`high ${i}`], { queueName: 'high', deferUntil: past + i })
    await new Worker({
      redis: bench.database().url,
      tasks: [note],
      queues: ['high', 'low'],
      maxJobs: 1,
      burst: true,
      logger: silent,
      handleSignals: false,
    }).run()
    expect(order).toEqual(['high 0', 'high 1', 'high 2', 'low 0', 'low 1', 'low 2'])
  })

  test('picks up a deferred job when it is due, though it polls rarely', async () => {
    const worker = await bench.worker({ tasks: [echo], pollDelayMs: 30_000 })
    const started = next<{ waitMs: number }>(worker, 'jobStarted')
    await bench.client().enqueue('echo', [1], { deferByMs: 300 })
    expect((await started).waitMs).toBeLessThan(15_000)
  })

  test('hears of a foreign producer through keyspace events, where the server has them on', async () => {
    const { redis } = bench.database()
    await redis.config('SET', 'notify-keyspace-events', 'Kz')
    try {
      const worker = await bench.worker({ tasks: [echo], pollDelayMs: 30_000 })
      const { encodeJob } = await import('@arq-ts/protocol')
      const payload = encodeJob(
        { jobTry: null, functionName: 'echo', args: [1], kwargs: {}, enqueueTimeMs: Date.now() },
        'pickle',
      )
      const finished = next(worker, 'jobFinished')
      await redis.multi().psetex('arq:job:foreign', 60_000, payload).zadd('arq:queue', Date.now(), 'foreign').exec()
      await finished
      expect(await bench.client().job('foreign').result()).toBe(1)
    } finally {
      await redis.config('SET', 'notify-keyspace-events', '')
    }
  })

  test('keeps a registry entry that ends with it', async () => {
    const worker = await bench.worker({ tasks: [echo], name: 'one', maxJobs: 4 })
    const client = bench.client()
    expect(await client.workers.list()).toMatchObject([
      { id: worker.id, name: 'one', pid: process.pid, queues: ['arq:queue'], functions: ['echo'], maxJobs: 4 },
    ])
    expect(await client.workers.health('arq:queue')).toMatchObject({ complete: 0 })
    await worker.stop()
    expect(await client.workers.list()).toEqual([])
    expect(await client.workers.health('arq:queue')).toBeNull()
  })

  test('writes its health key again when a Python worker of the same queue has removed it', async () => {
    await bench.worker({ tasks: [echo] })
    const redis = new Redis(bench.database().url)
    await redis.del('arq:queue:health-check')
    await eventually(async () => (await redis.exists('arq:queue:health-check')) === 1)
    redis.disconnect()
  })

  test('gives back what it had set aside when a long job keeps its slot', async () => {
    const client = bench.client()
    const past = Date.now() - 10_000
    const item = (name: string, i: number) => [name, [], { jobId: `${name}-${i}`, deferUntil: past + i }] as const
    const fast = Array.from({ length: 300 }, (_, i) => item('fast', i))
    const behind = Array.from({ length: 50 }, (_, i) => item('behind', 301 + i))
    await client.enqueueMany([...fast, item('hold', 300), ...behind] as never)
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    const tasks = [
      defineTask({ name: 'fast', handler: () => null }),
      defineTask({ name: 'hold', handler: () => released }),
      defineTask({ name: 'behind', handler: () => null }),
    ]
    const held = bench.worker({ tasks, maxJobs: 1, pollDelayMs: 30_000 })
    const reachesHold = async () => (await client.job('hold-300').status()) === 'in_progress'
    await eventually(reachesHold, { timeoutMs: 25_000 })
    await held
    await bench.worker({ tasks, maxJobs: 1, pollDelayMs: 30_000 })
    for (const [, , { jobId }] of behind) await client.job(jobId).result({ timeoutMs: 10_000 })
    expect(await client.job('hold-300').status()).toBe('in_progress')
    release()
    await client.job('hold-300').result({ timeoutMs: 5_000 })
    expect(await bench.database().redis.zcard('arq:queue:reserved')).toBe(0)
  })

  test('leaves nothing set aside when it stops in the middle of a long queue', async () => {
    const client = bench.client()
    await client.enqueueMany(Array.from({ length: 3_000 }, () => ['fast', []] as const))
    let ran = 0
    let stop = () => {}
    const tasks = [defineTask({ name: 'fast', handler: () => void (++ran === 1_000 && stop()) })]
    const worker = await bench.worker({ tasks, maxJobs: 20 })
    await new Promise<void>((resolve) => (stop = () => void worker.stop().then(resolve)))
    const { redis } = bench.database()
    expect(await redis.zcard('arq:queue:reserved')).toBe(0)
    expect(await redis.zcard('arq:queue')).toBe(3_000 - ran)
  })

  test('looks past jobs that Python runs: they stay at the head of the queue', async () => {
    const { redis } = bench.database()
    const worker = await bench.worker({ tasks: [echo], pollDelayMs: 30_000, maxJobs: 2 })
    for (let i = 0; i < 300; i++) {
      await redis.zadd('arq:queue', i + 1, `theirs-${i}`)
      await redis.psetex(`arq:in-progress:theirs-${i}`, 60_000, '1')
    }
    const started = next<{ waitMs: number }>(worker, 'jobStarted')
    const job = await bench.client().enqueue('echo', ['behind them'])
    expect((await started).waitMs).toBeLessThan(15_000)
    expect(await job?.result({ timeoutMs: 5_000 })).toBe('behind them')
    // and Python finds them as it left them
    expect(await redis.zscore('arq:queue', 'theirs-7')).toBe('8')
    await redis.del('arq:queue')
  })

  test('stops while it waits for a Redis that is not there', async () => {
    const worker = new Worker({ redis: 'redis://127.0.0.1:1', tasks: [echo], logger: silent, handleSignals: false })
    const down = new Promise<void>((resolve) => worker.once('redisDown', () => resolve()))
    const running = worker.run()
    await down
    await worker.stop()
    await running
  })

  test('does not start when onStartup throws, and says so', async () => {
    const failing = new Worker({
      redis: bench.database().url,
      tasks: [echo],
      logger: silent,
      handleSignals: false,
      onStartup: () => Promise.reject(new Error('no database')),
    })
    await expect(failing.run()).rejects.toThrow('no database')
  })

  test('skips a tick of a cron job while the one before runs', async () => {
    let running = 0
    let most = 0
    const slow = cron(
      'cron:slow',
      '* * * * * *',
      async () => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1_700))
        running--
      },
      { overlap: 'skip' },
    )
    const worker = await bench.worker({ cron: [slow] })
    await next(worker, 'jobFinished')
    await next(worker, 'jobFinished')
    expect(most).toBe(1)
  })
})
