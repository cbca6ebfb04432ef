import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CanaryDeployments } from '../../src/index.ts'
import { newDeployment, rulesOf, rulesSchema } from '../../src/config.ts'
import { Driver } from '../../src/driver.ts'
import { writeHistogram } from '../../src/histogram-bytes.ts'
import { addLatency, noLatencies } from '../../src/judging/latency.ts'
import { keys } from '../../src/keys.ts'
import { RequestCounts } from '../../src/requests.ts'
import { Sessions } from '../../src/sessions.ts'
import { DeploymentStore } from '../../src/store.ts'
import { MemoryAliases, useHarness } from '../support/harness.ts'

// A server of its own: its commands are counted.
const bench = useHarness()
const MINUTE = 60_000
const START = 28_333_334 * MINUTE
let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})
beforeEach(() => redis.flushall())

/** Number of commands that the server carried out meanwhile, those inside scripts included. */
async function commandsOf(run: () => Promise<unknown>): Promise<number> {
  await redis.config('RESETSTAT')
  await run()
  const stats = await redis.info('commandstats')
  const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].filter(([, name]) => !name!.startsWith('config'))
  return calls.reduce((sum, [, , count]) => sum + Number(count), 0)
}

/** Fills minutes of both collections with latencies of 64 buckets, each counted `perBucket` times. */
async function fillMinutes(minutes: number, perBucket: number): Promise<void> {
  const latency = noLatencies()
  for (let i = 0; i < 64; i++) addLatency(latency, 1.05 ** i, perBucket)
  const filling = redis.pipeline()
  for (let minute = START / MINUTE; minute < START / MINUTE + minutes; minute++) {
    for (const collection of ['v1', 'v2'])
      filling
        .set(`canary:metrics:d:${collection}:count:${minute}`, latency.count)
        .set(`canary:metrics:d:${collection}:histogram:${minute}`, writeHistogram(latency))
  }
  await filling.exec()
}

const deployment = (id: string, alias: string) =>
  newDeployment(
    {
      id,
      alias,
      oldCollection: 'v1',
      newCollection: 'v2',
      stages: [{ percentage: 50, durationMinutes: 120, errorThreshold: 0.05, latencyThreshold: 200 }],
      currentStage: 0,
      autoRollback: true,
      rules: rulesOf(rulesSchema.parse({})),
    },
    id,
    START,
  )

describe.each([
  ['ten requests a second', 600, false],
  ['five thousand requests a second', 300_000, false],
  ['five thousand requests a second, counted by Python', 300_000, true],
])('a look at a stage of two hours with %s', (_, perMinute, isPython) => {
  test('is at most 30 commands', async () => {
    const store = new DeploymentStore(redis, keys(''))
    const state = deployment('d', 'products')
    await store.write(null, { ...state, status: 'running', begunAtMs: START, stageStartedAtMs: START }, [], START)
    const latency = noLatencies()
    addLatency(latency, 50, perMinute)
    const filling = redis.pipeline()
    for (let minute = START / MINUTE; minute < START / MINUTE + 110; minute++) {
      for (const collection of ['v1', 'v2']) {
        filling.set(`canary:metrics:d:${collection}:count:${minute}`, perMinute)
        if (isPython)
          filling.rpush(
            `canary:metrics:d:${collection}:latency:${minute}`,
            ...Array.from({ length: 1_000 }, () => '50.5'),
          )
        else filling.set(`canary:metrics:d:${collection}:histogram:${minute}`, writeHistogram(latency))
      }
    }
    await filling.exec()
    let nowMs = START + 110 * MINUTE
    const driver = new Driver({
      store,
      counts: new RequestCounts(redis, keys('')),
      sessions: new Sessions(redis, keys('')),
      aliases: new MemoryAliases(),
      checks: {},
      lockMs: 5_000,
      now: async () => nowMs,
    })
    for (let look = 0; look < 4; look++) {
      const commands = await commandsOf(() => driver.tick('d', async () => {}))
      expect(commands).toBeLessThanOrEqual(30)
      nowMs += MINUTE
    }
    expect(await store.read('d')).toMatchObject({ looks: 4, status: 'running', reason: null })
  })
})

describe('a look reads the same at any rate of traffic:', () => {
  test('as many commands, and bytes that differ by less than a tenth', async () => {
    const costs = []
    for (const perMinute of [600, 300_000]) {
      await redis.flushall()
      const store = new DeploymentStore(redis, keys(''))
      const running = { ...deployment('d', 'products'), status: 'running' as const, begunAtMs: START }
      const nowMs = START + 110 * MINUTE
      await store.write(null, { ...running, stageStartedAtMs: START, nextTickAtMs: nowMs }, [], START)
      await fillMinutes(110, Math.max(1, Math.round(perMinute / 64)))
      const counts = new RequestCounts(redis, keys(''))
      const parts = { store, counts, sessions: new Sessions(redis, keys('')), aliases: new MemoryAliases(), checks: {} }
      const driver = new Driver({ ...parts, lockMs: 5_000, now: async () => nowMs })
      const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))![1])
      // Statistics begin with the look.
      const commands = await commandsOf(() => driver.tick('d', async () => {}))
      costs.push({ commands, bytes: await sent() })
    }
    expect(costs[1]!.commands).toBe(costs[0]!.commands)
    expect(costs[1]!.bytes / costs[0]!.bytes).toBeGreaterThan(0.9)
    expect(costs[1]!.bytes / costs[0]!.bytes).toBeLessThan(1.1)
  })
})

