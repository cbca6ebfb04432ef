import { eventually, RedisServer } from '@arq-ts/test-support'
import { encodeJob, Keys } from '@arq-ts/protocol/jobs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scheduleId } from '../../src/cron/tick-plan.ts'
import { createLogger, cron, defineTask, Worker } from '../../src/index.ts'
import type { CronJob, CronJobOptions } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { next, silent, useHarness } from './support.ts'

const bench = useHarness()
const seed = Number(process.env.ARQ_TEST_SEED ?? Date.now() % 100_000)
const keys = new Keys()

/** A logger, and what it logged. */
function recorder() {
  const lines: string[] = []
  const logger = createLogger({
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
  } as never)
  return { lines, logger }
}

const payloadOf = (functionName: string) =>
  encodeJob({ jobTry: null, functionName, args: [], kwargs: {}, enqueueTimeMs: Date.now() }, 'msgpack')

/** A daily schedule whose last tick was due some minutes ago. */
function minutesAgo(minutes: number) {
  const at = new Date(Math.floor(Date.now() / 60_000) * 60_000 - minutes * 60_000)
  const schedule = `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`
  return { atMs: at.getTime(), schedule }
}

describe('a burst', () => {
  test.each([{ overlap: 'allow' }, { overlap: 'skip' }] as const)(
    'runs what is due at the start on a server that knows no script, %j',
    async ({ overlap }) => {
      const { redis, url } = bench.database()
      for (let round = 0; round < 10; round++) {
        let ran = 0
        const nightly = cron('cron:nightly', { hour: 2 }, () => void ran++, { runAtStartup: true, overlap })
        await redis.script('FLUSH')
        const worker = new Worker({ redis: url, cron: [nightly], burst: true, logger: silent, handleSignals: false })
        await worker.run()
        expect(ran, `round ${round}`).toBe(1)
      }
    },
  )
})

describe('a tick that cannot be enqueued', () => {
  test('is logged with its job and its reason', async () => {
    const { redis } = bench.database()
    await redis.set('arq:queue', 'no sorted set')
    const { lines, logger } = recorder()
    await bench.worker({ cron: [cron('cron:often', '* * * * * *', () => {})], logger })
    const line = await eventually(() => lines.find((text) => text.includes('could not be enqueued')))
    expect(line).toContain('cron:often: the tick of ')
    expect(line).toContain('WRONGTYPE')
    expect(await redis.keys('arq:job:*')).toEqual([])
  })

  test('is logged when the worker stops while Redis is away', async () => {
    const server = await RedisServer.start()
    const { lines, logger } = recorder()
    const worker = new Worker({
      redis: server.url,
      cron: [cron('cron:often', '* * * * * *', () => {})],
      logger,
      handleSignals: false,
    })
    const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
    const running = worker.run()
    await started
    const down = new Promise<void>((resolve) => worker.once('redisDown', () => resolve()))
    await server.stop()
    await down
    const before = lines.length
    const next = worker.describe().cron[0]!.nextMs
    await eventually(() => worker.describe().cron[0]!.nextMs !== next)
    await worker.stop()
    await running
    const expected = /cron:often: the tick of \S+ was not enqueued, the worker stopped before/
    await eventually(() => expected.test(lines.slice(before).join('')))
  })
})

describe('a tick that no worker was there for', () => {
  const jobOf = (schedule: string, missed: CronJobOptions['missed'], ran: string[]): CronJob =>
    cron('cron:daily', schedule, (ctx) => void ran.push(ctx.jobId), { timeZone: 'UTC', missed: missed! })

  /** As a worker that ran yesterday left it. */
  const watchSince = (job: CronJob, sinceMs: number) =>
    bench.database().redis.set(keys.tickRecord(scheduleId(job, undefined)), sinceMs)

  test('runs once in the fleet where `missed` is `latest`, and not again when its in-progress key is gone', async () => {
    const { redis } = bench.database()
    const { atMs, schedule } = minutesAgo(10)
    const ran: string[] = []
    const job = jobOf(schedule, 'latest', ran)
    await watchSince(job, atMs - 3 * 86_400_000)
    const workers = await Promise.all([1, 2, 3].map(() => bench.worker({ cron: [job] })))
    await eventually(() => ran.length > 0)
    await Promise.all(workers.map((worker) => worker.stop()))
    await redis.del(`arq:in-progress:cron:daily:${atMs}`)
    await bench.worker({ cron: [job] })
    const next = await bench.worker({ cron: [job], burst: true, tasks: [] })
    await next.run()
    expect(ran).toEqual([`cron:daily:${atMs}`])
  })

  test.each(['skip', undefined] as const)('is left out where `missed` is %s, as in arq', async (missed) => {
    const { redis } = bench.database()
    const { atMs, schedule } = minutesAgo(10)
    const ran: string[] = []
    const job = jobOf(schedule, missed ?? 'skip', ran)
    await watchSince(job, atMs - 86_400_000)
    await (await bench.worker({ cron: [job], burst: true })).run()
    expect(ran).toEqual([])
    expect(await redis.keys('arq:job:*')).toEqual([])
  })

  test('is not made up for by a job that is new', async () => {
    const { redis } = bench.database()
    const { schedule } = minutesAgo(10)
    const ran: string[] = []
    const job = jobOf(schedule, 'latest', ran)
    for (let i = 0; i < 2; i++) await (await bench.worker({ cron: [job], burst: true })).run()
    expect(ran).toEqual([])
    expect(await redis.pttl(keys.tickRecord(scheduleId(job, undefined)))).toBeGreaterThan(7 * 86_400_000)
  })

  test('is refused together with `unique: false`', () => {
    expect(() => cron('cron:x', { hour: 1 }, () => {}, { unique: false, missed: 'latest' })).toThrow(
      'once in the fleet',
    )
  })
})

