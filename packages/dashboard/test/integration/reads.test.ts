import { describe, expect, test } from 'vitest'
import { defineTask, cron, flow } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import type { CronCalendar, DoctorReport, ErrorDetails, ErrorListData, Forecast } from '../../src/index.ts'
import type {
  FlowList,
  FlowView,
  FunctionMap,
  JobExplanation,
  JobPage,
  JobView,
  Overview,
  QueueList,
  WorkerList,
} from '../../src/index.ts'
import { get, jsonOf, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()
const read = <T>(path: string) => jsonOf<T>(get(bench.dashboard(), path))
const fails = defineTask({ name: 'fails', handler: () => Promise.reject(new Error('no answer in 30 s')) })
const works = defineTask({ name: 'works', handler: () => Promise.resolve({ ok: true }) })

describe('queues', () => {
  test('are counted with who serves them, and say when nobody does', async () => {
    await bench.client().enqueue('works', [], { queueName: 'mail', deferUntil: Date.now() - 60_000 })
    await bench.client().enqueue('works', [], { queueName: 'later', deferByMs: 3_600_000 })
    const { queues } = await read<QueueList>('/api/queues')
    const [later, mail] = ['later', 'mail'].map((name) => queues.find(({ queueName }) => queueName === name))
    expect(mail).toMatchObject({ pending: 1, state: 'unserved', workers: 0, python: false, emptiesAt: null })
    expect(later).toMatchObject({ deferred: 1, state: 'on-time', emptiesAt: 'empty' })
    const { headlines, totals, cost } = await read<Overview>('/api/overview')
    expect(headlines).toMatchObject([{ kind: 'stalled', severity: 'error', subject: { type: 'queue', name: 'mail' } }])
    expect(totals).toMatchObject({ pending: 1, deferred: 1 })
    expect(cost.commands).toBeGreaterThan(10)
  })

  test('are counted exactly, or their numbers are marked as bounds, in sums too', async () => {
    const exactness = async () => {
      const dashboard = bench.dashboard()
      const { queues, totals } = await jsonOf<Overview>(get(dashboard, '/api/overview'))
      return [queues.find(({ queueName }) => queueName === 'mail')!.exact, totals.exact]
    }
    const due = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => [Date.now() - 60_000, `job-${from + i}`]).flat()
    await bench.database().redis.zadd('mail', ...due(0, 100))
    expect(await exactness()).toEqual([true, true])
    await bench.database().redis.zadd('mail', ...due(100, 1_200))
    expect(await exactness()).toEqual([false, false])
  })

  test('name a Python worker by its health line', async () => {
    const line = 'Nov-24 04:25:58 j_complete=3 j_failed=1 j_retried=0 j_ongoing=2 queued=5'
    await bench.database().redis.set('mail:health-check', line, 'PX', 60_000)
    const { queues } = await read<QueueList>('/api/queues')
    expect(queues.find(({ queueName }) => queueName === 'mail')).toMatchObject({ languages: ['python'], python: true })
    const { python } = await read<WorkerList>('/api/workers')
    expect(python).toMatchObject([{ language: 'python', queueName: 'mail', complete: 3, failed: 1, ongoing: 2 }])
  })

  test('that nobody knows are not found', async () => {
    expect(await refusalOf(get(bench.dashboard(), '/api/queues/none'))).toEqual([404, 'not_found'])
  })
})

