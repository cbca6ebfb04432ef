import { eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { defineTask, Retry } from '../../src/index.ts'
import type { Client, JobContext, Worker } from '../../src/index.ts'
import { LimitRecords } from '../../src/redis/limits.ts'
import { WaitingWorkers } from '../../src/redis/waiting-workers.ts'
import { next, useHarness } from './support.ts'

const NEVER_MS = 600_000

/** Nothing says in which order calls that an outage interrupted reach Redis: here, the one that takes the job comes last. */
describe('a handed job whose take reaches Redis after its hold is over', () => {
  const bench = useHarness()
  let redis: Redis
  let client: Client
  let worker: Worker
  let ran: string[]
  let losses: number
  let end: () => void
  let deliver: () => void
  let hasEnded: Promise<void>

  const waitForEnd = (ctx: JobContext) => {
    ran.push(ctx.jobId)
    return hasEnded
  }
  const tasks = [
    defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
    defineTask({ name: 'hold', handler: (ctx) => waitForEnd(ctx).then(() => 'held') }),
    defineTask({
      name: 'again',
      handler: async (ctx) => {
        await waitForEnd(ctx)
        if (ctx.jobTry === 1) throw new Retry({ deferMs: 10 })
        return ctx.jobTry
      },
    }),
    defineTask({
      name: 'limited',
      limits: [{ name: 'one', concurrency: 1 }],
      handler: (ctx) => {
        ran.push(ctx.jobId)
        return ctx.jobTry
      },
    }),
  ]

  beforeEach(async () => {
    ran = []
    losses = 0
    hasEnded = new Promise((resolve) => (end = resolve))
    const isDelivered = new Promise<void>((resolve) => (deliver = resolve))
    const { take } = WaitingWorkers.prototype
    vi.spyOn(WaitingWorkers.prototype, 'take').mockImplementation(async function (this: WaitingWorkers, ...call) {
      if (call[1]) await isDelivered
      return take.apply(this, call)
    })
    redis = new Redis(bench.database().url)
    client = bench.client()
    worker = await bench.worker({ tasks, handOff: true, pollDelayMs: NEVER_MS, recorder: false })
    worker.on('leaseLost', () => losses++)
    await eventually(async () => (await redis.llen('arq:waiting:arq:queue')) === 1)
  })
  afterEach(() => {
    end()
    deliver()
    vi.restoreAllMocks()
    redis.disconnect()
  })

  const hand = async (name: string) => {
    const job = (await client.enqueue(name, []))!
    expect(await job.status()).toBe('in_progress')
    return job
  }
  /** As when the hold is over. */
  const lapse = (jobId: string) => redis.del(`arq:in-progress:${jobId}`)
  /** Resolves when all that the worker has sent until now has been answered. */
  const answered = async () => {
    expect(await (await client.enqueue('echo', [1]))?.result({ timeoutMs: 5_000 })).toBe(1)
  }
  const traces = (jobId: string) => redis.exists(`arq:in-progress:${jobId}`, `arq:retry:${jobId}`, `arq:job:${jobId}`)

  test('keeps the result of its only run', async () => {
    const job = await hand('hold')
    await eventually(() => ran.length === 1)
    await lapse(job.jobId)
    end()
    await answered()
    deliver()
    expect(await job.result({ timeoutMs: 5_000 })).toBe('held')
    expect(ran).toEqual([job.jobId])
    expect(losses).toBe(0)
    expect(await traces(job.jobId)).toBe(0)
    expect(await redis.zcard('arq:queue')).toBe(0)
  })

  test('is retried when its handler asks for it', async () => {
    const job = await hand('again')
    await eventually(() => ran.length === 1)
    await lapse(job.jobId)
    end()
    await answered()
    deliver()
    expect(await job.result({ timeoutMs: 5_000 })).toBe(2)
    expect(losses).toBe(0)
  })

  test('is left to the worker that has it by then', async () => {
    const job = await hand('hold')
    await eventually(() => ran.length === 1)
    await redis.set(`arq:in-progress:${job.jobId}`, 'other:1:ab/1')
    end()
    await answered()
    const lost = next(worker, 'leaseLost')
    deliver()
    await lost
    expect(await redis.get(`arq:in-progress:${job.jobId}`)).toBe('other:1:ab/1')
    expect(await redis.exists(`arq:result:${job.jobId}`)).toBe(0)
  })

  /** Withholds the answer about a job's limits, or the question, until `until` resolves. */
  const delayAdmission = (until: Promise<unknown>, what: 'question' | 'answer') => {
    const { admit } = LimitRecords.prototype
    vi.spyOn(LimitRecords.prototype, 'admit').mockImplementationOnce(async function (this: LimitRecords, ...call) {
      if (what === 'question') await until
      const answer = await admit.apply(this, call)
      await until
      return answer
    })
  }

  test('starts once it is taken where its admission outlasts the hold', async () => {
    let admitted = () => {}
    delayAdmission(new Promise<void>((resolve) => (admitted = resolve)), 'answer')
    const job = await hand('limited')
    await eventually(async () => (await redis.exists(`arq:in-progress:${job.jobId}`)) === 0)
    admitted()
    await answered()
    deliver()
    expect(await job.result({ timeoutMs: 5_000 })).toBe(1)
    expect(losses).toBe(0)
  })

  test('goes back to its queue where the worker has given it up', async () => {
    let asked = () => {}
    delayAdmission(new Promise<void>((resolve) => (asked = resolve)), 'question')
    const job = await hand('limited')
    await lapse(job.jobId)
    const lost = next(worker, 'leaseLost')
    asked()
    await lost
    await answered()
    deliver()
    expect(await job.result({ timeoutMs: 5_000 })).toBe(1) // of its first try still
    expect(ran).toEqual([job.jobId])
    expect(await traces(job.jobId)).toBe(0)
  })
})