test('a later look reads a fraction of what the first one read: minutes that are over do not change', async () => {
  const store = new DeploymentStore(redis, keys(''))
  const nowMs = START + 110 * MINUTE
  const running = { ...deployment('d', 'products'), status: 'running' as const, begunAtMs: START }
  await store.write(null, { ...running, stageStartedAtMs: START, nextTickAtMs: nowMs }, [], START)
  await fillMinutes(120, 1_000)
  const counts = new RequestCounts(redis, keys(''))
  const bytesOf = async (atMs: number) => {
    await redis.config('RESETSTAT')
    for (const collection of ['v1', 'v2']) await counts.read('d', collection, START, atMs + MINUTE)
    return Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))![1])
  }
  const first = await bytesOf(nowMs)
  expect(await bytesOf(nowMs + MINUTE)).toBeLessThan(first / 8)
})

describe('fifty deployments that have ended', () => {
  test('are listed by at most 100 commands, with the figures they ended with', async () => {
    const store = new DeploymentStore(redis, keys(''))
    const figures = { totalRequests: 5_000, totalErrors: 5, errorRate: 0.001, avgLatencyMs: 40, p95LatencyMs: 90 }
    for (let i = 0; i < 50; i++) {
      const state = deployment(`canary_${i}`, `alias_${i}`)
      const final = { new: figures, old: figures, values: { new: {}, old: {} }, observedShare: 50 }
      await store.write(null, { ...state, status: 'completed', finishedAtMs: START + i, final }, [], START)
    }
    const deployments = new CanaryDeployments({
      client: bench.client(),
      redis: server.url,
      aliases: new MemoryAliases(),
    })
    await deployments.history({ limit: 1 }) // connects
    let reports: Awaited<ReturnType<typeof deployments.history>> = []
    expect(await commandsOf(async () => (reports = await deployments.history()))).toBeLessThanOrEqual(100)
    expect(reports).toHaveLength(50)
    expect(reports[0]).toMatchObject({
      id: 'canary_49',
      metrics: { new: figures, old: figures },
      share: { observed: 50 },
    })
    await deployments.close()
  })
})

describe('deployments under way, with two hours of traffic,', () => {
  test('are listed before those that ended, fifty of seventy, by at most 100 commands', async () => {
    const store = new DeploymentStore(redis, keys(''))
    const filling = redis.pipeline()
    for (let i = 0; i < 40; i++) {
      const state = deployment(`open_${i}`, `alias_${i}`)
      const running = { ...state, status: 'running' as const, begunAtMs: START, stageStartedAtMs: START }
      await store.write(null, { ...running, startedAtMs: START + i }, [], START)
      filling.set(`canary:metrics:open_${i}:v2:count:${START / MINUTE + 60}`, 10 + i)
    }
    await filling.exec()
    for (let i = 0; i < 30; i++)
      await store.write(
        null,
        { ...deployment(`over_${i}`, `x${i}`), status: 'failed', finishedAtMs: START + i },
        [],
        START,
      )
    const now = () => START + 110 * MINUTE
    const options = { client: bench.client(), redis: server.url, aliases: new MemoryAliases(), now }
    const deployments = new CanaryDeployments(options)
    await deployments.list({ limit: 1 }) // connects
    let list = await deployments.list({ limit: 1 })
    expect(await commandsOf(async () => (list = await deployments.list()))).toBeLessThanOrEqual(100)
    expect(list.total).toBe(70)
    expect(list.deployments.map(({ id }) => id)).toEqual([
      ...Array.from({ length: 40 }, (_, i) => `open_${i}`),
      ...Array.from({ length: 10 }, (_, i) => `over_${29 - i}`),
    ])
    expect(list.deployments[7]).toMatchObject({
      metrics: { new: { totalRequests: 17 } },
      acts: ['pause', 'promote', 'rollback'],
    })
    expect((await deployments.list({ active: true, limit: 5 })).total).toBe(40)
    for (const limit of [0, 51, 1.5]) expect(() => deployments.list({ limit })).toThrow('limit')
    await deployments.close()
  })

  test('are shown in detail by at most 20 commands, numbers and Python’s lists included', async () => {
    const store = new DeploymentStore(redis, keys(''))
    const state = deployment('d', 'products')
    await store.write(null, { ...state, status: 'running', begunAtMs: START, stageStartedAtMs: START }, [], START)
    const nowMs = START + 110 * MINUTE
    const counts = new RequestCounts(redis, keys(''))
    for (let minute = 0; minute <= 110; minute += 5) {
      const values = { overlap: 0.5 }
      const request = { deploymentId: 'd', latencyMs: 40, isError: false }
      await counts.add({ ...request, collection: 'v1' }, START + minute * MINUTE)
      await counts.add({ ...request, collection: 'v2', isShadow: true, values }, START + minute * MINUTE)
      await redis.incr(`canary:metrics:d:v2:count:${START / MINUTE + minute}`)
      await redis.lpush(`canary:metrics:d:v2:latency:${START / MINUTE + minute}`, '80')
    }
    const options = { client: bench.client(), redis: server.url, aliases: new MemoryAliases(), now: () => nowMs }
    const deployments = new CanaryDeployments(options)
    await deployments.status('d') // connects
    let details: Awaited<ReturnType<typeof deployments.details>> = null
    expect(await commandsOf(async () => (details = await deployments.details('d')))).toBeLessThanOrEqual(20)
    expect(details!.minutes).toHaveLength(60)
    expect(details!.minutes.at(-1)).toMatchObject({ shadow: { requests: 1, overlap: 0.5 }, new: { requests: 2 } })
    expect(details!.guards[0]).toMatchObject({ name: 'error rate', samples: 46, verdict: 'ok' })
    expect(await deployments.details('none')).toBeNull()
    await deployments.close()
  })
})
