import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, Retry } from '../../src/index.ts'
import type { ChunkJob, Job } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()
const params = z.object({ n: z.number().int() })
type Member = ChunkJob<{ n: number }, number>

/** Jobs with the inputs 0, 1, 2 … */
async function enqueue(task: never, count: number): Promise<Job<number>[]> {
  const inputs = Array.from({ length: count }, (_, n) => [task, { n }] as const)
  const outcomes = await bench.client().enqueueMany(inputs as never)
  return (outcomes as unknown as { job: Job<number> }[]).map(({ job }) => job)
}

const ends = (jobs: readonly Job<number>[]) =>
  Promise.all(jobs.map((job) => job.result({ timeoutMs: 10_000 }).catch((error: Error) => error.message)))

test('calls the handler with as many jobs as have come, and gives each its own result', async () => {
  const chunks: number[][] = []
  const task = defineTask({
    name: 'double',
    params,
    chunk: { size: 4, waitMs: 20_000 },
    handler: (jobs) => {
      chunks.push(jobs.map(({ input }) => input.n))
      return jobs.map(({ input }) => input.n * 2)
    },
  })
  const jobs = await enqueue(task as never, 8)
  await bench.worker({ tasks: [task], maxJobs: 20 })
  expect(await ends(jobs)).toEqual([0, 2, 4, 6, 8, 10, 12, 14])
  expect(chunks.map(({ length }) => length)).toEqual([4, 4])
})

test('runs a chunk that is not full once its first job has waited long enough', async () => {
  const task = defineTask({ name: 'f', params, chunk: { size: 50, waitMs: 30 }, handler: (jobs) => jobs.map(() => 1) })
  await bench.worker({ tasks: [task], maxJobs: 20 })
  expect(await ends(await enqueue(task as never, 3))).toEqual([1, 1, 1])
})

test('waits for no more jobs than the worker has slots', async () => {
  const sizes: number[] = []
  const task = defineTask({
    name: 'f',
    params,
    chunk: { size: 50, waitMs: 60_000 },
    handler: (jobs) => {
      sizes.push(jobs.length)
      return jobs.map(() => 1)
    },
  })
  const jobs = await enqueue(task as never, 9)
  await bench.worker({ tasks: [task], maxJobs: 3 })
  expect(await ends(jobs)).toEqual(Array.from({ length: 9 }, () => 1))
  expect(sizes).toEqual([3, 3, 3])
})

describe('one job of a chunk', () => {
  test('fails alone, is retried alone, and what the handler throws in the end is of the others', async () => {
    const tries: [number, number][] = []
    const task = defineTask({
      name: 'f',
      params,
      chunk: { size: 4, waitMs: 100 },
      handler: (jobs) => {
        for (const job of jobs) {
          const { n } = job.input
          tries.push([n, job.ctx.jobTry])
          if (n === 0) job.complete(100)
          if (n === 1) job.fail(new Error('one'))
          if (n === 2 && job.ctx.jobTry === 1) job.fail(new Retry({ deferMs: 1 }))
          else if (n === 2) job.complete(102)
          job.complete(n === 3 ? 103 : 0)
        }
        throw new Error('the end')
      },
    })
    const jobs = await enqueue(task as never, 4)
    await bench.worker({ tasks: [task] })
    expect(await ends(jobs)).toEqual([100, 'RuntimeError: one', 102, 103])
    expect(tries.toSorted()).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
      [2, 2],
      [3, 1],
    ])
  })

  test('gets the error that the handler throws where it has no end of its own', async () => {
    const task = defineTask({
      name: 'f',
      params,
      chunk: { size: 3, waitMs: 1_000 },
      handler: (jobs: readonly Member[]) => {
        jobs.find(({ input }) => input.n === 1)!.complete(7)
        throw new Error('broken')
      },
    })
    const jobs = await enqueue(task as never, 3)
    await bench.worker({ tasks: [task] })
    expect(await ends(jobs)).toEqual(['RuntimeError: broken', 7, 'RuntimeError: broken'])
  })

  test('is settled at once, while the handler continues with the others', async () => {
    let finish = () => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const task = defineTask({
      name: 'f',
      params,
      chunk: { size: 2, waitMs: 1_000 },
      handler: async (jobs: readonly Member[]) => {
        jobs[0]!.complete(1)
        await finished
      },
    })
    const jobs = await enqueue(task as never, 2)
    await bench.worker({ tasks: [task] })
    const first = await Promise.race(jobs.map(async (job) => [await job.result({ timeoutMs: 10_000 }), job.jobId]))
    expect(first[0]).toBe(1)
    const other = jobs.find(({ jobId }) => jobId !== first[1])!
    expect(await other.status()).toBe('in_progress')
    finish()
    expect(await other.result({ timeoutMs: 10_000 })).toBe(null)
  })

  test('is aborted alone: its signal fires, and the signal of the chunk does not', async () => {
    let chunkSignal: AbortSignal | undefined
    const aborted: number[] = []
    const task = defineTask({
      name: 'f',
      params,
      chunk: { size: 3, waitMs: 1_000 },
      handler: async (jobs: readonly Member[], { signal }) => {
        chunkSignal = signal
        const hung = jobs.find(({ input }) => input.n === 1)!
        await new Promise((resolve) => hung.ctx.signal.addEventListener('abort', resolve))
        aborted.push(...jobs.filter(({ ctx }) => ctx.signal.aborted).map(({ input }) => input.n))
        return jobs.map(({ input }) => input.n)
      },
    })
    const jobs = await enqueue(task as never, 3)
    await bench.worker({ tasks: [task] })
    await eventually(() => chunkSignal !== undefined)
    void jobs[1]!.abort({ timeoutMs: 10_000 })
    // The handler's return value for an aborted job counts, as for any job that ends within its grace.
    // Its place among the others makes no difference to the signal of the chunk.
    expect(await ends(jobs)).toEqual([0, 1, 2])
    expect(aborted).toEqual([1])
    expect(chunkSignal!.aborted).toBe(false)
  })

  test('leaves the chunk that it waits in when it is aborted', async () => {
    const sizes: number[] = []
    const task = defineTask({
      name: 'f',
      params,
      chunk: { size: 3, waitMs: 60_000 },
      handler: (jobs) => {
        sizes.push(jobs.length)
        return jobs.map(() => 1)
      },
    })
    const worker = await bench.worker({ tasks: [task] })
    const jobs = await enqueue(task as never, 2)
    await eventually(() => worker.describe().counters.ongoing === 2)
    expect(await jobs[0]!.abort({ timeoutMs: 10_000 })).toBe(true)
    const more = await enqueue(task as never, 2)
    expect(await ends([jobs[1]!, ...more])).toEqual([1, 1, 1])
    expect(sizes).toEqual([3])
  })

  test('times out alone', async () => {
    let reason: unknown
    const task = defineTask({
      name: 'f',
      params,
      timeoutMs: 300,
      chunk: { size: 2, waitMs: 100 },
      handler: async (jobs: readonly Member[], { signal }) => {
        jobs.find(({ input }) => input.n === 0)!.complete(5)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        reason = signal.reason
        signal.throwIfAborted()
      },
    })
    const jobs = await enqueue(task as never, 2)
    await bench.worker({ tasks: [task] })
    expect(await ends(jobs)).toEqual([5, 'TimeoutError: the job ran longer than its timeout of 300 ms'])
    expect(reason).toMatchObject({ code: 'ARQ_JOB_TIMEOUT' })
  })
})

