import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineTask, TaskQueueManager } from '../../src/index.ts'
import type { TaskQueueInput } from '../../src/index.ts'
import { next, silent, useHarness } from './support.ts'

const tasks = [
  defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
  defineTask({ name: 'bad', handler: () => Promise.reject(new Error('bad')) }),
  defineTask({
    name: 'until_aborted',
    handler: (ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
  }),
]

const bench = useHarness()
let manager: TaskQueueManager
let redis: Redis

async function open(settings: TaskQueueInput = {}): Promise<TaskQueueManager> {
  const { url } = bench.database()
  const opened = new TaskQueueManager(
    { redis_url: url, redis_database: Number(new URL(url).pathname.slice(1)), ...settings },
    { logger: silent },
  )
  await opened.initialize()
  return opened
}

beforeEach(async () => {
  manager = await open()
  redis = new Redis(bench.database().url)
})
afterEach(async () => {
  await manager.cleanup()
  redis.disconnect()
})

const worker = (options = {}) => bench.worker({ tasks, queueName: 'default', ...options })

describe('a manager', () => {
  test('says what to do when it is used before it is initialized', async () => {
    const early = new TaskQueueManager({}, { logger: silent })
    await expect(early.enqueue('echo')).rejects.toThrow('call `await manager.initialize()` first')
  })

  test('refuses settings by name', () => {
    expect(() => new TaskQueueManager({ max_job: 1 } as TaskQueueInput)).toThrow(
      'task_queue: Unknown option `max_job`, did you mean `max_jobs`?',
    )
  })

  test('connects once, however often it is initialized', async () => {
    const { url } = bench.database()
    const database = Number(new URL(url).pathname.slice(1))
    const twice = new TaskQueueManager({ redis_url: url, redis_database: database }, { logger: silent })
    await Promise.all([twice.initialize(), twice.initialize()])
    const { client } = twice
    await twice.initialize()
    expect(twice.client).toBe(client)
    await twice.cleanup()
    expect(() => twice.client).toThrow('initialize')
  })

  test('takes the database of the URL where no other is named', () => {
    expect(new TaskQueueManager({ redis_url: 'redis://localhost:6379/5' }).config.redis_database).toBe(5)
    expect(
      new TaskQueueManager({ redis_url: 'redis://localhost:6379/5', redis_database: 2 }).config.redis_database,
    ).toBe(2)
    expect(new TaskQueueManager({ redis_url: 'redis://localhost:6379' }).config.redis_database).toBe(1)
  })

  test('can be cleaned up and initialized anew', async () => {
    await manager.cleanup()
    await manager.initialize()
    expect(await manager.enqueue('echo', [1])).not.toBeNull()
  })
})

describe('retrying a job', () => {
  test('is not done while it is queued', async () => {
    const job = await manager.enqueue('echo', [1])
    expect(await manager.retryJob(job!.jobId)).toBe(false)
    await expect(manager.retryJob('nowhere')).rejects.toMatchObject({ code: 'ARQ_RESULT_NOT_FOUND' })
  })
})

describe('the status of a job', () => {
  test('reports everything at each stage', async () => {
    const job = await manager.enqueue('until_aborted', [1], { kwargs: { a: 2 }, delayMs: 60_000 })
    const id = job!.jobId
    expect(await manager.getJobStatus(id)).toMatchObject({
      status: 'deferred',
      queueName: 'default',
      functionName: 'until_aborted',
      args: [1],
      kwargs: { a: 2 },
      enqueueTime: expect.any(Date) as Date,
      dueTime: expect.any(Date) as Date,
      startTime: null,
      jobTry: 0,
      success: null,
    })
    await redis.zadd('default', 1, id)
    expect((await manager.getJobStatus(id)).status).toBe('queued')
    const running = await worker()
    await next(running, 'jobStarted')
    expect(await manager.getJobStatus(id)).toMatchObject({ status: 'running', jobTry: 1, dueTime: null })
    const finished = next(running, 'jobFinished')
    expect(await manager.cancelJob(id)).toBe(true)
    await finished
    expect(await manager.getJobStatus(id)).toMatchObject({
      status: 'aborted',
      success: false,
      startTime: expect.any(Date) as Date,
      finishTime: expect.any(Date) as Date,
      error: expect.stringContaining('aborted') as string,
      dead: false,
    })
  })

  test('finds a job in whichever queue it is', async () => {
    const job = await manager.enqueue('echo', ['x'], { queueName: 'high_priority' })
    expect(await manager.getJobStatus(job!.jobId)).toMatchObject({ status: 'queued', queueName: 'high_priority' })
    await worker({ queueName: 'high_priority' })
    expect(await job!.result({ timeoutMs: 5_000 })).toBe('x')
    expect(await manager.getJobStatus(job!.jobId)).toMatchObject({ status: 'complete', result: 'x', success: true })
  })

  test('of an unknown job is not_found', async () => {
    expect(await manager.getJobStatus('nobody')).toMatchObject({ status: 'not_found', functionName: null })
    expect(await manager.cancelJob('nobody')).toBe(false)
  })
})

describe('the numbers of a queue', () => {
  test('count jobs at every stage', async () => {
    const running = await worker({ maxJobs: 1 })
    const started = next(running, 'jobStarted')
    await manager.enqueue('until_aborted')
    await started
    await manager.enqueue('echo', [1])
    await manager.enqueue('echo', [2], { delayMs: 60_000 })
    expect(await manager.getQueueStats()).toMatchObject({
      queueName: 'default',
      pending: 1,
      deferred: 1,
      running: 1,
      complete: 0,
      workers: 1,
      exact: true,
      nextDue: expect.any(Date) as Date,
      oldestDue: expect.any(Date) as Date,
    })
  })

  test('count ends by outcome, and dead letters', async () => {
    const running = await worker()
    for (const [name, args] of [
      ['echo', [1]],
      ['echo', [2]],
      ['bad', []],
    ] as const) {
      const finished = next(running, 'jobFinished')
      await manager.enqueue(name, args)
      await finished
    }
    expect(await manager.getQueueStats()).toMatchObject({ pending: 0, complete: 2, failed: 1, dead: 1, python: null })
    expect(await manager.getQueueStats('other')).toMatchObject({ complete: 0, dead: 0 })
  })

  test("see what Python's workers do: running jobs stay due there, and their health line counts", async () => {
    for (const id of ['p1', 'p2', 'p3']) await manager.enqueue('echo', [id], { jobId: id })
    await redis.set('arq:in-progress:p1', '1')
    await redis.set('default:health-check', 'Nov-24 12:00:00 j_complete=5 j_failed=2 j_retried=0 j_ongoing=1 queued=3')
    expect(await manager.getQueueStats()).toMatchObject({
      pending: 2,
      running: 1,
      complete: 5,
      failed: 2,
      python: { ongoing: 1 },
    })
  })

  test('cost the same on a hundred thousand jobs as on twenty thousand, and say that not all were looked at', async () => {
    // Its commands are counted: no other test may use this server.
    const server = await RedisServer.start()
    const alone = new Redis(server.url)
    const counted = await open({ redis_url: server.url, redis_database: 0 })
    const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await alone.info('stats'))?.[1])
    const fill = async (count: number) => {
      const members = Array.from({ length: count }, (_, i) => [i < count / 2 ? i + 1 : 4e12 + i, `job${i}`]).flat()
      for (let from = 0; from < members.length; from += 10_000)
        await alone.zadd('default', ...members.slice(from, from + 10_000))
    }
    const cost = async (pending: number, deferred: number) => {
      const before = await commands()
      expect(await counted.getQueueStats()).toMatchObject({ pending, deferred, running: 1, exact: false })
      return (await commands()) - before
    }
    try {
      await alone.set('arq:in-progress:job3', '1')
      await fill(20_000)
      const small = await cost(9_999, 10_000)
      await fill(100_000)
      const large = await cost(49_999, 50_000)
      expect(large).toBeLessThan(1.1 * small)
      expect(large).toBeLessThan(600)
    } finally {
      await counted.cleanup()
      alone.disconnect()
      await server.stop()
    }
  })
})

