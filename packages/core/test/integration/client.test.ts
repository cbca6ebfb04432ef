import { freePort, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { decodeJob } from '@arq-ts/protocol'
import { Client, defineTask } from '../../src/index.ts'
import type { Job } from '../../src/index.ts'
import { silent, useHarness } from './support.ts'

const resize = defineTask({
  name: 'resize_image',
  params: z.object({ path: z.string(), width: z.number().int().default(800) }),
  handler: async (_ctx, { path, width }) => ({ path, width, ok: true }),
})

describe('enqueue', () => {
  const bench = useHarness()

  test('writes what arq writes: job, score, and a day more than the deferral to live', async () => {
    const { redis } = bench.database()
    const job = await bench.client().enqueue('f', [1], { deferByMs: 5_000, kwargs: { a: 2 }, jobTry: 3 })
    const id = job?.jobId as string
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    const { record, codec } = decodeJob((await redis.getBuffer(`arq:job:${id}`)) as Buffer)
    expect(codec).toBe('msgpack')
    expect(record).toMatchObject({ functionName: 'f', args: [1], kwargs: { a: 2 }, jobTry: 3 })
    const score = Number(await redis.zscore('arq:queue', id))
    expect(Math.abs(score - record.enqueueTimeMs - 5_000)).toBeLessThan(1_000)
    const ttl = await redis.pttl(`arq:job:${id}`)
    expect(ttl).toBeGreaterThan(86_400_000)
    expect(ttl).toBeLessThanOrEqual(86_405_000)
  })

  test('makes one of many calls with one id the only one', async () => {
    const client = bench.client()
    const jobs = await Promise.all(Array.from({ length: 20 }, () => client.enqueue('f', [], { jobId: 'one' })))
    expect(jobs.filter((job) => job !== null)).toHaveLength(1)
  })

  test('takes one round trip, and one for all calls of a tick', async () => {
    const server = await RedisServer.start()
    const redis = new Redis(server.url)
    try {
      const client = bench.client({ redis: server.url })
      await client.enqueue('f', [])
      await redis.config('RESETSTAT')
      await Promise.all(Array.from({ length: 100 }, (_, i) => client.enqueue('f', [i])))
      expect(await redis.info('commandstats')).toContain('cmdstat_evalsha:calls=1,')
    } finally {
      redis.disconnect()
      await server.stop()
    }
  })

  test('refuses what the schema refuses, before anything is sent', async () => {
    const client = bench.client()
    await expect(client.enqueue(resize, { path: 3 as never })).rejects.toMatchObject({
      code: 'ARQ_ARGUMENTS',
      message: expect.stringContaining('`path`'),
    })
    await expect(client.enqueue(resize, {} as never)).rejects.toThrow(
      "resize_image() missing 1 required argument: 'path'",
    )
    expect(await bench.database().redis.dbsize()).toBe(0)
  })

  test('refuses options that exclude each other, and unknown ones with a suggestion', async () => {
    const client = bench.client()
    await expect(client.enqueue('f', [], { deferByMs: 1, deferUntil: new Date() })).rejects.toThrow(
      "use either 'deferUntil' or 'deferByMs'",
    )
    await expect(client.enqueue('f', [], { _job_id: 'x' } as never)).rejects.toThrow('did you mean `jobId`?')
    await expect(client.enqueue('f', { a: 1 } as never)).rejects.toThrow('expected the arguments as an array')
    await expect(client.enqueue(resize, { path: 'a' }, { kwargs: { width: 1 } })).rejects.toThrow(
      'put them into the input',
    )
    await expect(client.enqueue('f', [], { deferByMs: -1 })).rejects.toThrow(
      'Expected `deferByMs` to be at least 0, got `-1`',
    )
  })

  test('types inputs and results', () => {
    const client = null as unknown as import('../../src/index.ts').Client
    expectTypeOf(() => client.enqueue(resize, { path: 'a' })).returns.resolves.toEqualTypeOf<Job<{
      path: string
      width: number
      ok: boolean
    }> | null>()
    // @ts-expect-error width is a number
    expectTypeOf(() => client.enqueue(resize, { path: 'a', width: 'b' })).toBeFunction()
  })
})

describe('enqueueMany', () => {
  const bench = useHarness()

  test('gives each item its own outcome, in order', async () => {
    const outcomes = await bench.client().enqueueMany([
      [resize, { path: 'a.png' }],
      ['by_name', [1, 2], { jobId: 'same' }],
      ['by_name', [1, 2], { jobId: 'same' }],
      [resize, { path: 7 as never }],
    ])
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['queued', 'queued', 'duplicate', 'failed'])
    expect(await bench.database().redis.zcard('arq:queue')).toBe(2)
  })

  test('gives an item that is no array an error as its outcome', async () => {
    const outcomes = await bench.client().enqueueMany([['f', [1]], null, ['f', [2]]] as never)
    expect(outcomes).toMatchObject([
      { status: 'queued' },
      { status: 'failed', error: { code: 'ARQ_INVALID_OPTIONS', message: expect.stringContaining('items.1') } },
      { status: 'queued' },
    ])
  })

  test('answers for each item where Redis refuses one in the middle', async () => {
    const { redis } = bench.database()
    await redis.set('no-queue', 'a string')
    const items = [
      ['f', [1]],
      ['f', [2], { queueName: 'no-queue' }],
      ['f', [3]],
    ] as const
    const outcomes = await bench.client().enqueueMany(items as never)
    expect((outcomes as { status: string }[]).map(({ status }) => status)).toEqual(['queued', 'failed', 'queued'])
    expect(await redis.zcard('arq:queue')).toBe(2)
  })

  test('queues tens of thousands', async () => {
    const outcomes = await bench
      .client()
      .enqueueMany(Array.from({ length: 20_000 }, (_, i) => ['f', [i]] as const) as never)
    expect(outcomes).toHaveLength(20_000)
    expect(await bench.database().redis.zcard('arq:queue')).toBe(20_000)
  })
})

