import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const byNumber = z.object({ n: z.number() })
/** The long form: LIMIT_KEYS=100000. */
const KEYS = Number(process.env.LIMIT_KEYS ?? 150)
const LONG_MS = 20_000 + 10 * KEYS
afterEach(() => void vi.useRealTimers())

test('a held job starts by the end of the one that had its place: no look by the clock is needed', async () => {
  // The looks of the limits, for leases and offers that ended unnoticed, never come.
  vi.useFakeTimers({ toFake: ['setInterval'] })
  const started: number[] = []
  const ends: (() => void)[] = []
  const task = defineTask({
    name: 'limited',
    limits: [{ name: 'one', concurrency: 1 }],
    handler: async (_ctx, n: number) => {
      started.push(n)
      await new Promise<void>((resolve) => ends.push(resolve))
    },
  })
  const client = bench.client()
  const options = { tasks: [task], pollDelayMs: 600_000, maxJobs: 5 }
  await Promise.all([bench.worker(options), bench.worker(options)])
  await client.enqueue(task, [0])
  await eventually(() => ends.length === 1)
  for (let n = 1; n < 10; n++) await client.enqueue(task, [n])
  await eventually(async () => (await client.limits.get('one')).waiting === 9)
  for (let ended = 0; ended < 10; ended++) {
    await eventually(() => ends.length > ended)
    expect(started).toHaveLength(ended + 1)
    ends[ended]!()
  }
  // Jobs of one millisecond have no order.
  expect([...started].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test(
  'keys cost what they hold, and nothing once nobody runs or waits under them',
  async () => {
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => (letGo = resolve))
    let active = 0
    const task = defineTask({
      name: 'limited',
      params: byNumber,
      limits: [{ name: 'tenant', key: ({ n }) => `tenant-${n}`, concurrency: 1, rate: { count: 100, perMs: 100 } }],
      handler: async () => {
        active++
        await gate
      },
    })
    await bench.worker({ tasks: [task], maxJobs: KEYS + 50 })
    const { redis } = bench.database()
    const calls = Array.from({ length: 2 * KEYS }, (_, n) => [task, { n: n % KEYS }] as const)
    await bench.client().enqueueMany(calls)
    const within = { timeoutMs: LONG_MS }
    await eventually(async () => active === KEYS && (await redis.zcard('arq:limit-watch')) === KEYS, within)
    await eventually(async () => (await redis.hlen('arq:held')) === KEYS, within)
    const keys = await redis.keys('arq:limit-*:*')
    expect(keys.length).toBeLessThanOrEqual(3 * KEYS)
    const client = bench.client()
    await client.limits.set('idle', { concurrency: 1 })
    const names = async (inUse: boolean) => new Set((await client.limits.list({ inUse })).map(({ name }) => name))
    expect(await names(false)).toEqual(new Set(['idle', 'tenant']))
    expect(await names(true)).toEqual(new Set(['tenant']))
    await client.limits.clear('idle')
    let bytes = 0
    for (const key of keys.slice(0, 300)) bytes += Number(await redis.call('MEMORY', 'USAGE', key))
    // One job that runs and one that waits for each.
    expect(((bytes / Math.min(keys.length, 300)) * keys.length) / KEYS).toBeLessThan(2_500)
    letGo()
    await eventually(async () => active === 2 * KEYS && (await redis.keys('arq:limit*')).length === 0, within)
    expect(await redis.exists('arq:held')).toBe(0)
  },
  3 * LONG_MS,
)

describe('a limit that always has jobs waiting, of more shares than it keeps,', () => {
  /** Holds jobs of shares, which gives their turns, and serves the first as limit-fill.lua does. */
  const limited = () => {
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 60_000, log: silent })
    const { redis } = bench.database()
    let jobs = 0
    return {
      link,
      hold: async (key: string, weight = 1) => {
        const jobId = `job-${++jobs}`
        await redis.multi().set(`arq:in-progress:${jobId}`, 'token').zadd('arq:queue', 1, jobId).exec()
        const claim = { jobId, queueName: 'arq:queue', token: 'token', jobTry: 1 }
        const limit = { id: 'gpu', name: 'gpu', declared: '0|||', share: { key, weight } }
        expect(await link.limitRecords.admit(claim, [limit], { leaseMs: 1_000, turn: jobs })).toMatchObject({
          kind: 'held',
        })
        return Number(await redis.zscore('arq:limit-waiting:gpu', `arq:queue\u0000${jobId}`))
      },
      serve: async () => {
        const [, turn] = await redis.zpopmin('arq:limit-waiting:gpu')
        await redis.hset('arq:limit-state:gpu', 'served', turn!)
      },
      shares: async () => (await redis.hkeys('arq:limit-state:gpu')).filter((field) => field.startsWith('share:')),
    }
  }

  test('forgets those that have none waiting, beyond 200', async () => {
    const { hold, link, serve, shares } = limited()
    try {
      for (let n = 0; n < 5; n++) await hold('busy')
      for (let n = 0; n < 900; n++) {
        await hold(`tenant-${n}`)
        if (n >= 30) await serve()
      }
      expect((await shares()).length).toBeLessThan(300)
    } finally {
      await link.close()
    }
  })

  test.each([1, 0.1])('serves one that asks often in turn with others of weight %d', async (weight) => {
    const { hold, link } = limited()
    const turns: number[] = []
    try {
      for (let n = 0; n < 700; n++) {
        await hold(`tenant-${n}`, weight)
        if (n >= 300 && n % 20 === 0) turns.push(await hold('busy'))
      }
    } finally {
      await link.close()
    }
    const [first] = turns
    expect(first).toBeLessThanOrEqual(1)
    expect(turns).toEqual(turns.map((_, n) => first! + n))
  })
})