describe('a worker that stops', () => {
  const chunked = (sizes: number[]) =>
    defineTask({
      name: 'f',
      params,
      chunk: { size: 10, waitMs: 60_000 },
      handler: (jobs) => {
        sizes.push(jobs.length)
        return jobs.map(() => 1)
      },
    })

  test('runs the chunk that waits, where running jobs may end', async () => {
    const sizes: number[] = []
    const task = chunked(sizes)
    const worker = await bench.worker({ tasks: [task], maxJobs: 20, jobCompletionWaitMs: 10_000 })
    const jobs = await enqueue(task as never, 2)
    await eventually(() => worker.describe().counters.ongoing === 2)
    await worker.stop()
    expect(await ends(jobs)).toEqual([1, 1])
    expect(sizes).toEqual([2])
  })

  test('returns the jobs of a chunk that waits, without a try, where they may not', async () => {
    const sizes: number[] = []
    const task = chunked(sizes)
    const worker = await bench.worker({ tasks: [task], maxJobs: 20 })
    const jobs = await enqueue(task as never, 2)
    await eventually(() => worker.describe().counters.ongoing === 2)
    await worker.stop()
    expect(sizes).toEqual([])
    expect(await Promise.all(jobs.map((job) => job.status()))).toEqual(['queued', 'queued'])
    expect(await bench.database().redis.exists(...jobs.map(({ jobId }) => `arq:retry:${jobId}`))).toBe(0)
  })
})

test('asks limits for each job, and gives its place back as each job ends', async () => {
  const sizes: number[] = []
  const task = defineTask({
    name: 'f',
    params,
    limits: [{ name: 'two', concurrency: 2 }],
    chunk: { size: 10, waitMs: 20 },
    handler: (jobs) => {
      sizes.push(jobs.length)
      return jobs.map(() => 1)
    },
  })
  const jobs = await enqueue(task as never, 6)
  await bench.worker({ tasks: [task], maxJobs: 20 })
  expect(await ends(jobs)).toEqual([1, 1, 1, 1, 1, 1])
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2)
})

test('hands what onStartup provides to the handler, and the parameters of a Python producer', async () => {
  const task = defineTask({
    name: 'f',
    params: z.object({ n: z.number(), times: z.number().default(10) }),
    chunk: { size: 2, waitMs: 20 },
    handler: (jobs, ctx: { base: number } & object) => jobs.map(({ input }) => ctx.base + input.n * input.times),
  })
  await bench.worker({ tasks: [task as never], onStartup: () => ({ base: 1 }) })
  const client = bench.client({ codec: 'pickle' })
  const job = await client.enqueue('f', [2], { kwargs: { times: 3 } } as never)
  expect(await job!.result({ timeoutMs: 10_000 })).toBe(7)
})

test('a job whose worker died is a chunk of its own, at once: it takes no other job with it', async () => {
  const chunks: number[][] = []
  const task = defineTask({
    name: 'f',
    params,
    chunk: { size: 10, waitMs: 9_000 },
    handler: (jobs) => {
      chunks.push(jobs.map(({ input }) => input.n))
      return jobs.map(() => 1)
    },
  })
  const [suspect] = await enqueue(task as never, 1)
  // The mark of a lease that ended unsettled.
  await bench.database().redis.zadd('arq:queue', (Date.now() - 5_000 + 1 / 128).toFixed(7), suspect!.jobId)
  const worker = await bench.worker({ tasks: [task], maxJobs: 20 })
  expect(await suspect!.result({ timeoutMs: 5_000 })).toBe(1)
  const others = await enqueue(task as never, 2)
  await eventually(() => worker.describe().counters.ongoing === 2)
  expect(chunks).toEqual([[0]])
  await Promise.all(others.map((job) => job.abort({ timeoutMs: 10_000 })))
})
