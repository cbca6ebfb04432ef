import { ArgumentsError, defineTask, OptionsError } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import { createTestQueue, TestQueueError } from '@arq-ts/testkit'
import type { TestQueue, TestQueueOptions } from '@arq-ts/testkit'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

let queue: TestQueue
let ran: string[]

const say = defineTask({
  name: 'say',
  params: z.object({ word: z.string(), loud: z.boolean().default(false) }),
  handler: async (_ctx, { word }) => void ran.push(word),
})
const follow = defineTask({
  name: 'follow',
  params: z.object({ words: z.array(z.string()) }),
  handler: async (ctx, { words: [word, ...rest] }) => {
    ran.push(word!)
    const next = rest.length > 0 ? await ctx.client.enqueue(follow, { words: rest }) : null
    await next?.result()
  },
})

async function open(options: TestQueueOptions = {}): Promise<TestQueue> {
  ran = []
  queue = await createTestQueue({ tasks: [say, follow], redis: process.env.ARQ_TEST_REDIS_URL!, ...options })
  return queue
}

afterEach(() => queue.close())

describe('drain', () => {
  test('runs nothing before it is called, then what is due and what follows from it', async () => {
    await open()
    await queue.client.enqueue(follow, { words: ['a', 'b', 'c'] })
    expect(ran).toEqual([])
    expect((await queue.drain()).ended).toHaveLength(3)
    expect(ran).toEqual(['a', 'b', 'c'])
    expect((await queue.drain()).ended).toEqual([])
  })

  test('does not reject when a job fails, and gives what its handler threw', async () => {
    const error = new TypeError('no such thing')
    const failing = defineTask({ name: 'failing', handler: () => Promise.reject(error) })
    await open({ tasks: [failing] })
    await queue.client.enqueue(failing, [])
    const { ended } = await queue.drain()
    expect(ended).toMatchObject([{ functionName: 'failing', outcome: 'failed', tries: 1 }])
    expect(ended[0]!.error).toBe(error)
  })

  test('fails a job whose arguments do not arrive, as a Python producer may send them', async () => {
    await open()
    await queue.client.enqueue('say', [], { kwargs: { word: 1 } })
    const { ended } = await queue.drain()
    expect(ended[0]!.error).toBeInstanceOf(ArgumentsError)
    expect(await queue.enqueued()).toEqual([])
  })

  test('reports jobs that are due and do not start', async () => {
    await open({ stuckAfterMs: 100 })
    const held = await queue.client.enqueue(say, { word: 'held' })
    const { redis } = await takeDatabase()
    // As a Python worker holds a job that it runs.
    const key = `${queue.connection.keyPrefix}arq:in-progress:${held!.jobId}`
    await redis.select(0)
    await redis.set(key, '1', 'PX', 60_000)
    const error = await queue.drain().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TestQueueError)
    expect((error as Error).message).toMatch(/^1 job is due in 'arq:queue' and did not start within 100 ms; /)
    redis.disconnect()
  })

  test('serves several queues, and the context of the worker reaches the handlers', async () => {
    const where = defineTask({
      name: 'where',
      handler: async (ctx: { queueName: string; who?: string }) => void ran.push(`${ctx.queueName} ${ctx.who}`),
    })
    await open({ tasks: [where], queues: ['first', 'second'], worker: { ctx: { who: 'me' } } })
    await queue.client.enqueue(where, [], { queueName: 'second' })
    await queue.client.enqueue(where, [])
    await queue.drain()
    expect(ran.sort()).toEqual(['first me', 'second me'])
  })
})

describe('inline mode', () => {
  test('returns from enqueue once the job, and what follows from it, has run', async () => {
    await open({ mode: 'inline' })
    const job = await queue.client.enqueue(follow, { words: ['a', 'b'] })
    expect(ran).toEqual(['a', 'b'])
    expect(await job!.status()).toBe('complete')
  })

  test('takes jobs that a handler enqueues by the same client, without waiting for itself', async () => {
    const outer = defineTask({
      name: 'outer',
      handler: async () => {
        await queue.client.enqueue(say, { word: 'inner' })
        ran.push('outer')
      },
    })
    await open({ mode: 'inline', tasks: [outer, say] })
    await queue.client.enqueue(outer, [])
    expect(ran).toEqual(['outer', 'inner'])
  })

  test('leaves deferred jobs to advance, and runs many', async () => {
    await open({ mode: 'inline' })
    await queue.client.enqueue(say, { word: 'later' }, { deferByMs: 1_000 })
    await queue.client.enqueueMany([
      [say, { word: 'x' }],
      [say, { word: 'y' }],
    ])
    expect(ran).toEqual(['x', 'y'])
    await queue.advance(1_000)
    expect(ran).toEqual(['x', 'y', 'later'])
  })
})

