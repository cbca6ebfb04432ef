import { cron, defineTask } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import type { ActAnswer, Dashboard, JobHistory, JobLogs, Plan } from '../../src/index.ts'
import { get, jsonOf, post, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()
const MINE = 'mail'
const THEIRS = 'theirs'
const FORBIDDEN = [403, 'forbidden']

/** A dashboard whose user may see these queues, and everything that has a name of its own. */
function limited(seen: ReadonlySet<string>): Dashboard {
  return bench.dashboard({
    authenticate: () => ({ name: 'anna' }),
    authorize: (_user, _action, { type, name }) => type !== 'queue' || seen.has(name),
  })
}
const anna = () => limited(new Set([MINE]))
const later = (jobId: string, queueName: string) =>
  bench.client().enqueue('f', [], { jobId, queueName, deferByMs: 3_600_000 })
const isQueued = async (queueName: string, jobId: string) =>
  (await bench.database().redis.zscore(queueName, jobId)) !== null

test('an act on a job is refused where its address names a queue that the user may see, and its body another', async () => {
  const dashboard = anna()
  await later('twin', THEIRS)
  await bench.database().redis.zadd(MINE, Date.now() + 3_600_000, 'twin')
  for (const act of ['remove', 'run-now', 'abort', 'retry']) {
    const path = `/api/jobs/twin/${act}?queue=${MINE}`
    expect([act, await refusalOf(post(dashboard, path, { queueName: THEIRS }))]).toEqual([act, FORBIDDEN])
  }
  expect(await isQueued(THEIRS, 'twin')).toBe(true)
  expect(await jsonOf<ActAnswer>(post(dashboard, '/api/jobs/twin/remove', { queueName: MINE }))).toMatchObject({
    done: true,
  })
})

test('a cron job is run in a queue that the user may see alone, whoever else serves it', async () => {
  const tick = cron('cron:nightly', { hour: 2 }, () => {})
  for (const queueName of [THEIRS, MINE]) bench.worker({ queueName, cron: [tick] })
  await eventually(async () => (await bench.client().workers.list()).length === 2)
  const dashboard = anna()
  for (const name of ['cron:nightly', 'anything'])
    expect(await refusalOf(post(dashboard, `/api/cron/${name}/run`, { queueName: THEIRS }))).toEqual(FORBIDDEN)
  const { message } = await jsonOf<ActAnswer>(post(dashboard, '/api/cron/cron:nightly/run'))
  expect(message).toContain(`into "${MINE}"`)
})

test('a cron job of a hidden queue is neither paused nor run once its workers have gone', async () => {
  const tick = cron('cron:often', { second: null, microsecond: 0 }, () => {})
  const worker = bench.worker({ queueName: THEIRS, cron: [tick], recorder: { intervalMs: 100 } })
  const recorded = async () => (await bench.client().history.cron()).find(({ name }) => name === 'cron:often')
  await eventually(async () => ((await recorded())?.ticks.length ?? 0) > 0)
  await worker.stop()
  await eventually(async () => (await bench.client().workers.list()).length === 0)
  const dashboard = anna()
  for (const act of ['pause', 'run'])
    expect([act, await refusalOf(post(dashboard, `/api/cron/cron:often/${act}`))]).toEqual([act, FORBIDDEN])
  expect((await recorded())?.paused).toBe(false)
})

test('the log of a job that has expired is shown to users alone who may see every queue', async () => {
  const logs = defineTask({
    name: 'logs',
    record: { logs: true },
    keepResultMs: 0,
    handler: (ctx) => ctx.log.info('a line of theirs'),
  })
  bench.worker({ queueName: THEIRS, tasks: [logs], recorder: { intervalMs: 100 } })
  await bench.client().enqueue('logs', [], { jobId: 'gone', queueName: THEIRS })
  const all = bench.dashboard()
  await eventually(async () => {
    const { status } = await bench.client().jobs.details('gone')
    return status === 'not_found' && (await jsonOf<JobLogs>(get(all, '/api/jobs/gone/logs'))).lines.length > 0
  })
  const dashboard = anna()
  for (const path of ['', '/logs', '/logs/stream', `/logs?queue=${MINE}`, '/history', '/explain'])
    expect([path, await refusalOf(get(dashboard, `/api/jobs/gone${path}`))]).toEqual([path, FORBIDDEN])
})

test('a plan and an undo are refused once their queue is hidden from the user', async () => {
  const seen = new Set([MINE, THEIRS])
  const dashboard = limited(seen)
  await later('a', THEIRS)
  await eventually(async () => {
    const plan = await jsonOf<Plan>(post(dashboard, '/api/plans', { action: 'remove', q: '' }))
    return plan.count === 1
  })
  const plan = await jsonOf<Plan>(post(dashboard, '/api/plans', { action: 'remove', q: '' }))
  const paused = await jsonOf<ActAnswer>(post(dashboard, `/api/queues/${THEIRS}/pause`))
  const toPlan = `/api/plans/${plan.token}/run`
  const toUndo = `/api/undo/${paused.undo!.token}`
  seen.delete(THEIRS)
  expect(await refusalOf(post(dashboard, toPlan))).toEqual(FORBIDDEN)
  expect(await refusalOf(post(dashboard, toUndo))).toEqual(FORBIDDEN)
  expect(await isQueued(THEIRS, 'a')).toBe(true)
  expect(await bench.database().redis.smembers('arq:paused')).toEqual([THEIRS])
  seen.add(THEIRS)
  await jsonOf(post(dashboard, toUndo))
  await jsonOf(post(dashboard, toPlan))
  expect(await isQueued(THEIRS, 'a')).toBe(false)
})

test('the history of a job leaves the stack of an error out that jobs of a hidden queue have as well', async () => {
  const fails = defineTask({ name: 'fails', handler: () => Promise.reject(new Error('no answer')) })
  for (const queueName of [MINE, THEIRS]) {
    bench.worker({ queueName, tasks: [fails], recorder: { intervalMs: 100 } })
    await bench.client().enqueue('fails', [], { queueName, jobId: `${queueName}-failed` })
  }
  await eventually(async () => {
    const [group] = await bench.client().history.errors()
    return group?.queues.length === 2
  })
  const stacksOf = async (dashboard: Dashboard) => {
    const { tries } = await jsonOf<JobHistory>(get(dashboard, `/api/jobs/${MINE}-failed/history`))
    return tries.map(({ stack }) => stack)
  }
  const all = bench.dashboard()
  await eventually(async () => (await stacksOf(all)).some((stack) => stack?.includes('no answer')))
  expect(await stacksOf(anna())).toEqual([null])
})
