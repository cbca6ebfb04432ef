import { isDeepStrictEqual } from 'node:util'
import type { Redis } from 'ioredis'
import { beforeEach, describe, expect, test } from 'vitest'
import { uniform } from '../../simulation/random.ts'
import { readHistogram, writeHistogram } from '../../src/histogram-bytes.ts'
import { addLatency, noLatencies } from '../../src/judging/latency.ts'
import { metricsOf } from '../../src/judging/tally.ts'
import { keys } from '../../src/keys.ts'
import { RECORD } from '../../src/record-script.ts'
import { RequestCounts } from '../../src/requests.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
const MINUTE = 60_000
const nowMs = 1_000 * MINUTE
let redis: Redis
let counts: RequestCounts
beforeEach(() => {
  redis = bench.redis()
  counts = new RequestCounts(redis, keys(''))
})
const add = (latencyMs: number, more: object = {}, at = nowMs) =>
  counts.add({ deploymentId: 'd', collection: 'v2', latencyMs, isError: false, ...more }, at)
const read = (fromMs = nowMs, toMs = nowMs) => counts.read('d', 'v2', fromMs, toMs)
const readOne = async () => (await read())[0]!.tally

describe('requests are counted', () => {
  test('as latencies in buckets that agree with those of this package, from nothing to hours', async () => {
    const all = [0, 0.05, 0.1, 0.2, 1, 3.2, 6.4, 50, 199.9, 200, 204.8, 5_000, 3_600_000, 9_999_999]
    const expected = noLatencies()
    for (const ms of all) {
      await add(ms)
      addLatency(expected, ms)
    }
    const { latency, requests } = await readOne()
    expect(requests).toBe(all.length)
    expect([...latency.buckets]).toEqual([...expected.buckets])
    expect(latency).toMatchObject({ count: all.length, maxMs: 9_999_999 })
    expect(latency.sumMs).toBeCloseTo(expected.sumMs, 0)
  })

  test('in addition to a list in the order and shape of Python’s, which keeps the newest thousand', async () => {
    await redis.rpush('canary:metrics:d:v2:latency:1000', ...Array.from({ length: 1_500 }, (_, i) => `${i}.5`))
    await add(7)
    await add(8, { isError: true })
    const list = await redis.lrange('canary:metrics:d:v2:latency:1000', 0, -1)
    expect(list).toHaveLength(1_000)
    expect(list.slice(0, 3)).toEqual(['8', '7', '0.5'])
    expect(await redis.get('canary:metrics:d:v2:count:1000')).toBe('2')
    expect(await redis.get('canary:metrics:d:v2:errors:1000')).toBe('1')
    for (const key of await redis.keys('canary:metrics:*')) {
      expect(await redis.ttl(key), key).toBeGreaterThan(7_100)
      expect(await redis.ttl(key), key).toBeLessThanOrEqual(10_800)
    }
  })

  test('with any numbers, by name', async () => {
    await add(5, { values: { ctr: 0.25, 'zero-hits': 1 } })
    await add(5, { values: { ctr: 0.5, 'zero-hits': 0 } })
    await add(5, { values: { ctr: -1.5 } }, nowMs + MINUTE)
    const [first, second] = await read(nowMs, nowMs + MINUTE)
    expect(first!.tally.values).toEqual({
      ctr: { count: 2, sum: 0.75, squares: 0.3125, min: 0.25, max: 0.5 },
      'zero-hits': { count: 2, sum: 1, squares: 1, min: 0, max: 1 },
    })
    expect(second!.tally.values.ctr).toMatchObject({ count: 1, min: -1.5 })
  })

  test.each(['nan', 'inf', '-inf', 'many'])(
    'without a number that is none, as Python may send it: %s',
    async (number) => {
      const keys = ['latency', 'count', 'errors', 'histogram'].map((name) => `canary:metrics:d:v2:${name}:1000`)
      const args = [5, 0, 0, 7_200, 1_000, 1_000, 'ctr', number]
      await bench.redis().eval(RECORD, 5, ...keys, 'canary:metrics:d:v2:values:16', ...args)
      await add(5, { values: { ctr: 0.5 } })
      const [first] = await read(nowMs, nowMs)
      expect(first!.tally).toMatchObject({ requests: 2, values: { ctr: { count: 1, sum: 0.5, min: 0.5, max: 0.5 } } })
    },
  )

  test.each(['nan', '-1', '1795911066000', 'inf', 'fast'])(
    'as a whole or not at all: Python may send a latency that is none, %s',
    async (latency) => {
      const names = ['latency', 'count', 'errors', 'histogram'].map((name) => `canary:metrics:d:v2:${name}:1000`)
      const args = [latency, 1, 0, 7_200, 1_000, 1_000, 'ctr', 0.5]
      const counting = redis.eval(RECORD, 5, ...names, 'canary:metrics:d:v2:values:16', ...args)
      await expect(counting).rejects.toThrow('ERR')
      expect(await redis.keys('*')).toEqual([])
    },
  )

  test('with shadow requests separated', async () => {
    await add(5)
    await add(5, { isShadow: true })
    expect(await readOne()).toMatchObject({ requests: 2, shadowed: 1 })
  })
})

