import { defineTask } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import type { ActAnswer, Dashboard, JobView, Plan, PlanOutcome, UndoOutcome } from '../../src/index.ts'
import { get, jsonOf, post, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()
const act = (dashboard: Dashboard, path: string, body: unknown = {}) => jsonOf<ActAnswer>(post(dashboard, path, body))
const plan = (dashboard: Dashboard, body: unknown) => jsonOf<Plan>(post(dashboard, '/api/plans', body))
const run = (dashboard: Dashboard, token: string) => jsonOf<PlanOutcome>(post(dashboard, `/api/plans/${token}/run`))
const undo = (dashboard: Dashboard, token: string) => jsonOf<UndoOutcome>(post(dashboard, `/api/undo/${token}`))
const fails = defineTask({ name: 'fails', handler: () => Promise.reject(new Error('no')) })

/** Everything of the queues and jobs, without what the dashboard keeps for itself. */
async function everything(): Promise<Record<string, unknown>> {
  const { redis } = bench.database()
  const keys = (await redis.keys('*')).filter((key) => !key.startsWith('arq:obs:')).sort()
  const values = await Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key)
      if (type === 'zset') return redis.zrange(key, '0', '-1', 'WITHSCORES')
      if (type === 'hash') return Object.entries(await redis.hgetall(key)).sort()
      return type === 'string' ? (await redis.getBuffer(key))!.toString('hex') : redis.smembers(key)
    }),
  )
  return Object.fromEntries(keys.map((key, i) => [key, values[i]]))
}

async function makeDead(ids: readonly string[]): Promise<void> {
  const worker = bench.worker({ tasks: [fails] })
  await bench.client().enqueueMany(ids.map((jobId) => ['fails', [jobId], { jobId }] as const))
  await eventually(async () => (await bench.client().deadLetters.count()) === ids.length)
  await worker.stop()
}

describe('a single act', () => {
  test('enqueues a job, and refuses what it does not know', async () => {
    const dashboard = bench.dashboard()
    const made = await act(dashboard, '/api/jobs', {
      functionName: 'f',
      args: [1],
      kwargs: { a: 2 },
      queueName: 'mail',
    })
    expect(await jsonOf<JobView>(get(dashboard, `/api/jobs/${made.jobId}`))).toMatchObject({ call: 'f(1, a=2)' })
    for (const body of [{}, { functionName: 'f', extra: 1 }, { functionName: '' }, { functionName: 'f', args: 'x' }]) {
      expect(await refusalOf(post(dashboard, '/api/jobs', body))).toEqual([400, 'invalid_request'])
    }
  })

  test('clones a job with its arguments, in the codec that it was written in', async () => {
    await bench.client().enqueue('f', [new Map([[1n, new Uint8Array([1])]])], { jobId: 'a', kwargs: { k: 1 } })
    const dashboard = bench.dashboard()
    const copy = await act(dashboard, '/api/jobs/a/clone')
    const edited = await act(dashboard, '/api/jobs/a/clone', { args: [2] })
    const view = (id: string | null) => jsonOf<JobView>(get(dashboard, `/api/jobs/${id}`))
    expect(await view(copy.jobId)).toMatchObject({ codec: 'pickle', call: (await view('a')).call })
    expect((await view(edited.jobId)).call).toBe('f(2, k=1)')
  })

  test('pauses and resumes a queue, and takes it back', async () => {
    const dashboard = bench.dashboard()
    const paused = await act(dashboard, '/api/queues/mail/pause')
    expect(await bench.client().queues.paused()).toEqual(['mail'])
    expect(await act(dashboard, '/api/queues/mail/pause')).toMatchObject({ done: false, undo: null })
    expect(await undo(dashboard, paused.undo!.token)).toMatchObject({ restored: 1 })
    expect(await bench.client().queues.paused()).toEqual([])
    expect(await refusalOf(post(dashboard, `/api/undo/${paused.undo!.token}`))).toEqual([410, 'gone'])
  })

  test.each(['remove', 'run-now'])('takes back "%s" of a waiting job to the last byte', async (action) => {
    await bench.client().enqueue('f', ['x'], { jobId: 'a/b', queueName: 'mail', deferByMs: 600_000 })
    await bench.database().redis.set('arq:retry:a/b', '2')
    const before = await everything()
    const dashboard = bench.dashboard()
    const done = await act(dashboard, `/api/jobs/a%2Fb/${action}`)
    expect(done.done).toBe(true)
    expect(await everything()).not.toEqual(before)
    expect(await undo(dashboard, done.undo!.token)).toMatchObject({ restored: 1, leftAlone: [] })
    expect(await everything()).toEqual(before)
  })

  test('takes back a retry and a removal of a dead letter to the last byte', async () => {
    await makeDead(['a'])
    const before = await everything()
    const dashboard = bench.dashboard()
    for (const action of ['retry', 'remove']) {
      const done = await act(dashboard, `/api/jobs/a/${action}`)
      expect(done).toMatchObject({ done: true, jobId: 'a' })
      expect(await undo(dashboard, done.undo!.token)).toMatchObject({ restored: 1 })
      expect(await everything()).toEqual(before)
    }
  })

  test('leaves a running job alone', async () => {
    await bench.client().enqueue('f', [], { jobId: 'a', queueName: 'mail' })
    await bench.database().redis.set('arq:in-progress:a', '1')
    const before = await everything()
    const dashboard = bench.dashboard()
    for (const action of ['remove', 'run-now']) {
      expect(await act(dashboard, `/api/jobs/a/${action}`)).toMatchObject({ done: false, undo: null })
    }
    expect(await everything()).toEqual(before)
    expect(await refusalOf(post(dashboard, '/api/jobs/none/remove'))).toEqual([404, 'not_found'])
  })

  test('restores nothing over a job that has taken the id meanwhile', async () => {
    await bench.client().enqueue('f', ['old'], { jobId: 'a', queueName: 'mail' })
    const dashboard = bench.dashboard()
    const done = await act(dashboard, '/api/jobs/a/remove')
    await bench.client().enqueue('f', ['new'], { jobId: 'a', queueName: 'mail' })
    expect(await undo(dashboard, done.undo!.token)).toMatchObject({ restored: 0, leftAlone: [{ count: 1 }] })
    expect((await jsonOf<JobView>(get(dashboard, '/api/jobs/a'))).call).toBe("f('new')")
  })

  test('aborts a waiting job by a request that workers of both languages read', async () => {
    await bench.client().enqueue('f', [], { jobId: 'a', queueName: 'mail', deferByMs: 60_000 })
    expect(await act(bench.dashboard(), '/api/jobs/a/abort')).toMatchObject({ done: true, undo: null })
    expect(await bench.database().redis.zscore('arq:abort', 'a')).not.toBeNull()
  })
})

