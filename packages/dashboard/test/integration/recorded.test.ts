import { defineTask } from '@arq-ts/core'
import { eventually } from '@arq-ts/testkit'
import { describe, expect, test } from 'vitest'
import type { AuditListData, ErrorDetails, ErrorListData, FunctionMap, JobHistory, JobView } from '../../src/index.ts'
import type { Overview, SeriesData } from '../../src/index.ts'
import { get, jsonOf, post, refusalOf, useBench } from '../support/bench.ts'

const bench = useBench()
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

describe('what workers record', () => {
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
    expect(tries).toMatchObject([{ jobTry: 1, outcome: 'failed', workerId: expect.any(String) }])
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