describe('several cron jobs on one function', () => {
  test("each enqueue their own ticks under arq's ids, and are shown one by one", async () => {
    const ran: string[] = []
    const tick = (ctx: { jobId: string }) => void ran.push(ctx.jobId)
    const even = cron('cron:tick', { second: Array.from({ length: 30 }, (_, i) => 2 * i) }, tick)
    const odd = cron(
      'cron:tick',
      { second: Array.from({ length: 30 }, (_, i) => 2 * i + 1), microsecond: 500_000 },
      tick,
    )
    const worker = await bench.worker({ cron: [even, odd] })
    await eventually(() => /123\b/.test(ran.join(' ')) && /500\b/.test(ran.join(' ')))
    for (const id of ran) {
      const ms = Number(/^cron:tick:(\d+)$/.exec(id)?.[1])
      expect(ms % 2000, id).toBe(ms % 2 === 0 ? 1500 : 123)
    }
    expect(new Set(ran).size).toBe(ran.length)
    const described = worker.describe()
    expect(described.functions).toEqual(['cron:tick'])
    expect(described.cron.map(({ name, schedule }) => [name, schedule])).toEqual([
      ['cron:tick', even.schedule],
      ['cron:tick', odd.schedule],
    ])
  })

  test('are refused where their handlers differ, or a task has the name', () => {
    const one = cron('cron:x', { hour: 1 }, () => 1)
    const two = cron('cron:x', { hour: 2 }, () => 2)
    const options = { redis: bench.database().url, logger: silent }
    expect(() => new Worker({ ...options, cron: [one, two] })).toThrow("function 'cron:x' is registered twice")
    const task = defineTask({ name: 'cron:x', handler: () => {} })
    expect(() => new Worker({ ...options, cron: [one], tasks: [task] })).toThrow(
      "function 'cron:x' is registered twice",
    )
  })
})

test('a cron job with a fixed id ticks again after a worker has died in its tick', async () => {
  const { url, redis } = bench.database()
  const link = new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
  const ran: string[] = []
  const job = cron('cron:fixed', '* * * * * *', (ctx) => void ran.push(ctx.jobId), { jobId: 'fixed' })
  // A worker that claims the tick and is never heard of again.
  await link.broker.enqueue([
    { jobId: 'fixed', queueName: 'arq:queue', due: { in: 0 }, expiresMs: undefined, payload: payloadOf(job.name) },
  ])
  await link.broker.reserve('arq:queue', 1, [])
  const lost = await link.broker.claim('arq:queue', ['fixed'], { token: 'dead', leaseMs: 1_000, honourAborts: true })
  expect(lost).toHaveLength(1)
  await link.close()
  const worker = await bench.worker({ cron: [job], keepResultMs: 3_600_000 })
  const failed = next<{ jobId: string; outcome: string }>(worker, 'jobFinished')
  expect(await failed).toMatchObject({ jobId: 'fixed', outcome: 'failed' })
  expect(await redis.exists('arq:result:fixed')).toBe(0)
  await redis.del('arq:in-progress:fixed')
  await eventually(() => ran.length > 0)
})

/**
 * Workers with clocks that are off and looks that come late ask for ticks, jobs run and end without a result, keys of
 * ended jobs lapse. A tick must be queued at most once, whatever the order.
 */
