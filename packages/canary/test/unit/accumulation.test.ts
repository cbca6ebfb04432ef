import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { poisson, uniform } from '../../simulation/random.ts'
import { accumulate, accumulatedBreach, begunAnew, levelOf, NOTHING_YET } from '../../src/judging/accumulation.ts'
import type { Accumulated } from '../../src/judging/accumulation.ts'
import { ACCUMULATED_ALPHA } from '../../src/judging/spending.ts'
import { minute } from '../support/tallies.ts'
import type { TallyOf } from '../support/tallies.ts'

const stage = { errorThreshold: 0.05, latencyThreshold: 200 }

/** Everything known after these requests, one minute each, `apart` minutes from one another. */
function after(requests: readonly TallyOf[], before = NOTHING_YET, apart = 60): Accumulated {
  const from = (before.throughMinute ?? -apart) + apart
  return requests.reduce(
    (known, each, i) => accumulate(known, stage, [minute(from + i * apart, each)], from + i * apart + 2).kept,
    before,
  )
}
const EMPTY = minute(0, {}).new
const answered: TallyOf = { requests: 1, latencyMs: 50 }
const failed: TallyOf = { ...answered, errors: 1 }
const slow: TallyOf = { requests: 1, latencyMs: 5_000 }
const times = (count: number, each: TallyOf) => Array.from({ length: count }, () => each)
/** Number of such requests after `before` that prove a breach. */
const needed = (each: TallyOf, before: Accumulated) => {
  for (let count = 1, known = before; count < 1_000; count++) {
    known = after([each], known)
    if (accumulatedBreach(known, stage, known.throughMinute!) !== null) return count
  }
  return null
}

