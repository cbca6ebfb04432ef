import { eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import { DeploymentError } from '../../src/index.ts'
import type { Aliases, CanaryDeployments, DeploymentReport } from '../../src/index.ts'
import { hasReached, MemoryAliases, pythonConfig, quick, traffic, useHarness } from '../support/harness.ts'

const bench = useHarness()
let aliases: MemoryAliases
let deployments: CanaryDeployments

beforeEach(() => {
  aliases = new MemoryAliases()
  deployments = bench.deployments(aliases)
})

const reached = (id: string, status: DeploymentReport['status']) => hasReached(deployments, id, status)
const { events } = bench

describe('a canary', () => {
  test('goes through its stages for real, in seconds, and ends behind the alias', async () => {
    const router = bench.router()
    const stop = traffic(router, () => ({ latencyMs: 10, isError: false }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([20, 1], [60, 1], [100, 0]),
      minSamples: 5,
    })
    expect(id).toMatch(/^canary_\d{10}$/)
    const report = await reached(id, 'completed')
    await stop()
    expect(aliases.aliases.get('products')).toBe('v2')
    expect(aliases.switches).toEqual(['v2'])
    expect(await router.getRoute('products')).toBeNull()
    expect(report).toMatchObject({ percentage: 100, reason: null, ending: null })
    expect(report.decisions.map(({ decision }) => decision.replace(/: .*/, ''))).toEqual([
      'stage begins at 20 %',
      'stage of 20 % passed',
      'stage begins at 60 %',
      'stage of 60 % passed',
      'stage begins at 100 %',
      expect.stringMatching(/^stage of 100 % passed/) as string,
      'promote',
      'completed',
    ])
    expect(await events()).toMatchObject([
      { type: 'deployment_started', deployment_id: id, alias: 'products', old_collection: 'v1', new_collection: 'v2' },
      { type: 'deployment_completed', deployment_id: id },
    ])
    expect(await deployments.active()).toEqual([])
    expect((await deployments.history()).map((each) => each.id)).toEqual([id])
  })

  test('that fails its thresholds is rolled back, and says why', async () => {
    const router = bench.router()
    const stop = traffic(router, (collection) => ({ latencyMs: 10, isError: collection === 'v2' }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 3], [100, 0]), minSamples: 5 })
    const report = await reached(id, 'rolled_back')
    await stop()
    expect(report.reason).toBe('error rate 100 % is above 5 %')
    expect(aliases.switches).toEqual([])
    expect(await router.getRoute('products')).toBeNull()
    expect((await events()).at(-1)).toMatchObject({ type: 'deployment_failed', error: report.reason })
  })

  test('without automatic roll-back fails, with its alias untouched', async () => {
    const stop = traffic(bench.router(), () => ({ latencyMs: 999, isError: false }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([50, 3]),
      minSamples: 5,
      autoRollback: false,
    })
    expect((await reached(id, 'failed')).reason).toBe('p95 latency 999 ms is above 200 ms')
    await stop()
  })

  test('without traffic holds: it invents no numbers', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 0.5], [100, 0]) })
    await eventually(async () => (await deployments.status(id))?.reason === '0 of 20 requests seen at 50 %')
    expect((await deployments.status(id))!).toMatchObject({
      status: 'running',
      metrics: { new: { totalRequests: 0, errorRate: null, p95LatencyMs: null } },
    })
    await deployments.rollback(id)
    expect((await reached(id, 'rolled_back')).reason).toBe('rolled back by hand')
  })

  test('of two hours, with its clock in our hands', async () => {
    let now = 1_700_000_000_000
    const router = bench.router(() => now)
    const client = bench.client()
    const redis = bench.redis()
    deployments = bench.deployments(aliases, () => now)
    bench.worker({ aliases, now: () => now }, { pollDelayMs: 5 })
    const id = await deployments.startCanary('products', 'v2', { minSamples: 10 })
    await reached(id, 'running')
    const tickQueued = async () =>
      (await redis.zrange('arq:queue', 0, '-1')).find((jobId) => jobId.startsWith(`${id}:tick:`))
    const seen: number[] = []
    for (let minute = 0; minute < 215 && (await deployments.status(id))!.status === 'running'; minute++) {
      const { percentage } = (await deployments.status(id))!
      if (seen.at(-1) !== percentage) seen.push(percentage)
      for (let i = 0; i < 10; i++)
        await router.record({ deploymentId: id, collection: 'v2', latencyMs: 20, isError: false })
      now += 60_000
      // The next tick is deferred by a minute of real time: we do not wait for it.
      const tick = (await eventually(tickQueued))!
      await redis.zadd('arq:queue', 1, tick)
      await client.job(tick).result({ timeoutMs: 10_000 })
    }
    expect((await deployments.status(id))!.status).toBe('completed')
    expect(seen.filter((percentage) => percentage < 100)).toEqual([5, 25, 50]) // the last stage takes no time: it may be seen
    expect(aliases.switches).toEqual(['v2'])
  }, 60_000)
})

