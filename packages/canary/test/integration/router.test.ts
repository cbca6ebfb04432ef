import { execFileSync } from 'node:child_process'
import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { describe, expect, test, vi } from 'vitest'
import { bucketOf, CanaryRouter } from '../../src/index.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
const route = (percentage: number) => ({
  deployment_id: 'canary_1',
  alias: 'products',
  old_collection: 'v1',
  new_collection: 'v2',
  percentage,
  status: 'running',
  updated_at: 1_700_000_000.5,
})
/** As a driver, ours or Python's, sets it. */
const setRoute = (stored: object) => bench.redis().set('canary:routes:products', JSON.stringify(stored))
const sticky = (user: string) => `canary:sticky:products:${user}`
/** A user who is not among the first 50 in 100. */
const late = Array.from({ length: 100 }, (_, i) => `u${i}`).find((id) => bucketOf('products', id) >= 50)!

describe('the router', () => {
  test('sends an alias without a deployment to itself', async () => {
    expect(await bench.router().route('products', { userId: 'u' })).toEqual({
      collection: 'products',
      deploymentId: null,
      isCanary: false,
    })
  })

  test('sends its share to the new collection: the same for each caller', async () => {
    const router = bench.router()
    await setRoute(route(30))
    let canary = 0
    for (let i = 0; i < 200; i++) {
      const decision = await router.route('products', { requestId: `r${i}` })
      expect(decision.isCanary).toBe(bucketOf('products', `r${i}`) < 30)
      expect(decision.collection).toBe(decision.isCanary ? 'v2' : 'v1')
      if (decision.isCanary) canary++
    }
    expect(canary).toBeGreaterThan(30)
    expect(canary).toBeLessThan(90)
  })

  test('moves a user to the new collection when the share reaches his bucket, and stores it as Python does', async () => {
    const router = bench.router(() => 1_700_000_000_500)
    const redis = bench.redis()
    await setRoute(route(10))
    expect((await router.route('products', { userId: late })).collection).toBe('v1')
    expect(JSON.parse((await redis.get(sticky(late)))!)).toEqual({
      collection: 'v1',
      deployment_id: 'canary_1',
      created_at: 1_700_000_000.5,
    })
    expect(await redis.ttl(sticky(late))).toBeGreaterThan(86_000)
    await setRoute(route(100))
    expect((await router.route('products', { userId: late })).collection).toBe('v2')
    expect(JSON.parse((await redis.get(sticky(late)))!)).toMatchObject({ collection: 'v2' })
    // And never back, should the share shrink.
    await setRoute(route(10))
    expect((await router.route('products', { userId: late })).collection).toBe('v2')
  })

  test('gives the new collection its share of returning users in every stage', async () => {
    const router = bench.router()
    const users = Array.from({ length: 1_000 }, (_, i) => `u${i}`)
    let before = new Set<string>()
    for (const percentage of [5, 25, 50, 100]) {
      await setRoute(route(percentage))
      const decisions = await Promise.all(users.map((userId) => router.route('products', { userId })))
      const onNew = new Set(users.filter((_, i) => decisions[i]!.isCanary))
      expect(onNew.size).toBe(users.filter((user) => bucketOf('products', user) < percentage).length)
      expect([...before].filter((user) => !onNew.has(user))).toEqual([])
      before = onNew
    }
    expect(before.size).toBe(1_000)
  })

  test.each<[string, string, string]>([
    ['one of Python', '{"collection":"v2","deployment_id":"canary_1","created_at":1700000000.25}', 'v2'],
    ['one of another deployment', '{"collection":"v2","deployment_id":"canary_0","created_at":1}', 'v1'],
    ['one of a collection that takes no part', '{"collection":"v0","deployment_id":"canary_1","created_at":1}', 'v1'],
    ['a string', '"v1"', 'v1'],
    ['nothing', 'null', 'v1'],
    ['what nobody can read', 'v1', 'v1'],
  ])('reads the session: %s', async (_, stored, collection) => {
    await setRoute(route(50))
    await bench.redis().set(sticky(late), stored)
    expect((await bench.router().route('products', { userId: late })).collection).toBe(collection)
  })

  test('takes a route that does not run, or that nobody can read, for none', async () => {
    const router = bench.router()
    const redis = bench.redis()
    for (const stored of [JSON.stringify({ ...route(100), status: 'paused' }), 'garbage', '{}', 'null']) {
      await redis.set('canary:routes:products', stored)
      expect((await router.route('products', { requestId: 'r' })).collection).toBe('products')
    }
  })

  test('counts requests by the minute, and reads them back over a time', async () => {
    let now = 60_000 * 1_000
    const router = bench.router(() => now)
    const record = (latencyMs: number, isError: boolean) =>
      router.record({ deploymentId: 'd', collection: 'v2', latencyMs, isError })
    await record(10, false)
    await record(30, true)
    now += 60_000
    await record(50, false)
    const redis = bench.redis()
    expect(await redis.lrange('canary:metrics:d:v2:latency:1000', 0, -1)).toEqual(['30', '10'])
    expect(await redis.get('canary:metrics:d:v2:count:1000')).toBe('2')
    expect(await redis.get('canary:metrics:d:v2:errors:1000')).toBe('1')
    expect(await redis.ttl('canary:metrics:d:v2:count:1000')).toBeGreaterThan(7_000)
    expect(await router.metrics('d', 'v2', 60_000 * 1_000)).toEqual({
      totalRequests: 3,
      totalErrors: 1,
      errorRate: 1 / 3,
      avgLatencyMs: 30,
      p95LatencyMs: 50,
    })
    expect((await router.metrics('d', 'v2', now)).totalRequests).toBe(1)
    expect((await router.metrics('d', 'nothing', now)).totalRequests).toBe(0)
  })

  test('handles a request: route, call, record', async () => {
    const router = bench.router()
    await setRoute(route(100))
    expect(await router.handle('products', { requestId: 'a' }, async (collection) => `hits of ${collection}`)).toBe(
      'hits of v2',
    )
    await expect(
      router.handle('products', { requestId: 'b' }, () => Promise.reject(new Error('broken'))),
    ).rejects.toThrow('broken')
    const counted = () => router.metrics('canary_1', 'v2', Date.now() - 60_000)
    await eventually(async () => (await counted()).totalRequests === 2)
    expect(await counted()).toMatchObject({ totalErrors: 1, p95LatencyMs: expect.any(Number) as number })
  })

  test('has counted what it handled when it is closed', async () => {
    const router = new CanaryRouter({ redis: bench.database().url, timeoutMs: 5_000 })
    await setRoute(route(100))
    await router.handle('products', { requestId: 'a' }, () => Promise.resolve('hits'))
    await router.close()
    expect((await bench.router().metrics('canary_1', 'v2', Date.now() - 60_000)).totalRequests).toBe(1)
  })

  test('reports that a count failed, whichever command of it', async () => {
    await bench.redis().set(`canary:metrics:d:v2:latency:${Math.floor(Date.now() / 60_000)}`, 'no list')
    const router = bench.router(Date.now)
    const counting = router.record({ deploymentId: 'd', collection: 'v2', latencyMs: 5, isError: false })
    await expect(counting).rejects.toThrow('WRONGTYPE')
  })
})