test(`each tick is enqueued at most once by skewed and late workers (seed ${seed})`, { timeout: 60_000 }, async () => {
  const { url, redis } = bench.database()
  const link = new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
  const send = fc.record({
    kind: fc.constant('send' as const),
    /** Seconds from now at which the tick is due, as this worker sees it: late by up to two minutes, early by two seconds. */
    second: fc.integer({ min: -120, max: 2 }),
    missed: fc.boolean(),
  })
  const act = fc.constantFrom('run', 'lapse', 'flush', 'python').map((kind) => ({ kind }))
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 3, arbitrary: send }, act), { maxLength: 40 }), async (steps) => {
        await redis.flushdb()
        await link.broker.syncClock()
        const base = Math.floor(link.clock.now() / 1000) * 1000 + 123
        const queued = new Map<string, number>()
        const pythons = new Set<string>()
        const payload = Buffer.from('payload')
        for (const step of steps) {
          if ('second' in step) {
            const dueMs = base + step.second * 1000
            const jobId = `cron:t:${dueMs}`
            const lateMs = step.missed ? 7 * 86_400_000 : 60_000
            const outcome = await link.ticks.enqueue(
              { jobId, queueName: 'arq:queue', due: { at: dueMs }, expiresMs: undefined, payload },
              {
                name: 'cron:t',
                dueMs,
                record: { schedule: 't', lifetimeMs: 1e9 },
                lateMs,
                aheadMs: 61_000,
                isFixedId: false,
                skipOverlap: false,
              },
            )
            if (outcome === 'queued') queued.set(jobId, (queued.get(jobId) ?? 0) + 1)
            if (outcome === 'late') expect(step.second).toBeLessThanOrEqual(-60)
          } else if (step.kind === 'run') {
            // Ends as a cron job does: no result, an in-progress key for a minute.
            const ids = await redis.zrange('arq:queue', 0, '-1')
            for (const id of ids)
              await redis
                .multi()
                .del(`arq:job:${id}`)
                .zrem('arq:queue', id)
                .psetex(`arq:in-progress:${id}`, 60_000, 'x')
                .exec()
          } else if (step.kind === 'lapse') {
            // Python records nothing: its ticks are known by their in-progress key, for longer than they may be late.
            const all = await redis.keys('arq:in-progress:*')
            const held = all.filter((key) => !pythons.has(key.slice('arq:in-progress:'.length)))
            if (held.length > 0) await redis.del(held)
          } else if (step.kind === 'flush') await redis.script('FLUSH')
          else {
            // A Python worker is first with the tick that is due next.
            const id = `cron:t:${base + 1000}`
            const taken = await redis.exists(`arq:job:${id}`, `arq:result:${id}`)
            if (!taken && !queued.has(id)) {
              await redis
                .multi()
                .psetex(`arq:job:${id}`, 86_400_000, 'python')
                .zadd('arq:queue', base + 1000, id)
                .exec()
              queued.set(id, 1)
              pythons.add(id)
            }
          }
        }
        expect([...queued.entries()].filter(([, times]) => times > 1)).toEqual([])
      }),
      { seed, numRuns: 150 },
    )
  } finally {
    await link.close()
  }
})

describe('the ticks of cron jobs', () => {
  test('are recorded with their ends, the last 50 of each, under one key', async () => {
    const { redis } = bench.database()
    const fails = (ctx: { jobId: string }) => {
      if (Number(ctx.jobId.slice(-3)) === 500) throw new Error('no')
    }
    const often = cron('cron:often', { second: null, microsecond: 0 }, fails)
    const half = cron('cron:half', { second: null, microsecond: 500_000 }, fails)
    const old = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [String(1_000_000_000_000 + i), '{}']))
    await redis.hset('arq:obs:ticks:cron:often', old)
    // Cron jobs that were taken out of the code years ago leave room for others.
    const gone = Array.from({ length: 200 }, (_, i) => [`cron:gone-${i}`, '1000000000000'] as const)
    await redis.hset('arq:obs:ticked', Object.fromEntries(gone))
    await bench.worker({ cron: [often, half], recorder: { intervalMs: 100 } })
    const client = bench.client()
    const ticksOf = async (name: string) => (await client.history.cron()).find((job) => job.name === name)!.ticks
    await eventually(async () => (await ticksOf('cron:often')).length > 0 && (await ticksOf('cron:half')).length > 0)
    expect((await ticksOf('cron:often'))[0]).toMatchObject({ outcome: 'complete', isLate: false, overlaps: false })
    expect((await ticksOf('cron:half'))[0]).toMatchObject({ outcome: 'failed', queueName: 'arq:queue' })
    expect(await redis.hlen('arq:obs:ticks:cron:often')).toBe(50)
    expect(await redis.pttl('arq:obs:ticks:cron:often')).toBeGreaterThan(30 * 86_400_000)
  })

  test('are recorded as left out where the one before still runs', async () => {
    const forever = (ctx: { signal: AbortSignal }) =>
      new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
    const job = cron('cron:long', { second: null }, forever, { overlap: 'skip' })
    await bench.worker({ cron: [job], recorder: { intervalMs: 100 } })
    const client = bench.client()
    await eventually(async () => (await client.history.cron())[0]?.ticks.some(({ outcome }) => outcome === 'overlap'))
    expect((await client.history.cron())[0]!.missed).toEqual([])
  })

  test('are recorded of jobs that end as they are named alone: an id that ends in digits is no tick', async () => {
    const client = bench.client()
    await bench.worker({
      tasks: [defineTask({ name: 'cron:fake', handler: () => 1 })],
      recorder: { intervalMs: 100 },
    })
    const job = await client.enqueue('cron:fake', [], { jobId: 'cron:fake:1700000000000' })
    await job!.result({ timeoutMs: 10_000 })
    await eventually(async () => (await client.history.totals({ by: 'function' })).length > 0)
    expect(await client.history.cron()).toEqual([])
  })
})