describe('requests that only Python counted', () => {
  const python = async (latencies: number[], minute = 1_000) => {
    await redis.lpush(`canary:metrics:d:v2:latency:${minute}`, ...latencies)
    await redis.incrby(`canary:metrics:d:v2:count:${minute}`, latencies.length)
  }
  test('are read from its list', async () => {
    await python([10, 30, 50])
    expect(metricsOf(await readOne())).toEqual({
      totalRequests: 3,
      totalErrors: 0,
      errorRate: 0,
      avgLatencyMs: 30,
      p95LatencyMs: 50,
    })
  })
  test('are separated from ours in one list', async () => {
    for (const ms of [100, 100, 100]) await add(ms)
    await python([1_000, 1_000])
    const { latency, requests } = await readOne()
    expect(requests).toBe(5)
    expect(latency).toMatchObject({ count: 5, maxMs: 1_000 })
    expect(latency.sumMs).toBeCloseTo(2_300, 0)
  })
  test('are read once: what is kept of them is a histogram', async () => {
    await python([10, 30, 50])
    const later = nowMs + 5 * MINUTE
    expect((await read(nowMs, later))[0]!.tally.latency.count).toBe(3)
    await redis.del('canary:metrics:d:v2:latency:1000')
    expect((await read(nowMs, later))[0]!.tally.latency).toMatchObject({ count: 3, maxMs: 50 })
  })
  test('are not kept before their minute is over for every clock', async () => {
    await python([10])
    await read(nowMs, nowMs + MINUTE)
    await python([20])
    expect((await readOne()).latency.count).toBe(2)
  })
  test('are read again where more were counted since, as after a clock that went back', async () => {
    await python([10])
    const later = nowMs + 5 * MINUTE
    expect((await read(nowMs, later))[0]!.tally.latency.count).toBe(1)
    await python([20, 40])
    expect((await read(nowMs, later))[0]!.tally.latency).toMatchObject({ count: 3, maxMs: 40 })
    counts = new RequestCounts(redis, keys(''))
    expect((await read(nowMs, later))[0]!.tally.latency).toMatchObject({ count: 3, maxMs: 40 })
  })
  test('are read a few lists at a time, the newest first, until all are known', async () => {
    for (let minute = 1_000; minute < 1_020; minute++) await python([10, 20], minute)
    const seen = async () =>
      (await read(nowMs, nowMs + 30 * MINUTE)).filter(({ tally }) => tally.latency.count === 2).length
    const progress: number[] = []
    for (let reading = 0; reading < 10; reading++) progress.push(await seen())
    expect(progress).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
  })
})

test('a histogram is its bytes, and bytes that are cut short are read as far as they go', () => {
  const latency = noLatencies()
  for (const ms of [0.01, 5, 5, 70_000]) addLatency(latency, ms)
  expect(readHistogram(writeHistogram(latency)).latency).toEqual(latency)
  expect(readHistogram(Buffer.alloc(7)).latency.count).toBe(0)
  expect(readHistogram(null)).toMatchObject({ requests: 0, errors: 0 })
})

describe('a reader that has read before', () => {
  test.each([1, 2])('reads what a new one reads, whoever counts and however late, seed %i', async (seed) => {
    const random = uniform(seed)
    const key = (kind: string, minute: number) => `canary:metrics:d:v2:${kind}:${minute}`
    let now = 1_000
    for (let step = 0; step < 50; step++) {
      const what = random()
      const minute = now - Math.floor(12 * random() ** 2)
      if (what < 0.5)
        await add(Math.ceil(10 * random()), { isError: random() < 0.3, values: { ctr: random() } }, minute * MINUTE)
      else if (what < 0.65) {
        // Python counts in two minutes, so that both readers read its lists at the same time.
        const theirs = 1_000 + 5 * Math.floor(2 * random())
        await redis.lpush(key('latency', theirs), '30')
        await redis.incr(key('count', theirs))
        if (random() < 0.5) await redis.incr(key('errors', theirs))
      } else if (what < 0.7)
        await redis.del(...['count', 'errors', 'histogram', 'adopted'].map((kind) => key(kind, minute)))
      else now++
      const range = [(now - 15) * MINUTE, now * MINUTE] as const
      const known = await counts.read('d', 'v2', ...range)
      const anew = await new RequestCounts(redis, keys('')).read('d', 'v2', ...range)
      if (!isDeepStrictEqual(known, anew)) expect(known, `step ${step}`).toEqual(anew)
    }
  })

  test('reads minutes anew that another reading has forgotten meanwhile', async () => {
    await add(5)
    const later = nowMs + 200 * MINUTE
    await read(nowMs - 60 * MINUTE, nowMs)
    const [early] = await Promise.all([read(nowMs - 60 * MINUTE, nowMs), read(later - 60 * MINUTE, later)])
    expect(early.at(-1)!.tally.requests).toBe(1)
  })
})