describe('while Redis is away, handle searches behind the alias', () => {
  const calls = (router: CanaryRouter, times: number) => async () => {
    const searched: string[] = []
    for (let i = 0; i < times; i++) {
      await router.handle('products', { userId: `u${i}` }, async (collection) => void searched.push(collection))
    }
    return searched
  }
  /**
   * Runs searches, and gives how often Redis was asked meanwhile, and how often it may have been: once, and again after
   * each second of rest.
   */
  async function asked<T>(run: () => Promise<T>): Promise<{ result: T; times: number; allowed: number }> {
    const send = vi.spyOn(Redis.prototype, 'sendCommand')
    const before = performance.now()
    try {
      const result = await run()
      const times = send.mock.calls.filter(([{ name }]) => name === 'mget').length
      return { result, times, allowed: 1 + Math.floor((performance.now() - before) / 1_000) }
    } finally {
      send.mockRestore()
    }
  }

  test('without asking it each time when nobody listens, and in the canary again when it is back', async () => {
    const server = await RedisServer.start({ persistent: true })
    const router = new CanaryRouter({ redis: server.url })
    const redis = new Redis(server.url)
    redis.on('error', () => {})
    await redis.set('canary:routes:products', JSON.stringify(route(100)))
    expect(await calls(router, 1)()).toEqual(['v2'])
    await server.kill()
    const { allowed, result, times } = await asked(calls(router, 100))
    expect(result).toEqual(Array.from({ length: 100 }, () => 'products'))
    expect(times).toBeLessThanOrEqual(allowed)
    await expect(router.route('products', { requestId: 'r' })).rejects.toMatchObject({ code: 'ARQ_REDIS_UNAVAILABLE' })
    await server.restart()
    await redis.set('canary:routes:products', JSON.stringify(route(100)))
    await eventually(async () => (await calls(router, 1)())[0] === 'v2')
    await router.close()
    redis.disconnect()
    await server.stop()
  })

  test('within its time when Redis hangs, and without asking again for a while', async () => {
    const server = await RedisServer.start()
    const router = new CanaryRouter({ redis: server.url })
    expect(await calls(router, 1)()).toEqual(['products'])
    server.pause()
    const { allowed, result, times } = await asked(calls(router, 100))
    expect(result).toEqual(Array.from({ length: 100 }, () => 'products'))
    expect(times).toBeLessThanOrEqual(allowed)
    server.resume()
    await router.close()
    await server.stop()
  })
})

const hasPython = (() => {
  try {
    execFileSync('python3', ['--version'])
    return true
  } catch {
    return false
  }
})()

test.skipIf(!hasPython)(`decides as Python's hashlib does${hasPython ? '' : ' (left out: no python3 here)'}`, () => {
  const names = ['user_1', 'ä', '日本', '', 'a:b', '💥', ...Array.from({ length: 500 }, (_, i) => `u${i}`)]
  const script =
    'import sys, json, hashlib\n' +
    'print(json.dumps([int(hashlib.md5(("products:" + n).encode()).hexdigest()[:8], 16) % 100 for n in json.load(sys.stdin)]))'
  const theirs = JSON.parse(
    execFileSync('python3', ['-c', script], { input: JSON.stringify(names), encoding: 'utf8' }),
  ) as number[]
  expect(names.map((name) => bucketOf('products', name))).toEqual(theirs)
})
