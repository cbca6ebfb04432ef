import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, Retry } from '../../src/index.ts'
import { next, useHarness } from './support.ts'

describe('a value that Redis would refuse is refused or rounded before', () => {
  const bench = useHarness()

  test('an item of a batch whose deferral or expiry is no time takes no other with it', async () => {
    const outcomes = await bench.client().enqueueMany([
      ['f', [1]],
      ['f', [2], { deferByMs: 1e20 }],
      ['f', [3], { expiresMs: 1e19 }],
      ['f', [4], { deferUntil: Number.NaN }],
      ['f', [5], { deferByMs: 0.5, expiresMs: 1_000.5 }],
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['queued', 'failed', 'failed', 'failed', 'queued'])
    expect(await bench.database().redis.zcard('arq:queue')).toBe(2)
  })

  test('the farthest deferral and expiry are taken', async () => {
    const outcomes = await bench.client().enqueueMany([
      ['f', [], { deferByMs: 3_155_760_000_000 }],
      ['f', [], { deferUntil: 8_640_000_000_000_000 }],
      ['f', [], { deferUntil: -8_640_000_000_000_000 }],
      ['f', [], { expiresMs: Number.MAX_SAFE_INTEGER }],
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['queued', 'queued', 'queued', 'queued'])
  })

  test('a job is settled though its durations are fractions of a millisecond', async () => {
    const kept = defineTask({ name: 'kept', handler: () => 'done', keepResultMs: 60_000.4, timeoutMs: 10_000.5 })
    const dropped = defineTask({ name: 'dropped', handler: () => 'done', keepResultMs: 0.4 })
    const retry = { delayMs: 0.4 }
    const failing = defineTask({ name: 'failing', handler: () => Promise.reject(new Error('no')), maxTries: 2, retry })
    const client = bench.client({ expiresExtraMs: 60_000.5 })
    const job = await client.enqueue(kept, [])
    await client.enqueue(dropped, [])
    const failed = await client.enqueue(failing, [])
    await bench.worker({
      tasks: [kept, dropped, failing],
      leaseMs: 5_000.5,
      keepResultMs: 60_000.5,
      pollDelayMs: 50.5,
      healthCheckIntervalMs: 1_000.5,
      deadLetter: { maxAgeMs: 60_000.5 },
    })
    expect(await job?.result({ timeoutMs: 10_000 })).toBe('done')
    await expect(failed?.result({ timeoutMs: 10_000 })).rejects.toThrow('no')
    expect(await client.queuedJobs()).toEqual([])
    expect(await bench.database().redis.zcard('arq:dead')).toBe(1)
  })

  test('durations beyond any clock keep results and run jobs', async () => {
    const far = Number.MAX_SAFE_INTEGER
    const task = defineTask({ name: 'f', handler: () => 'done', keepResultMs: far, timeoutMs: far })
    const client = bench.client()
    const job = await client.enqueue(task, [])
    const timer = 2_147_483_647
    await bench.worker({
      tasks: [task],
      abortGraceMs: timer,
      jobCompletionWaitMs: far,
      healthCheckIntervalMs: far,
      leaseMs: timer,
    })
    expect(await job?.result({ timeoutMs: 10_000 })).toBe('done')
  })

  test('a retry that is no time fails the job with the reason', async () => {
    const task = defineTask({
      name: 'f',
      handler: () => {
        throw new Retry({ deferMs: 1e300 })
      },
    })
    const client = bench.client()
    const job = await client.enqueue(task, [])
    await bench.worker({ tasks: [task] })
    await expect(job?.result({ timeoutMs: 10_000 })).rejects.toThrow('Retry: expected `deferMs`')
  })
})

describe('a schema that asks elsewhere', () => {
  const bench = useHarness()

  test('fails the job when what it asks is away; the worker continues', async () => {
    const params = z.object({
      id: z.string().refine(async (id) => (id === 'down' ? Promise.reject(new Error('the database is down')) : true)),
    })
    const task = defineTask({ name: 'f', params, handler: (_ctx, { id }) => id })
    const client = bench.client()
    const worker = await bench.worker({ tasks: [task] })
    const failed = next<{ outcome: string }>(worker, 'jobFinished')
    const job = await client.enqueue(task, { id: 'down' })
    expect((await failed).outcome).toBe('failed')
    await expect(job?.result({ timeoutMs: 10_000 })).rejects.toThrow('the database is down')
    expect(await (await client.enqueue(task, { id: 'up' }))?.result({ timeoutMs: 10_000 })).toBe('up')
  })
})
