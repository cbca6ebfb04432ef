import { afterEach, beforeEach, expect, test } from 'vitest'
import { takeDatabase } from '../../src/index.ts'
import type { Database } from '../../src/index.ts'
import { Ledger, planFleet, writeFleet } from '../../src/fleet/index.ts'

let database: Database

beforeEach(async () => (database = await takeDatabase()))
afterEach(() => database.release())

test('a fleet in Redis has the members that its ledger counts', async () => {
  const { redis } = database
  const plan = planFleet({ seed: 11, jobs: 2_000, nowMs: Date.now() })
  await writeFleet(redis, plan)
  for (const { queueName, pending, deferred, running, isBroken } of new Ledger(plan).queues()) {
    if (!isBroken) expect(await redis.zcard(queueName), queueName).toBe(pending + deferred + running)
  }
  const ended = plan.jobs.filter(({ finishedMs, state }) => finishedMs !== null && state !== 'dead')
  expect((await redis.keys('arq:result:*')).length).toBe(ended.length)
  expect(await redis.zcard('arq:dead')).toBe(plan.jobs.filter(({ state }) => state === 'dead').length)
  expect(await redis.zcard('arq:workers')).toBe(plan.workers.length + plan.goneWorkers.length)
})