describe('close', () => {
  const bench = useHarness()

  test.each(['fresh', 'warm'])('sends what a %s client was just asked to', async (state) => {
    const { redis, url } = bench.database()
    const client = new Client({ redis: url, logger: silent })
    if (state === 'warm') await client.enqueue('f', [0])
    const before = await redis.zcard('arq:queue')
    const one = client.enqueue('f', [1])
    const many = client.enqueueMany([
      ['f', [2]],
      ['f', [3]],
    ])
    await client.close()
    expect(await redis.zcard('arq:queue')).toBe(before + 3)
    expect(await one).not.toBeNull()
    expect((await many).map(({ status }) => status)).toEqual(['queued', 'queued'])
  })

  test('refuses what comes later, however often it is called', async () => {
    const client = new Client({ redis: bench.database().url, logger: silent })
    const closing = [client.close(), client.close()]
    const closed = { code: 'ARQ_REDIS_UNAVAILABLE', message: expect.stringContaining('closed') as string }
    await expect(client.enqueue('f')).rejects.toMatchObject(closed)
    await expect(client.enqueueMany([['f']])).rejects.toMatchObject(closed)
    await Promise.all(closing)
    await expect(client.enqueue('f')).rejects.toMatchObject(closed)
    await client.close()
  })

  test('waits for an enqueue that Redis does not answer no longer than that waits itself', async () => {
    const client = new Client({ redis: `redis://127.0.0.1:${await freePort()}`, logger: silent, commandTimeoutMs: 300 })
    const sent = expect(client.enqueue('f')).rejects.toMatchObject({ code: 'ARQ_REDIS_UNAVAILABLE' })
    await client.close()
    await sent
  })
})

describe('a job handle', () => {
  const bench = useHarness()

  test('says that nothing is there to wait for', async () => {
    await expect(bench.client().job('nobody').result()).rejects.toMatchObject({ code: 'ARQ_RESULT_NOT_FOUND' })
    expect(await bench.client().job('nobody').info()).toBeNull()
    expect(await bench.client().job('nobody').abort()).toBe(false)
  })

  test('stops waiting after its timeout; the job continues', async () => {
    const job = await bench.client().enqueue('f', [])
    await expect(job?.result({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'ARQ_TIMEOUT' })
    expect(await job?.status()).toBe('queued')
  })

  test('hears of the end at once, long before the next poll', async () => {
    await bench.worker({ tasks: [defineTask({ name: 'f', handler: () => 'done' })] })
    const job = await bench.client().enqueue('f', [], { deferByMs: 200 })
    const heard = bench.database().redis.duplicate()
    expect(await job?.result({ timeoutMs: 5_000 })).toBe('done')
    heard.disconnect()
  })
})
