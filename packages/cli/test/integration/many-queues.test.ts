import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'

const QUEUES = 1_200

test('a database of more queues than are counted is listed up to the limit, and the answer says so', async () => {
  const database = await takeDatabase()
  try {
    const writes = database.redis.pipeline()
    for (let i = 0; i < QUEUES; i++) writes.zadd(`queue:${String(i).padStart(5, '0')}`, 1_000 + i, `job-${i}`)
    // A queue of the configuration, and the last by name.
    writes.zadd('zuletzt', 1_000, 'job')
    await writes.exec()
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, ARQ_TS_TASK_QUEUE__QUEUES: 'zuletzt' }
    const run = (...words: string[]) =>
      runHere(['queue', 'ls', ...words, '--redis', database.url], { env, columns: 80 })
    const { code, stdout } = await run('--json')
    const listed = JSON.parse(stdout) as { queues: { queueName: string; pending: number }[]; incomplete: string[] }
    expect([code, listed.queues.length]).toEqual([0, 1_000])
    expect(listed.queues.at(-1)).toMatchObject({ queueName: 'zuletzt', pending: 1 })
    expect(listed).toMatchObject({ complete: false, incomplete: [expect.stringMatching(/^1,000 of 1,20\d queues/)] })
    const table = await run('--limit', '5')
    expect(table.stdout.split('\n').length).toBeLessThan(10)
    expect(table.stderr).toMatch(/5 of 1,20\d queues, by name; --limit counts more/)
    const all = JSON.parse((await run('--limit', '2000', '--json')).stdout) as { queues: unknown[]; complete: boolean }
    expect([all.queues.length, all.complete]).toEqual([QUEUES + 1, true])
    const unknown = await runHere(['queue', 'show', 'nosuch', '--redis', database.url], { env })
    expect(unknown.code).toBe(1)
    expect(unknown.stderr).toMatch(/^nothing is known of a queue nosuch; there are queue:00000, .* and 1,19\d more\n$/)
  } finally {
    await database.release()
  }
})

describe('in 10,000 queues', () => {
  const MANY = 10_000
  let database: Database
  const run = async <T>(...words: string[]) => {
    const { code, stdout, stderr } = await runHere([...words, '--json', '--redis', database.url])
    if (stdout === '') throw new Error(`${words.join(' ')}: ${code}: ${stderr}`)
    return JSON.parse(stdout) as T & { complete: boolean; incomplete: string[] }
  }

  beforeAll(async () => {
    database = await takeDatabase()
    const writes = database.redis.pipeline()
    for (let i = 0; i < MANY; i++) writes.zadd(`q${i}`, 1_000 + i, `job-${i}`)
    // As many abort requests as one page has, each of which may concern a job of any queue.
    for (let i = 0; i < 500; i++) writes.zadd('arq:abort', 1_000, i % 2 ? `job-${i}` : `gone-${i}`)
    await writes.exec()
  }, 60_000)
  afterAll(() => database.release())

  test('queue ls and top count them, or say how many they do not', async () => {
    const few = await run<{ queues: unknown[] }>('queue', 'ls')
    expect([few.queues.length, few.complete]).toEqual([1_000, false])
    expect(few.incomplete).toEqual([expect.stringMatching(/^1,000 of 10,00\d queues/)])
    const all = await run<{ queues: { queueName: string; pending: number }[] }>(
      'queue',
      'ls',
      '--limit',
      '20000',
      '--deep',
    )
    // The queue of the configuration too.
    expect([all.queues.length, all.complete]).toEqual([MANY + 1, true])
    expect(all.queues.every(({ pending, queueName }) => pending === Number(queueName !== 'default'))).toBe(true)
  }, 60_000)

  test('job ls and job show find a job in the last of them', async () => {
    const listed = await run<{ jobs: { queueName: string }[] }>('job', 'ls', '--limit', '20000', '--deep')
    expect(listed.jobs.length).toBe(MANY)
    expect(await run('job', 'show', 'job-9999')).toMatchObject({ queueName: 'q9999', status: 'queued' })
  }, 60_000)

  test('the doctor looks at each, and at which of them has a job that is to be aborted', async () => {
    interface Report {
      findings: { check: string; count: number; jobIds: string[] }[]
      looked: { jobs: number }
    }
    const { findings, incomplete, looked } = await run<Report>('doctor')
    expect([looked.jobs, incomplete]).toEqual([MANY, []])
    const stale = findings.find(({ check }) => check === 'stale-abort')
    expect(stale?.count).toBe(250)
    expect(stale?.jobIds.every((id) => id.startsWith('gone-'))).toBe(true)
  }, 120_000)
})

test.each<[words: string[]]>([
  [['queue', 'show', '']],
  [['queue', 'pause', '', '--force']],
  [['queue', 'history', '']],
  [['job', 'ls', '--queue', '']],
  [['job', 'rm', '--queue', '', '--yes']],
  [['job', 'enqueue', 'f', '--queue', '']],
  [['job', 'show', 'id', '--queue', '']],
  [['dead', 'ls', '--queue', '']],
  [['health', '--queue', '']],
  [['doctor', '--queue', '']],
  [['workers', 'quiet', '--queue', '']],
  [['events', '--queue', '']],
])('%j refuses an empty name of a queue before it asks Redis', async (words) => {
  const { code, stdout, stderr } = await runHere([...words, '--redis', 'redis://127.0.0.1:1'])
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toBe('arq-ts: expected the name of a queue, got an empty string\n')
})
