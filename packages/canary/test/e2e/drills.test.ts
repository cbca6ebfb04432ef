import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, createLogger } from '@arq-ts/core'
import { AliasManager } from '@arq-ts/qdrant'
import { startQdrant, whyNoQdrant } from '@arq-ts/qdrant/testing'
import type { TestQdrant } from '@arq-ts/qdrant/testing'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CanaryDeployments, CanaryRouter } from '../../src/index.ts'
import type { DeploymentReport } from '../../src/index.ts'
import { quick } from '../support/bench.ts'

const script = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))
const logger = createLogger({ level: 'silent' })
/** Repeats a drill at the same commands. */
const SEED = Number(process.env.CANARY_DRILL_SEED ?? randomInt(2 ** 31))
const why = await whyNoQdrant()

describe.skipIf(why !== undefined)(`a deployment outlives what goes wrong${why ? ` (left out: ${why})` : ''}`, () => {
  let qdrant: TestQdrant
  let server: RedisServer
  let redis: Redis
  let client: Client
  let aliases: AliasManager
  let deployments: CanaryDeployments
  let router: CanaryRouter
  let standby: Child
  let stopTraffic: () => Promise<void>
  let names: { alias: string; v1: string; v2: string }
  const children: Child[] = []

  beforeAll(async () => {
    ;[qdrant, server] = await Promise.all([startQdrant(), RedisServer.start({ persistent: true })])
  }, 120_000)
  afterAll(async () => {
    await qdrant.stop()
    await server.stop()
  })

  beforeEach(async () => {
    redis = new Redis(server.url)
    redis.on('error', () => {})
    await redis.flushall()
    // The one that takes over is there already, and begins on a line of input.
    standby = spawn({ isStandby: true })
    client = new Client({ redis: server.url, logger, commandTimeoutMs: 20_000 })
    aliases = new AliasManager({ qdrant: qdrant.client })
    names = { alias: qdrant.name('products'), v1: qdrant.name('v1'), v2: qdrant.name('v2') }
    for (const name of [names.v1, names.v2]) {
      await qdrant.client.createCollection(name, { vectors: { size: 2, distance: 'Cosine' } })
      await qdrant.client.upsert(name, { wait: true, points: [{ id: 1, vector: [1, 1] }] })
    }
    await aliases.createAlias(names.alias, names.v1)
    deployments = new CanaryDeployments({ client, redis: server.url, aliases })
    router = new CanaryRouter({ redis: server.url })
    let going = true
    const traffic = (async () => {
      for (let i = 0; going; i++) {
        const good = { latencyMs: 5, isError: false }
        const decision = await router.route(names.alias, { requestId: `r${i}` }).catch(() => undefined)
        const { collection, deploymentId } = decision ?? {}
        if (deploymentId && collection) await router.record({ deploymentId, collection, ...good }).catch(() => {})
        await sleep(2)
      }
    })()
    stopTraffic = async () => {
      going = false
      await traffic
    }
  })
  afterEach(async () => {
    await stopTraffic()
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      await child.exited
    }
    await deployments.close()
    await router.close()
    await client.close()
    redis.disconnect()
    await qdrant.reset()
  })

  /** Where a worker stops for good: before or after the nth command to Redis that fits the pattern. */
  type Hang = { call: string; when: 'before' | 'after'; nth?: number }

  function spawn(settings: { hang?: Hang; isStandby?: boolean }): Child {
    const given = JSON.stringify({ redis: server.url, qdrant: qdrant.url, ...settings })
    const child = new Child(process.execPath, [script, given], { stdin: true })
    children.push(child)
    return child
  }
  async function startWorker(hang?: Hang): Promise<Child> {
    const child = spawn(hang ? { hang } : {})
    await child.line(/^event started/)
    return child
  }
  /** Kills a worker, and has the one that waited begin. */
  async function replace(doomed: Child): Promise<void> {
    await standby.line(/^event ready/)
    doomed.kill('SIGKILL')
    await doomed.exited
    standby.write('begin')
  }
  // Drills are about what is done, not about what is judged: a stage in which too little was seen is passed.
  const start = (stages = quick([20, 0.3], [60, 0.3], [100, 0])) =>
    deployments.startCanary(names.alias, names.v2, { stages, minSamples: 1, inconclusive: 'proceed' })
  const reached = async (id: string, status: DeploymentReport['status']) => {
    await eventually(async () => (await deployments.status(id))?.status === status, { timeoutMs: 45_000 })
    return (await deployments.status(id))!
  }
  /** What must hold at the end, however it came about. */
  async function expectEnd(id: string, collection: string, told: string): Promise<void> {
    expect(await aliases.getCollectionForAlias(names.alias)).toBe(collection)
    expect(await router.getRoute(names.alias)).toBeNull()
    const events = (await redis.xrange('deployment:events', '-', '+')).map(
      ([, fields]) => fields[fields.indexOf('type') + 1],
    )
    expect(events).toEqual(['deployment_started', told])
    expect((await deployments.history()).map((each) => each.id)).toEqual([id])
  }

  test.each([
    ['before the alias is switched', 'before', /POST \/collections\/aliases/],
    ['after it was switched, before that is known', 'after', /POST \/collections\/aliases/],
    ['while it looks', 'before', /GET \/aliases/],
  ] as const)('a worker killed %s: another finishes it', async (_, when, call) => {
    const doomed = await startWorker()
    const id = await start(quick([50, 600]))
    await reached(id, 'running')
    const hanging = qdrant.faults.add({ kind: 'hang', call, when })
    await deployments.promote(id)
    await eventually(() => hanging.hits > 0)
    await replace(doomed)
    hanging.remove()
    await reached(id, 'completed')
    await expectEnd(id, names.v2, 'deployment_completed')
  })

  /** The write of a state, by what is in it. */
  const stateWith = (fields: string) => `HSET.*${fields}`
  test.each([
    ['before its beginning is written', 'before', stateWith('"currentStage":0,.*"status":"running"')],
    ['after its beginning was written', 'after', stateWith('"currentStage":0,.*"status":"running"')],
    ['before its next look is enqueued', 'before', ':tick:1'],
    ['before the next stage is written', 'before', stateWith('"currentStage":1,.*"status":"running"')],
    ['after the next stage was written', 'after', stateWith('"currentStage":1,.*"status":"running"')],
    ['after the promotion was written down', 'after', stateWith('"ending":"promote"')],
    ['after the alias was switched, before the end is written', 'before', stateWith('"status":"completed"')],
    ['after the end was written', 'after', stateWith('"status":"completed"')],
  ] as const)('a worker killed %s: another continues', async (_, when, call) => {
    const doomed = await startWorker({ call, when })
    const id = await start()
    await doomed.line(/^event hanging/, { timeoutMs: 40_000 })
    await replace(doomed)
    await reached(id, 'completed')
    await expectEnd(id, names.v2, 'deployment_completed')
    const begun = (await deployments.status(id))!.decisions.filter(({ decision }) =>
      decision.startsWith('stage begins'),
    )
    expect(begun.map(({ stage }) => stage)).toEqual([0, 1, 2])
  })

  test(`workers killed at any command to Redis, one after the other (CANARY_DRILL_SEED=${SEED})`, async () => {
    const draw = fc.sample(
      fc.record({ nth: fc.integer({ min: 5, max: 60 }), when: fc.constantFrom('before' as const, 'after' as const) }),
      { numRuns: 5, seed: SEED },
    )
    const id = await start()
    for (const { nth, when } of draw) {
      // A look has about twenty commands, among those by which a worker begins and waits for jobs.
      const doomed = spawn({ hang: { call: '.', when, nth } })
      await doomed.line(/^event hanging/)
      doomed.kill('SIGKILL')
      await doomed.exited
    }
    standby.write('begin')
    await reached(id, 'completed')
    await expectEnd(id, names.v2, 'deployment_completed')
  })

  test('a roll-back is finished by another worker', async () => {
    const doomed = await startWorker()
    const id = await start(quick([50, 600]))
    await reached(id, 'running')
    // As far as it can go: the alias has moved, and then the numbers turned.
    await aliases.switchAlias(names.alias, names.v2)
    const hanging = qdrant.faults.add({ kind: 'hang', call: /POST \/collections\/aliases/, when: 'after' })
    await deployments.rollback(id, 'too slow')
    await eventually(() => hanging.hits > 0)
    await replace(doomed)
    hanging.remove()
    expect((await reached(id, 'rolled_back')).reason).toBe('too slow')
    await expectEnd(id, names.v1, 'deployment_failed')
  })

  test('Redis restarted between the stages', async () => {
    await startWorker()
    const id = await start(quick([20, 1], [60, 1], [100, 0]))
    await reached(id, 'running')
    await server.restart()
    await eventually(async () => (await deployments.status(id))!.currentStage > 0, { timeoutMs: 20_000 })
    await server.restart()
    await reached(id, 'completed')
    await expectEnd(id, names.v2, 'deployment_completed')
  })

  test('a roll-back while Qdrant is down: no request goes to the new collection any more', async () => {
    await startWorker()
    const id = await start(quick([50, 600]))
    await reached(id, 'running')
    await qdrant.faults.down()
    await deployments.rollback(id, 'too slow')
    expect(await router.getRoute(names.alias)).toBeNull()
    await eventually(async () => (await deployments.status(id))!.endingFailures > 0, { timeoutMs: 20_000 })
    await qdrant.faults.up()
    expect((await reached(id, 'rolled_back')).reason).toBe('too slow')
    await expectEnd(id, names.v1, 'deployment_failed')
  })

  test('Qdrant failing one call in three', async () => {
    qdrant.faults.add({ kind: 'error', every: 3 })
    await startWorker()
    const id = await start()
    await reached(id, 'completed')
    await expectEnd(id, names.v2, 'deployment_completed')
  })
})
