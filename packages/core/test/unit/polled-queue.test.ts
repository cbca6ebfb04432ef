import { expect, test } from 'vitest'
import { PolledQueue } from '../../src/worker/claiming/polled-queue.ts'

test('a job whose reservation lapsed, and that was set aside once more, is taken once', async () => {
  const queue = new PolledQueue({ name: 'arq:queue', weight: 1 })
  queue.store(['a', 'b', 'c'])
  queue.refill(Promise.resolve(['a', 'b', 'c', 'd', 'e']), () => {})
  await queue.refilled()
  expect(queue.prefetched).toBe(5)
  expect(queue.take(2)).toEqual(['a', 'b'])
  expect(queue.take()).toEqual(['c', 'd', 'e'])
  expect(queue.prefetched).toBe(0)
})
