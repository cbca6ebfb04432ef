import { Client, cron, defineTask, NonRetryableError, ResultNotFoundError, Retry } from '@arq-ts/core'
import { createTestQueue } from '@arq-ts/testkit'
import type { TestQueue, TestQueueOptions } from '@arq-ts/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'

const START = Date.UTC(2026, 0, 1)
let queue: TestQueue
/** Runs: a word, and how many ms after the start. */
let ran: [what: unknown, afterMs: number][]

const note = (what: unknown) => void ran.push([what, queue.now() - START])
const say = defineTask({
  name: 'say',
  params: z.object({ word: z.string() }),
  handler: async (_ctx, { word }) => {
    note(word)
    return word.length
  },
})

async function open(options: TestQueueOptions = {}): Promise<TestQueue> {
  ran = []
  queue = await createTestQueue({ tasks: [say], redis: process.env.ARQ_TEST_REDIS_URL!, now: START, ...options })
  return queue
}

afterEach(() => queue.close())

describe('a deferred job', () => {
  test('runs at its own millisecond, and not one before', async () => {
    await open()
    const job = await queue.client.enqueue(say, { word: 'later' }, { deferByMs: 5_000 })
    expect(await queue.drain()).toMatchObject({ ended: [], retried: 0 })
    await queue.advance(4_999)
    expect([ran, await job!.status()]).toEqual([[], 'deferred'])
    const { ended } = await queue.advance(1)
    expect(ran).toEqual([['later', 5_000]])
    expect(ended).toMatchObject([{ jobId: job!.jobId, outcome: 'complete', tries: 1, atMs: START + 5_000 }])
    expect(await job!.result()).toBe(5)
  })

  test.each([0, 1, 999, 86_400_000 * 400])('of %d ms runs that much later, in one step', async (deferByMs) => {
    await open()
    await queue.client.enqueue(say, { word: 'x' }, { deferByMs })
    await queue.advance(deferByMs)
    expect(ran).toEqual([['x', deferByMs]])
  })

  test('runs by its due time, whatever the order of the calls; those of one millisecond in the order of theirs', async () => {
    await open()
    for (const [word, deferByMs] of [['c', 20] as const, ['a', 10] as const, ['d', 20] as const, ['b', 10] as const])
      await queue.client.enqueue(say, { word }, { deferByMs })
    await queue.advance(1_000)
    expect(ran).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 20],
      ['d', 20],
    ])
    expect(queue.now()).toBe(START + 1_000)
  })
})

describe('retries', () => {
  test('follow at the delays of their policy, and the last failure becomes a dead letter', async () => {
    const flaky = defineTask({
      name: 'flaky',
      maxTries: 4,
      retry: { delayMs: 60_000, backoff: 'exponential' },
      handler: async (ctx: { jobTry: number }) => {
        note(ctx.jobTry)
        throw new Error(`try ${ctx.jobTry} failed`)
      },
    })
    await open({ tasks: [flaky] })
    await queue.client.enqueue(flaky, [])
    expect(await queue.advance(3_600_000)).toMatchObject({
      ended: [{ outcome: 'failed', tries: 4, error: new Error('try 4 failed') }],
      retried: 3,
    })
    expect(ran).toEqual([
      [1, 0],
      [2, 60_000],
      [3, 180_000],
      [4, 420_000],
    ])
    expect(await queue.client.deadLetters.list()).toMatchObject([{ functionName: 'flaky' }])
  })

  test('of a handler that asks for them come when it asks for them', async () => {
    const polite = defineTask({
      name: 'polite',
      handler: async (ctx: { jobTry: number }) => {
        note(ctx.jobTry)
        if (ctx.jobTry < 3) throw new Retry({ deferMs: 1_500 })
        if (ctx.jobTry === 3) throw new NonRetryableError('enough')
      },
    })
    await open({ tasks: [polite] })
    await queue.client.enqueue(polite, [])
    await queue.advance(2_999)
    expect(ran).toEqual([
      [1, 0],
      [2, 1_500],
    ])
    await queue.advance(1)
    expect(queue.ended).toMatchObject([{ outcome: 'failed', tries: 3 }])
  })
})

