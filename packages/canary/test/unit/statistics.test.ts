import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addLatencies,
  addLatency,
  bucketOfMs,
  countAbove,
  lowestMsOf,
  noLatencies,
  p95,
} from '../../src/judging/latency.ts'
import { ACCUMULATED_ALPHA, alphaOfLook, plannedLooks, TOTAL_ALPHA } from '../../src/judging/spending.ts'
import {
  binomialTail,
  isShareAbove,
  meanInterval,
  meanMargin,
  normalQuantile,
  shareUpperBound,
  wilson,
} from '../../src/judging/statistics.ts'
import { metricsOf, since } from '../../src/judging/tally.ts'
import { tally } from '../support/tallies.ts'

/** The tail by adding up its terms. */
function tailBySum(hits: number, trials: number, p: number): number {
  let term = (1 - p) ** trials
  let below = 0
  for (let i = 0; i < hits; i++) {
    below += term
    term *= ((trials - i) / (i + 1)) * (p / (1 - p))
  }
  return 1 - below
}

describe('the binomial tail', () => {
  test('is the sum of its terms', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 200 }),
        fc.double({ min: 0.001, max: 0.9, noNaN: true }),
        (trials, hits, p) => {
          expect(binomialTail(Math.min(hits, trials), trials, p)).toBeCloseTo(
            tailBySum(Math.min(hits, trials), trials, p),
            9,
          )
        },
      ),
    )
  })
  test.each([
    [5, 5, 0.05, 0.05 ** 5],
    [0, 10, 0.5, 1],
    [11, 10, 0.5, 0],
    [60, 60, 0.05, 0.05 ** 60],
  ])('of %i among %i at %d is exact where it is tiny', (hits, trials, p, expected) => {
    const tail = binomialTail(hits, trials, p)
    expect(Math.abs(tail - expected)).toBeLessThanOrEqual(expected * 1e-9)
  })
})

test('the normal quantile agrees with the tables', () => {
  for (const [alpha, z] of [
    [0.5, 0],
    [0.025, 1.959964],
    [0.005, 2.575829],
    [1e-6, 4.753424],
    [1e-9, 5.997807],
  ] as const) {
    expect(normalQuantile(alpha)).toBeCloseTo(z, 4)
  }
})

test("Wilson's interval is that of the literature: 1 of 10 at 95 %", () => {
  const { high, low } = wilson(1, 10, 0.025)
  expect(low).toBeCloseTo(0.01787, 4)
  expect(high).toBeCloseTo(0.40415, 4)
  expect(wilson(0, 0, 0.01)).toEqual({ low: 0, high: 1 })
})

test("the exact upper bound is Clopper and Pearson's: none of 100 at 95 %, one-sided", () => {
  expect(shareUpperBound(0, 100, 0.05)).toBeCloseTo(1 - 0.05 ** (1 / 100), 6)
  expect(shareUpperBound(5, 5, 0.05)).toBe(1)
})

test('a share is called above its limit with an error of at most alpha, at any number of trials', () => {
  for (const trials of [1, 2, 5, 20, 60, 300]) {
    for (const limit of [0.01, 0.05, 0.3]) {
      for (const alpha of [1e-2, 1e-6]) {
        const hits = Array.from({ length: trials + 1 }, (_, i) => i).find((each) =>
          isShareAbove(each, trials, limit, alpha),
        )
        if (hits !== undefined) expect(tailBySum(hits, trials, limit)).toBeLessThanOrEqual(alpha * (1 + 1e-6) + 1e-12)
      }
    }
  }
})

test('the margin of a mean shrinks with its count and variance, and is endless for one value', () => {
  const of = (count: number, spread: number) =>
    meanMargin({ count, sum: count / 2, squares: count / 4 + count * spread ** 2, min: 0, max: 1 }, 1e-4)
  expect(of(1, 0.1)).toBe(Number.POSITIVE_INFINITY)
  expect(of(1_000, 0.1)).toBeLessThan(of(100, 0.1))
  expect(of(1_000, 0.1)).toBeLessThan(of(1_000, 0.3))
})

describe('the probability of a false roll-back', () => {
  test('never exceeds its total, however many looks there are', () => {
    for (const planned of [3, 213, 5_000]) {
      const spent = Array.from({ length: planned * 20 }, (_, i) => alphaOfLook(i + 1, planned)).reduce(
        (a, b) => a + b,
        0,
      )
      expect(spent + ACCUMULATED_ALPHA).toBeLessThanOrEqual(TOTAL_ALPHA)
      expect(spent + ACCUMULATED_ALPHA).toBeGreaterThan(TOTAL_ALPHA * 0.98)
    }
  })
  test('is planned for a look a minute and one at each stage’s end', () => {
    expect(plannedLooks([{ durationMinutes: 30 }, { durationMinutes: 0.5 }, { durationMinutes: 0 }])).toBe(34)
  })
})

