import { expect, test } from 'vitest'
import type { ActAnswer, AuditListData } from '../../src/index.ts'
import type { Deletions, Deployments, WriteBehindCache } from '../../src/tasks/sources.ts'
import { get, jsonOf, post, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()

/** Packages of an installation that keep what they are asked for; what they do of it is tested where they are. */
function packages() {
  const asked: unknown[][] = []
  const note =
    (name: string) =>
    (...args: unknown[]) => {
      asked.push([name, ...args])
      if (args[0] === 'ended')
        return Promise.reject(Object.assign(new Error('it has ended'), { code: 'ARQ_DEPLOYMENT' }))
      return Promise.resolve()
    }
  const deployments = {
    approve: note('approve'),
    pause: note('pause'),
    resume: note('resume'),
    promote: note('promote'),
    rollback: note('rollback'),
  } as unknown as Deployments
  const cache = {
    stats: () => Promise.resolve({ dirty: 3 }),
    flush: note('flush'),
    flushAll: (options: unknown) => {
      asked.push(['flushAll', options])
      return Promise.resolve({ flushed: 2, failed: ['a'] })
    },
  } as unknown as WriteBehindCache
  const deletions = {
    cancel: (jobId: string, queueName: string) => {
      asked.push(['cancel', jobId, queueName])
      return Promise.resolve('removed')
    },
  } as unknown as Deletions
  return { asked, tasks: { deployments, cache, deletions } }
}

type Case = [act: string, path: string, body: object, asked: unknown[], action: string, target: string]

const CASES: readonly Case[] = [
  ...['approve', 'pause', 'resume', 'promote'].map((act): Case => [
    act,
    `/api/canaries/d1/${act}`,
    {},
    [act, 'd1'],
    'steer-canary',
    'deployment d1',
  ]),
  [
    'approve of the stage that was seen',
    '/api/canaries/d1/approve',
    { stage: 1 },
    ['approve', 'd1', { stage: 1 }],
    'steer-canary',
    'deployment d1',
  ],
  [
    'rollback',
    '/api/canaries/d1/rollback',
    { reason: 'odd' },
    ['rollback', 'd1', 'odd'],
    'steer-canary',
    'deployment d1',
  ],
  [
    'flush of a key',
    '/api/cache/flush',
    { key: 'user:7' },
    ['flush', 'user:7', { timeoutMs: 10_000 }],
    'flush',
    'cache key user:7',
  ],
  ['flush of all', '/api/cache/flush', {}, ['flushAll', { timeoutMs: 10_000 }], 'flush', 'cache'],
  ['cancel', '/api/deletions/j1/cancel', { queueName: 'q' }, ['cancel', 'j1', 'q'], 'cancel-deletion', 'deletion j1'],
]

test.each(CASES)(
  '%s reaches its package once, and is in the audit log by its user',
  async (_act, path, body, wanted, action, target) => {
    const { asked, tasks } = packages()
    const dashboard = bench.dashboard({ tasks, authenticate: () => ({ name: 'ann' }) })
    expect((await jsonOf<ActAnswer>(post(dashboard, path, body))).done).toBe(true)
    expect(asked).toEqual([wanted])
    const { entries } = await jsonOf<AuditListData>(get(dashboard, '/api/audit'))
    expect(entries).toMatchObject([{ user: 'ann', action, target }])
  },
)

test.each(CASES)(
  '%s is refused without its right, on a dashboard that is read-only, and with a wrong body, and leaves no trace',
  async (_act, path, body, _wanted, action) => {
    const { asked, tasks } = packages()
    const authenticate = () => ({ name: 'ann' })
    const mayOther = bench.dashboard({ tasks, authenticate, authorize: (_user, wish) => wish !== action })
    expect(await refusalOf(post(mayOther, path, body))).toEqual([403, 'forbidden'])
    const readOnly = bench.dashboard({ tasks, authenticate, readOnly: true })
    expect((await refusalOf(post(readOnly, path, body)))[0]).toBe(403)
    const dashboard = bench.dashboard({ tasks, authenticate })
    expect(await refusalOf(post(dashboard, path, { ...body, extra: 1 }))).toEqual([400, 'invalid_request'])
    expect(asked).toEqual([])
    expect((await jsonOf<AuditListData>(get(dashboard, '/api/audit'))).entries).toEqual([])
  },
)

test('a stage is a number from 0, of an approval alone', async () => {
  const { asked, tasks } = packages()
  const dashboard = bench.dashboard({ tasks })
  for (const stage of [-1, 0.5, '0', null]) {
    const answer = post(dashboard, '/api/canaries/d1/approve', { stage })
    expect([stage, await refusalOf(answer)]).toEqual([stage, [400, 'invalid_request']])
  }
  for (const act of ['pause', 'promote', 'rollback'])
    expect(await refusalOf(post(dashboard, `/api/canaries/d1/${act}`, { stage: 0 }))).toEqual([400, 'invalid_request'])
  expect(asked).toEqual([])
})

test.each(CASES)('%s says which package is missing where there is none', async (_act, path, body) => {
  expect(await refusalOf(post(bench.dashboard(), path, body))).toEqual([501, 'not_available'])
})

test.each(['approve', 'pause', 'resume', 'promote', 'rollback'])(
  '%s of a deployment whose state does not allow it is a conflict that the audit log has all the same',
  async (act) => {
    const dashboard = bench.dashboard({ tasks: packages().tasks })
    expect(await refusalOf(post(dashboard, `/api/canaries/ended/${act}`))).toEqual([409, 'conflict'])
    const { entries } = await jsonOf<AuditListData>(get(dashboard, '/api/audit'))
    expect(entries).toMatchObject([{ action: 'steer-canary', target: 'deployment ended' }])
  },
)

test('lists have the deployments and deletions that the user may see, and errors of the cache after redaction', async () => {
  const deployment = (id: string) => ({ id, stages: [], decisions: [], rules: { dryRun: false, minSamples: 1 } })
  const deletion = (jobId: string) => ({ jobId, enqueuedAt: new Date(0), dueAt: new Date(1) })
  const tasks = {
    deployments: {
      list: () =>
        Promise.resolve({
          deployments: ['mine', 'theirs'].map(deployment),
          total: 4,
          unreadable: ['damaged', 'theirs'].map((id) => ({ id, reason: `the state of ${id}` })),
        }),
    },
    deletions: {
      page: () => Promise.resolve({ deletions: ['mine', 'theirs'].map(deletion), scanned: 2, cursor: null }),
    },
    cache: {
      stats: () => Promise.resolve({ dirty: 1 }),
      page: () => Promise.resolve({ entries: [{ key: 'a', error: 'no card 4111' }], cursor: null }),
    },
  } as unknown as { deployments: Deployments; deletions: Deletions; cache: WriteBehindCache }
  const dashboard = bench.dashboard({
    tasks,
    authorize: (_user, _action, { name }) => name !== 'theirs',
    redact: ({ kind, value }) => (kind === 'error' ? '***' : value),
  })
  const list = <T>(path: string) => jsonOf<T>(get(dashboard, path))
  expect(await list('/api/canaries')).toMatchObject({
    deployments: [{ id: 'mine' }],
    unreadable: [{ id: 'damaged', reason: 'the state of damaged' }],
  })
  expect(await list('/api/deletions')).toMatchObject({ deletions: [{ jobId: 'mine' }] })
  expect(await list('/api/cache')).toMatchObject({ entries: [{ key: 'a', error: '***' }] })
})
