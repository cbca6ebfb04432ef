import { RedisServer } from '@arq-ts/testkit'
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
import { MemoryAliases, useBench } from '../support/bench.ts'

// A server of its own: its commands are counted.
const bench = useBench()
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

/** How many commands the server carried out meanwhile, those inside scripts included. */
async function commandsOf(run: () => Promise<unknown>): Promise<number> {
  await redis.config('RESETSTAT')
  await run()
  const stats = await redis.info('commandstats')
  const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].filter(([, name]) => !name!.startsWith('config'))
  return calls.reduce((sum, [, , count]) => sum + Number(count), 0)
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
