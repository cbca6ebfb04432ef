import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Broker } from '../../src/redis/broker.ts'
import { EnqueueBatcher } from '../../src/redis/enqueue-batcher.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { payload, useBroker } from './broker-harness.ts'
import { silent } from './support.ts'

const bench = useBroker()

test('finds the bad ones of a batch in few calls, one after the other, and queues all others', async () => {
  const { broker, redis } = bench
  await redis.set('bad', 'no sorted set')
  const calls: number[] = []
  let [underWay, most] = [0, 0]
  const { enqueue } = broker
  broker.enqueue = async (...call) => {
    calls.push(call[0].length)
    most = Math.max(most, ++underWay)
    return enqueue.apply(broker, call).finally(() => underWay--)
  }
  const batcher = new EnqueueBatcher(broker, 5_000)
  const bad = new Set([3, 77])
  const add = (i: number) =>
    batcher.add({
      jobId: String(i),
      queueName: bad.has(i) ? 'bad' : 'q',
      due: { at: 1_000 + i },
      expiresMs: undefined,
      payload,
    })
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => add(i)))
  expect(outcomes.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([...bad])
  expect(outcomes.filter((each) => each.status === 'fulfilled' && each.value)).toHaveLength(98)
  expect(await redis.zcard('q')).toBe(98)
  expect(most).toBe(1)
  // Each bad one costs two calls for each halving of 100.
  expect(calls[0]).toBe(100)
  expect(calls.length).toBeLessThanOrEqual(1 + 2 * 2 * Math.ceil(Math.log2(100)))
})

/** Enqueues 100 jobs under drawn ids, one in ten into the queue `other`: the number of calls, and the outcomes. */
async function enqueueHundred(broker: Broker): Promise<{ calls: number; refused: string[]; queued: number }> {
  let calls = 0
  const { enqueue } = broker
  broker.enqueue = (...call) => {
    calls++
    return enqueue.apply(broker, call)
  }
  const batcher = new EnqueueBatcher(broker, 5_000)
  const jobs = Array.from({ length: 100 }, (_, i) => ({
    jobId: `drawn-${i}`,
    isFreshId: true,
    queueName: i % 10 === 9 ? 'other' : 'q',
    due: { at: 1_000 + i },
    expiresMs: undefined,
    payload,
  }))
  const outcomes = await Promise.allSettled(jobs.map((job) => batcher.add(job)))
  return {
    calls,
    refused: outcomes.flatMap((each) => (each.status === 'rejected' ? [String(each.reason.message)] : [])),
    queued: outcomes.filter((each) => each.status === 'fulfilled' && each.value).length,
  }
}

/** Enqueues the hundred as a user with these permissions. */
async function enqueueAs(rules: readonly string[]): ReturnType<typeof enqueueHundred> {
  const user = `producer-${randomUUID()}`
  await bench.redis.call('ACL', 'SETUSER', user, 'on', '>secret', 'allkeys', 'allchannels', '+@all', ...rules)
  const { host, port, db } = bench.redis.options
  const redis = `redis://${user}:secret@${host}:${port}/${db}`
  const link = new RedisContext({ redis, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
  try {
    return await enqueueHundred(link.broker)
  } finally {
    await link.close()
    await bench.redis.call('ACL', 'DELUSER', user)
  }
}

test('rejects a whole batch after one call where the user may not make the call', async () => {
  const { calls, queued, refused } = await enqueueAs(['-evalsha', '-eval'])
  expect([calls, refused.length, queued]).toEqual([1, 100, 0])
  expect(refused[0]).toMatch(/^NOPERM/)
})

test('asks once about each queue that the user may not write, and queues the jobs of the others', async () => {
  const { calls, queued, refused } = await enqueueAs(['resetkeys', '~arq:*', '~other'])
  expect([refused.length, queued]).toEqual([90, 10])
  expect(calls).toBeLessThan(30)
})

test('asks once about a queue that is no sorted set', async () => {
  await bench.redis.set('q', 'no sorted set')
  const { calls, queued, refused } = await enqueueHundred(bench.broker)
  expect([refused.length, queued]).toEqual([90, 10])
  expect(refused[0]).toMatch(/^WRONGTYPE/)
  expect(calls).toBeLessThan(30)
})