describe('expectEnqueued', () => {
  test('finds jobs by any part of their input, waiting or begun, and returns them', async () => {
    await open()
    await queue.client.enqueue(say, { word: 'a' })
    await queue.drain()
    await queue.client.enqueue(say, { word: 'b', loud: true }, { deferByMs: 5_000, jobId: 'bee', queueName: 'other' })
    expect(await queue.expectEnqueued(say)).toHaveLength(2)
    expect(await queue.expectEnqueued(say, { loud: false }, { count: 1 })).toMatchObject([{ state: 'begun' }])
    expect(await queue.expectEnqueued('say', { word: expect.any(String) as string }, { count: 2 })).toHaveLength(2)
    const due = { dueInMs: 5_000, dueAt: queue.now() + 5_000, queueName: 'other', jobId: 'bee', count: 1 }
    expect(await queue.expectEnqueued(say, { word: 'b' }, due)).toEqual([
      {
        jobId: 'bee',
        functionName: 'say',
        queueName: 'other',
        input: { word: 'b', loud: true },
        state: 'waiting',
        dueMs: queue.now() + 5_000,
      },
    ])
    await queue.expectEnqueued(follow, undefined, { count: 0 })
  })

  test('says of each job why it does not fit', async () => {
    await open()
    await queue.client.enqueue(say, { word: 'a' })
    await queue.drain()
    await queue.client.enqueue(say, { word: 'b', loud: true }, { deferByMs: 5_000 })
    const error: unknown = await queue
      .expectEnqueued(say, { word: 'c', loud: true }, { dueInMs: 60_000, queueName: 'mail' })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'ERR_ASSERTION',
      actual: [
        { word: 'a', loud: false },
        { word: 'b', loud: true },
      ],
      expected: { word: 'c', loud: true },
    })
    expect((error as Error).message).toBe(
      [
        "expected a job of 'say' with { word: 'c', loud: true }, due in 60000 ms, in queue 'mail', found 0",
        "  say { word: 'a', loud: false }",
        "    word is 'a', expected 'c'",
        '    loud is false, expected true',
        '    a worker has begun it',
        "    it is in queue 'arq:queue', expected 'mail'",
        "  say { word: 'b', loud: true }",
        "    word is 'b', expected 'c'",
        '    it is due in 5000 ms, expected in 60000 ms from now',
        "    it is in queue 'arq:queue', expected 'mail'",
      ].join('\n'),
    )
    await expect(queue.expectEnqueued(follow)).rejects.toThrow(/no job of 'follow' was enqueued, only of 'say'$/)
    await expect(queue.expectEnqueued(say, {}, { count: 3 })).rejects.toThrow(/^expected 3 jobs of 'say'.* found 2/)
    await expect(queue.expectEnqueued(say, {}, { dueIn: 5 } as never)).rejects.toThrow(OptionsError)
  })
})

test('reset removes every job and forgets what ran; the time stays, and the queue continues', async () => {
  await open()
  await queue.client.enqueue(say, { word: 'a' })
  await queue.advance(1_000)
  await queue.client.enqueue(say, { word: 'b' }, { deferByMs: 5 })
  const now = queue.now()
  await queue.reset()
  expect([await queue.enqueued(), queue.ended, queue.now()]).toEqual([[], [], now])
  await queue.client.enqueue(say, { word: 'c' })
  await queue.drain()
  expect(ran).toEqual(['a', 'c'])
})

describe('an empty key prefix', () => {
  test('uses the names that Python sees, and empties its database at the end', async () => {
    const database = await takeDatabase()
    await open({ redis: database.url, keyPrefix: '' })
    await queue.client.enqueue(say, { word: 'a' }, { deferByMs: 1_000 })
    expect(await database.redis.zcard('arq:queue')).toBe(1)
    await queue.close()
    expect(await database.redis.dbsize()).toBe(0)
    await database.release()
  })

  test('is refused where the database holds keys, and they stay', async () => {
    await open()
    const database = await takeDatabase()
    await database.redis.set('precious', '1')
    await expect(createTestQueue({ tasks: [say], redis: database.url, keyPrefix: '' })).rejects.toThrow(
      /holds 1 key: .* name an empty one/,
    )
    expect(await database.redis.get('precious')).toBe('1')
    await database.release()
  })

  test('is refused by an error that names the server, without its password', async () => {
    await open()
    const { redis, release, url } = await takeDatabase()
    await redis.set('precious', '1')
    await redis.acl('SETUSER', 'kit', 'on', '>kit-password', '~*', '&*', '+@all')
    onTestFinished(async () => {
      await redis.acl('DELUSER', 'kit')
      await release()
    })
    const secret = url.replace('redis://', 'redis://kit:kit-password@')
    const error: Error = await createTestQueue({ tasks: [say], redis: secret, keyPrefix: '' }).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(TestQueueError)
    expect(error.message).toContain(`the database at ${url} holds`)
  })
})

describe('a test queue', () => {
  test('refuses steps once it is closed', async () => {
    await open()
    await queue.close()
    await expect(queue.drain()).rejects.toThrow('the test queue was closed; create a new one')
  })

  test('with a worker that cannot start rejects each step with the reason', async () => {
    const error = new Error('no database')
    await open({ worker: { onStartup: () => Promise.reject(error) } })
    await expect(queue.drain()).rejects.toThrow('no database')
    await expect(queue.drain()).rejects.toThrow('no database')
  })
})

test('options that are unknown or wrong are refused by name', async () => {
  await open()
  await expect(createTestQueue({ task: [say] } as never)).rejects.toThrow(/task.*tasks/s)
  await expect(createTestQueue({ tasks: [say], redis: 'localhost' })).rejects.toThrow(OptionsError)
  expect(() => queue.advance(-1)).toThrow(OptionsError)
  expect(() => queue.advance(0.5)).toThrow(OptionsError)
})
