import { defineTask, measureCommands, Retry } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import type { Bootstrap, Cost, JobLogs } from '../../src/index.ts'
import type { AuditListData, ErrorDetails, ErrorListData, FunctionMap, JobHistory, JobView } from '../../src/index.ts'
import type { Overview, SeriesData } from '../../src/index.ts'
import { get, jsonOf, post, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()
const fails = defineTask({
  name: 'fails',
  handler: (ctx) => Promise.reject(new Error(`no answer for ${ctx.jobId} at user${ctx.jobTry}@example.com`)),
})
const read = <T>(path: string) => jsonOf<T>(get(bench.dashboard(), path))

async function failSix(): Promise<void> {
  bench.worker({ tasks: [fails], recorder: { intervalMs: 100 } })
  await bench.client().enqueueMany(Array.from({ length: 6 }, (_, i) => ['fails', [], { jobId: `job-${i}` }] as const))
  await eventually(async () => (await bench.client().history.errors())[0]?.count === 6)
}

describe('the records of workers', () => {
  test('groups errors with their dead letters, which a job leads to', async () => {
    await failSix()
    const list = await read<ErrorListData>('/api/errors?state=open')
    expect(list).toMatchObject({
      source: 'recorder',
      groups: [{ count: 6, dead: 6, type: 'Error', functions: ['fails'] }],
    })
    const { fingerprint } = list.groups[0]!
    expect((await read<ErrorDetails>(`/api/errors/${fingerprint}`)).jobs).toHaveLength(6)
    expect((await read<JobView>('/api/jobs/job-0')).fingerprint).toBe(fingerprint)
    const muted = await jsonOf(post(bench.dashboard(), `/api/errors/${fingerprint}/mute`))
    expect(muted).toMatchObject({ done: true })
    expect(await read<ErrorListData>('/api/errors?state=open')).toMatchObject({ groups: [], hidden: 1 })
  })

  test('names a failing function in the overview, and its tries in the history of a job', async () => {
    await failSix()
    await eventually(async () => (await bench.client().history.tries('job-0')).length > 0)
    await eventually(async () => {
      const { headlines } = await read<Overview>('/api/overview')
      return headlines.some(({ kind, subject }) => kind === 'failing' && subject.name === 'fails')
    })
    const { tries } = await read<JobHistory>('/api/jobs/job-0/history')
    expect(tries).toMatchObject([
      { jobTry: 1, outcome: 'failed', workerId: expect.any(String), stack: expect.stringContaining('    at ') },
    ])
    const series = await read<SeriesData>('/api/series?metric=failed&by=function')
    expect(series.series.find(({ name }) => name === 'fails')!.values.some((value) => value! > 0)).toBe(true)
    const { functions } = await read<FunctionMap>('/api/functions')
    expect(functions).toMatchObject([{ functionName: 'fails', dead: 6 }])
  })

  test('has no metric that is not recorded', async () => {
    for (const query of ['metric=nothing', 'by=nothing', 'from=yesterday', 'metric=wait-p12']) {
      expect(await refusalOf(get(bench.dashboard(), `/api/series?${query}`))).toEqual([400, 'invalid_request'])
    }
  })
})

describe('the tries of a job', () => {
  test('run from the failures that were recorded to the try that ended it', async () => {
    const twice = defineTask({
      name: 'twice',
      handler: (ctx) => (ctx.jobTry < 3 ? Promise.reject(new Retry({ deferMs: 20 })) : Promise.resolve('done')),
    })
    bench.worker({ tasks: [twice], recorder: { intervalMs: 100 } })
    await (await bench.client().enqueue('twice', [], { jobId: 'third time' }))!.result({ timeoutMs: 20_000 })
    await eventually(async () => (await bench.client().history.tries('third time')).length === 2)
    const { tries } = await read<JobHistory>('/api/jobs/third%20time/history')
    expect(tries).toMatchObject([
      { jobTry: 1, outcome: 'retried' },
      { jobTry: 2, outcome: 'retried' },
      { jobTry: 3, outcome: 'complete', startedMs: expect.any(Number), finishedMs: expect.any(Number) },
    ])
    for (const [i, each] of tries.slice(1).entries()) expect(each.fromMs).toBe(tries[i]!.finishedMs)
  })

  test('end with the one that is waited for', async () => {
    await bench.client().enqueue('later', [], { jobId: 'later', deferByMs: 60_000 })
    expect((await read<JobHistory>('/api/jobs/later/history')).tries).toMatchObject([
      { jobTry: 1, outcome: 'waiting', startedMs: null, finishedMs: null },
    ])
  })
})

describe('the log of a job', () => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const logs = defineTask({
    name: 'logs',
    record: { logs: true },
    handler: async (ctx) => {
      ctx.log.info({ rows: 400 }, 'read the file of user@example.com')
      ctx.progress(0.4, 'reading')
      await gate
      ctx.log.warn('one row was left out')
    },
  })
  interface Message {
    lines: { message: string; level: string }[]
    ended: string | null
  }
  const messagesOf = async (response: Response): Promise<Message[]> =>
    [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as Message)

  test('comes live to every tab, from one reader of Redis, and ends with the job', async () => {
    bench.worker({ tasks: [logs], recorder: { intervalMs: 100 } })
    const dashboard = bench.dashboard({
      redact: ({ kind, value }) => (kind === 'log' ? String(value).replaceAll('user@example.com', '…') : value),
    })
    await bench.client().enqueue('logs', [], { jobId: 'logging' })
    const path = '/api/jobs/logging/logs'
    await eventually(async () => (await jsonOf<JobLogs>(get(dashboard, path))).progress !== null)
    const first = await jsonOf<JobLogs>(get(dashboard, path))
    expect(first.lines.map(({ message }) => message)).toEqual(['read the file of … {"rows":400}', 'reading'])
    expect(first.progress).toMatchObject({ done: 40, total: 100, text: 'reading' })
    const streams = await Promise.all([
      get(dashboard, `${path}/stream`),
      get(dashboard, `${path}/stream`),
      get(dashboard, `${path}/stream?after=${first.cursor!}`),
    ])
    const { redis } = bench.database()
    const channel = `arq:obs:log@${redis.options.db}:logging`
    await eventually(async () => Number((await redis.pubsub('NUMSUB', channel))[1]) === 1)
    open()
    const [one, two, rest] = await Promise.all(streams.map((stream) => messagesOf(stream)))
    const text = (messages: Message[]) => messages.flatMap(({ lines }) => lines.map(({ message }) => message))
    expect(text(one!)).toEqual(['read the file of … {"rows":400}', 'reading', 'one row was left out'])
    expect(text(two!)).toEqual(text(one!))
    expect(text(rest!)).toEqual(['one row was left out'])
    for (const messages of [one, two, rest]) expect(messages!.some(({ ended }) => ended === 'complete')).toBe(true)
  })

  test('is refused to a user who may not see the job', async () => {
    const dashboard = bench.dashboard({
      authenticate: () => ({ name: 'anna' }),
      authorize: (_user, _action, resource) => resource.name !== 'secret',
    })
    for (const path of ['logs', 'logs/stream', 'history']) {
      expect(await refusalOf(get(dashboard, `/api/jobs/secret/${path}`))).toEqual([403, 'forbidden'])
    }
  })
})

