import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { bucketOf } from '../../src/index.ts'
import { useBench } from '../support/bench.ts'

const bench = useBench()
const route = (percentage: number) => ({
  deployment_id: 'canary_1',
  alias: 'products',
  old_collection: 'v1',
  new_collection: 'v2',
  percentage,
  status: 'running',
})

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
    await router.setRoute(route(30))
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

  test('keeps a user where he is while the share grows, for a day, and as long as that collection takes part', async () => {
    const router = bench.router()
    const redis = bench.redis()
    const user = Array.from({ length: 100 }, (_, i) => `u${i}`).find((id) => bucketOf('products', id) >= 50)!
    await router.setRoute(route(10))
    expect((await router.route('products', { userId: user })).collection).toBe('v1')
    expect(await redis.ttl(`canary:sticky:products:${user}`)).toBeGreaterThan(86_000)
    await router.setRoute(route(100))
    expect((await router.route('products', { userId: user })).collection).toBe('v1')
    await router.setRoute({ ...route(100), old_collection: 'v1b' })
    expect((await router.route('products', { userId: user })).collection).toBe('v2')
    await redis.set(`canary:sticky:products:${user}`, '"v1b"') // as a cache that keeps JSON has it
    expect((await router.route('products', { userId: user })).collection).toBe('v1b')
  })

  test('takes a route that does not run, or that nobody can read, for none', async () => {
    const router = bench.router()
    const redis = bench.redis()
    for (const stored of [JSON.stringify({ ...route(100), status: 'paused' }), 'garbage', '{}', 'null']) {
      await redis.set('canary:routes:products', stored)
      expect((await router.route('products', { requestId: 'r' })).collection).toBe('products')
    }
  })

  test('writes the route as Python does', async () => {
    const router = bench.router(() => 1_700_000_000_000)
    await router.setRoute(route(25))
    expect(JSON.parse((await bench.redis().get('canary:routes:products'))!)).toEqual({
      ...route(25),
      updated_at: 1_700_000_000,
    })
    await router.removeRoute('products', 'another')
    expect(await router.getRoute('products')).not.toBeNull()
    await router.removeRoute('products', 'canary_1')
    expect(await router.getRoute('products')).toBeNull()
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
    expect(await redis.lrange('canary:metrics:d:v2:latency:1000', 0, -1)).toEqual(['10', '30'])
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
    await router.setRoute(route(100))
    expect(await router.handle('products', { requestId: 'a' }, async (collection) => `hits of ${collection}`)).toBe(
      'hits of v2',
    )
    await expect(
      router.handle('products', { requestId: 'b' }, () => Promise.reject(new Error('broken'))),
    ).rejects.toThrow('broken')
    expect(await router.metrics('canary_1', 'v2', Date.now())).toMatchObject({ totalRequests: 2, totalErrors: 1 })
  })

  test.each([[{ userId: '' }], [{}], [{ requestId: 5 }]])('refuses the caller %j', async (caller) => {
    await expect(bench.router().route('products', caller as never)).rejects.toThrow(
      'expected { userId } or { requestId }',
    )
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
