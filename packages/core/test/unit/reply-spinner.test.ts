import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ReplySpinner } from '../../src/redis/reply-spinner.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setImmediate', 'performance'] })
  vi.advanceTimersByTime(1)
})
afterEach(() => vi.useRealTimers())

/** True where the loop goes round instead of sleeping. */
const isTurning = () => vi.getTimerCount() > 0

interface Machine {
  /** Time of a reply that is awaited awake, in ms. */
  awakeMs: number
  asleepMs: number
}

/** One call: how it was awaited. */
function call(spinner: ReplySpinner, { awakeMs, asleepMs }: Machine, serverMs = 0): 'awake' | 'asleep' {
  const begun = spinner.begin()
  const how = isTurning() ? 'awake' : 'asleep'
  vi.advanceTimersByTime((how === 'awake' ? awakeMs : asleepMs) + serverMs)
  spinner.end(begun)
  vi.advanceTimersToNextTimer()
  return how
}

const calls = (spinner: ReplySpinner, machine: Machine, count: number) =>
  Array.from({ length: count }, () => call(spinner, machine))

const costly = { awakeMs: 0.05, asleepMs: 0.2 }
const cheap = { awakeMs: 0.05, asleepMs: 0.052 }
const busy = { awakeMs: 0.5, asleepMs: 0.5 }

describe('a process that waits for replies', () => {
  test('stays awake where they come sooner for it', () => {
    const spinner = new ReplySpinner()
    calls(spinner, costly, 40)
    expect(spinner.isAwake).toBe(true)
    const ways = calls(spinner, costly, 10_000)
    expect(ways.filter((way) => way === 'awake').length).toBeGreaterThan(9_500)
  })

  test.each([
    ['where a wake-up costs nothing', cheap],
    ['where others want the processor', busy],
  ])('sleeps %s', (_, machine) => {
    const spinner = new ReplySpinner()
    calls(spinner, machine, 40)
    expect(spinner.isAwake).toBe(false)
    expect(new Set(calls(spinner, machine, 20))).toEqual(new Set(['asleep']))
  })

  test('compares again, after longer times while the verdict stays the same', () => {
    const spinner = new ReplySpinner()
    const ways = calls(spinner, cheap, 40_000)
    const awake = ways.flatMap((way, at) => (way === 'awake' ? [at] : []))
    const gaps = awake.slice(1).map((at, i) => at - awake[i]!)
    const holds = gaps.filter((gap) => gap > 100)
    expect(holds.length).toBeGreaterThan(3)
    expect(holds.toSorted((a, b) => a - b)).toEqual(holds)
    expect(awake.length / ways.length).toBeLessThan(0.02)
  })

  test('falls asleep as soon as replies come late, and wakes up when they no longer do', () => {
    const spinner = new ReplySpinner()
    calls(spinner, costly, 40)
    calls(spinner, busy, 60)
    expect(spinner.isAwake).toBe(false)
    vi.advanceTimersByTime(60)
    calls(spinner, costly, 40)
    expect(spinner.isAwake).toBe(true)
  })

  test('is not misled by calls that take turns', () => {
    const spinner = new ReplySpinner()
    for (let i = 0; i < 40; i++) call(spinner, costly, i % 2 === 0 ? 0 : 0.1)
    expect(spinner.isAwake).toBe(true)
  })

  test('compares calls that overlap, and always', () => {
    const spinner = new ReplySpinner()
    let under = spinner.begin()
    for (let i = 0; i < 200; i++) {
      const next = spinner.begin()
      vi.advanceTimersByTime(isTurning() ? costly.awakeMs : costly.asleepMs)
      spinner.end(under)
      under = next
    }
    expect(spinner.isAwake).toBe(true)
  })

  test('sleeps when a reply does not come at once', () => {
    const spinner = new ReplySpinner('on')
    spinner.begin()
    expect(isTurning()).toBe(true)
    vi.advanceTimersByTime(1)
    expect(isTurning()).toBe(false)
  })

  test('is awake while any of several replies is awaited', () => {
    const spinner = new ReplySpinner('on')
    const [first, second] = [spinner.begin(), spinner.begin()]
    spinner.end(first)
    vi.advanceTimersToNextTimer()
    expect(isTurning()).toBe(true)
    spinner.end(second)
    vi.advanceTimersToNextTimer()
    expect(isTurning()).toBe(false)
  })

  test.each([
    ['on', cheap, 'awake'],
    ['off', costly, 'asleep'],
  ] as const)('follows its setting: %s', (mode, machine, way) => {
    const spinner = new ReplySpinner(mode)
    expect(new Set(calls(spinner, machine, 100))).toEqual(new Set([way]))
    expect(spinner.isAwake).toBe(way === 'awake')
  })
})