describe('the badges', () => {
  test('count open errors, unserved functions and dead letters, once for all tabs', async () => {
    await failSix()
    await bench.client().enqueue('nobody', [], { deferByMs: 60_000 })
    const dashboard = bench.dashboard()
    const bootstrap = () => jsonOf<Bootstrap>(get(dashboard, '/api/bootstrap'))
    // A page does not wait for them.
    await eventually(async () => (await bootstrap()).badges.dead !== null)
    const { badges } = await bootstrap()
    expect(badges).toEqual({ errorsOpen: 1, unserved: 1, dead: 6, why: null })
    const again = await measureCommands(() =>
      Promise.all(Array.from({ length: 10 }, () => jsonOf<Bootstrap>(get(dashboard, '/api/bootstrap')))),
    )
    expect(again.value.map((each) => each.badges)).toEqual(Array.from({ length: 10 }, () => badges))
    expect(again.commands).toBe(0)
  })
})

describe('ten tabs', () => {
  const pages = [
    'overview',
    'queues',
    'functions',
    'workers',
    'forecast',
    'errors',
    'cron',
    'series',
    'events',
    'audit',
  ]

  test('that open a page together cost Redis what one does, on each page', async () => {
    await failSix()
    const costOf = async (page: string, tabs: number) => {
      const dashboard = bench.dashboard()
      // Data that a dashboard loads at its first question, such as the names of queues, is not part of a page.
      await get(dashboard, '/api/jobs')
      const answers = Array.from({ length: tabs }, () => jsonOf<{ cost: Cost }>(get(dashboard, `/api/${page}`)))
      return (await Promise.all(answers)).reduce((sum, { cost }) => sum + cost.commands, 0)
    }
    // The client of all these dashboards counts dead letters once.
    await costOf('queues', 1)
    for (const page of pages) expect([page, await costOf(page, 10)]).toEqual([page, await costOf(page, 1)])
  })
})

describe('the audit log', () => {
  test('has the entry of an act before the act, by its user, without arguments', async () => {
    const dashboard = bench.dashboard({ authenticate: () => ({ name: 'anna' }) })
    await jsonOf(post(dashboard, '/api/jobs', { functionName: 'f', args: ['hunter2'], queueName: 'mail' }))
    await jsonOf(post(dashboard, '/api/queues/mail/pause'))
    const { entries } = await jsonOf<AuditListData>(get(dashboard, '/api/audit'))
    expect(entries).toMatchObject([
      { user: 'anna', action: 'pause', target: 'queue mail', count: 1 },
      { user: 'anna', action: 'enqueue', target: 'queue mail' },
    ])
    expect(JSON.stringify(entries)).not.toContain('hunter2')
  })

  test('that cannot be written lets nothing happen', async () => {
    await bench.database().redis.set('arq:obs:audit', 'of a wrong type')
    const dashboard = bench.dashboard()
    for (const path of ['/api/queues/mail/pause', '/api/jobs']) {
      expect(await refusalOf(post(dashboard, path, path === '/api/jobs' ? { functionName: 'f' } : {}))).toEqual([
        501,
        'not_available',
      ])
    }
    expect(await bench.client().queues.paused()).toEqual([])
    expect(await bench.database().redis.zcard('arq:queue')).toBe(0)
  })
})
