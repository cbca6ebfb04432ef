import { eventually } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import { beforeEach, describe, expect, test } from 'vitest'
import { defineTask } from '../../src/index.ts'
import type { Client } from '../../src/index.ts'
import { next, useHarness } from './support.ts'

const bench = useHarness()
const queueName = 'work'
let release = () => {}
const tasks = [
  defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
  defineTask({ name: 'held', handler: () => new Promise<void>((resolve) => (release = resolve)) }),
]
let client: Client

beforeEach(() => (client = bench.client({ queueName })))

const stateOf = async (id: string) => (await client.workers.list()).find((worker) => worker.id === id)?.state

/** Orders a worker, and waits until its entry says that it follows. */
async function order(id: string, what: 'quiet' | 'resume'): Promise<void> {
  const given = what === 'quiet' ? client.workers.quiet(id) : client.workers.resume(id)
  expect(await given).toBe(true)
  await eventually(async () => (await stateOf(id)) === (what === 'quiet' ? 'quiet' : 'running'))
}

/** Cuts the connections of this test's database, but for the one that asks. */
async function cutOthers(redis: Redis): Promise<void> {
  const own = String(await redis.client('ID'))
  const lines = String(await redis.client('LIST')).split('\n')
  const ids = lines
    .filter((line) => line.includes(` db=${redis.options.db} `))
    .map((line) => /id=(\d+)/.exec(line)![1]!)
  for (const id of ids) if (id !== own) await redis.client('KILL', 'ID', id)
}

describe('a quiet worker', () => {
  test('ends what it runs, claims nothing more, and claims again once it is resumed', async () => {
    const worker = await bench.worker({ tasks, queueName })
    const started = next(worker, 'jobStarted')
    const held = await client.enqueue('held')
    await started
    await order(worker.id, 'quiet')
    const waiting = await client.enqueue('echo', [1])
    release()
    await held!.result({ timeoutMs: 5_000 })
    // It has polled, and its registry entry is newer than the job.
    await eventually(async () => (await client.workers.list())[0]!.counters.complete === 1)
    expect(await waiting!.status()).toBe('queued')
    await order(worker.id, 'resume')
    expect(await waiting!.result({ timeoutMs: 5_000 })).toBe(1)
  })

  test('leaves its work to other workers of the queue', async () => {
    const quiet = await bench.worker({ tasks, queueName })
    await order(quiet.id, 'quiet')
    const other = await bench.worker({ tasks, queueName })
    for (let i = 0; i < 20; i++) await (await client.enqueue('echo', [i]))!.result({ timeoutMs: 5_000 })
    expect(other.describe().counters.complete).toBe(20)
    expect(quiet.describe().counters.complete).toBe(0)
  })

  test('stays quiet over a reconnect, and where Redis has lost the order', async () => {
    const { redis } = bench.database()
    const worker = await bench.worker({ tasks, queueName })
    await order(worker.id, 'quiet')
    await redis.del(`arq:obs:order:${worker.id}`)
    const back = next(worker, 'redisUp')
    await cutOthers(redis)
    await back
    await eventually(async () => (await redis.get(`arq:obs:order:${worker.id}`)) === 'quiet')
    expect(worker.describe().state).toBe('quiet')
    const waiting = await client.enqueue('echo', [1])
    await order(worker.id, 'resume')
    expect(await waiting!.result({ timeoutMs: 5_000 })).toBe(1)
  })

  test('takes the order with it when it stops', async () => {
    const { redis } = bench.database()
    const worker = await bench.worker({ tasks, queueName })
    await order(worker.id, 'quiet')
    await worker.stop()
    expect(await redis.exists(`arq:obs:order:${worker.id}`)).toBe(0)
    expect(await client.workers.quiet(worker.id)).toBe(false)
  })

  test('is named by doctor and by explain where its jobs wait', async () => {
    const worker = await bench.worker({ tasks, queueName })
    await order(worker.id, 'quiet')
    await client.enqueue('echo', [1], { jobId: 'waits' })
    const { findings } = await client.doctor.examine()
    expect(findings.find(({ check }) => check === 'quiet-workers')).toMatchObject({ queueName, count: 1 })
    const { reasons } = await client.jobs.explain('waits')
    expect(reasons.find(({ check }) => check === 'slots')).toMatchObject({ ok: false })
  })
})

test('a worker reports as running what runs, and not what is reserved or waits', async () => {
  const releases: (() => void)[] = []
  const hold = defineTask({ name: 'hold', handler: () => new Promise<void>((resolve) => releases.push(resolve)) })
  const worker = await bench.worker({ tasks: [hold], queueName, maxJobs: 5 })
  for (let i = 0; i < 30; i++) await client.enqueue('hold')
  await eventually(() => releases.length === 5)
  await eventually(async () => (await client.workers.list())[0]!.counters.ongoing === 5)
  expect(worker.describe().running.length).toBe(5)
  expect(await client.queues.stats(queueName)).toMatchObject({ running: 5, pending: 25 })
  while (worker.describe().counters.complete < 30) {
    for (const each of releases.splice(0)) each()
    await eventually(() => releases.length > 0 || worker.describe().counters.complete === 30)
    expect(worker.describe().counters.ongoing).toBeLessThanOrEqual(5)
  }
})
