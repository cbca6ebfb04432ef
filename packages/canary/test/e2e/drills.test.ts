import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { startQdrant, whyNoQdrant } from '@arq-ts/qdrant/testing'
import type { TestQdrant } from '@arq-ts/qdrant/testing'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CanaryRouter } from '../../src/index.ts'
import type { DeploymentReport } from '../../src/index.ts'
import { quick } from '../support/bench.ts'
import { openScene } from '../support/scene.ts'
import type { Scene } from '../support/scene.ts'

const script = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))
/** Repeats a drill at the same commands. */
const SEED = Number(process.env.CANARY_DRILL_SEED ?? randomInt(2 ** 31))
const why = await whyNoQdrant()

describe.skipIf(why !== undefined)(`a deployment outlives what goes wrong${why ? ` (left out: ${why})` : ''}`, () => {
  let qdrant: TestQdrant
  let server: RedisServer
  let redis: Redis
  let scene: Scene
  let aliases: Scene['aliases']
  let deployments: Scene['deployments']
  let router: CanaryRouter
  let standby: Child
  let stopTraffic: () => Promise<void>
  let names: Scene['names']
  /** Searches of the new collection: how they end, how many were sent for counting, and how many were surely counted. */
  let searches: { areFailing: boolean; sent: number; counted: number }
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
    scene = await openScene(qdrant, server.url)
    ;({ aliases, deployments, names } = scene)
    router = new CanaryRouter({ redis: server.url })
    searches = { areFailing: false, sent: 0, counted: 0 }
    let going = true
    const traffic = (async () => {
      for (let i = 0; going; i++) {
        const decision = await router.route(names.alias, { requestId: `r${i}` }).catch(() => undefined)
        const { collection, deploymentId } = decision ?? {}
        if (deploymentId && collection) await search(deploymentId, collection)
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
    await router.close()
    await scene.close()
    redis.disconnect()
    await qdrant.reset()
  })

  async function search(deploymentId: string, collection: string): Promise<void> {
    const isNew = collection === names.v2
    if (isNew) searches.sent++
    const outcome = { deploymentId, collection, latencyMs: 5, isError: isNew && searches.areFailing }
    await router.record(outcome).then(
      () => isNew && searches.counted++,
      () => {}, // Redis is away: the search may have been counted
    )
  }

  /** The place at which a worker stops for good: before or after the nth command to Redis that fits the pattern. */
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
  /** Checks the end, however it came about. */
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

  test.each([
    ['Redis', 'of a healthy collection', 'completed'],
    ['Redis', 'of a failing one', 'rolled_back'],
    ['Redis and a worker', 'of a failing one', 'rolled_back'],
  ] as const)(
    '%s killed in the middle of a stage %s: the decision is right, and no request counts twice',
    async (victims, _, status) => {
      const worker = await startWorker()
      const id = await start(quick([50, 3], [100, 0]))
      searches.areFailing = status === 'rolled_back'
      // On a machine too busy for that within the stage, the stage ends first.
      await eventually(async () => searches.counted > 10 || (await deployments.status(id))!.decisions.length > 1, {
        timeoutMs: 30_000,
      })
      if (victims !== 'Redis') await replace(worker)
      await server.restart()
      const { counted } = searches
      await eventually(async () => searches.counted > counted || (await deployments.status(id))!.decisions.length > 1, {
        timeoutMs: 30_000,
      })
      // Nothing is sent from now on: what was sent is what was counted, and what was in flight when Redis was killed.
      await stopTraffic()
      const { sent } = searches
      const { decisions, metrics } = await reached(id, status)
      if (status === 'completed') {
        // The figures are those of the last stage by then.
        const passed = decisions.find(({ event }) => event === 'advanced')!.decision
        const [, requests] = /^stage of 50 % passed: (\d+) requests, 0 % errors/.exec(passed)!
        expect(Number(requests)).toBeGreaterThanOrEqual(counted)
        expect(Number(requests)).toBeLessThanOrEqual(sent)
      } else {
        expect(metrics.new.totalRequests).toBeGreaterThanOrEqual(counted)
        expect(metrics.new.totalRequests).toBeLessThanOrEqual(sent)
        expect(metrics.new.totalErrors).toBe(metrics.new.totalRequests)
      }
      if (status === 'completed') await expectEnd(id, names.v2, 'deployment_completed')
      else await expectEnd(id, names.v1, 'deployment_failed')
    },
  )

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
