import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, flow } from '../../src/index.ts'
import type { JobDetails } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()
const forever = (ctx: { signal: AbortSignal }) =>
  new Promise<void>((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error)))

describe('the parts that capabilities play in a job', () => {
  const checksOf = async (jobId: string) => {
    const { reasons } = await bench.client().jobs.explain(jobId)
    return new Map(reasons.map(({ check, detail }) => [check, detail]))
  }
  const detailsWhere = (jobId: string, is: (job: JobDetails) => boolean) =>
    eventually(async () => {
      const job = await bench.client().jobs.details(jobId)
      return is(job) && job
    })

  test('are shown and explained of a running job: places in limits, its unique key, metadata', async () => {
    const call = defineTask({
      name: 'call_api',
      params: z.object({ tenant: z.string() }),
      limits: [{ name: 'api', concurrency: 1, key: ({ tenant }) => tenant }],
      handler: (ctx) => forever(ctx),
    })
    await bench.worker({ tasks: [call], recorder: { intervalMs: 100 } })
    const client = bench.client({
      middleware: [
        {
          enqueue: (outgoing, next) => {
            outgoing.metadata['tenant'] = 'acme'
            return next()
          },
        },
      ],
    })
    const job = await client.enqueue(call, { tenant: 'acme' }, { unique: { key: 'sync:acme' } })
    await client.enqueue(call, { tenant: 'acme' }, { jobId: 'waits' })
    const runs = await detailsWhere(job!.jobId, ({ limits: held, task }) => held.length > 0 && task !== null)
    expect(runs).toMatchObject({
      limits: ['api:acme'],
      unique: { key: 'sync:acme', isOwner: true },
      metadata: { tenant: 'acme' },
      task: { limits: ['api'], sandbox: null, chunk: null },
      flow: null,
    })
    const checks = await checksOf(job!.jobId)
    expect(checks.get('limit')).toContain('"api:acme"')
    expect(checks.get('unique')).toContain('it has the unique key "sync:acme"')
    const waits = await detailsWhere('waits', ({ hold }) => hold !== null)
    expect(waits).toMatchObject({ limits: [], unique: null, hold: { by: 'limit', about: 'api:acme' } })
    expect([...(await checksOf('waits')).keys()].filter((check) => check === 'limit')).toHaveLength(1)
    await job!.abort({ timeoutMs: 10_000 })
  })

  test('are shown of a member of a flow, of a task in chunks, and of a unique key that another job has', async () => {
    const batch = defineTask({
      name: 'batch',
      chunk: { size: 7, waitMs: 20 },
      handler: (jobs) => jobs.map(() => null),
    })
    await bench.worker({ tasks: [batch], recorder: { intervalMs: 100 } })
    const client = bench.client({ queueName: 'nobody' })
    const graph = flow('report', { onUnknown: 'fail' })
    graph.call('batch', [1])
    const run = await client.start(graph)
    const member = await eventually(async () => (await run.status()).members.find((each) => each.jobId !== undefined))
    const { jobId } = member!
    const job = await detailsWhere(jobId, ({ status, task }) => status !== 'not_found' && task !== null)
    expect(job).toMatchObject({ flow: { flowId: run.flowId }, task: { chunk: { size: 7, waitMs: 20 } } })
    expect((await checksOf(jobId)).get('chunk')).toContain('up to 7 jobs')
    const first = await client.enqueue('batch', [], { unique: { key: 'k' } })
    await bench.database().redis.hset('arq:unique:k', 'id', 'second')
    expect((await client.jobs.details(first!.jobId)).unique).toEqual({ key: 'k', isOwner: false })
    expect((await checksOf(first!.jobId)).get('unique')).toContain('no longer has')
    expect((await client.jobs.details('none')).task).toBeNull()
  })
})

test('shows the readable parts of a foreign payload or definition', async () => {
  const { redis } = bench.database()
  const client = bench.client()
  const call = { t: null, f: 'echo', a: [], k: {}, et: 1 }
  const marks = [{ flow: 1, metadata: [], unique: {}, schedule: [] }, { flow: { id: 1 } }, 'x', null]
  for (const [i, mark] of marks.entries()) {
    await redis.set(`arq:job:${i}`, JSON.stringify({ ...call, 'arq-ts': mark }))
    await redis.zadd('arq:queue', 1, String(i))
  }
  await redis.set(
    'arq:obs:fn:echo',
    JSON.stringify({ timeoutMs: 1, maxTries: 1, keepResultMs: 1, limits: 'x', sandbox: {}, chunk: 'y' }),
  )
  for (const i of marks.keys()) {
    const { flow: member, metadata, unique, schedule, task, limits } = await client.jobs.details(String(i))
    expect({ member, metadata, unique, schedule, limits }, String(i)).toEqual({
      member: null,
      metadata: null,
      unique: null,
      schedule: null,
      limits: [],
    })
    expect(task).toMatchObject({ limits: [], sandbox: null, chunk: null })
    await client.jobs.explain(String(i))
  }
})
