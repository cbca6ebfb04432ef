import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { Client, defineTask } from '../../src/index.ts'
import { silent, useHarness } from './support.ts'

const hold = defineTask({
  name: 'hold',
  handler: ({ signal }) => new Promise((_, reject) => (signal.onabort = reject)),
})
const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

/** Requests as either language makes them: Python's `Job.abort()` writes the set and announces nothing. */
const REQUESTS = {
  announced: (client: Client, jobId: string) => client.job(jobId).abort({ timeoutMs: 10_000 }),
  'as Python makes it': async (client: Client, jobId: string, mark: (jobId: string) => Promise<unknown>) => {
    await mark(jobId)
    return client.job(jobId).abort({ timeoutMs: 10_000 })
  },
}

describe.each(Object.entries(REQUESTS))('an abort request (%s) of a job that does not run', (_, request) => {
  const bench = useHarness()
  const mark = (jobId: string) => bench.database().redis.zadd('arq:abort', Date.now(), jobId)

  test.each([
    ['queued', {}],
    ['deferred', { deferByMs: 3_600_000 }],
  ])('ends it although every slot is taken: %s', async (_state, options) => {
    const client = bench.client()
    const long = await client.enqueue('hold')
    const worker = await bench.worker({ tasks: [hold, echo], maxJobs: 1 })
    await eventually(async () => (await long!.status()) === 'in_progress')
    const job = await client.enqueue('echo', [1], options)
    expect(await request(client, job!.jobId, mark)).toBe(true)
    await expect(job!.result({ timeoutMs: 5_000 })).rejects.toThrow()
    expect(worker.describe().running.map(({ jobId }) => jobId)).toEqual([long!.jobId])
    const { redis } = bench.database()
    expect(await redis.zscore('arq:abort', job!.jobId)).toBeNull()
    expect(await redis.zscore('arq:queue', job!.jobId)).toBeNull()
  })

  test('ends hundreds of them, in every queue of the worker', async () => {
    const client = bench.client()
    await bench.worker({ tasks: [hold, echo], maxJobs: 1, queues: ['first', 'second'] })
    const long = await client.enqueue('hold', [], { queueName: 'first' })
    await eventually(async () => (await long!.status()) === 'in_progress')
    const jobs = await Promise.all(
      Array.from({ length: 300 }, (_unused, i) =>
        client.enqueue('echo', [i], { queueName: i % 2 === 0 ? 'first' : 'second', deferByMs: 3_600_000 }),
      ),
    )
    const { redis } = bench.database()
    await redis.zadd('arq:abort', ...jobs.flatMap((job) => [Date.now(), job!.jobId]))
    await eventually(async () => (await redis.zcard('first')) === 1 && (await redis.zcard('second')) === 0)
    expect(await redis.zcard('arq:abort')).toBe(0)
  })
})

describe('an abort request of an earlier job', () => {
  const bench = useHarness()

  test('leaves a later job of the same id alone', async () => {
    const { redis, url } = bench.database()
    await redis.zadd('arq:abort', Date.now() - 7_200_000, 'report:42')
    // As Python enqueues: the old request stays.
    const client = new Client({ redis: url, logger: silent })
    await client.enqueue('echo', [7], { jobId: 'report:42', deferByMs: 300 })
    await redis.zadd('arq:abort', Date.now() - 7_200_000, 'report:42')
    await bench.worker({ tasks: [echo] })
    expect(await client.job('report:42').result({ timeoutMs: 5_000 })).toBe(7)
    await client.close()
  })
})