describe('the forecast', () => {
  test('counts each half hour exactly, with the ticks of cron jobs', async () => {
    const nowMs = await bench.client().now()
    const startMs = Math.floor(nowMs / 1_800_000) * 1_800_000
    const due = [
      startMs + 1_800_000,
      startMs + 3 * 1_800_000 + 1,
      startMs + 3 * 1_800_000 + 2,
      startMs + 60 * 1_800_000,
    ]
    await bench.client().enqueueMany(due.map((deferUntil) => ['f', [], { queueName: 'mail', deferUntil }] as const))
    await bench.client().enqueue('f', [], { queueName: 'mail', deferUntil: nowMs - 1_000 })
    bench.worker({
      queueName: 'mail',
      cron: [cron('cron:tick', '*/10 * * * *', () => {})],
      maxJobs: 1,
      tasks: [works],
      unknownFunction: 'release',
    })
    await eventually(async () => (await bench.client().workers.list()).length === 1)
    const forecast = await read<Forecast>('/api/queues/mail/forecast')
    expect(forecast.slots).toHaveLength(48)
    expect(forecast.slots.slice(1, 48).map((slot) => slot.ticks)).toEqual(Array.from({ length: 47 }, () => 3))
    // A job whose function no worker has goes back to the queue; those of the future stay where they are.
    expect(forecast.slots.map((slot) => slot.due).slice(2)).toEqual([0, 2, ...Array.from({ length: 44 }, () => 0)])
    expect(forecast.later).toBe(1)
    expect(forecast.slots[5]!.cron).toEqual([{ name: 'cron:tick', ticks: 3 }])
  })
})

describe('jobs', () => {
  test('are found by chips, and pages continue without loss', async () => {
    const items = Array.from({ length: 120 }, (_, i) => ['send', [`user-${i}`], { queueName: 'mail' }] as const)
    await bench.client().enqueueMany(items)
    await bench.client().enqueue('other', [{ deep: ['needle'] }], { queueName: 'mail', jobId: 'n1' })
    const dashboard = bench.dashboard()
    const ids: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: JobPage = await jsonOf(get(dashboard, `/api/jobs?limit=50&cursor=${cursor}`))
      ids.push(...page.jobs.map(({ jobId }) => jobId))
      expect(page.of).toBe(121)
      cursor = page.cursor
    }
    expect(new Set(ids).size).toBe(121)
    const found = (q: string) => jsonOf<JobPage>(get(dashboard, `/api/jobs?q=${encodeURIComponent(q)}`))
    expect((await found('needle')).jobs.map(({ jobId }) => jobId)).toEqual(['n1'])
    expect((await found('function:other queue:mail status:queued')).jobs).toHaveLength(1)
    expect((await found('queue:none')).jobs).toEqual([])
    expect((await found('id:n')).jobs).toHaveLength(1)
    expect((await found('status:dead')).jobs).toEqual([])
    expect((await found('status:bad older:soon')).filter.problems).toHaveLength(2)
  })

  test('cost their first screen a bounded number of commands among 200,000', async () => {
    const { redis } = bench.database()
    for (let from = 0; from < 200_000; from += 20_000) {
      const members = Array.from({ length: 20_000 }, (_, i) => [1_900_000_000_000 + from + i, `j${from + i}`]).flat()
      await redis.zadd('mail', ...members)
    }
    const dashboard = bench.dashboard()
    const first = await jsonOf<JobPage>(get(dashboard, '/api/jobs?q=queue:mail&limit=50'))
    expect(first).toMatchObject({ scanned: 50, of: 200_000, exhausted: false })
    expect(first.cost.commands).toBeLessThan(300)
    const deep = await jsonOf<JobPage>(get(dashboard, '/api/jobs?q=queue:mail%20nothing-has-this&limit=50'))
    expect(deep).toMatchObject({ jobs: [], scanned: 5_000, exhausted: false })
    const next = await jsonOf<JobPage>(
      get(dashboard, `/api/jobs?q=queue:mail%20nothing-has-this&cursor=${deep.cursor}`),
    )
    expect(next.scannedTotal).toBe(10_000)
  })

  test('refuse a cursor of somebody else', async () => {
    for (const cursor of ['x', '12.x', '1.bnVsbA', '-1.e30']) {
      expect(await refusalOf(get(bench.dashboard(), `/api/jobs?cursor=${cursor}`))).toEqual([400, 'invalid_request'])
    }
  })
})

