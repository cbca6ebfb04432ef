import { randomInt } from 'node:crypto'
import { startQdrant, whyNoQdrant } from '@arq-ts/qdrant/testing'
import type { TestQdrant } from '@arq-ts/qdrant/testing'
import { eventually } from '@arq-ts/test-support'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quick } from '../support/harness.ts'
import { Drill, PATIENT } from '../support/drill.ts'

/** Repeats a drill at the same commands. */
const SEED = Number(process.env.CANARY_DRILL_SEED ?? randomInt(2 ** 31))
const why = await whyNoQdrant()

const title = `a deployment outlives what goes wrong${why ? ` (left out: ${why})` : ''}`
// Drills wait for one another, and each starts several processes.
describe.skipIf(why !== undefined)(title, { timeout: 240_000 }, () => {
  let qdrant: TestQdrant
  beforeAll(async () => {
    qdrant = await startQdrant()
  }, 120_000)
  afterAll(() => qdrant?.stop())

  /** Most of a drill is waiting, for leases and stages: several run at the same time. Each has four processes. */
  const places = Array.from({ length: 3 }, () => Promise.resolve())
  let drills = 0
  const drill =
    <Case extends readonly unknown[]>(run: (drill: Drill, ...each: Case) => Promise<void>) =>
    async (...each: Case): Promise<void> => {
      const place = drills++ % places.length
      const ran = places[place]!.then(async () => {
        const one = await Drill.open(qdrant)
        try {
          await run(one, ...each)
        } finally {
          await one.close()
        }
      })
      places[place] = ran.catch(() => {})
      await ran
    }

  test.concurrent.each([
    ['before the alias is switched', 'before', /POST \/collections\/aliases/],
    ['after it was switched, before that is known', 'after', /POST \/collections\/aliases/],
    ['while it looks', 'before', /GET \/aliases/],
  ] as const)(
    'a worker killed %s: another finishes it',
    drill(async (one, _: string, when: 'before' | 'after', call: RegExp) => {
      const doomed = await one.startWorker()
      const id = await one.start(quick([50, 600]))
      await one.reached(id, 'running')
      const hanging = one.qdrant.faults.add({ kind: 'hang', call, when })
      await one.deployments.promote(id)
      await eventually(() => hanging.hits > 0)
      await one.replace(doomed)
      hanging.remove()
      await one.reached(id, 'completed')
      await one.expectEnd(id, 'deployment_completed')
    }),
  )

  /** The write of a state, by what is in it. */
  const stateWith = (fields: string) => `HSET.*${fields}`
  test.concurrent.each([
    ['before its beginning is written', 'before', stateWith('"currentStage":0,.*"status":"running"')],
    ['after its beginning was written', 'after', stateWith('"currentStage":0,.*"status":"running"')],
    ['before its next look is enqueued', 'before', ':tick:1'],
    ['before the next stage is written', 'before', stateWith('"currentStage":1,.*"status":"running"')],
    ['after the next stage was written', 'after', stateWith('"currentStage":1,.*"status":"running"')],
    ['after the promotion was written down', 'after', stateWith('"ending":"promote"')],
    ['after the alias was switched, before the end is written', 'before', stateWith('"status":"completed"')],
    ['after the end was written', 'after', stateWith('"status":"completed"')],
  ] as const)(
    'a worker killed %s: another continues',
    drill(async (one, _: string, when: 'before' | 'after', call: string) => {
      const doomed = await one.startWorker({ call, when })
      const id = await one.start()
      await doomed.line(/^event hanging/, PATIENT)
      await one.replace(doomed)
      await one.reached(id, 'completed')
      await one.expectEnd(id, 'deployment_completed')
      const begun = (await one.deployments.status(id))!.decisions.filter(({ decision }) =>
        decision.startsWith('stage begins'),
      )
      expect(begun.map(({ stage }) => stage)).toEqual([0, 1, 2])
    }),
  )

  test.concurrent(
    `workers killed at any command to Redis, one after the other (CANARY_DRILL_SEED=${SEED})`,
    drill(async (one) => {
      const draw = fc.sample(
        fc.record({ nth: fc.integer({ min: 5, max: 60 }), when: fc.constantFrom('before' as const, 'after' as const) }),
        { numRuns: 5, seed: SEED },
      )
      const id = await one.start()
      for (const { nth, when } of draw) {
        // A look has about twenty commands, among those by which a worker begins and waits for jobs.
        const doomed = one.spawn({ hang: { call: '.', when, nth } })
        await doomed.line(/^event hanging/, PATIENT)
        doomed.kill('SIGKILL')
        await doomed.exited
      }
      one.standby.write('begin')
      await one.reached(id, 'completed')
      await one.expectEnd(id, 'deployment_completed')
    }),
  )

  test.concurrent(
    'a roll-back is finished by another worker',
    drill(async (one) => {
      const doomed = await one.startWorker()
      const id = await one.start(quick([50, 600]))
      await one.reached(id, 'running')
      // As far as it can go: the alias has moved, and then the numbers turned.
      await one.scene.aliases.switchAlias(one.scene.names.alias, one.scene.names.v2)
      const hanging = one.qdrant.faults.add({ kind: 'hang', call: /POST \/collections\/aliases/, when: 'after' })
      await one.deployments.rollback(id, 'too slow')
      await eventually(() => hanging.hits > 0)
      await one.replace(doomed)
      hanging.remove()
      expect((await one.reached(id, 'rolled_back')).reason).toBe('too slow')
      await one.expectEnd(id, 'deployment_failed')
    }),
  )

  test.concurrent(
    'Redis restarted between the stages',
    drill(async (one) => {
      await one.startWorker()
      const id = await one.start(quick([20, 1], [60, 1], [100, 0]))
      await one.reached(id, 'running')
      await one.server.restart()
      await eventually(async () => (await one.deployments.status(id))!.currentStage > 0, { timeoutMs: 20_000 })
      await one.server.restart()
      await one.reached(id, 'completed')
      await one.expectEnd(id, 'deployment_completed')
    }),
  )

  test.concurrent.each([
    ['Redis', 'of a healthy collection', 'completed'],
    ['Redis', 'of a failing one', 'rolled_back'],
    ['Redis and a worker', 'of a failing one', 'rolled_back'],
  ] as const)(
    '%s killed in the middle of a stage %s: the decision is right, and no request counts twice',
    drill(async (one, victims: string, _: string, status: 'completed' | 'rolled_back') => {
      const { deployments, searches } = one
      const worker = await one.startWorker()
      const id = await one.start(quick([50, 3], [100, 0]))
      searches.areFailing = status === 'rolled_back'
      // On a machine too busy for that within the stage, the stage ends first.
      await eventually(async () => searches.counted > 10 || (await deployments.status(id))!.decisions.length > 1, {
        timeoutMs: 30_000,
      })
      if (victims !== 'Redis') await one.replace(worker)
      await one.server.restart()
      const { counted } = searches
      await eventually(async () => searches.counted > counted || (await deployments.status(id))!.decisions.length > 1, {
        timeoutMs: 30_000,
      })
      // Nothing is sent from now on: what was sent is what was counted, and what was in flight when Redis was killed.
      await one.stopTraffic()
      const { sent } = searches
      const { decisions, metrics } = await one.reached(id, status)
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
      await one.expectEnd(id, status === 'completed' ? 'deployment_completed' : 'deployment_failed')
    }),
  )

  test.concurrent(
    'a roll-back while Qdrant is down: no request goes to the new collection any more',
    drill(async (one) => {
      const { deployments, qdrant: own } = one
      await one.startWorker()
      const id = await one.start(quick([50, 600]))
      await one.reached(id, 'running')
      await own.faults.down()
      await deployments.rollback(id, 'too slow')
      expect(await one.router.getRoute(one.scene.names.alias)).toBeNull()
      await eventually(async () => (await deployments.status(id))!.endingFailures > 0, { timeoutMs: 20_000 })
      await own.faults.up()
      expect((await one.reached(id, 'rolled_back')).reason).toBe('too slow')
      await one.expectEnd(id, 'deployment_failed')
    }),
  )

  test.concurrent(
    'Qdrant failing one call in three',
    drill(async (one) => {
      one.qdrant.faults.add({ kind: 'error', every: 3 })
      await one.startWorker()
      const id = await one.start()
      await one.reached(id, 'completed')
      await one.expectEnd(id, 'deployment_completed')
    }),
  )
})
