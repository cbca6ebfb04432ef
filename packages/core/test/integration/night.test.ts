import { Redis } from 'ioredis'
import { eventually } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineTask } from '../../src/index.ts'
import type { Client, Finding } from '../../src/index.ts'
import { examineMembers } from '../../src/jobs/listing.ts'
import { diagnose } from '../../src/queues/diagnose.ts'
import { QueueExamination } from '../../src/queues/examination.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { next, silent, useHarness } from './support.ts'

/** Trouble of a night, and the tools that must point at its cause. */
const bench = useHarness()
const queueName = 'night'
const hold = defineTask({
  name: 'hold',
  handler: (ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
})

let client: Client
let redis: Redis

beforeEach(() => {
  client = bench.client({ queueName })
  redis = new Redis(bench.database().url)
})
afterEach(() => redis.disconnect())

const found = async (check: Finding['check']) =>
  (await client.doctor.examine()).findings.find((finding) => finding.check === check)

describe('a worker that died and left its health line', () => {
  /** Keys as a killed process leaves them: the registry entry lapses, the line stays for its interval. */
  async function leaveLine(): Promise<string> {
    const worker = await bench.worker({ tasks: [hold], queueName })
    const keys = [`${queueName}:health-check`, `arq:health-line:${queueName}:health-check`]
    const lines = await redis.mget(keys)
    expect(lines[0]).toMatch(/^\S+ \S+ j_complete=0/)
    await worker.stop()
    for (const [i, key] of keys.entries()) await redis.set(key, lines[i]!, 'PX', 60_000)
    return lines[0]!
  }

  test('is no Python worker, and no sign of life', async () => {
    await leaveLine()
    await client.enqueue('hold', [], { jobId: 'a' })
    expect(await client.queues.stats(queueName)).toMatchObject({ python: null, workers: 0, pending: 1 })
    expect((await client.workers.fleet([queueName])).python).toEqual([])
    expect(await client.workers.health(queueName)).toBeNull()
    expect(await found('no-workers')).toMatchObject({ queueName, count: 1 })
  })

  test('hides no Python worker that reports after it', async () => {
    const line = await leaveLine()
    await redis.set(`${queueName}:health-check`, line.replace('j_complete=0', 'j_complete=7'), 'PX', 60_000)
    expect((await client.queues.stats(queueName)).python).toMatchObject({ complete: 7 })
    expect((await client.workers.fleet([queueName])).python).toMatchObject([{ queueName }])
    expect(await client.workers.health(queueName)).toMatchObject({ complete: 7 })
  })

  test('is not judged by a registry that nobody can read', async () => {
    const line = await leaveLine()
    await redis.del('arq:workers')
    await redis.set('arq:workers', 'damaged')
    expect(await client.workers.health(queueName)).toMatchObject({ line })
    await redis.del('arq:workers')
    expect(client.doctor.takeDamagedKeys()).toEqual([{ key: 'arq:workers', kind: 'arq:workers' }])
    expect(await client.workers.health(queueName)).toBeNull()
  })

  test('leaves neither line nor record behind when it stops', async () => {
    const worker = await bench.worker({ tasks: [hold], queueName })
    await worker.stop()
    expect(await redis.keys('*health*')).toEqual([])
  })
})

test('the doctor names the job that has had a slot for the longest if none is free', async () => {
  const worker = await bench.worker({ tasks: [hold], queueName, maxJobs: 1 })
  const started = next(worker, 'jobStarted')
  await client.enqueue('hold', [], { jobId: 'long' })
  await started
  await client.enqueue('hold', [], { jobId: 'waits' })
  await redis.zadd(queueName, Date.now() - 120_000, 'waits')
  await eventually(async () => (await client.workers.list())[0]?.running.length === 1)
  expect((await found('slots-taken'))?.message).toMatch(
    /^1 job due, the oldest for 2 min.*: the slot of its live worker is taken, the longest by the job "long" of "hold"/,
  )

  const nowMs = Date.now()
  const [stats] = await client.queues.statsOf([queueName])
  const workers = await client.workers.list()
  const queue = { stats: stats!, first: new QueueExamination(), again: new QueueExamination(), hasBadLine: false }
  const server = { evictionPolicy: 'noeviction', persists: true, clockOffsetMs: 0 }
  const checks = (changes: Partial<(typeof workers)[0]>, of: Partial<typeof stats> = {}) =>
    diagnose({
      server,
      workers: workers.map((each) => ({ ...each, ...changes })),
      queues: [{ ...queue, stats: { ...stats!, ...of } }],
      staleAborts: [],
      nowMs,
    }).map(({ check }) => check)
  expect(checks({})).toEqual(['slots-taken'])
  expect(checks({ maxJobs: 2 })).toEqual([])
  expect(checks({}, { oldestDueMs: nowMs - 30_000 })).toEqual([])
  expect(checks({}, { paused: true })).toEqual(['paused'])
})

test('a job that was at work when its worker died is named from the second death on', async () => {
  await client.enqueue('pill', [], { jobId: 'once', deferByMs: 600_000 })
  await client.enqueue('pill', [], { jobId: 'thrice', deferByMs: 600_000 })
  const later = Math.round(Date.now()) + 600_000
  await redis.zadd(queueName, later + 1 / 64, 'once', later + 3 / 64, 'thrice')
  expect(await found('deadly-job')).toMatchObject({ queueName, jobIds: ['thrice'], repair: null })
  expect((await found('deadly-job'))?.message).toContain('up to 3 times')
})

test('a job that ended while its page was read is left out of a list; one without a payload is not', async () => {
  await redis.zadd(queueName, Date.now(), 'bare')
  const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1_000, log: silent })
  try {
    const page = ['ended', 'bare'].map((jobId) => ({ jobId, score: Date.now(), deaths: 0 }))
    const jobs = await examineMembers(link, queueName, page, () => true)
    expect(jobs.map(({ jobId }) => jobId)).toEqual(['bare'])
  } finally {
    await link.close()
  }
})
