import { eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import { defineTask } from '../../src/index.ts'
import type { Client } from '../../src/index.ts'
import { useHarness } from './support.ts'

const harness = useHarness()
const queueName = 'work'
let client: Client
/** Ids of the jobs that each worker has started. */
const started = { busy: [] as string[], idle: [] as string[] }
let release: (() => void)[] = []

beforeEach(() => {
  client = harness.client({ queueName })
  started.busy = []
  started.idle = []
  release = []
})

const tasks = (who: 'busy' | 'idle') => [
  defineTask({
    name: 'held',
    handler: (ctx) => {
      started[who].push(ctx.jobId)
      return new Promise<void>((resolve) => release.push(resolve))
    },
  }),
  defineTask({
    name: 'short',
    handler: (ctx) => {
      started[who].push(ctx.jobId)
      return who
    },
  }),
]

/** A worker that runs `count` jobs which do not end. */
async function busyWorker(count: number): Promise<void> {
  await harness.worker({ tasks: tasks('busy'), queueName })
  for (let i = 0; i < count; i++) await client.enqueue('held', [], { jobId: `held-${i}` })
  await eventually(() => started.busy.length === count)
}

/** Leaves a job as the deaths of its workers would: the last lease ends in `inMs`. */
async function orphan(jobId: string, deaths: number, inMs = 0): Promise<void> {
  const { redis } = harness.database()
  await client.enqueue('short', [], { jobId, deferByMs: 3_600_000 })
  const [seconds, micros] = await redis.time()
  const leaseEndMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) + inMs
  await redis.zadd(queueName, 'XX', (leaseEndMs + (2 * deaths - 1) / 128).toFixed(7), jobId)
}

describe('a job whose worker died', () => {
  test('starts on a busy worker next to jobs that do not end', async () => {
    await busyWorker(3)
    await orphan('once', 1)
    await eventually(() => started.busy.includes('once'))
    expect(release.length).toBe(3)
  })

  test('starts on an idle worker where there is one', async () => {
    await busyWorker(2)
    await harness.worker({ tasks: tasks('idle'), queueName })
    for (let i = 0; i < 10; i++) {
      await orphan(`once-${i}`, 1, 250)
      await client.job(`once-${i}`).result({ timeoutMs: 10_000 })
    }
    // Both are one process here, and a turn of its event loop may take longer than the idle one's advantage.
    expect(started.idle.length).toBeGreaterThanOrEqual(8)
  })

  test('twice starts next to no other, and holds up no other for long, until it can start alone', async () => {
    await busyWorker(1)
    await orphan('twice', 2)
    await eventually(async () => (await harness.database().redis.exists('arq:in-progress:twice')) === 1)
    const fresh = await client.enqueue('short', [], { jobId: 'fresh' })
    expect(await fresh!.result({ timeoutMs: 60_000 })).toBe('busy')
    expect(started.busy).toEqual(['held-0', 'fresh'])
    release[0]!()
    await eventually(() => started.busy.includes('twice'), { timeoutMs: 60_000 })
    expect(await client.job('twice').result({ timeoutMs: 5_000 })).toBe('busy')
  })
})
