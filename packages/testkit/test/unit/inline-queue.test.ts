import { ArgumentsError, defineTask, NonRetryableError, OptionsError, RemoteError, Retry } from '@arq-ts/core'
import type { Middleware } from '@arq-ts/core'
import { createInlineQueue } from '@arq-ts/testkit'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

const tries: number[] = []
const double = defineTask({
  name: 'double',
  params: z.object({ n: z.number(), times: z.number().default(2) }),
  handler: async (_ctx, { n, times }) => n * times,
})
const parent = defineTask({
  name: 'parent',
  handler: async (ctx) => {
    const child = await ctx.client.enqueue(double, { n: 4 })
    return child!.result()
  },
})
const flaky = defineTask({
  name: 'flaky',
  maxTries: 3,
  retry: { delayMs: 60_000 },
  handler: async (ctx, succeedAt: number) => {
    tries.push(ctx.jobTry)
    if (ctx.jobTry < succeedAt) throw new Error('not yet')
    return ctx.jobTry
  },
})

const open = () => createInlineQueue({ tasks: [double, parent, flaky] })

describe('an inline queue', () => {
  test('runs a job as it is enqueued, deferred or not, and those that it enqueues', async () => {
    const { client } = open()
    const job = await client.enqueue(double, { n: 21 }, { deferByMs: 60_000 })
    expect([await job!.status(), await job!.result()]).toEqual(['complete', 42])
    expect(await (await client.enqueue(parent, []))!.result()).toBe(8)
    expect(await (await client.enqueue('double', [3], { kwargs: { times: 5 } }))!.result()).toBe(15)
  })

  test('tries by the rules of a worker, without a pause', async () => {
    const { client } = open()
    tries.length = 0
    expect(await (await client.enqueue(flaky, [3]))!.result()).toBe(3)
    expect(tries).toEqual([1, 2, 3])
    await expect((await client.enqueue(flaky, [4]))!.result()).rejects.toThrow('not yet')
  })

  test.each([
    ['a Retry until the tries are over', new Retry(), /max 5 retries exceeded/, 5],
    ['an error that must not be retried', new NonRetryableError('no'), /no/, 1],
    ['an error without a policy', new Error('plain'), /plain/, 1],
  ])('ends a job by %s', async (_, error, message, count) => {
    let runs = 0
    const throwing = defineTask({
      name: 'throwing',
      handler: async () => {
        runs++
        throw error
      },
    })
    const { client } = createInlineQueue({ tasks: [throwing] })
    await expect((await client.enqueue(throwing, []))!.result()).rejects.toThrow(message)
    expect(runs).toBe(count)
  })

  test('refuses what a client refuses, and fails what a worker fails', async () => {
    const { client } = open()
    await expect(client.enqueue(double, { n: 'x' } as never)).rejects.toThrow(ArgumentsError)
    await expect(client.enqueue(double, { n: 1 }, { deferMs: 5 } as never)).rejects.toThrow(/deferByMs/)
    await expect(client.enqueue('double', { n: 1 } as never)).rejects.toThrow(/expected the arguments as an array/)
    await expect(client.enqueue(double, { n: 1 }, { kwargs: { times: 3 } })).rejects.toThrow(/put them into the input/)
    await expect(client.enqueue(double, { n: 1 }, { unique: { key: 'k' } })).rejects.toThrow(OptionsError)
    await expect((await client.enqueue('double', ['x']))!.result()).rejects.toThrow(/double\(\)/)
    await expect((await client.enqueue('unknown', []))!.result()).rejects.toThrow(/not found/)
    expect(RemoteError).toBeDefined()
  })

  test('gives null for an id that was used, as while its result is kept', async () => {
    const queue = open()
    expect(await queue.client.enqueue(double, { n: 1 }, { jobId: 'a' })).toMatchObject({ jobId: 'a' })
    expect(await queue.client.enqueue(double, { n: 1 }, { jobId: 'a' })).toBeNull()
    const outcomes = await queue.client.enqueueMany([
      [double, { n: 1 }, { jobId: 'a' }],
      [double, { n: 1 }, { jobId: 'b' }],
      [double, {} as never],
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['duplicate', 'queued', 'failed'])
    queue.reset()
    expect(await queue.client.enqueue(double, { n: 1 }, { jobId: 'a' })).not.toBeNull()
  })

  test('asserts by the input that the handler got, defaults included', async () => {
    const queue = open()
    await queue.client.enqueue(parent, [])
    expect(queue.expectEnqueued(double, { n: 4, times: 2 }, { count: 1 })).toHaveLength(1)
    expect(queue.enqueued().map(({ functionName }) => functionName)).toEqual(['parent', 'double'])
    expect(() => queue.expectEnqueued(double, { n: 5 })).toThrow(/n is 4, expected 5/)
    expect(() => queue.expectEnqueued(flaky)).toThrow(/no job of 'flaky' was enqueued/)
  })
})

describe('middleware of an inline queue', () => {
  const order: string[] = []
  const tenant: Middleware = {
    enqueue: (call, next) => {
      if (call.options.jobId === 'refused') throw new Error('not today')
      call.metadata.tenant = 'acme'
      return next()
    },
    run: async (ctx, next) => {
      order.push(`${ctx.functionName} of ${String(ctx.metadata.tenant)}`)
      return (Number(await next()) || 0) + 1
    },
  }

  test('surrounds each call and each run, those of handlers too', async () => {
    order.length = 0
    const { client } = createInlineQueue({ tasks: [double, parent], middleware: [tenant] })
    expect(await (await client.enqueue(parent, []))!.result()).toBe(10)
    expect(order).toEqual(['parent of acme', 'double of acme'])
    await expect(client.enqueue(double, { n: 1 }, { jobId: 'refused' })).rejects.toThrow('not today')
    const outcomes = await client.enqueueMany([
      [double, { n: 1 }, { jobId: 'once' }],
      [double, { n: 2 }, { jobId: 'once' }],
      [double, { n: 3 }, { jobId: 'refused' }],
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['queued', 'duplicate', 'failed'])
    const [first, second] = outcomes as { job: { result(): Promise<unknown> } }[]
    expect([await first!.job.result(), await second!.job.result()]).toEqual([3, 3])
  })

  test('observes each try, by the rules of a worker', async () => {
    const ends: unknown[] = []
    const flaky = defineTask({
      name: 'flaky',
      maxTries: 2,
      retry: { delayMs: 5 },
      handler: (ctx, fails: boolean) => {
        if (fails || ctx.jobTry === 1) throw new Error('no')
      },
    })
    const observe: Middleware['observe'] = ({ jobId, jobTry }) => {
      return ({ outcome }) => void ends.push([jobId, jobTry, outcome])
    }
    const { client } = createInlineQueue({ tasks: [flaky], middleware: [{ observe }] })
    await client.enqueue(flaky, [false], { jobId: 'a' })
    await client.enqueue(flaky, [true], { jobId: 'b' })
    expect(ends).toEqual([
      ['a', 1, 'retried'],
      ['a', 2, 'complete'],
      ['b', 1, 'retried'],
      ['b', 2, 'failed'],
    ])
  })

  test('is refused if it is no middleware', () => {
    expect(() => createInlineQueue({ tasks: [double], middleware: [{ runs: () => {} }] as never })).toThrow(
      OptionsError,
    )
  })
})
