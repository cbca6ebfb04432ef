import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()

interface Answer {
  matching: number
  done: number
  refused: { jobId: string; reason: string }[]
  dryRun: boolean
}

async function fill(): Promise<void> {
  const logger = createLogger({ level: 'silent' })
  const client = new Client({ redis: bench.database().url, queueName: 'q', logger })
  const jobs = Array.from({ length: 30 }, (_, i) => {
    const deferByMs = i < 20 ? 3_600_000 : 0
    return client.enqueue(i % 2 === 0 ? 'even' : 'odd', [i], { jobId: `j${i}`, deferByMs })
  })
  await Promise.all(jobs)
  await client.close()
}

const place = (jobId: string) => bench.database().redis.zscore('q', jobId)

test.each([
  ['run-now', ['--status', 'deferred', '--function', 'even'], 10],
  ['move', ['--function', 'odd', '--to', 'other'], 15],
  ['abort', ['--status', 'queued'], 10],
  ['rm', ['--text', '7'], 3],
])('job %s %j counts in a dry run what it then does, and does no more', async (verb, filter, count) => {
  await fill()
  const { redis } = bench.database()
  const state = async () =>
    JSON.stringify([await redis.zrange('q', '0', '-1', 'WITHSCORES'), (await redis.keys('*')).sort()])
  const before = await state()
  const words = ['job', verb, '--queue', 'q', ...filter]
  expect(await bench.json<Answer>([...words, '--dry-run'])).toMatchObject({ matching: count, done: 0, dryRun: true })
  expect(await state()).toBe(before)
  expect((await bench.run(words)).code).toBe(2)
  expect(await state()).toBe(before)
  expect(await bench.json<Answer>([...words, '--yes'])).toMatchObject({ matching: count, done: count, refused: [] })
  const left = await redis.zcard('q')
  if (verb === 'run-now') expect(await redis.zcount('q', '-inf', Date.now())).toBe(10 + count)
  if (verb === 'move') expect([left, await redis.zcard('other')]).toEqual([30 - count, count])
  if (verb === 'abort') expect(await redis.zcard('arq:abort')).toBe(count)
  if (verb === 'rm')
    expect([left, await place('j7'), await place('j17'), await place('j27')]).toEqual([27, null, null, null])
})

test('job retry counts in a dry run what it then does, and does no more', async () => {
  const { redis, url } = bench.database()
  const logger = createLogger({ level: 'silent' })
  const client = new Client({ redis: url, queueName: 'q', logger })
  const jobs = Array.from({ length: 20 }, (_, i) =>
    client.enqueue(i % 2 === 0 ? 'bad' : 'good', [i], { jobId: `j${i}` }),
  )
  await Promise.all(jobs)
  await client.close()
  const tasks = [
    defineTask({ name: 'bad', handler: () => Promise.reject(new Error('no')) }),
    defineTask({ name: 'good', handler: () => 1 }),
  ]
  await new Worker({ redis: url, queueName: 'q', tasks, burst: true, logger, handleSignals: false }).run()
  const state = async () =>
    JSON.stringify([
      await redis.zrange('q', '0', '-1'),
      await redis.zrange('arq:dead', '0', '-1'),
      await redis.dbsize(),
    ])
  const before = await state()
  const words = ['job', 'retry', '--queue', 'q', '--function', 'bad']
  expect(await bench.json<Answer>([...words, '--dry-run'])).toMatchObject({ matching: 10, done: 0, dryRun: true })
  expect(await state()).toBe(before)
  expect((await bench.run(words)).code).toBe(2)
  expect(await state()).toBe(before)
  expect(await bench.json<Answer>([...words, '--yes'])).toMatchObject({ matching: 10, done: 10, refused: [] })
  expect([await redis.zcard('q'), await redis.zcard('arq:dead')]).toEqual([10, 0])
  expect(await bench.json<Answer>([...words, '--dry-run'])).toMatchObject({ matching: 0, done: 0 })
})

test('dead letters are grouped by error without what differs from job to job, and the groups add up to all', async () => {
  const { redis } = bench.database()
  for (let i = 0; i < 12; i++) {
    await redis.zadd('arq:dead', 1_000 + i, `d${i}`)
    const error = i < 9 ? `Error: no user ${i}` : 'TimeoutError: 30 s'
    await redis.hset(`arq:dead:d${i}`, {
      queue: i % 2 === 0 ? 'a' : 'b',
      function: 'f',
      error,
      try: 1,
      failedAt: 1_000 + i,
    })
  }
  type Groups = { total: number; groups: { key: string; count: number; example: string }[] }
  const { total, groups } = await bench.json<Groups>(['dead', 'ls', '--group-by', 'error'])
  expect([total, groups.map(({ count, example }) => [count, example])]).toEqual([
    12,
    [
      [9, 'd8'],
      [3, 'd11'],
    ],
  ])
  const byQueue = await bench.json<Groups>(['dead', 'ls', '--group-by', 'queue'])
  expect(byQueue.groups.map(({ key, count }) => [key, count]).sort()).toEqual([
    ['a', 6],
    ['b', 6],
  ])
})
