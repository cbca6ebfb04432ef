import { eventually } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { Client, defineTask } from '../../src/index.ts'
import type { Limit } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { OFFER_MS } from '../../src/redis/limits.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const JOBS = 200
const TEST_MS = 90_000
/** Neither a poll nor a look by the clock comes in time: jobs start by wake-ups alone. */
const POLL_MS = 60_000

/** The value that all but a hundredth of these are below. */
function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(0.99 * values.length) - 1]!
}

/** Runs jobs under a limit on two workers, with the round trips to Redis meanwhile, from this very process. */
async function runsUnder(limit: Limit, handler: (n: number) => unknown): Promise<number[]> {
  let runs = 0
  const task = defineTask({
    name: 'limited',
    limits: [limit],
    handler: async () => {
      await handler(runs)
      runs++
    },
  })
  for (let n = 0; n < 2; n++) await bench.worker({ tasks: [task], pollDelayMs: POLL_MS, maxJobs: 20 })
  const client = new Client({ redis: bench.database().url, logger: silent })
  const { redis } = bench.database()
  const roundTrips: number[] = []
  // From the planned time on: a process that was not running sent late, too.
  let plannedMs = performance.now()
  const timer = setInterval(() => {
    for (; plannedMs <= performance.now(); plannedMs += 5) {
      const sentMs = plannedMs
      void redis.ping().then(() => roundTrips.push(performance.now() - sentMs))
    }
  }, 5)
  try {
    await client.enqueueMany(Array.from({ length: JOBS }, () => ['limited', []] as const))
    await eventually(() => runs === JOBS, { timeoutMs: 60_000 })
  } finally {
    clearInterval(timer)
    await client.close()
  }
  return roundTrips
}

test(
  'a job that a rate holds back starts when its time has come, later by a few round trips to Redis at most',
  async () => {
    const [gapMs, burst] = [10, 5]
    const starts: number[] = []
    const limit = { name: 'api', rate: { count: 1_000 / gapMs, perMs: 1_000, burst } }
    const roundTrips = await runsUnder(limit, () => void starts.push(performance.now()))
    const lateMs: number[] = []
    let arrivalMs = starts[0]!
    for (const startMs of starts) {
      lateMs.push(startMs - Math.max(starts[0]!, arrivalMs - (burst - 1) * gapMs))
      arrivalMs = Math.max(arrivalMs, startMs) + gapMs
    }
    expect(p99(lateMs)).toBeLessThan(20 + 3 * p99(roundTrips))
  },
  TEST_MS,
)

test(
  'a rate is used while thousands of jobs that it holds back are still in the queue before them',
  async () => {
    const [perSecond, burst, jobs] = [100, 30, 4_000]
    const starts: number[] = []
    const task = defineTask({
      name: 'limited',
      limits: [{ name: 'api', rate: { count: perSecond, perMs: 1_000, burst } }],
      handler: () => void starts.push(performance.now()),
    })
    const client = bench.client()
    await client.enqueueMany(Array.from({ length: jobs }, () => ['limited', []] as const))
    for (let n = 0; n < 2; n++) await bench.worker({ tasks: [task], pollDelayMs: POLL_MS, maxJobs: 20 })
    const { redis } = bench.database()
    await eventually(async () => (await redis.hlen('arq:held')) > jobs - 1_000, { timeoutMs: 60_000 })
    const seconds = (performance.now() - starts[0]!) / 1_000
    expect(starts.length).toBeGreaterThan(burst + 0.5 * perSecond * seconds)
  },
  TEST_MS,
)

test(
  'a rate is used while thousands of other jobs are in the queue that came later',
  async () => {
    const perSecond = 20
    const starts: number[] = []
    let others = 0
    const limited = defineTask({
      name: 'limited',
      limits: [{ name: 'api', rate: { count: perSecond, perMs: 1_000, burst: 20 } }],
      handler: () => void starts.push(performance.now()),
    })
    const other = defineTask({
      name: 'other',
      handler: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        others++
      },
    })
    await bench.worker({ tasks: [limited, other], pollDelayMs: POLL_MS, maxJobs: 2 })
    const client = bench.client()
    await client.enqueueMany(Array.from({ length: 500 }, () => ['limited', []] as const))
    const { redis } = bench.database()
    await eventually(async () => (await redis.zcard('arq:limit-waiting:api')) > 100)
    const before = starts.length
    const sentMs = performance.now()
    await client.enqueueMany(Array.from({ length: 1_500 }, () => ['other', []] as const))
    await eventually(() => others === 1_500, { timeoutMs: 60_000 })
    const seconds = (performance.now() - sentMs) / 1_000
    expect((starts.length - before) / seconds).toBeGreaterThan(0.5 * perSecond)
  },
  TEST_MS,
)

test(
  'a job that waits for a place starts when one is free, later by a few round trips to Redis at most',
  async () => {
    let freeMs = 0
    const gapsMs: number[] = []
    const roundTrips = await runsUnder({ name: 'one', concurrency: 1 }, async (n) => {
      if (n > 0) gapsMs.push(performance.now() - freeMs)
      await new Promise((resolve) => setTimeout(resolve, 5))
      freeMs = performance.now()
    })
    expect(gapsMs).toHaveLength(JOBS - 1)
    expect(p99(gapsMs)).toBeLessThan(50 + 3 * p99(roundTrips))
  },
  TEST_MS,
)

test('an offer that is late has its limit looked at when it ends, not at every look of every worker', async () => {
  const perMs = 3_000
  const task = defineTask({ name: 'limited', limits: [{ name: 'slow', rate: { count: 1, perMs } }], handler: () => {} })
  const { redis, url } = bench.database()
  const worker = await bench.worker({ tasks: [task], pollDelayMs: POLL_MS, maxJobs: 5 })
  await bench.client().enqueueMany(Array.from({ length: 5 }, () => ['limited', []] as const))
  const dueMs = async () =>
    Number((await redis.zrange('arq:limit-offered:slow', '0', '0', 'WITHSCORES'))[1] ?? 0) - OFFER_MS
  await eventually(async () => (await dueMs()) > 0)
  await worker.stop()
  const link = new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
  try {
    await link.syncClock()
    const due = await dueMs()
    await eventually(() => link.clock.now() > due + 300)
    await link.limitRecords.serve({ id: 'slow', name: 'slow' }, { places: [], jobs: [] })
    const lookedAtMs = Number(await redis.zscore('arq:limit-watch', 'slow'))
    // The next start is prepared a second before its time, and the offer lasts for longer than that.
    expect(lookedAtMs).toBeGreaterThanOrEqual(due + perMs - 1_001)
  } finally {
    await link.close()
  }
})