describe('evidence over a stage', () => {
  test.each([
    ['at once', 0, failed, 4],
    ['after a day', 24, failed, 7],
    ['after a month', 720, failed, 9],
    ['after a year', 8_766, failed, 11],
    ['at once', 0, slow, 4],
    ['after a month', 720, slow, 9],
  ])('proves that all requests of a trickle fail or are slow from a time on: %s', (_, hours, each, count) => {
    expect(needed(each, after(times(hours, answered)))).toBeLessThanOrEqual(count)
  })

  test('names the check, its counts since the failure began, and the confidence', () => {
    const known = after(times(9, failed), after(times(100, answered)))
    expect(accumulatedBreach(known, stage, known.throughMinute! + 2)).toEqual({
      check: 'error rate',
      reason: 'error rate 100 % is above 5 %',
      evidence: '9 of 9 requests failed in the last 482 minutes, beyond chance with a confidence of 1 - 5e-4',
    })
    const late = after(times(9, slow), after(times(100, answered)))
    expect(accumulatedBreach(late, stage, 0)).toMatchObject({
      check: 'p95 latency',
      reason: 'p95 latency is above 200 ms',
    })
  })

  test('proves an error rate of twice the limit by some hundred requests of a trickle, and counts them', () => {
    const tenth = [failed, ...times(9, answered)]
    let known = after(times(24, answered))
    let requests = 0
    for (; accumulatedBreach(known, stage, known.throughMinute!) === null && requests < 5_000; requests += 10) {
      known = after(tenth, known)
    }
    expect(requests).toBeGreaterThan(100)
    expect(requests).toBeLessThan(2_000)
    expect(accumulatedBreach(known, stage, known.throughMinute!)!.reason).toMatch(
      /^error rate (9|1\d)[.\d]* % is above 5 %$/,
    )
  })

  test('continues with what an earlier version knew, which had two sizes of failures', () => {
    const earlier = { ...NOTHING_YET, errors: { ...NOTHING_YET.errors, levels: [10, 400] } }
    const known = after(times(3, failed), earlier)
    expect(known.errors.levels.every(Number.isFinite)).toBe(true)
    expect(accumulatedBreach(known, stage, known.throughMinute!)).not.toBeNull()
  })

  test('never proves a breach of requests that succeed, and of a few failures among them', () => {
    expect(needed(answered, NOTHING_YET)).toBeNull()
    const one = [failed, ...times(19, answered)]
    const known = after(Array.from({ length: 50 }, () => one).flat())
    expect(accumulatedBreach(known, stage, 0)).toBeNull()
  })

  test('counts each minute once, with all that arrives until it is complete', () => {
    const half = minute(10, { requests: 2, errors: 1, latencyMs: 50 })
    const whole = minute(10, { requests: 4, errors: 2, latencyMs: 50 })
    const atOnce = accumulate(NOTHING_YET, stage, [whole], 12).kept
    let known = accumulate(NOTHING_YET, stage, [half], 10).kept
    expect(known).toEqual(NOTHING_YET)
    for (const now of [11, 12, 13, 14]) known = accumulate(known, stage, [whole], now).kept
    expect(known).toEqual(atOnce)
  })

  test('sees the newest minutes before they are complete', () => {
    const { kept, latest } = accumulate(NOTHING_YET, stage, [minute(10, { requests: 6, errors: 6 })], 10)
    expect(accumulatedBreach(latest, stage, 10)).not.toBeNull()
    expect(accumulatedBreach(kept, stage, 10)).toBeNull()
  })

  test('begins anew with a stage, and what was spent of the prior stays spent', () => {
    const first = after(times(3, failed))
    const second = begunAnew(first)
    expect(second).toEqual({ ...NOTHING_YET, minutes: 3 })
    expect(needed(failed, second)!).toBeGreaterThanOrEqual(needed(failed, NOTHING_YET)!)
  })

  test('is a number for any limit and any counts', () => {
    const limits = fc.constantFrom(0, 1e-9, 0.001, 0.05, 0.2, 0.5, 0.9, 0.95, 1)
    const counts = fc.record({ requests: fc.nat(100_000), share: fc.double({ min: 0, max: 1, noNaN: true }) })
    fc.assert(
      fc.property(limits, fc.array(counts, { maxLength: 6 }), (errorThreshold, all) => {
        let known = NOTHING_YET
        for (const [i, { requests, share }] of all.entries()) {
          const errors = Math.round(requests * share)
          known = accumulate(known, { ...stage, errorThreshold }, [minute(i, { requests, errors })], i + 2).kept
        }
        for (const level of known.errors.levels) expect(Number.isFinite(level) && level >= 0).toBe(true)
        expect(JSON.parse(JSON.stringify(known))).toEqual(known)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the error of evidence over a stage is bounded, however long it lasts', () => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k)

  test('by calculation: the level and the rest of the prior never rise in the mean, up to the limit itself', () => {
    const numbers = fc.record({
      limit: fc.double({ min: 0.001, max: 0.6, noNaN: true }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      requests: fc.integer({ min: 1, max: 12 }),
      minutes: fc.nat(1_000),
      level: fc.double({ min: 0, max: 1_000, noNaN: true }),
    })
    fc.assert(
      fc.property(numbers, ({ level, limit, minutes, part, requests }) => {
        const before: Accumulated = {
          ...NOTHING_YET,
          minutes,
          errors: { ...NOTHING_YET.errors, levels: [level, level, level] },
        }
        // The prior that is left after k minutes: 1 / (k + 1).
        const value = (known: Accumulated) => levelOf(known.errors) + 1 / (known.minutes + 1)
        const p = limit * part
        let mean = 0
        for (let errors = 0; errors <= requests; errors++) {
          const chance = choose(requests, errors) * p ** errors * (1 - p) ** (requests - errors)
          const seen = [minute(0, { requests, errors })]
          mean += chance * value(accumulate(before, { ...stage, errorThreshold: limit }, seen, 2).kept)
        }
        expect(mean).toBeLessThanOrEqual(value(before) * (1 + 1e-9))
      }),
      { numRuns: 500 },
    )
  })

  test('by trial: of 300 trickles exactly at the limit, no more are blamed than that', () => {
    const trickles = 300
    const old = minute(0, {}).old
    let blamed = 0
    for (let run = 0; run < trickles; run++) {
      const random = uniform(run + 1)
      let known = NOTHING_YET
      for (let at = 0; at < 200; at++) {
        const requests = 1 + poisson(random, 0.5)
        let errors = 0
        for (let i = 0; i < requests; i++) if (random() < 0.05) errors++
        known = accumulate(known, stage, [{ minute: at, old, new: { ...EMPTY, requests, errors } }], at + 2).kept
        if (accumulatedBreach(known, stage, at) === null) continue
        blamed++
        break
      }
    }
    expect(blamed / trickles).toBeLessThanOrEqual(2 * ACCUMULATED_ALPHA)
  })
})
