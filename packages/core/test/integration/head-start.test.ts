import { expect, test } from 'vitest'
import { defineTask } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()

test('runs a job with a head start before those that were enqueued earlier, and reports its wait from its due time', async () => {
  const ran: string[] = []
  const waits: number[] = []
  const task = defineTask({ name: 'mail', handler: (_ctx, name: string) => void ran.push(name) })
  const client = bench.client()
  const past = Date.now() - 10_000
  for (const [i, name] of ['first', 'second'].entries()) await client.enqueue(task, [name], { deferUntil: past + i })
  const urgent = (await client.enqueue(task, ['urgent'], { headStartMs: 120_000 }))!
  await client.enqueue(task, ['most urgent'], { headStartMs: 3_000_000_000_000 })
  const { redis } = bench.database()
  expect(Number(await redis.zrange('arq:queue', '0', '0', 'WITHSCORES').then(([, score]) => score))).toBe(1)
  const { dueTime, enqueueTime } = (await client.jobs.explain(urgent.jobId)).job
  expect(dueTime).toEqual(enqueueTime)
  const worker = await bench.worker({ tasks: [task], maxJobs: 1, queueReadLimit: 1 })
  worker.on('jobStarted', ({ waitMs }) => waits.push(waitMs))
  await expect.poll(() => ran.length).toBe(4)
  expect(ran).toEqual(['most urgent', 'urgent', 'first', 'second'])
  expect(Math.max(...waits)).toBeLessThan(100_000)
})
