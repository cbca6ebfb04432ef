import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { labelWidth, linear, linePath, logarithmic, place, timeTicks } from '../../src/charts/scale.ts'

describe('axes', () => {
  test('reach the largest value in few round steps from 0', () => {
    expect(linear(1_204, 100).ticks).toEqual([0, 500, 1_000, 1_500])
    expect(linear(8_412, 100).ticks).toEqual([0, 3_000, 6_000, 9_000])
    expect(linear(0, 100).ticks).toEqual([0, 1])
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), (largest) => {
        const { y, ticks } = linear(largest, 100)
        expect(ticks.length).toBeLessThanOrEqual(4)
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(largest)
        expect(y(largest)).toBeGreaterThanOrEqual(-1e-6)
      }),
    )
  })

  test('keep logarithmic ticks apart and every value inside', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { maxLength: 20 }), (values) => {
        const { y, ticks } = logarithmic(values, 104)
        ticks.slice(1).forEach((tick, i) => expect(y(ticks[i]!) - y(tick)).toBeGreaterThan(15))
        for (const value of values) {
          expect(y(value)).toBeGreaterThanOrEqual(-1e-6)
          expect(y(value)).toBeLessThanOrEqual(104 + 1e-6)
        }
      }),
    )
  })

  test('put ticks of time on whole hours of the zone', () => {
    const hour = 3_600_000
    expect(timeTicks(0, 24 * hour, 8).every((at) => at % (3 * hour) === 0)).toBe(true)
    expect(timeTicks(0, 24 * hour, 8, hour).every((at) => (at + hour) % (3 * hour) === 0)).toBe(true)
  })
})

describe('labels at the ends of lines', () => {
  test('never overlap, and stay in the order of their lines', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 150 }), { minLength: 1, maxLength: 7 }), (wishes) => {
        const placed = place(wishes, 14, 0, 100)
        const order = wishes.map((wish, i) => [wish, placed[i]!] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1])
        order.slice(1).forEach(([, at], i) => expect(at - order[i]![1]).toBeGreaterThanOrEqual(14 - 1e-9))
      }),
    )
  })

  test('stand where they wish while there is room', () => {
    expect(place([10, 60, 30], 14, 0, 100)).toEqual([10, 60, 30])
    expect(place([50, 50], 14, 0, 56)).toEqual([42, 56])
  })

  test('are estimated wider for wide letters', () => {
    expect(labelWidth('mmm')).toBeGreaterThan(labelWidth('iii'))
  })
})

test('a line is interrupted where nothing is known, and a lone point is a dash', () => {
  const path = linePath(
    [1, 2, null, 3, null, 4, 5],
    (i) => i,
    (value) => value,
  )
  expect(path).toBe('M0.0 1.0L1.0 2.0M3.0 3.0h1M5.0 4.0L6.0 5.0')
})