describe('a worker that looks for places of dead workers', () => {
  const waiting = defineTask({ name: 'limited', limits: [{ name: 'one', concurrency: 1 }], handler: () => 'ran' })

  test('looks at all limits that are due in one turn', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    await bench.worker({ tasks: [waiting] })
    const { redis } = bench.database()
    const ids = Array.from({ length: 1_000 }, (_, n) => ['0', `tenant:${n}`])
    await redis.zadd('arq:limit-watch', ...ids.flat())
    vi.advanceTimersByTime(500)
    await eventually(async () => (await redis.exists('arq:limit-watch')) === 0)
  })

  test('is held up by no damaged limits, however many there are', async () => {
    const { redis } = bench.database()
    const damaged = Array.from({ length: 150 }, (_, n) => `tenant:${n}`)
    for (const id of damaged)
      await redis.multi().zadd('arq:limit-watch', 0, id).set(`arq:limit-state:${id}`, 'no hash').exec()
    const [seconds] = await redis.time()
    await redis.zadd('arq:limit-running:one', Number(seconds) * 1000 + 2_000, 'dead/token job')
    await bench.worker({ tasks: [waiting] })
    const job = await bench.client().enqueue(waiting, [])
    expect(await job!.result({ timeoutMs: 20_000 })).toBe('ran')
  })
})

describe('many limits that are set', () => {
  test('are listed by pages, in order', async () => {
    const client = bench.client()
    for (const key of ['b', 'c', 'a']) await client.limits.set('tenant', { key, concurrency: 2 })
    await client.limits.set('tenant', { concurrency: 1 })
    const list = async (options?: { after?: string; limit?: number }) =>
      (await client.limits.list(options)).map(({ name, key, concurrency }) => `${name} ${key} ${concurrency}`)
    const all = ['tenant null 1', 'tenant a 2', 'tenant b 2', 'tenant c 2']
    expect(await list()).toEqual(all)
    expect(await list({ limit: 2 })).toEqual(all.slice(0, 2))
    expect(await list({ after: 'tenant' })).toEqual(all.slice(1))
    expect(await list({ after: 'tenant:a', limit: 1 })).toEqual(all.slice(2, 3))
  })

  test('cost nothing to whoever asks for one', async () => {
    // Bytes are counted for all databases: other tests must not be at work on the server.
    const server = await RedisServer.start()
    onTestFinished(() => server.stop())
    const client = bench.client({ redis: server.url })
    const redis = new Redis(server.url)
    onTestFinished(() => redis.disconnect())
    const settings = Array.from({ length: 2_000 }, (_, n) => [`tenant:${n}`, '2|||'])
    await redis.hset('arq:limits', ...settings.flat(), 'tenant', '|5|100|1')
    await client.limits.get('tenant', { key: '7' })
    const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))![1])
    const ofInfo = -((await sent()) - (await sent()))
    const before = await sent()
    const one = await client.limits.get('tenant', { key: '7' })
    expect((await sent()) - before - ofInfo).toBeLessThan(5_000)
    expect(one).toMatchObject({ concurrency: 2, rate: { count: 5, perMs: 100, burst: 1 }, isSet: true })
  })
})

test.each([
  ['a megabyte of the parameters', `${'x'.repeat(1_048_576)}1`, `${'x'.repeat(1_048_576)}2`],
  ['strings that were cut within an emoji', 'user \ud83d', 'user \ud83c'],
])('%s make keys that differ, by calls too, and that cost little', async (_, one, other) => {
  const keys = [one, other]
  const ends: (() => void)[] = []
  const task = defineTask({
    name: 'limited',
    params: byNumber,
    limits: [{ name: 'tenant', key: ({ n }) => keys[n]!, concurrency: 1 }],
    handler: () => new Promise<void>((resolve) => ends.push(resolve)),
  })
  await bench.worker({ tasks: [task] })
  const client = bench.client()
  for (const n of [0, 1, 0]) await client.enqueue(task, { n })
  const countsOf = async (key: string) => {
    const { running, waiting } = await client.limits.get('tenant', { key })
    return [running, waiting]
  }
  await eventually(async () => (await countsOf(one)).join() === '1,1')
  expect(await countsOf(other)).toEqual([1, 0])
  const { redis } = bench.database()
  for (const key of await redis.keys('arq:limit-*')) expect(key.length).toBeLessThan(600)
  expect(String(await redis.hvals('arq:held')).length).toBeLessThan(1_000)
  await client.limits.set('tenant', { key: one, concurrency: 2 })
  await eventually(async () => (await countsOf(one)).join() === '2,0')
  for (const end of ends) end()
})
