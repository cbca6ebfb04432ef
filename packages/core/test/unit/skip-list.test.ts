import { expect, test } from 'vitest'
import { FEW, SkipList } from '../../src/worker/claiming/skip-list.ts'

test('skips an id for a while, and only in its queue', () => {
  const skipped = new SkipList()
  skipped.add('a', 'x', 0)
  expect([...skipped.of('a', 4_999).keys()]).toEqual(['x'])
  expect([...skipped.of('b', 0).keys()]).toEqual([])
  expect([...skipped.of('a', 5_000).keys()]).toEqual([])
})

test('forgets none before its time, however many there are, and the many for longer', () => {
  const skipped = new SkipList()
  for (let i = 0; i < 20_000; i++) skipped.add('a', `job-${i}`, i / 10)
  expect(skipped.of('a', 2_000).size).toBe(20_000)
  expect(skipped.of('a', 30_000).size).toBe(20_000 - FEW)
  expect(skipped.of('a', 70_000).size).toBe(0)
})
