import { cron, defineTask, flow } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import type { Bootstrap, Dashboard, ErrorListData, Forecast, FunctionMap } from '../../src/index.ts'
import type { Overview, QueueList, WorkerList } from '../../src/index.ts'
import { get, jsonOf, post, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()

/** Part of each name that belongs to the hidden queue: the queue, its functions, jobs, cron jobs and schedules. */
const HIDDEN = 'theirs'
const MINE = 'mail'
const THEIRS = `${HIDDEN}-payments`

const ok = (name: string) => defineTask({ name, handler: () => Promise.resolve('done') })
const fails = (name: string) => defineTask({ name, handler: () => Promise.reject(new Error(`${name} has no answer`)) })

/** Two queues with workers, running and waiting jobs, failures, dead letters, cron jobs, schedules, a flow and a limit. */
async function fill(): Promise<{ flowId: string; open: () => void }> {
  const client = bench.client()
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  for (const [queueName, name] of [
    [MINE, 'mine'],
    [THEIRS, HIDDEN],
  ] as const) {
    const waits = defineTask({ name: `${name}_waits`, handler: () => gate })
    const tick = cron(`cron:${name}_nightly`, { hour: 2 }, () => Promise.resolve())
    const tasks = [ok(`${name}_ok`), fails(`${name}_fails`), waits]
    bench.worker({ queueName, tasks, cron: [tick], recorder: { intervalMs: 100 } })
    await client.enqueue(`${name}_ok`, [], { queueName, jobId: `${name}-ok` })
    await client.enqueueMany(
      Array.from({ length: 6 }, (_, i) => [`${name}_fails`, [], { queueName, jobId: `${name}-fails-${i}` }] as const),
    )
    await client.enqueue(`${name}_waits`, [], { queueName, jobId: `${name}-running` })
    await client.enqueue(`${name}_unserved`, [], { queueName, jobId: `${name}-deferred`, deferByMs: 3_600_000 })
    await client.schedules.put(`${name}-hourly`, { task: `${name}_ok`, everyMs: 3_600_000, queueName })
  }
  const f = flow('report')
  const first = f.call(ok('mine_ok'), [], { queueName: MINE, name: 'mine' })
  f.call(ok(`${HIDDEN}_ok`), [], { queueName: THEIRS, after: first, name: HIDDEN })
  const { flowId } = await client.start(f)
  await client.limits.set('shared', { concurrency: 1 })
  await client.queues.pause('idle')
  await client.queues.resume('idle')
  await eventually(async () => (await client.deadLetters.count()) === 12)
  await eventually(async () => (await client.history.errors()).length === 2)
  await eventually(async () => {
    const totals = await client.history.totals({ by: 'queue' })
    return [MINE, THEIRS].every((name) => totals.some(({ key }) => key.queue === name))
  })
  await eventually(async () => {
    const workers = await client.workers.list()
    return workers.length === 2 && workers.every(({ running }) => running.length > 0)
  })
  return { flowId, open }
}

interface Documented {
  paths: Record<string, { get?: { parameters: { name: string; in: string }[] } }>
}

/** Queries that make an answer say more, of those that the API has. */
const QUERIES: Readonly<Record<string, readonly string[]>> = {
  '/api/series': ['metric=ended&by=queue', 'metric=failed&by=function', 'metric=depth&by=queue', 'by=total'],
  '/api/jobs': ['', 'q=status:dead', 'q=status:failed', 'q=status:deferred,running'],
  '/api/ticks': ['everyMs=60000'],
  '/api/schedules': ['coming=1'],
  '/api/errors': ['', 'state=open'],
}

const authorize = (user: { name: string }, _action: string, { type, name }: { type: string; name: string }) =>
  user.name === 'root' || type !== 'queue' || name === MINE

test('no answer names what belongs to a queue that the user may not see', async () => {
  const { flowId, open } = await fill()
  const dashboard = bench.dashboard({
    authenticate: (request) => ({ name: request.headers.get('x-user') ?? 'anna' }),
    authorize,
  })
  const as = (user: string) => ({ 'x-user': user })
  await jsonOf(post(dashboard, `/api/queues/${THEIRS}/pause`, {}, as('root')))
  await jsonOf(post(dashboard, `/api/queues/${THEIRS}/resume`, {}, as('root')))
  const { groups } = await jsonOf<ErrorListData>(get(dashboard, '/api/errors', as('root')))
  const ofError = (name: string) => groups.find(({ functions }) => functions.includes(name))!.fingerprint
  const ids: Readonly<Record<string, { seen: string[]; hidden: string[] }>> = {
    queues: { seen: [MINE], hidden: [THEIRS] },
    jobs: {
      seen: ['mine-ok', 'mine-fails-0', 'mine-running', 'mine-deferred'],
      hidden: [`${HIDDEN}-ok`, `${HIDDEN}-fails-0`, `${HIDDEN}-running`, `${HIDDEN}-deferred`],
    },
    flows: { seen: [flowId], hidden: [] },
    schedules: { seen: ['mine-hourly'], hidden: [`${HIDDEN}-hourly`] },
    limits: { seen: ['shared'], hidden: [] },
    errors: { seen: [ofError('mine_fails')], hidden: [ofError(`${HIDDEN}_fails`)] },
    canaries: { seen: [], hidden: [] },
  }
  const { paths } = await jsonOf<Documented>(get(dashboard, '/api/openapi.json'))
  const streams = ['/api/stream', '/api/jobs/{id}/logs/stream']
  const reads = Object.entries(paths).filter(([path, { get: read }]) => read && !streams.includes(path))
  expect(reads.length).toBeGreaterThan(30)
  const seenByRoot = new Set<string>()
  for (const [path] of reads) {
    const [, noun = ''] = /^\/api\/(\w+)\/\{id\}/.exec(path) ?? []
    const filled = (id: string) => path.replace('{id}', encodeURIComponent(id))
    const known = noun === '' ? { seen: [''], hidden: [] } : ids[noun]!
    for (const id of known.seen) {
      for (const query of QUERIES[path] ?? ['']) {
        const address = `${filled(id)}?${query}`
        const text = await (await get(dashboard, address, as('anna'))).text()
        expect(text.includes(HIDDEN) ? `${address} says ${text}` : '').toBe('')
        if ((await (await get(dashboard, address, as('root'))).text()).includes(HIDDEN)) seenByRoot.add(path)
      }
    }
    for (const id of known.hidden) {
      const { status } = await get(dashboard, filled(id), as('anna'))
      expect([path, [403, 404].includes(status)]).toEqual([path, true])
      expect([path, (await get(dashboard, filled(id), as('root'))).status]).toEqual([path, 200])
    }
  }
  // The other queue is in these answers, for a user from whom nothing is hidden: it could have been named.
  for (const noun of ['bootstrap', 'overview', 'queues', 'jobs', 'functions', 'workers', 'flows/{id}', 'schedules']) {
    expect([...seenByRoot]).toContain(`/api/${noun}`)
  }
  for (const noun of ['cron', 'errors', 'series', 'heatmap', 'events', 'audit', 'doctor']) {
    expect([...seenByRoot]).toContain(`/api/${noun}`)
  }
  await mixed(dashboard)
  await stream(dashboard)
  await acts(dashboard)
  open()
})

/** Sums are those of the queues that the user may see. */
async function mixed(dashboard: Dashboard): Promise<void> {
  const [anna, root] = await Promise.all(
    ['anna', 'root'].map((user) => jsonOf<Overview>(get(dashboard, '/api/overview', { 'x-user': user }))),
  )
  expect([anna!.totals.dead, root!.totals.dead]).toEqual([6, 12])
  expect([anna!.totals.workers, root!.totals.workers]).toEqual([1, 2])
  expect([anna!.totals.deferred, root!.totals.deferred]).toEqual([1, 2])
  await eventually(async () => {
    const { badges } = await jsonOf<Bootstrap>(get(dashboard, '/api/bootstrap'))
    return badges.dead === 6 && badges.errorsOpen === 1
  })
  const { workers } = await jsonOf<WorkerList>(get(dashboard, '/api/workers'))
  expect(workers.map(({ queues }) => queues)).toEqual([[MINE]])
}

/** Messages of the stream are made for each user. */
async function stream(dashboard: Dashboard): Promise<void> {
  const ended = new AbortController()
  const readAll = async (user: string, isOver: (text: string) => boolean) => {
    const url = 'http://localhost/api/stream?topics=overview,queues,workers,events'
    const headers = { 'sec-fetch-site': 'same-origin', 'x-user': user }
    const response = await dashboard.fetch(new Request(url, { headers, signal: ended.signal }))
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!isOver(text)) {
      const { done, value } = await reader.read()
      if (done) break
      text += value
    }
    await reader.cancel()
    return text
  }
  const has = (text: string, ...parts: string[]) => parts.every((part) => text.includes(part))
  const all = ['event: overview', 'event: queues', 'event: workers']
  const root = readAll('root', (text) => has(text, ...all, `${HIDDEN}-streamed`))
  const anna = readAll('anna', (text) => has(text, ...all, 'mine-streamed'))
  await eventually(async () => (await bench.client().workers.list()).length === 2)
  const send = async () => {
    // Workers publish while somebody listens: the first may come too early.
    await bench.client().enqueue(`${HIDDEN}_ok`, [], { queueName: THEIRS, jobId: `${HIDDEN}-streamed-${Date.now()}` })
    await bench.client().enqueue('mine_ok', [], { queueName: MINE, jobId: `mine-streamed-${Date.now()}` })
  }
  const sending = setInterval(() => void send(), 300)
  const texts = await Promise.all([root, anna]).finally(() => clearInterval(sending))
  ended.abort()
  expect(texts[0]).toContain(HIDDEN)
  expect(texts[1]).not.toContain(HIDDEN)
}

