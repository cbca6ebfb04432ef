import { Client } from '@arq-ts/core'
import { ReplicatedRedis } from '@arq-ts/test-support'
import { planFleet, writeFleet } from '@arq-ts/test-support/fleet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDashboard } from '../../src/index.ts'
import type { Dashboard } from '../../src/index.ts'
import { get, jsonOf, logger, post } from '../support/harness.ts'

let redis: ReplicatedRedis
let jobId: string
/** A dashboard on the primary, and one on its replica. */
let dashboards: [Dashboard, Dashboard]
const closing: (() => unknown)[] = []

beforeAll(async () => {
  redis = await ReplicatedRedis.start()
  const plan = planFleet({ seed: 43, jobs: 300, nowMs: Date.now(), damaged: false })
  await writeFleet(redis.admins.primary, plan)
  jobId = plan.jobs.find(({ queueName, state }) => queueName === 'emails' && state === 'queued')!.jobId
  await redis.admins.primary.hset('arq:obs:noted', 'gone', 1)
  await redis.inStep()
  dashboards = [redis.primary, redis.replica].map(({ url }) => {
    const client = new Client({ redis: url, logger, commandTimeoutMs: 2_000 })
    const dashboard = createDashboard({ client })
    closing.push(
      () => dashboard.close(),
      () => client.close(),
    )
    return dashboard
  }) as typeof dashboards
}, 90_000)
afterAll(async () => {
  for (const close of closing) await close()
  await redis?.stop()
})

test('each page of a replica has what that of its primary has, and nothing is written for it', async () => {
  const before = await redis.refusedWrites()
  const paths = ['bootstrap', 'overview', 'queues', 'queues/emails', 'queues/emails/forecast', 'jobs', `jobs/${jobId}`]
  paths.push(
    `jobs/${jobId}/explain`,
    'jobs?q=status:failed',
    'functions',
    'workers',
    'cron',
    'errors',
    'events',
    'audit',
  )
  paths.push('flows', 'schedules', 'limits', 'doctor')
  for (const path of paths) {
    const [expected, found] = await Promise.all(
      dashboards.map(async (dashboard) => shape(await jsonOf<object>(get(dashboard, `/api/${path}`)), path)),
    )
    expect(found, path).toEqual(expected)
  }
  expect((await redis.refusedWrites()) - before).toBeLessThanOrEqual(1)
})

/** The answer without times, costs, and what the doctor says of the server. */
function shape(answer: object, path: string): unknown {
  const text = JSON.stringify(answer, (key, value: unknown) => {
    if (/(At|Ms)$|^(cost|nonce|token|address)$/.test(key)) return undefined
    if (key === 'findings' && path === 'doctor')
      return (value as { check: string }[]).filter(({ check }) => check !== 'replication')
    if (key === 'jobs' && path.includes('failed'))
      return (value as { jobId: string }[]).map((job) => job.jobId).toSorted()
    return value
  })
  return JSON.parse(text.replaceAll(/\d+ (ms|s|min|h) ago/g, 'ago'))
}

test('an act on a replica is refused by what the server is', async () => {
  const response = await post(dashboards[1], '/api/queues/emails/pause')
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  expect([response.status, error.code]).toEqual([503, 'redis_unavailable'])
  expect(error.message).toMatch(/nothing was changed: .* read only replica/)
})
