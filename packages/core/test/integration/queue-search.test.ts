import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Client, createLogger, measureCommands } from '../../src/index.ts'

let database: Database
let client: Client

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
})
afterEach(async () => {
  await client.close()
  await database.release()
})

/** Keys enough for a look that is remembered, and for one that ends by its time. */
async function fill(keys = 60_000): Promise<void> {
  for (let from = 0; from < keys; from += 5_000) {
    const values = Array.from({ length: 5_000 }, (_, i) => [`arq:result:${from + i}`, 'x']).flat()
    await database.redis.mset(...values)
  }
}

const none = { known: [], scanKeys: 0 }

test('a look that ends by its time says that it is not complete, however few queues it has found', async () => {
  await database.redis.zadd('theirs', 1, 'a')
  await fill()
  expect((await client.queues.names({ scanMs: 0 })).complete).toBe(false)
  expect(await client.queues.names()).toMatchObject({ complete: true, names: expect.arrayContaining(['theirs']) })
})

test('a small database is always seen whole, whatever the time', async () => {
  await database.redis.zadd('theirs', 1, 'a')
  await database.redis.set('idle:health-check', 'x')
  const names = expect.arrayContaining(['idle', 'theirs']) as string[]
  expect(await client.queues.names({ scanMs: 0 })).toMatchObject({ complete: true, names })
})

test('queues of a long look are known without one, until a look finds them gone', async () => {
  await database.redis.zadd('theirs', 1, 'a')
  await database.redis.zadd('others', 1, 'a')
  await fill()
  expect((await client.queues.names(none)).names).not.toContain('theirs')
  await client.queues.names()
  expect((await client.queues.names(none)).names).toEqual(expect.arrayContaining(['others', 'theirs']))
  await database.redis.del('theirs')
  await client.queues.names()
  const { names } = await client.queues.names(none)
  expect(names).toContain('others')
  expect(names).not.toContain('theirs')
})

test('a discovery gives what costs nothing first, and says that it is not all', async () => {
  await database.redis.zadd('theirs', 1, 'a')
  const steps = []
  for await (const step of client.queues.discover({ known: ['mine'] })) steps.push(step)
  expect(steps[0]).toMatchObject({ complete: false, names: expect.arrayContaining(['mine']) as string[] })
  expect(steps[1]).toEqual({ names: ['theirs'], complete: true })
})

test.each(['waiting', 'served'] as const)('a look for %s queues alone finds these, and no others', async (only) => {
  await database.redis.zadd('waits', 1, 'a')
  await database.redis.set('idle:health-check', 'x')
  const { names } = await client.queues.names({ only })
  expect(names.includes('waits')).toBe(only === 'waiting')
  expect(names.includes('idle')).toBe(only === 'served')
})

test('remembered names that are none, or a key of another type, hide no queue', async () => {
  await database.redis.zadd('theirs', 1, 'a')
  for (const text of ['{', '7', '["x",7]']) {
    await database.redis.set('arq:obs:queues', text)
    expect((await client.queues.names()).names).toContain('theirs')
  }
  await database.redis.del('arq:obs:queues')
  await database.redis.hset('arq:obs:queues', 'a', 'b')
  expect((await client.queues.names()).names).toContain('theirs')
  expect((await client.doctor.examine()).findings.flatMap(({ damaged }) => damaged)).toContainEqual({
    key: 'arq:obs:queues',
    type: 'hash',
  })
})

test('a queue that a producer has just begun to use is known without a look, until a look finds it gone', async () => {
  const producer = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
  await producer.enqueue('f', [], { queueName: 'fresh' })
  await eventually(async () => (await client.queues.names(none)).names.includes('fresh'))
  await producer.close()
  await database.redis.del('fresh')
  // A note of the last minute may be of a job that came after the look.
  await client.queues.names()
  expect((await client.queues.names(none)).names).toContain('fresh')
  await database.redis.hset('arq:obs:noted', 'fresh', Date.now() - 3_600_000)
  await client.queues.names()
  expect((await client.queues.names(none)).names).not.toContain('fresh')
})

test('a producer notes a queue once, not with each job, and at most 10,000 queues', async () => {
  const producer = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
  await producer.enqueue('f', [], { queueName: 'fresh' })
  await eventually(async () => (await database.redis.hexists('arq:obs:noted', 'fresh')) === 1)
  const { commands } = await measureCommands(() => producer.enqueue('f', [], { queueName: 'fresh' }))
  expect(commands).toBe(0) // a batch is counted by its broker
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`q${i}`, '1']))
  await database.redis.hset('arq:obs:noted', many)
  await producer.enqueue('f', [], { queueName: 'one too many' })
  await producer.close()
  expect(await database.redis.hexists('arq:obs:noted', 'one too many')).toBe(0)
})

test('a queue is known as one of this namespace by its first job', async () => {
  const { commands: few } = await measureCommands(() => client.queues.names())
  for (let i = 0; i < 10; i++) await client.enqueue('f', [], { queueName: 'orders:mail', jobId: `job-${i}` })
  const { commands, value } = await measureCommands(() => client.queues.names())
  expect(value.names).toContain('orders:mail')
  expect(commands - few).toBeLessThan(10)
})

test('a queue with a name of a thousand colons takes few commands more than another one', async () => {
  const ids = Array.from({ length: 20 }, (_, i) => [i, `job-${i}`]).flat()
  await database.redis.zadd('a:b', ...ids)
  const { commands: few } = await measureCommands(() => client.queues.names())
  const name = 'a:'.repeat(1_000)
  await database.redis.zadd(name, ...ids)
  const { commands, value } = await measureCommands(() => client.queues.names())
  expect(value.names).toContain(name)
  expect(commands - few).toBeLessThan(300)
})
