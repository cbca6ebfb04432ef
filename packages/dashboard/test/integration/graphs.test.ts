import { cron, defineTask, flow } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type {
  ActAnswer,
  AuditListData,
  FlowList,
  FlowView,
  LimitList,
  LimitView,
  ScheduleList,
  ScheduleView,
} from '../../src/index.ts'
import type { CronCalendar, TickPreview, UndoOutcome } from '../../src/index.ts'
import type { Dashboard } from '../../src/index.ts'
import { get, jsonOf, post, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()
const read = <T>(dashboard: Dashboard, path: string) => jsonOf<T>(get(dashboard, path))
const act = (dashboard: Dashboard, path: string, body: object = {}) => jsonOf<ActAnswer>(post(dashboard, path, body))
const audited = async (dashboard: Dashboard) =>
  (await read<AuditListData>(dashboard, '/api/audit')).entries.map(({ action, target }) => `${action} ${target}`)

describe('a flow', () => {
  const step = defineTask({ name: 'step', handler: () => Promise.resolve('done') })
  let isBroken = true
  const breaks = defineTask({
    name: 'breaks',
    handler: () => (isBroken ? Promise.reject(new Error('no answer')) : Promise.resolve('done')),
  })

  test('replays its failed part, then the whole, and shows its progress', async () => {
    isBroken = true
    const dashboard = bench.dashboard()
    bench.worker({ queueName: 'flows', tasks: [step, breaks], handleSignals: false })
    const f = flow('report')
    const first = f.call(step, [], { queueName: 'flows' })
    const second = f.call(breaks, [], { after: first, queueName: 'flows' })
    f.call(step, [], { after: second, name: 'last', queueName: 'flows' })
    const { flowId } = await bench.client().start(f)
    const state = async () => (await read<FlowView>(dashboard, `/api/flows/${flowId}`)).state
    await eventually(async () => (await state()) === 'failed')
    const { members, nowMs } = await read<FlowView>(dashboard, `/api/flows/${flowId}`)
    expect(members.map((each) => each.state)).toEqual(['success', 'failure', 'blocked'])
    expect(members[1]!.error).toMatch('no answer')
    expect(Math.abs(nowMs - Date.now())).toBeLessThan(60_000)
    isBroken = false
    const { done } = await act(dashboard, `/api/flows/${flowId}/replay`, { only: 'failed' })
    expect(done).toBe(true)
    await eventually(async () => (await state()) === 'complete')
    await act(dashboard, `/api/flows/${flowId}/replay`)
    await eventually(async () => (await state()) === 'complete')
    expect(await audited(dashboard)).toEqual([`replay-flow flow ${flowId}`, `replay-flow flow ${flowId}`])
  })

  test('is cancelled once while it waits, and refuses if it is gone or has ended', async () => {
    const dashboard = bench.dashboard()
    const f = flow('waits')
    f.call(step, [], { queueName: 'nobody' })
    const { flowId } = await bench.client().start(f)
    expect(await refusalOf(post(dashboard, `/api/flows/${flowId}/replay`))).toEqual([409, 'conflict'])
    expect(await act(dashboard, `/api/flows/${flowId}/cancel`)).toMatchObject({ done: true })
    expect(await read<FlowView>(dashboard, `/api/flows/${flowId}`)).toMatchObject({ state: 'cancelled' })
    expect(await refusalOf(post(dashboard, '/api/flows/gone/cancel'))).toEqual([409, 'conflict'])
    expect(await refusalOf(post(dashboard, `/api/flows/${flowId}/replay`, { only: 'some' }))).toEqual([
      400,
      'invalid_request',
    ])
  })

  test('shows errors of its members after redaction', async () => {
    isBroken = true
    bench.worker({ queueName: 'flows', tasks: [breaks], handleSignals: false })
    const f = flow('secret')
    f.call(breaks, [], { queueName: 'flows' })
    const { flowId } = await bench.client().start(f)
    const asked: unknown[] = []
    const dashboard = bench.dashboard({
      redact: ({ value, ...about }) => {
        asked.push(about)
        return about.kind === 'error' ? '***' : value
      },
    })
    const view = () => read<FlowView>(dashboard, `/api/flows/${flowId}`)
    await eventually(async () => (await view()).state === 'failed')
    const [member] = (await view()).members
    expect(member!.error).toBe('***')
    expect(asked).toContainEqual({ kind: 'error', jobId: member!.jobId, functionName: 'breaks', queueName: 'flows' })
  })

  test('costs many tabs what it costs one', async () => {
    const dashboard = bench.dashboard()
    const f = flow('watched')
    f.call(step, [], { queueName: 'nobody' })
    const { flowId } = await bench.client().start(f)
    const tabs = await Promise.all(Array.from({ length: 5 }, () => read<FlowView>(dashboard, `/api/flows/${flowId}`)))
    const commands = tabs.map(({ cost }) => cost.commands)
    expect(Math.max(...commands)).toBeGreaterThan(0)
    expect(commands.filter((each) => each > 0)).toHaveLength(1)
  })
})

describe('a schedule', () => {
  const daily = {
    cron: '0 8 * * *',
    timeZone: 'Europe/Berlin',
    functionName: 'send_mail',
    args: ['ada'],
    queueName: 'mail',
  }

  test('is made, changed, paused, resumed, run and removed, each of them in the audit log', async () => {
    const dashboard = bench.dashboard()
    const path = '/api/schedules/digest%3A42'
    await act(dashboard, path, { ...daily, isNew: true, kwargs: { template: 'digest' }, overlap: 'skip' })
    expect(await refusalOf(post(dashboard, path, { ...daily, isNew: true }))).toEqual([409, 'conflict'])
    const { schedules } = await read<ScheduleList>(dashboard, '/api/schedules')
    expect(schedules).toMatchObject([
      { name: 'digest:42', cron: '0 8 * * *', overlap: 'skip', paused: false, last: null },
    ])
    const view = await read<ScheduleView>(dashboard, path)
    expect(view.call).toBe("send_mail('ada', template='digest')")
    expect(view.coming).toHaveLength(10)
    expect(view.coming[0]).toBe(view.nextMs)
    // Fields that are left out keep their values.
    const { args: _, ...rest } = daily
    await act(dashboard, path, { ...rest, cron: '30 7 * * *' })
    const changed = await read<ScheduleView>(dashboard, path)
    expect(changed).toMatchObject({ cron: '30 7 * * *', call: view.call, queueName: 'mail' })
    const { undo } = await act(dashboard, `${path}/pause`)
    expect(await read<ScheduleView>(dashboard, path)).toMatchObject({ paused: true, coming: [], nextMs: null })
    expect(await jsonOf<UndoOutcome>(post(dashboard, `/api/undo/${undo!.token}`))).toMatchObject({ restored: 1 })
    expect(await read<ScheduleView>(dashboard, path)).toMatchObject({ paused: false })
    expect(await act(dashboard, `${path}/resume`)).toMatchObject({ done: false })
    const again = (await act(dashboard, `${path}/pause`)).undo!.token
    await bench.client().schedules.resume('digest:42')
    expect(await jsonOf<UndoOutcome>(post(dashboard, `/api/undo/${again}`))).toMatchObject({
      restored: 0,
      leftAlone: [{ count: 1 }],
    })
    const { jobId } = await act(dashboard, `${path}/run`)
    expect(await bench.client().job(jobId!, { queueName: 'mail' }).info()).toMatchObject({ args: ['ada'] })
    await act(dashboard, `${path}/remove`)
    expect(await refusalOf(get(dashboard, path))).toEqual([404, 'not_found'])
    expect(await refusalOf(post(dashboard, `${path}/pause`))).toEqual([404, 'not_found'])
    const entries = await audited(dashboard)
    expect(new Set(entries.map((entry) => entry.split(' ')[0]))).toEqual(
      new Set(['put-schedule', 'pause', 'undo', 'resume', 'run-schedule', 'remove-schedule']),
    )
  })

  test('keeps values that JSON cannot express, and the phase of its distance, when other fields change', async () => {
    const at = new Date('2030-01-01T00:00:00Z')
    await bench.client().schedules.put('poll', { task: 'poll', everyMs: 60_000, startAt: 30_000, input: [at] })
    const dashboard = bench.dashboard()
    const before = await read<ScheduleView>(dashboard, '/api/schedules/poll')
    expect(before).toMatchObject({ everyMs: 60_000, startAtMs: 30_000 })
    expect(before.coming[0]! % 60_000).toBe(30_000)
    await act(dashboard, '/api/schedules/poll', {
      functionName: 'poll',
      everyMs: 60_000,
      startAtMs: 30_000,
      missed: 'all',
    })
    const { args, missed, startAt } = (await bench.client().schedules.get('poll'))!
    expect([args, missed, startAt?.getTime()]).toEqual([[at], 'all', 30_000])
  })

  test('previews the ticks of a rule, and refuses an invalid rule', async () => {
    const dashboard = bench.dashboard()
    const { nowMs, ticks } = await read<TickPreview>(dashboard, '/api/ticks?everyMs=60000')
    expect(ticks).toHaveLength(5)
    expect(ticks[0]! > nowMs && ticks[0]! % 60_000 === 0).toBe(true)
    for (const query of ['cron=61+*+*+*+*', 'cron=0+8+*+*+*&timeZone=Mars', 'everyMs=5', ''])
      expect(await refusalOf(get(dashboard, `/api/ticks?${query}`))).toEqual([400, 'invalid_request'])
    for (const body of [
      { functionName: 'f' },
      { functionName: 'f', cron: 'never' },
      { functionName: 'f', everyMs: 60_000, cron: '* * * * *' },
    ])
      expect(await refusalOf(post(dashboard, '/api/schedules/x', body))).toEqual([400, 'invalid_request'])
    expect(await bench.client().schedules.list()).toEqual([])
  })

  test('that cannot be read keeps no other from being shown; coming ticks are computed where they are asked for', async () => {
    const { schedules } = bench.client()
    for (const name of ['fast', 'far', 'whole']) await schedules.put(name, { task: 'f', everyMs: 3_600_000 })
    const { redis } = bench.database()
    await redis.hset('arq:schedule:fast', 'rule', '{"kind":"every","everyMs":500,"startMs":0}')
    await redis.hset('arq:schedule:far', 'rule', '{"kind":"cron","cron":"0 8 * * *","timeZone":"Mars/Olympus"}')
    const dashboard = bench.dashboard()
    const rows = async (query: string) => (await read<ScheduleList>(dashboard, `/api/schedules${query}`)).schedules
    const calendar = await rows('?coming=1')
    expect(calendar.map(({ coming, name, problem }) => [name, coming.length > 20, problem !== null])).toEqual([
      ['far', false, true],
      ['fast', false, true],
      ['whole', true, false],
    ])
    expect((await rows('')).map(({ coming, nextMs }) => [coming, nextMs !== null])).toEqual([
      [[], false],
      [[], false],
      [[], true],
    ])
  })

  test('beyond the first 500 is left out of the list, which says so', async () => {
    const { schedules } = bench.client()
    const put = (_: unknown, i: number) =>
      schedules.put(`s${i}`, { task: 'f', everyMs: (i + 1) * 60_000, startAt: 1e15 })
    await Promise.all(Array.from({ length: 501 }, put))
    await schedules.put('soon', { task: 'f', everyMs: 60_000 })
    const list = await read<ScheduleList>(bench.dashboard(), '/api/schedules')
    expect([list.schedules.length, list.schedules[0]!.name, list.notes.length]).toEqual([500, 'soon', 1])
    expect(list.notes[0]).toMatch('Of 502 schedules 500 are shown')
  })

  test('of a queue that the user may not enqueue into is not made', async () => {
    const dashboard = bench.dashboard({
      authenticate: () => ({ name: 'anna' }),
      authorize: (_user, action, { name, type }) => action !== 'enqueue' || type !== 'queue' || name !== 'payments',
    })
    const put = (queueName: string) => post(dashboard, '/api/schedules/s', { ...daily, queueName })
    expect(await refusalOf(put('payments'))).toEqual([403, 'forbidden'])
    expect((await jsonOf<ActAnswer>(put('mail'))).done).toBe(true)
  })

  test('shows its arguments after redaction', async () => {
    await bench.client().schedules.put('secret', { task: 'login', everyMs: 60_000, kwargs: { password: 'hunter2' } })
    const dashboard = bench.dashboard({
      redact: ({ kind, value }) => (kind === 'kwargs' ? { ...(value as object), password: '***' } : value),
    })
    const response = await get(dashboard, '/api/schedules/secret')
    expect(await response.text()).not.toContain('hunter2')
  })
})

describe('a cron job', () => {
  test('is paused and resumed, names the workers that may ignore that, and stays listed if no worker has it', async () => {
    const dashboard = bench.dashboard()
    const calendar = async () => (await read<CronCalendar>(dashboard, '/api/cron')).jobs
    bench.worker({ queueName: 'mail', cron: [cron('cron:hourly', '0 * * * *', () => {}, { timeZone: 'UTC' })] })
    await eventually(async () => (await calendar()).length === 1)
    expect((await calendar())[0]).toMatchObject({ name: 'cron:hourly', pause: null })
    const { undo } = await act(dashboard, '/api/cron/cron%3Ahourly/pause')
    expect((await calendar())[0]).toMatchObject({ coming: [], nextMs: null, pause: { advisory: null } })
    expect(await act(dashboard, '/api/cron/cron%3Ahourly/pause')).toMatchObject({ done: false })
    expect(await jsonOf<UndoOutcome>(post(dashboard, `/api/undo/${undo!.token}`))).toMatchObject({ restored: 1 })
    expect((await calendar())[0]!.coming.length).toBeGreaterThan(20)
    const line = 'Nov-24 04:25:58 j_complete=3 j_failed=1 j_retried=0 j_ongoing=2 queued=5'
    await bench.database().redis.set('mail:health-check', line, 'PX', 60_000)
    expect((await act(dashboard, '/api/cron/cron%3Ahourly/pause')).message).toMatch(/may tick all the same: .*Python/)
    const { message } = await act(dashboard, '/api/cron/gone/pause')
    expect(message).toMatch('may tick all the same: no live arq-ts worker has it')
    expect((await calendar()).find(({ name }) => name === 'gone')).toMatchObject({
      workers: [],
      schedule: null,
      pause: { advisory: expect.stringContaining('no live arq-ts worker') as string },
    })
    expect(await audited(dashboard)).toEqual([
      'pause cron gone',
      'pause cron cron:hourly',
      'undo undo ' + undo!.token,
      'pause cron cron:hourly',
      'pause cron cron:hourly',
    ])
  })
})

describe('a limit', () => {
  test('shows the jobs that have a place and those that wait in turn, and is set and reset', async () => {
    let end = () => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    const call = defineTask({ name: 'call', limits: [{ name: 'api', concurrency: 1 }], handler: () => ended })
    const keyed = defineTask({
      name: 'keyed',
      params: z.object({ tenant: z.string() }),
      limits: [{ name: 'tenant', concurrency: 2, key: ({ tenant }) => tenant }],
      handler: () => ended,
    })
    bench.worker({ queueName: 'calls', tasks: [call, keyed], name: 'w/1', recorder: { intervalMs: 100 } })
    const ids = ['a b', 'c', 'd']
    for (const jobId of ids) await bench.client().enqueue(call, [], { queueName: 'calls', jobId })
    await bench.client().enqueue(keyed, { tenant: 'acme' }, { queueName: 'calls' })
    const dashboard = bench.dashboard()
    const list = async () => (await read<LimitList>(dashboard, '/api/limits')).limits
    await eventually(async () => (await list()).some(({ name, waiting }) => name === 'api' && waiting === 2))
    await eventually(async () => (await list()).some(({ isKeyed, name }) => name === 'tenant' && isKeyed))
    expect(await list()).toMatchObject([
      { name: 'api', concurrency: 1, running: 1, waiting: 2, isSet: false, functions: ['call'] },
      { name: 'tenant', key: null, isKeyed: true, concurrency: 2, functions: ['keyed'] },
    ])
    const { jobs } = await read<LimitView>(dashboard, '/api/limits/api')
    expect(jobs.map(({ state }) => state)).toEqual(['running', 'waiting', 'waiting'])
    expect(jobs.map(({ jobId }) => jobId).sort()).toEqual(ids)
    expect(jobs[0]!.workerId).toMatch(/^w\/1:/)
    expect(jobs[1]).toMatchObject({ queueName: 'calls', workerId: null, untilMs: null })
    const tenant = await read<LimitView>(dashboard, '/api/limits/tenant?key=acme')
    expect(tenant).toMatchObject({ key: 'acme', isKeyed: false, running: 1 })

    await act(dashboard, '/api/limits/api', { concurrency: 3 })
    await eventually(async () => (await read<LimitView>(dashboard, '/api/limits/api')).running === 3)
    expect(await act(dashboard, '/api/limits/api/clear')).toMatchObject({ done: true })
    expect(await act(dashboard, '/api/limits/api/clear')).toMatchObject({ done: false })
    expect(await refusalOf(post(dashboard, '/api/limits/api', {}))).toEqual([400, 'invalid_request'])
    expect(await audited(dashboard)).toContain('set-limit limit api')
    await act(dashboard, '/api/limits/api', { concurrency: 2, rate: { count: 5, perMs: 1_000, burst: 2 } })
    await act(dashboard, '/api/limits/api', { concurrency: null })
    const { entries } = await read<AuditListData>(dashboard, '/api/audit')
    expect(entries.slice(0, 5).map(({ detail }) => detail)).toEqual([
      expect.stringContaining(
        'set the limit "api": jobs at a time 2 → unbounded; starts 5 in 1000 ms, 2 at once → as declared',
      ),
      expect.stringMatching(/jobs at a time (1|none set) → 2; starts none set → 5 in 1000 ms, 2 at once$/),
      expect.stringMatching(/^set the limit "api"/),
      expect.stringMatching(/take back what was set of the limit "api"$/),
      expect.stringContaining('take back what was set of the limit "api": jobs at a time 3 → as declared'),
    ])
    end()
  })

  test('is shown before those that no job waits for, where there are more than a page holds', async () => {
    let end = () => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    const limits = [{ name: 'tenant', concurrency: 1, key: () => 'k7' }]
    bench.worker({ tasks: [defineTask({ name: 'call', limits, handler: () => ended })], recorder: false })
    const dashboard = bench.dashboard()
    await bench.client().enqueueMany([
      ['call', []],
      ['call', []],
    ])
    const settings = Array.from({ length: 600 }, (_, n) => [`tenant:k${n}`, '1|||'])
    await bench.database().redis.hset('arq:limits', ...settings.flat())
    const list = () => read<LimitList>(dashboard, '/api/limits')
    await eventually(async () => (await list()).limits[0]?.waiting === 1)
    const shown = await list()
    expect(shown.limits).toHaveLength(500)
    expect(shown.limits[0]).toMatchObject({ name: 'tenant', key: 'k7', running: 1 })
    expect(shown.notes).toContain('Of 600 limits and keys 500 are shown: those that jobs wait for come first.')
    end()
  })
})

test('a list has the flows, schedules, limits and last jobs that the user may see, in each tab its own', async () => {
  const client = bench.client()
  const task = defineTask({ name: 'step', handler: () => Promise.resolve() })
  for (const flowId of ['mine', 'theirs']) {
    const f = flow(flowId)
    f.call(task, [], { queueName: 'nobody' })
    await client.start(f, { flowId })
    await client.limits.set(flowId, { concurrency: 1 })
    await client.schedules.put(flowId, { task: 'f', everyMs: 3_600_000 })
  }
  const at = String(Date.now())
  await bench.database().redis.hset('arq:schedule:mine', { last: `theirs:${at}`, lastMs: at })
  const dashboard = bench.dashboard({
    authenticate: (request) => ({ name: request.headers.get('x-user') ?? 'anna' }),
    authorize: (user, _action, { name }) => user.name === 'root' || !name.startsWith('theirs'),
  })
  const seenBy = async (user: string) => {
    const list = <T>(path: string) => jsonOf<T>(get(dashboard, path, { 'x-user': user }))
    const { flows } = await list<FlowList>('/api/flows')
    const { limits } = await list<LimitList>('/api/limits')
    const { schedules } = await list<ScheduleList>('/api/schedules')
    const { last } = await list<ScheduleView>('/api/schedules/mine')
    return {
      flows: flows.map(({ flowId }) => flowId).sort(),
      limits: limits.map(({ name }) => name).sort(),
      schedules: schedules.map(({ name }) => name).sort(),
      lasts: [schedules.find(({ name }) => name === 'mine')!.last?.jobId, last?.jobId],
    }
  }
  const all = ['mine', 'theirs']
  const some = ['mine']
  expect(await Promise.all([seenBy('root'), seenBy('anna')])).toEqual([
    { flows: all, limits: all, schedules: all, lasts: [`theirs:${at}`, `theirs:${at}`] },
    { flows: some, limits: some, schedules: some, lasts: [undefined, undefined] },
  ])
})

test('a read-only dashboard refuses each of these changes before it looks', async () => {
  const dashboard = bench.dashboard({ readOnly: true })
  const acts = ['flows/f/cancel', 'flows/f/replay', 'schedules/s', 'limits/l', 'limits/l/clear']
  for (const path of [...acts, ...['pause', 'resume', 'run', 'remove'].map((each) => `schedules/s/${each}`)])
    expect(await refusalOf(post(dashboard, `/api/${path}`))).toEqual([403, 'read_only'])
  expect(await bench.database().redis.keys('*')).toEqual([])
})
