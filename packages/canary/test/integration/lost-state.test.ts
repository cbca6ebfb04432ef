import { eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CanaryDeployments } from '../../src/index.ts'
import { hasReached, MemoryAliases, quick, useHarness } from '../support/harness.ts'

const bench = useHarness()
let aliases: MemoryAliases
let deployments: CanaryDeployments
beforeEach(() => {
  aliases = new MemoryAliases()
  deployments = bench.deployments(aliases)
})

const begin = async (options: object = {}) => {
  const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600], [100, 0]), ...options })
  await hasReached(deployments, id, 'running')
  return id
}

/** Has the job that waits look now. */
async function lookNow(id: string): Promise<string> {
  const redis = bench.redis()
  let jobs: string[] = []
  await eventually(async () => {
    jobs = (await redis.zrange('arq:queue', 0, '-1')).filter((job) => job.startsWith(id))
    return jobs.length === 1
  })
  await redis.zadd('arq:queue', 1, jobs[0]!)
  return jobs[0]!
}

describe('a deployment whose state Redis has lost', () => {
  // The Redis of routes and states may be a cache of its own: the queue, and with it the next look, is in another.
  test.each([
    ['alone, as by an eviction', 'canary:deployment:*'],
    ['with all that is counted, as by a flush', 'canary:*'],
  ])('%s, is not begun again without its rules by its next look, and gets no traffic any more', async (_, pattern) => {
    bench.worker({ aliases })
    const redis = bench.redis()
    const id = await begin({ dryRun: true, guards: [{ metric: 'ctr', min: 0.1 }] })
    await redis.del(...(await redis.keys(pattern)))
    const job = await lookNow(id)
    await expect(bench.client().job(job).result({ timeoutMs: 10_000 })).rejects.toThrow('Redis has lost its state')
    expect(await deployments.status(id)).toBeNull()
    await expect(deployments.promote(id)).rejects.toThrow(`there is no deployment ${id}`)
    expect(await bench.router().getRoute('products')).toBeNull()
    expect(await redis.zcard('canary:active')).toBe(0)
    expect(aliases.switches).toEqual([])
  })

  test('keeps nobody from starting another of its alias', async () => {
    const worker = bench.worker({ aliases })
    const redis = bench.redis()
    const lost = await begin()
    await worker.stop()
    await expect(deployments.startCanary('products', 'v2')).rejects.toThrow(`under way: ${lost}`)
    await redis.del(`canary:deployment:${lost}`)
    // In another second: ids are seconds.
    const later = bench.deployments(aliases, () => Date.now() + 10_000)
    const id = await later.startCanary('products', 'v2')
    expect((await deployments.active()).map((each) => each.id)).toEqual([id])
    expect(await bench.router().getRoute('products')).toBeNull()
  })
})

describe('a deployment whose state is damaged', () => {
  test.each<[string, (redis: ReturnType<typeof bench.redis>, key: string) => Promise<unknown>]>([
    ['another type', (redis, key) => redis.set(key, 'x')],
    ['no JSON', (redis, key) => redis.hset(key, { tick: 1, state: '{' })],
    ['no object', (redis, key) => redis.hset(key, { tick: 1, state: '5' })],
    ['an object without stages', (redis, key) => redis.hset(key, { tick: 1, state: '{"rules":{"guards":[]}}' })],
  ])('by %s, hides no other: that is listed, counted and steered', async (_, damage) => {
    bench.worker({ aliases })
    const id = await begin()
    const redis = bench.redis()
    await damage(redis, 'canary:deployment:bad')
    await redis.zadd('canary:active', 1, 'bad')
    await redis.zadd('canary:history', 1, 'bad')
    const message = '`canary:deployment:bad` in Redis holds no state of a deployment; delete that key'
    const list = await deployments.list()
    expect(list.deployments.map((each) => each.id)).toEqual([id])
    expect(list.unreadable).toEqual([{ id: 'bad', reason: expect.stringContaining(message) as string }])
    expect((await deployments.active()).map((each) => each.id)).toEqual([id])
    expect(await deployments.history()).toEqual([])
    const metrics = await deployments.metrics()
    expect(metrics).toContain('arq_canary_running{alias="",deployment="bad",status="unreadable"} 1')
    expect(metrics).toContain(`deployment="${id}",status="running"} 1`)
    await expect(deployments.status('bad')).rejects.toThrow(message)
    await deployments.rollback(id)
    await hasReached(deployments, id, 'rolled_back')
  })
})
