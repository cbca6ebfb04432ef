import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Timeouts } from '../../src/time/timeouts.ts'

let timeouts: Timeouts
let over: string[]

beforeEach(() => {
  vi.useFakeTimers()
  timeouts = new Timeouts()
  over = []
})
afterEach(() => {
  vi.useRealTimers()
})

const begin = (name: string, ms: number) => timeouts.begin(ms, performance.now(), () => over.push(name))

test('reports each wait once its own time is over, and none before', () => {
  begin('late', 300)
  begin('early', 100)
  begin('middle', 200)
  vi.advanceTimersByTime(98)
  expect(over).toEqual([])
  vi.advanceTimersByTime(4)
  expect(over).toEqual(['early'])
  vi.advanceTimersByTime(100)
  expect(over).toEqual(['early', 'middle'])
  vi.advanceTimersByTime(100)
  expect(over).toEqual(['early', 'middle', 'late'])
  vi.advanceTimersByTime(10_000)
  expect(over).toHaveLength(3)
})

test('forgets a wait that has ended, and continues with those begun meanwhile', () => {
  const first = begin('first', 100)
  const second = begin('second', 100)
  timeouts.end(first)
  timeouts.end(first)
  vi.advanceTimersByTime(60)
  begin('third', 100)
  timeouts.end(second)
  vi.advanceTimersByTime(60)
  expect(over).toEqual([])
  vi.advanceTimersByTime(50)
  expect(over).toEqual(['third'])
})

test('needs one timer for a thousand waits, and none once all have ended', () => {
  const waits = Array.from({ length: 1_000 }, (_, i) => begin(String(i), 1_000 + i))
  expect(vi.getTimerCount()).toBe(1)
  for (const wait of waits) timeouts.end(wait)
  vi.advanceTimersByTime(5_000)
  expect(vi.getTimerCount()).toBe(0)
  expect(over).toEqual([])
})

test('lets a wait that is over begin another one', () => {
  timeouts.begin(10, performance.now(), () => begin('again', 10))
  vi.advanceTimersByTime(30)
  expect(over).toEqual(['again'])
})