describe('cron jobs', () => {
  test('tick at their times, across a change of the clock too', async () => {
    const nightly = cron('cron:nightly', '30 2 * * *', () => note('nightly'), { timeZone: 'Europe/Berlin' })
    await open({ tasks: [], cron: [nightly], now: new Date('2026-03-28T00:00:00Z') })
    ran = []
    await queue.advance(3 * 86_400_000)
    expect(queue.ended.map(({ atMs }) => new Date(atMs).toISOString())).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:30:00.000Z', // 02:30 does not exist that night: it runs at 03:30
      '2026-03-30T00:30:00.000Z',
    ])
  })

  test('tick once for each time, however the time is moved', async () => {
    const minutely = cron('cron:minutely', { second: 0, microsecond: 0 }, () => note('tick'))
    await open({ cron: [minutely], now: START + 1 })
    for (const step of [0, 30_000, 29_999, 0, 60_000, 1, 150_000]) await queue.advance(step)
    expect(ran.map(([, ms]) => ms)).toEqual([60_000, 120_000, 180_000, 240_000])
  })

  test('of several schedules share their function with jobs', async () => {
    const report = () => note('report')
    const at = (minute: number) => cron('cron:report', { minute, second: 0, microsecond: 0 }, report)
    await open({ cron: [at(10), at(40)] })
    await queue.client.enqueue(say, { word: 'between' }, { deferByMs: 20 * 60_000 })
    await queue.advance(3_600_000 - 1)
    expect(ran).toEqual([
      ['report', 600_000],
      ['between', 1_200_000],
      ['report', 2_400_000],
    ])
  })
})

describe('limits', () => {
  test('of a rate let jobs start at their spacing', async () => {
    const call = defineTask({
      name: 'call',
      params: z.object({ n: z.number() }),
      limits: [{ name: 'api', rate: { count: 2, perMs: 60_000, burst: 2 } }],
      handler: async (_ctx, { n }) => note(n),
    })
    await open({ tasks: [call] })
    for (const n of [0, 1, 2, 3, 4]) await queue.client.enqueue(call, { n })
    await queue.drain()
    expect(ran.map(([n]) => n)).toEqual([0, 1])
    await queue.advance(90_000)
    expect(ran.slice(2)).toEqual([
      [2, 30_000],
      [3, 60_000],
      [4, 90_000],
    ])
  })

  test('of concurrency run everything in one drain, one after the other', async () => {
    let running = 0
    let most = 0
    const one = defineTask({
      name: 'one',
      params: z.object({ n: z.number() }),
      limits: [{ name: 'one-at-a-time', concurrency: 1 }],
      handler: async () => {
        most = Math.max(most, ++running)
        await Promise.resolve()
        running--
      },
    })
    await open({ tasks: [one] })
    await queue.client.enqueueMany(Array.from({ length: 8 }, (_, n) => [one, { n }]))
    expect((await queue.drain()).ended).toHaveLength(8)
    expect(most).toBe(1)
  })
})

describe('unique jobs', () => {
  test('that are debounced run once, with the newest data, when it has been quiet', async () => {
    await open()
    const unique = { key: 'k', onConflict: 'debounce', quietMs: 1_000, maxWaitMs: 10_000 } as const
    for (const word of ['old', 'newer', 'newest']) {
      await queue.client.enqueue(say, { word }, { unique })
      await queue.advance(900)
    }
    expect(ran).toEqual([])
    await queue.advance(1_000)
    expect(ran).toEqual([['newest', 2_800]])
  })
})

describe('lifetimes', () => {
  test('of results end with the time of the queue', async () => {
    await open({ worker: { keepResultMs: 3_600_000 } })
    const job = await queue.client.enqueue(say, { word: 'kept' })
    await queue.drain()
    await queue.advance(3_500_000)
    expect(await job!.result({ timeoutMs: 0 })).toBe(4)
    await queue.advance(200_000)
    await expect(job!.result({ timeoutMs: 0 })).rejects.toThrow(ResultNotFoundError)
  })

  test('of jobs end with the time of the queue: one that starts too late fails as expired', async () => {
    await open()
    await queue.client.queues.pause('arq:queue')
    await queue.client.enqueue(say, { word: 'late' }, { expiresMs: 60_000 })
    expect((await queue.drain()).ended).toEqual([])
    await queue.advance(61_000)
    await queue.client.queues.resume('arq:queue')
    expect((await queue.drain()).ended).toMatchObject([{ outcome: 'failed', error: { message: 'job expired' } }])
    expect(ran).toEqual([])
  })
})

test('a client of the application shares jobs and time', async () => {
  await open()
  const client = new Client({ ...queue.connection })
  await queue.advance(86_400_000)
  expect(await client.now()).toBeGreaterThanOrEqual(START + 86_400_000)
  await client.enqueue(say, { word: 'hers' }, { deferUntil: START + 86_400_000 + 50 })
  await queue.expectEnqueued(say, { word: 'hers' }, { dueInMs: 50 })
  await queue.advance(50)
  expect(ran).toEqual([['hers', 86_400_050]])
  await client.close()
})

test('two queues on one server have jobs and times of their own', async () => {
  await open()
  const other = await createTestQueue({ tasks: [say], redis: process.env.ARQ_TEST_REDIS_URL!, now: 0 })
  await other.client.enqueue(say, { word: 'theirs' })
  await queue.advance(60_000)
  expect([await queue.enqueued(), other.now()]).toEqual([[], 0])
  expect(await other.enqueued()).toMatchObject([{ input: { word: 'theirs' }, state: 'waiting', dueMs: 0 }])
  await other.close()
})