describe('a job', () => {
  test('is shown as Python writes it, and explained', async () => {
    await bench.client().enqueue('send', ['a', 1n, true, null], { jobId: 'j', kwargs: { to: 'x' }, deferByMs: 60_000 })
    const view = await read<JobView>('/api/jobs/j')
    expect(view).toMatchObject({
      status: 'deferred',
      codec: 'pickle',
      functionName: 'send',
      success: null,
      result: null,
    })
    expect(view.call).toBe("send('a', 1, True, None, to='x')")
    expect(view.args.json).toEqual(['a', 1, true, null])
    expect(view.actions).toEqual(['abort', 'run-now', 'clone', 'remove'])
    const explanation = await read<JobExplanation>('/api/jobs/j/explain')
    expect(explanation.headline).toMatch(/^It is due in/)
    expect(explanation.reasons.find(({ check }) => check === 'worker')).toMatchObject({ ok: false })
  })

  test('that nobody knows is not found', async () => {
    expect(await refusalOf(get(bench.dashboard(), '/api/jobs/none'))).toEqual([404, 'not_found'])
  })

  test('that ended has its result, its error and its dead letter', async () => {
    bench.worker({ tasks: [fails, works] })
    await bench.client().enqueue('works', [], { jobId: 'good' })
    await bench.client().enqueue('fails', [], { jobId: 'bad', queueName: 'arq:queue' })
    const client = bench.client()
    await eventually(
      async () => (await client.deadLetters.count()) === 1 && (await client.jobs.details('good')).success === true,
    )
    expect(await read<JobView>('/api/jobs/good')).toMatchObject({ status: 'complete', result: { json: { ok: true } } })
    const bad = await read<JobView>('/api/jobs/bad')
    expect(bad).toMatchObject({ status: 'dead', dead: true, queueName: 'arq:queue', success: false })
    expect(bad.error).toContain('no answer in 30 s')
    const list = await read<ErrorListData>('/api/errors?state=open')
    expect(list.groups).toMatchObject([{ count: 1, dead: 1, functions: ['fails'], state: 'open' }])
    const { jobs } = await read<ErrorDetails>(`/api/errors/${list.groups[0]!.fingerprint}`)
    expect(jobs).toMatchObject([{ jobId: 'bad', functionName: 'fails' }])
  })
})

describe('functions', () => {
  test('that wait without a worker are unserved, and unknown where Python serves', async () => {
    bench.worker({ queueName: 'mail', tasks: [works], unknownFunction: 'release', maxJobs: 1 })
    await eventually(async () => (await bench.client().workers.list()).length === 1)
    const line = 'Nov-24 04:25:58 j_complete=0 j_failed=0 j_retried=0 j_ongoing=0 queued=1'
    await bench.database().redis.set('py:health-check', line, 'PX', 60_000)
    await bench.client().enqueue('embed', [], { queueName: 'mail', deferByMs: 60_000 })
    await bench.client().enqueue('embed2', [], { queueName: 'py', deferByMs: 60_000 })
    const { functions } = await read<FunctionMap>('/api/functions')
    const of = (name: string) => functions.find(({ functionName }) => functionName === name)
    expect(of('works')).toMatchObject({ unserved: false, workers: [{ queues: ['mail'] }] })
    expect(of('embed')).toMatchObject({ unserved: true, python: 'none' })
    expect(of('embed2')).toMatchObject({ unserved: null, python: 'possible' })
    const { headlines } = await read<Overview>('/api/overview')
    expect(headlines).toMatchObject([{ kind: 'unserved', subject: { type: 'function', name: 'embed' } }])
  })
})