describe('the interval of a mean', () => {
  const ones = (hits: number, count: number) => ({
    count,
    sum: hits,
    squares: hits,
    min: hits < count ? 0 : 1,
    max: hits > 0 ? 1 : 0,
  })
  test('of zeros and ones is wrong with a probability of at most alpha, whatever their share', () => {
    for (const count of [1, 2, 5, 30, 200]) {
      for (const share of [0.01, 0.05, 0.3, 0.5, 0.9]) {
        for (const alpha of [0.1, 0.001]) {
          const probability = (hits: number) => binomialTail(hits, count, share) - binomialTail(hits + 1, count, share)
          const all = Array.from({ length: count + 1 }, (_, hits) => ({
            hits,
            ...meanInterval(ones(hits, count), alpha),
          }))
          const sum = (wrong: typeof all) => wrong.reduce((total, { hits }) => total + probability(hits), 0)
          expect(sum(all.filter(({ high }) => high < share))).toBeLessThanOrEqual(alpha)
          expect(sum(all.filter(({ low }) => low > share))).toBeLessThanOrEqual(alpha)
        }
      }
    }
  })
  test('of few shares is much narrower than the Bernstein bound, and of other numbers equals that bound', () => {
    const few = ones(18, 60)
    const { low } = meanInterval(few, 1e-6)
    expect(low).toBeGreaterThan(0.05)
    expect(0.3 - meanMargin(few, 5e-7)).toBeLessThan(0)
    const wide = { ...few, max: 7 }
    expect(meanInterval(wide, 1e-6).high).toBeCloseTo(0.3 + meanMargin(wide, 5e-7))
  })
})

describe('latencies in buckets', () => {
  test('are where they belong, within 4.4 %', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 3_000_000, noNaN: true }), (ms) => {
        const bucket = bucketOfMs(ms)
        expect(lowestMsOf(bucket)).toBeLessThanOrEqual(ms * (1 + 1e-9))
        expect(lowestMsOf(bucket + 1)).toBeGreaterThanOrEqual(ms * (1 - 1e-9))
      }),
    )
  })
  test('above a limit are never more than there were', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 10_000, noNaN: true }), { maxLength: 60 }),
        fc.double({ min: 0.1, max: 5_000, noNaN: true }),
        (all, limit) => {
          const latency = noLatencies()
          for (const ms of all) addLatency(latency, ms)
          const above = countAbove(latency, limit)
          expect(above).toBeLessThanOrEqual(all.filter((ms) => ms > limit * (1 - 1e-9)).length)
          expect(above).toBeGreaterThanOrEqual(all.filter((ms) => ms > limit * 1.0443).length)
        },
      ),
    )
  })
  test('have the 95th percentile of Python’s arithmetic, to the width of a bucket', () => {
    for (let length = 1; length <= 400; length++) {
      const latency = noLatencies()
      for (let ms = 1; ms <= length; ms++) addLatency(latency, ms)
      const theirs = Math.trunc(length * 0.95) + 1 // sorted(latencies)[int(len(latencies) * 0.95)]
      expect(Math.abs(p95(latency)! / theirs - 1)).toBeLessThan(0.045)
    }
    const twenty = noLatencies()
    for (let ms = 1; ms <= 20; ms++) addLatency(twenty, ms)
    expect(p95(twenty)).toBe(20) // of 20 the largest, exactly
    expect(p95(noLatencies())).toBeNull()
  })
  test('add up', () => {
    const sum = noLatencies()
    for (const ms of [1, 5]) addLatency(sum, ms)
    const more = noLatencies()
    addLatency(more, 1_000)
    addLatencies(sum, more)
    expect(sum).toMatchObject({ count: 3, sumMs: 1_006, maxMs: 1_000 })
    expect(countAbove(sum, 4)).toBe(2)
  })
})

describe('a stage', () => {
  test('has what came after its mark', () => {
    const rest = since(
      tally({ requests: 10, errors: 3, shadowed: 2, latencyMs: 50, slow: 2, values: { ctr: [0.1, 0.3, 0.5] } }),
      tally({ requests: 6, errors: 1, shadowed: 1, latencyMs: 50, slow: 0, values: { ctr: [0.1] } }),
    )
    expect(rest).toMatchObject({ requests: 4, errors: 2, shadowed: 1, latency: { count: 4, maxMs: 5_000 } })
    expect(rest.values.ctr).toMatchObject({ count: 2, sum: expect.closeTo(0.8) as number })
  })
  test('takes a minute whose keys are gone for none, not for fewer than none', () => {
    expect(metricsOf(since(tally({}), tally({ requests: 5, errors: 1, latencyMs: 9 })))).toEqual({
      totalRequests: 0,
      totalErrors: 0,
      errorRate: null,
      avgLatencyMs: null,
      p95LatencyMs: null,
    })
  })
})