/** A thing that is hidden is changed neither by a plan nor by the id of a job. */
async function acts(dashboard: Dashboard): Promise<void> {
  for (const act of ['retry', 'remove', 'run-now', 'abort', 'clone']) {
    const path = `/api/jobs/${HIDDEN}-fails-0/${act}`
    expect([act, await refusalOf(post(dashboard, path))]).toEqual([act, [403, 'forbidden']])
    expect([act, await refusalOf(post(dashboard, path, { queueName: MINE }))]).toEqual([act, [403, 'forbidden']])
  }
  for (const path of [`schedules/${HIDDEN}-hourly/run`, `cron/cron:${HIDDEN}_nightly/run`]) {
    expect([path, await refusalOf(post(dashboard, `/api/${path}`))]).toEqual([path, [403, 'forbidden']])
  }
  expect(await refusalOf(get(dashboard, `/api/jobs/${HIDDEN}-deferred?queue=${MINE}`))).toEqual([403, 'forbidden'])
  const plan = await (await post(dashboard, '/api/plans', { action: 'remove', q: 'status:dead' })).text()
  expect(plan).not.toContain(HIDDEN)
  expect(JSON.parse(plan)).toMatchObject({ count: 6 })
  const move = { action: 'move', q: '', toQueue: THEIRS }
  expect(await refusalOf(post(dashboard, '/api/plans', move))).toEqual([403, 'forbidden'])
}