describe('one after the other', () => {
  test('each gets its own share of the users, of Python routers too', async () => {
    const router = bench.router()
    const redis = bench.redis()
    bench.worker({ aliases })
    aliases.collections.add('v3')
    const users = Array.from({ length: 200 }, (_, i) => `u${i}`)
    const shareOf = async (collection: string) => {
      const sent = await Promise.all(users.map((userId) => router.route('products', { userId })))
      return sent.filter((decision) => decision.collection === collection).length / users.length
    }
    const start = async (collection: string) => {
      const id = await deployments.startCanary('products', collection, { stages: quick([30, 600]) })
      await reached(id, 'running')
      return id
    }
    const first = await start('v2')
    expect(await shareOf('v2')).toBeGreaterThan(0.15)
    await deployments.promote(first)
    await reached(first, 'completed')
    await expect.poll(() => redis.keys('canary:sticky:*')).toEqual([])
    // Keys that a Python service left behind, and keys of another alias.
    await redis.set('canary:sticky:products:u1', '{"collection":"v2","deployment_id":"old","created_at":1}')
    await redis.set('canary:sticky:products-2:u1', 'not ours')
    await start('v3')
    expect(await redis.keys('canary:sticky:*')).toEqual(['canary:sticky:products-2:u1'])
    const share = await shareOf('v3')
    expect(share).toBeGreaterThan(0.15)
    expect(share).toBeLessThan(0.45)
  })

  test('of two at once on one alias, one is started and the other is refused with its name', async () => {
    const all = await Promise.allSettled([1, 2, 3].map(() => deployments.startCanary('products', 'v2')))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const refused = all.find(({ status }) => status === 'rejected') as PromiseRejectedResult
    expect(refused.reason).toBeInstanceOf(DeploymentError)
    expect(String(refused.reason)).toMatch(/has a deployment under way: canary_\d+; roll it back/)
  })

  test('one that Python enqueues while another is under way fails, and says why', async () => {
    bench.worker({ aliases })
    const first = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]) })
    await reached(first, 'running')
    const config = { ...pythonConfig, stages: [{ percentage: 1, duration_minutes: 1 }] }
    const job = await bench.client().enqueue('run_canary_deployment', ['canary_2', config])
    await expect(job!.result({ timeoutMs: 10_000 })).rejects.toThrow(
      `alias products has a deployment under way: ${first}`,
    )
    expect((await bench.router().getRoute('products'))!).toMatchObject({ deployment_id: first, percentage: 50 })
    expect(await deployments.status('canary_2')).toBeNull()
  })
})

describe('a deployment that cannot begin is refused with the reason', () => {
  test.each<[string, string, string, object, RegExp]>([
    ['an alias that points nowhere', 'nothing', 'v2', {}, /alias nothing points nowhere/],
    ['an alias that is there already', 'products', 'v1', {}, /points to v1 already/],
    ['a collection that is not there', 'products', 'v9', {}, /there is no collection v9/],
    [
      'an unknown option',
      'products',
      'v2',
      { autoRolback: true },
      /Unknown option `autoRolback`, did you mean `autoRollback`\?/,
    ],
    ['no stage', 'products', 'v2', { stages: [] }, /`stages`/],
    [
      'a share beyond all',
      'products',
      'v2',
      { stages: [{ percentage: 101, durationMinutes: 1 }] },
      /`stages\.0\.percentage` to be at most 100/,
    ],
    [
      'a share that no hundredth of the users is',
      'products',
      'v2',
      { stages: [{ percentage: 12.5, durationMinutes: 1 }] },
      /`stages\.0\.percentage` to be a whole number: users are divided into hundredths/,
    ],
    ['a stage without an end', 'products', 'v2', { stages: [{ percentage: 1 }] }, /`stages\.0\.durationMinutes`/],
    ['no samples', 'products', 'v2', { minSamples: 0 }, /`minSamples` to be at least 1/],
  ])('%s', async (_, alias, collection, options, message) => {
    await expect(deployments.startCanary(alias, collection, options)).rejects.toThrow(message)
  })

  test.each<[string, Awaited<ReturnType<NonNullable<Aliases['collectionState']>>>, RegExp]>([
    ['a collection that Qdrant is at work on', { status: 'yellow', points: 5 }, /is yellow, not green; wait until/],
    ['a collection that is broken', { status: 'red', points: 5 }, /is red, not green/],
    ['an empty collection', { status: 'green', points: 0 }, /has no points; fill it first/],
    ['a collection that is not there, by its state', null, /there is no collection v2/],
  ])('%s', async (_, state, message) => {
    const asked = bench.deployments(Object.assign(new MemoryAliases(), { collectionState: async () => state }))
    await expect(asked.startCanary('products', 'v2')).rejects.toThrow(message)
  })

  test('unless its collection is ready', async () => {
    const state = { status: 'green', points: 5 }
    const asked = bench.deployments(Object.assign(new MemoryAliases(), { collectionState: async () => state }))
    expect(await asked.startCanary('products', 'v2')).toMatch(/^canary_/)
  })

  test('an unknown deployment', async () => {
    await expect(deployments.pause('canary_0')).rejects.toThrow('there is no deployment canary_0')
    expect(await deployments.status('canary_0')).toBeNull()
  })
})