describe('a paused queue', () => {
  test('starts no job until it is resumed', async () => {
    expect(await manager.pauseQueue()).toBe(true)
    expect(await manager.pauseQueue()).toBe(false)
    const running = await worker()
    const job = await manager.enqueue('echo', [1])
    const other = await manager.enqueue('echo', [2], { queueName: 'other' })
    await (await bench.worker({ tasks, queueName: 'other' }), other!.result({ timeoutMs: 5_000 }))
    expect(await manager.getQueueStats()).toMatchObject({ pending: 1, running: 0, paused: true })
    const started = next(running, 'jobStarted')
    expect(await manager.resumeQueue()).toBe(true)
    await started
    expect(await job!.result({ timeoutMs: 5_000 })).toBe(1)
    expect(await manager.resumeQueue()).toBe(false)
  })

  test('starts nothing that was set aside before the pause either', async () => {
    const running = await worker({ maxJobs: 1 })
    const started = next(running, 'jobStarted')
    await manager.enqueue('until_aborted', [], { jobId: 'first' })
    await started
    await manager.enqueue('echo', [1], { jobId: 'second' })
    await manager.pauseQueue()
    const finished = next(running, 'jobFinished')
    await manager.cancelJob('first')
    await finished
    await manager.enqueue('echo', [1], { queueName: 'other', jobId: 'third' })
    const there = await bench.worker({ tasks, queueName: 'other', burst: true })
    await there.run()
    expect((await manager.getJobStatus('second')).status).toBe('queued')
  })
})

