import { describe, expect, test } from 'vitest'
import { explain } from '../../src/jobs/explain.ts'
import type { Circumstances } from '../../src/jobs/explain.ts'
import type { JobDetails } from '../../src/jobs/details.ts'
import type { WorkerInfo } from '../../src/fleet/worker-info.ts'

const NOW = 1_800_000_000_000

const job = (changes: Partial<JobDetails> = {}): JobDetails => ({
  jobId: 'j',
  status: 'queued',
  queueName: 'q',
  functionName: 'echo',
  args: [],
  kwargs: {},
  codec: 'pickle',
  enqueueTime: null,
  dueTime: null,
  score: NOW - 200_000,
  startTime: null,
  finishTime: null,
  jobTry: 0,
  deaths: 0,
  success: null,
  result: undefined,
  error: null,
  dead: false,
  hold: null,
  schedule: null,
  metadata: null,
  flow: null,
  unique: null,
  limits: [],
  task: null,
  workerId: null,
  holder: null,
  abortAsked: null,
  payloadExpiresInMs: null,
  problems: [],
  ...changes,
})

const queue = (changes: { paused?: boolean } = {}) => ({ queueName: 'q', paused: false, ...changes })

const worker = (changes: Partial<WorkerInfo> = {}) =>
  ({
    id: 'host/1',
    queues: ['q'],
    functions: ['echo'],
    state: 'running',
    maxJobs: 10,
    counters: { complete: 0, failed: 0, retried: 0, ongoing: 9 },
    ...changes,
  }) as WorkerInfo

const python = { queueName: 'q', counts: {} as never, line: '', expiresInMs: 1_000 }

const around = (changes: Partial<Circumstances> = {}): Circumstances => ({
  nowMs: NOW,
  queue: queue(),
  workers: [worker()],
  python: [],
  ...changes,
})

/** Reasons that keep it, checks without an answer, and checks that pass. */
const said = (of: JobDetails, circumstances: Partial<Circumstances> = {}) =>
  explain(of, around(circumstances)).map(({ check, ok, detail }) => [check, ok, detail])

describe('why a job runs, or does not', () => {
  test('names nothing that keeps a due job with a free worker', () => {
    expect(said(job())).toEqual([
      ['place', true, 'it is in the queue "q"'],
      ['time', true, 'it has been due for 3 min 20 s'],
      ['function', true, 'its function "echo" is served by host/1'],
      ['slots', true, 'a slot is free'],
      ['codec', true, 'its codec is pickle'],
    ])
  })

  test.each([
    ['+inf', Infinity, 'its score is +inf: it is never due; `job run-now` makes it due now'],
    [
      '-inf',
      -Infinity,
      'its score is -inf: it was due before any other, and a Python worker that reads it ends with an error; `job run-now` makes it due now',
    ],
    ['1e300', 1e300, 'its score is 1e+300: it is never due; `job run-now` makes it due now'],
    ['two thousand years ahead', NOW + 6.4e13, 'it is due in 740740 d 17 h'],
    ['in the future', NOW + 90_000, 'it is due in 1 min 30 s'],
  ])('says once that the score is %s, and that it keeps the job', (_, score, detail) => {
    const problems = detail.includes('run-now') ? [detail.split(';')[0]!] : []
    const reasons = said(job({ score, problems }))
    expect(reasons.filter(([, ok]) => ok === false)).toEqual([['time', false, detail]])
  })

  test('says how often it was tried, and how its last try ended', () => {
    const [, time] = said(job({ status: 'retrying', score: NOW + 5_000, jobTry: 2, error: 'Error: bad luck' }))
    expect(time).toEqual(['time', false, 'it is due in 5 s; it was tried 2 times, last with Error: bad luck'])
  })

  test.each(['complete', 'failed', 'aborted', 'dead'] as const)(
    'says of a job that is %s that it has ended',
    (status) => {
      const again = status === 'complete' ? 'enqueue it anew to run it again' : '`job retry` runs it again'
      expect(said(job({ status }))).toEqual([['place', false, `it has ended (${status}); ${again}`]])
    },
  )

  test('says of a job in no queue that no worker looks for it, and who holds its id', () => {
    const holder = { language: 'python', workerId: null, alive: null, sinceMs: null, expiresInMs: null } as const
    expect(said(job({ status: 'running', score: null, holder }), { queue: null })).toEqual([
      ['place', false, 'its keys exist, but it is in no queue: no worker looks for it'],
      ['hold', true, 'a Python worker runs it; unless it is renewed, the hold never lapses'],
    ])
    expect(said(job({ status: 'not_found', score: null }), { queue: null })).toEqual([
      ['place', false, 'nothing is known of it'],
    ])
  })

  test('says of a job whose holder is gone when it runs again', () => {
    const holder = { language: 'arq-ts', workerId: 'host/9', alive: false, sinceMs: null, expiresInMs: 4_000 } as const
    expect(said(job({ status: 'running', holder }))).toContainEqual([
      'hold',
      false,
      'host/9 holds it and is gone; the hold lapses in 4 s, and then it runs again',
    ])
    expect(said(job({ status: 'running', holder: { ...holder, expiresInMs: null } }))).toContainEqual([
      'hold',
      false,
      'host/9 holds it and is gone; the hold never lapses; `arq-ts doctor --fix` lets it run again',
    ])
  })

  test('says of a job that waits for the one before it of its unique key that this has not ended', () => {
    const since = new Date(NOW - 5_000)
    const hold = { by: 'unique', about: 'sync:42', since, waitsFor: [] }
    const unique = { key: 'sync:42', isOwner: true }
    expect(said(job({ status: 'deferred', score: NOW + 1e11, hold, unique }))).toContainEqual([
      'unique',
      false,
      'the job before it with the unique key "sync:42" has not ended; it has waited for 5 s, no try is counted, and it starts by itself',
    ])
    const limited = { ...hold, by: 'limit', about: 'api' }
    expect(said(job({ status: 'deferred', score: NOW + 1e11, hold: limited, unique }))).toContainEqual([
      'unique',
      true,
      'it has the unique key "sync:42"',
    ])
  })

  test.each<[string, Partial<JobDetails>, Partial<Circumstances>, readonly unknown[]]>([
    ['a pause', {}, { queue: queue({ paused: true }) }, ['pause', false]],
    ['that no worker serves the queue', {}, { workers: [worker({ queues: ['other'] })] }, ['worker', false]],
    ['that no worker has the function', { functionName: 'nope' }, {}, ['function', false]],
    ['that Python may have the function', { functionName: 'nope' }, { python: [python] }, ['function', null]],
    ['that nobody knows the functions of Python', {}, { workers: [], python: [python] }, ['worker', null]],
    ['that all workers drain', {}, { workers: [worker({ state: 'draining' })] }, ['slots', false]],
    ['that all slots are taken', {}, { workers: [worker({ maxJobs: 9 })] }, ['slots', false]],
    ['that its abort was asked for', { abortAsked: new Date(NOW) }, {}, ['abort', false]],
    ['a payload that is damaged', { problems: ['it has no payload'] }, {}, ['payload', false]],
    ['a codec that Python may not read', { codec: 'msgpack' }, { python: [python] }, ['codec', null]],
  ])('says %s', (_, of, circumstances, reason) => {
    expect(said(job(of), circumstances).map(([check, ok]) => [check, ok])).toContainEqual(reason)
  })
})