describe('a plan', () => {
  test('touches the jobs that it froze, and none that came or changed since', async () => {
    const ids = Array.from({ length: 450 }, (_, i) => `j${i}`)
    const enqueue = (jobIds: readonly string[]) =>
      bench
        .client()
        .enqueueMany(
          jobIds.map((jobId) => ['send', [jobId], { jobId, queueName: 'mail', deferByMs: 600_000 }] as const),
        )
    await enqueue(ids)
    const dashboard = bench.dashboard()
    const frozen = await plan(dashboard, { action: 'remove', q: 'function:send queue:mail' })
    expect(frozen).toMatchObject({ count: 450, complete: true, title: 'Remove 450 jobs', leftAlone: [] })
    expect(frozen.examples).toHaveLength(3)
    await enqueue(['late'])
    await bench.database().redis.set('arq:in-progress:j0', '1')
    await bench.client().jobs.runNow('mail', ['j1'])
    const outcome = await run(dashboard, frozen.token)
    expect(outcome.done).toBe(448)
    expect(outcome.leftAlone).toEqual(
      expect.arrayContaining([
        { reason: 'running', count: 1 },
        { reason: 'changed meanwhile', count: 1 },
      ]),
    )
    expect((await bench.database().redis.zrange('mail', '0', '-1')).sort()).toEqual(['j0', 'j1', 'late'])
    expect(await refusalOf(post(dashboard, `/api/plans/${frozen.token}/run`))).toEqual([410, 'gone'])
    expect(await undo(dashboard, outcome.undo!.token)).toMatchObject({ restored: 448 })
    expect(await bench.database().redis.zcard('mail')).toBe(451)
  })

  test('retries dead letters by fingerprint, spread over time, and takes it back', async () => {
    await makeDead(['a', 'b', 'c'])
    const before = await everything()
    const dashboard = bench.dashboard()
    const { groups } = (await (await get(dashboard, '/api/errors')).json()) as { groups: { fingerprint: string }[] }
    const frozen = await plan(dashboard, { action: 'retry', fingerprint: groups[0]!.fingerprint, spreadMs: 60_000 })
    expect(frozen.count).toBe(3)
    const outcome = await run(dashboard, frozen.token)
    expect(outcome.done).toBe(3)
    const scores = (await bench.database().redis.zrange('arq:queue', '0', '-1', 'WITHSCORES'))
      .filter((_, i) => i % 2)
      .map(Number)
    expect(scores[2]! - scores[0]!).toBeGreaterThan(59_000)
    expect(await undo(dashboard, outcome.undo!.token)).toMatchObject({ restored: 3 })
    expect(await everything()).toEqual(before)
  })

  test('moves jobs to another queue and back', async () => {
    await bench.client().enqueue('f', [], { jobId: 'a', queueName: 'mail', deferByMs: 60_000 })
    const before = await everything()
    const dashboard = bench.dashboard()
    const frozen = await plan(dashboard, { action: 'move', jobIds: ['a', 'gone'], toQueue: 'other' })
    expect(frozen).toMatchObject({ count: 1, leftAlone: [{ count: 1 }] })
    const outcome = await run(dashboard, frozen.token)
    expect(await bench.database().redis.zcard('other')).toBe(1)
    await undo(dashboard, outcome.undo!.token)
    expect(await everything()).toEqual(before)
  })

  test('repairs what the doctor found', async () => {
    await bench.database().redis.zadd('mail', Date.now() - 120_000, 'ghost')
    const dashboard = bench.dashboard()
    const frozen = await plan(dashboard, { action: 'repair', check: 'missing-payload', queueName: 'mail' })
    expect(await run(dashboard, frozen.token)).toMatchObject({ done: 1 })
    expect(await bench.database().redis.zcard('mail')).toBe(0)
  })

  test('is refused where the query is not understood, or says nothing', async () => {
    for (const body of [
      { action: 'remove' },
      { action: 'remove', q: 'status:all' },
      { action: 'drop', q: 'x' },
      { action: 'move', q: 'x' },
    ]) {
      expect(await refusalOf(post(bench.dashboard(), '/api/plans', body))).toEqual([400, 'invalid_request'])
    }
  })

  test('is run by its maker alone, and by no one who lost the right', async () => {
    await bench.client().enqueue('f', [], { jobId: 'a', queueName: 'mail' })
    let allowed = true
    const dashboard = bench.dashboard({
      authenticate: (request) => ({ name: request.headers.get('x-user') ?? 'anna' }),
      authorize: (_, action) => action === 'view' || allowed,
    })
    const { token } = await plan(dashboard, { action: 'remove', q: 'queue:mail' })
    const as = (name: string) => refusalOf(post(dashboard, `/api/plans/${token}/run`, {}, { 'x-user': name }))
    expect(await as('bob')).toEqual([403, 'forbidden'])
    allowed = false
    expect(await as('anna')).toEqual([403, 'forbidden'])
    expect(await refusalOf(post(dashboard, '/api/plans', { action: 'remove', q: 'queue:mail' }))).toEqual([
      403,
      'forbidden',
    ])
    expect(await bench.database().redis.zcard('mail')).toBe(1)
    allowed = true
    const done = await run(dashboard, token)
    allowed = false
    expect(await refusalOf(post(dashboard, `/api/undo/${done.undo!.token}`))).toEqual([403, 'forbidden'])
  })

  test('leaves jobs alone that its maker may not touch', async () => {
    for (const jobId of ['mine', 'theirs']) await bench.client().enqueue('f', [], { jobId, queueName: 'mail' })
    const dashboard = bench.dashboard({ authorize: (_, __, { name }) => name !== 'theirs' })
    const frozen = await plan(dashboard, { action: 'remove', q: 'queue:mail' })
    expect(frozen).toMatchObject({ count: 1, leftAlone: [{ reason: 'you may not', count: 1 }] })
  })

  test('is refused when what is kept takes 64 MiB already', async () => {
    const bytes = 64 * 1024 * 1024
    await bench.database().redis.hset('arq:obs:shelf', 'trash:x', `${bytes}:${Date.now() + 600_000}`)
    await bench.client().enqueue('f', [], { jobId: 'a', queueName: 'mail' })
    expect(await refusalOf(post(bench.dashboard(), '/api/plans', { action: 'remove', q: 'queue:mail' }))).toEqual([
      501,
      'not_available',
    ])
    await bench.database().redis.hset('arq:obs:shelf', 'trash:x', `${bytes}:${Date.now() - 600_000}`)
    expect((await plan(bench.dashboard(), { action: 'remove', q: 'queue:mail' })).count).toBe(1)
  })

  test('an act and its undo use no sorted set, and expire by themselves', async () => {
    await bench.client().enqueue('f', [], { jobId: 'a', queueName: 'mail' })
    const dashboard = bench.dashboard()
    const { token } = await plan(dashboard, { action: 'remove', q: 'queue:mail' })
    await plan(dashboard, { action: 'remove', q: 'queue:mail' })
    await run(dashboard, token)
    const { redis } = bench.database()
    const keys = await redis.keys('arq:obs:*')
    const kept = keys.filter((key) => /^arq:obs:(plan|trash):/.test(key))
    expect(kept).toHaveLength(2)
    for (const key of kept) expect(await redis.pttl(key)).toBeGreaterThan(800_000)
    for (const key of keys) expect(await redis.type(key)).not.toBe('zset')
  })

  test.each(['x', '..%2fplans', 'A'.repeat(23), '%00'])('has no token such as %j', async (token) => {
    for (const path of [`/api/plans/${token}/run`, `/api/undo/${token}`]) {
      expect(await refusalOf(post(bench.dashboard(), path))).toEqual([410, 'gone'])
    }
  })
})