describe('dead letters', () => {
  beforeEach(async () => {
    const running = await worker()
    for (const id of ['d1', 'd2', 'd3']) {
      const finished = next(running, 'jobFinished')
      await manager.enqueue(id === 'd3' ? 'nobody_has_it' : 'bad', [], { jobId: id })
      await finished
    }
    await running.stop()
  })

  test('are listed, and chosen by what they are', async () => {
    expect((await manager.listDeadLetters()).map((letter) => letter.jobId).sort()).toEqual(['d1', 'd2', 'd3'])
    const { deadLetters } = manager.client
    expect(await deadLetters.list({ functionName: 'bad' })).toHaveLength(2)
    expect(await deadLetters.list({ error: 'not found' })).toMatchObject([{ jobId: 'd3' }])
    expect(await deadLetters.list({ queueName: 'other' })).toEqual([])
    expect(await deadLetters.list({ olderThanMs: 60_000 })).toEqual([])
    expect(await deadLetters.list({ jobIds: ['d1', 'x'], functionName: 'bad' })).toHaveLength(1)
  })

  test('are retried, and name the reason of each that is not', async () => {
    await redis.hdel('arq:dead:d2', 'payload')
    expect(await manager.retryDeadLetters({ functionName: 'bad' })).toEqual({
      retried: 1,
      refused: [{ jobId: 'd2', error: expect.stringContaining('payload') as string }],
    })
    expect((await manager.getJobStatus('d1')).status).toBe('queued')
  })

  test('are purged', async () => {
    expect(await manager.purgeDeadLetters({ functionName: 'bad' })).toBe(2)
    expect(await manager.listDeadLetters()).toHaveLength(1)
    expect(await manager.getJobStatus('d3')).toMatchObject({
      dead: true,
      error: expect.stringContaining('not found') as string,
    })
  })

  test('are removed with their job', async () => {
    expect(await manager.client.jobs.remove('d3')).toBe('removed')
    expect(await manager.client.jobs.remove('d3')).toBe('absent')
    expect(await manager.getJobStatus('d3')).toMatchObject({ status: 'not_found', dead: false })
  })
})

describe('queues', () => {
  test('are found whoever made them', async () => {
    await manager.enqueue('echo', [])
    await manager.enqueue('echo', [], { queueName: 'python:queue' })
    await manager.pauseQueue('empty_but_paused')
    await redis.zadd('arq:abort', 1, 'x')
    for (const key of ['canary:history', 'app:canary:active', 'write-behind:dirty', 'app:write-behind:waiting'])
      await redis.zadd(key, 1, 'x')
    expect(await manager.client.queues.names()).toEqual({
      names: ['arq:queue', 'default', 'empty_but_paused', 'python:queue'],
      complete: true,
    })
  })

  test('are emptied but for what runs', async () => {
    const running = await worker({ maxJobs: 1 })
    const started = next(running, 'jobStarted')
    await manager.enqueue('until_aborted', [], { jobId: 'running' })
    await started
    for (let i = 0; i < 1_200; i++) void manager.enqueue('echo', [i], { delayMs: i % 2 ? 0 : 60_000 })
    await manager.enqueue('echo', [])
    expect(await manager.client.queues.purge('default', { all: true })).toBe(1_201)
    expect(await manager.getQueueStats()).toMatchObject({ pending: 0, deferred: 0, running: 1 })
    expect((await redis.keys('arq:job:*')).length).toBe(1)
    expect(await manager.client.jobs.remove('running')).toBe('running')
  })
})