describe('flows', () => {
  test('are listed, and shown as graphs', async () => {
    const f = flow('report')
    const first = f.call(works, [])
    f.call(works, [], { after: first, name: 'second' })
    const { flowId } = await bench.client().start(f)
    const { flows } = await read<FlowList>('/api/flows')
    expect(flows).toMatchObject([{ flowId, name: 'report', state: 'running', members: 2, open: 2 }])
    const { hidden, members } = await read<FlowView>(`/api/flows/${flowId}`)
    expect(hidden).toBe(0)
    expect(members).toMatchObject([
      { name: 'works', state: 'queued', after: [] },
      { name: 'second', state: 'held', after: ['works'], waitsFor: ['works'] },
    ])
  })
})

describe('cron jobs', () => {
  test('show coming ticks, those that left a trace, and a Python job by its ticks', async () => {
    const nowMs = await bench.client().now()
    const day = Math.floor(nowMs / 86_400_000) * 86_400_000
    bench.worker({ queueName: 'mail', cron: [cron('cron:hourly', '0 * * * *', () => {}, { timeZone: 'UTC' })] })
    await eventually(async () => (await bench.client().workers.list()).length === 1)
    for (const [hours, name, outcome] of [
      [-40, 'cron:hourly', 'complete'],
      [-39, 'cron:hourly', 'overlap'],
      ...Array.from({ length: 37 }, (_, i) => [i - 37, 'cron:hourly', 'complete'] as const),
      [-20, 'cron:python', 'failed'],
    ] as const) {
      const atMs = day + hours * 3_600_000
      const language = name === 'cron:python' ? 'python' : 'typescript'
      const run = { startedMs: atMs + 90_000, finishedMs: atMs + 95_000 }
      const tick = { atMs, outcome, jobId: `${name}:${atMs}`, queueName: 'mail', workerId: 'w', language, ...run }
      await bench.database().redis.hset(`arq:obs:ticks:${name}`, atMs, JSON.stringify(tick))
      await bench.database().redis.hset('arq:obs:ticked', name, atMs)
    }
    const { jobs } = await read<CronCalendar>(`/api/cron?from=${day - 3 * 86_400_000}&to=${nowMs + 86_400_000}`)
    const [hourly, python] = ['cron:hourly', 'cron:python'].map((name) => jobs.find((job) => job.name === name)!)
    expect(hourly).toMatchObject({ language: 'arq-ts', schedule: '0 * * * *' })
    expect(hourly!.coming).toHaveLength(24)
    expect(hourly!.missed.slice(0, 1)).toEqual([day - 38 * 3_600_000])
    expect(hourly!.leftOut).toEqual([{ atMs: day - 39 * 3_600_000, why: 'overlap' }])
    expect(hourly!.past[0]).toMatchObject({ status: 'complete', isLate: true, delayMs: 90_000, tookMs: 5_000 })
    expect(python).toMatchObject({ language: 'python', schedule: null, missed: [] })
    expect(python!.past).toMatchObject([{ status: 'failed' }])
  })
})

describe('the doctor', () => {
  test('reports findings with their repairs, and what it did not look at', async () => {
    await bench.database().redis.zadd('mail', Date.now() - 120_000, 'ghost')
    const report = await read<DoctorReport>('/api/doctor')
    expect(report.findings.find(({ check }) => check === 'missing-payload')).toMatchObject({
      queueName: 'mail',
      count: 1,
      jobIds: ['ghost'],
      repair: expect.any(String),
    })
    const part = await read<DoctorReport>('/api/doctor?limit=0')
    expect(part.incomplete).not.toEqual([])
  })
})

test('the parts of a first page share one look at the queues', async () => {
  for (const queueName of ['mail', 'media', 'default']) await bench.client().enqueue('works', [], { queueName })
  const dashboard = bench.dashboard()
  const ask = <T extends { cost: { commands: number } }>(path: string) => jsonOf<T>(get(dashboard, path))
  const queues = await ask<QueueList>('/api/queues')
  const overview = await ask<Overview>('/api/overview')
  expect(overview.queues).toEqual(queues.queues)
  // The rest is the sample of functions, and the number of dead letters.
  expect(overview.cost.commands).toBeLessThan(queues.cost.commands)
})