test('a user who may see every queue sees what belongs to none', async () => {
  const client = bench.client()
  await client.enqueue('f', [], { queueName: THEIRS, deferByMs: 3_600_000 })
  await bench.database().redis.zadd('arq:workers', Date.now() + 60_000, 'nobody')
  const dashboard = bench.dashboard({ authorize: (_user, action) => action === 'view' })
  await eventually(async () => {
    const { queues, headlines } = await jsonOf<Overview>(get(dashboard, '/api/overview'))
    return queues.some(({ queueName }) => queueName === THEIRS) && headlines.some(({ kind }) => kind === 'damaged')
  })
})

test('of queues that are not counted, a user is given the number of those that the user may see', async () => {
  const names = Array.from({ length: 2_010 }, (_, i) => `q${String(i).padStart(4, '0')}`)
  await bench.database().redis.sadd('arq:paused', ...names)
  const dashboard = bench.dashboard({
    authenticate: (request) => ({ name: request.headers.get('x-user')! }),
    authorize: (user, _action, { type, name }) => user.name === 'root' || type !== 'queue' || name >= 'q2008',
  })
  for (const [user, omitted] of [
    ['root', 11],
    ['anna', 2],
  ] as const) {
    const read = <T>(path: string) => jsonOf<T>(get(dashboard, `/api/${path}`, { 'x-user': user }))
    expect([user, (await read<QueueList>('queues')).omitted]).toEqual([user, omitted])
    expect((await read<Overview>('overview')).incomplete.join()).toContain(`${omitted} other queues may need you`)
    expect((await read<Forecast>('forecast')).limits).toContain(`Known queues that it leaves out: ${omitted}.`)
    const { limits } = await read<FunctionMap>('functions')
    expect(limits).toContain(`Known queues whose jobs were not looked at: ${omitted}.`)
  }
})
