import { takeDatabase } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
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
