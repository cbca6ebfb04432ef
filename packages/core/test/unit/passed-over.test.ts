import { expect, test } from 'vitest'
import { FEW, PassedOver } from '../../src/worker/passed-over.ts'

test('passes an id over for a while, and only in its queue', () => {
  const passed = new PassedOver()
  passed.add('a', 'x', 0)
  expect([...passed.of('a', 4_999).keys()]).toEqual(['x'])
  expect([...passed.of('b', 0).keys()]).toEqual([])
  expect([...passed.of('a', 5_000).keys()]).toEqual([])
})

test('forgets none before its time, however many there are, and the many for longer', () => {
  const passed = new PassedOver()
  for (let i = 0; i < 20_000; i++) passed.add('a', `job-${i}`, i / 10)
  expect(passed.of('a', 2_000).size).toBe(20_000)
  expect(passed.of('a', 30_000).size).toBe(20_000 - FEW)
  expect(passed.of('a', 70_000).size).toBe(0)
})
