import { expect, test } from 'vitest'
import { EnqueueBatcher } from '../../src/redis/enqueue-batcher.ts'
import { payload, useBroker } from './broker-harness.ts'

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
