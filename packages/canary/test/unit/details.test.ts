import { describe, expect, test } from 'vitest'
import { uniform } from '../../simulation/random.ts'
import { ACTS, actsOf, refusalOf } from '../../src/acts.ts'
import { addLatency, noLatencies } from '../../src/judging/latency.ts'
import { countedDetails } from '../../src/reading/details.ts'
import { quantileInterval, sideOf } from '../../src/reading/sides.ts'
import { paused } from '../../src/state.ts'
import type { Deployment } from '../../src/types.ts'
import { rulesWith, running, stage } from '../support/plans.ts'
import { minute, tally } from '../support/tallies.ts'
import type { TallyOf } from '../support/tallies.ts'

const MINUTE = 60_000
const guards = [
  { metric: 'ctr', min: 0.1, maxDropFromOld: 0.1 },
  { metric: 'zeroHits', max: 0.2 },
]
const guarded: Deployment = { ...running, rules: rulesWith({ guards, baseline: {} }) }
const details = (state: Deployment, fresh: TallyOf, old: TallyOf = { requests: 500, errors: 5, latencyMs: 50 }) => {
  const minutes = [minute(9, fresh, old), minute(10, fresh, old)]
  return countedDetails(state, { stage: minutes, hour: minutes }, 10 * MINUTE + 5_000)
}
const many = (value: number, count = 400) => Array.from({ length: count }, (_, i) => value + (i % 2 ? 0.01 : -0.01))

describe('the details of a deployment', () => {
  test('name every bound of its stage with value, limit, interval and verdict', () => {
    const values = { ctr: many(0.3), zeroHits: many(0.05) }
    const { guards: views } = details(guarded, { requests: 500, errors: 10, latencyMs: 60, values })
    expect(views.map(({ limit, name, side, unit, verdict }) => [name, unit, side, limit, verdict])).toEqual([
      ['error rate', 'ratio', 'max', 0.05, 'ok'],
      ['p95 latency', 'ms', 'max', 200, 'ok'],
      ['error rate compared with the old collection', 'ratio', 'max', 0.03, 'ok'],
      ['p95 latency compared with the old collection', 'ms', 'max', 75, 'ok'],
      ['ctr', 'number', 'min', 0.1, 'ok'],
      ['ctr', 'number', 'min', null, 'ok'],
      ['zeroHits', 'number', 'max', 0.2, 'ok'],
    ])
    expect(views[0]).toMatchObject({ value: 0.02, old: 0.01, samples: 1_000, text: null })
    for (const { high, low, value } of views.slice(0, 2)) {
      expect(low).toBeLessThanOrEqual(value!)
      expect(high).toBeGreaterThanOrEqual(value!)
    }
  })

  test('say which guard is breached, and on what evidence', () => {
    const values = { ctr: many(0.02), zeroHits: many(0.05) }
    const { guards: views } = details(guarded, { requests: 500, errors: 400, latencyMs: 60, values })
    const verdicts = Object.fromEntries(views.map(({ limit, name, verdict }) => [`${name} ${limit}`, verdict]))
    expect(verdicts).toMatchObject({ 'error rate 0.05': 'breach', 'p95 latency 200': 'ok', 'ctr 0.1': 'breach' })
    expect(views[0]!.text).toMatch(/^error rate 80 % is above 5 %: \d+ of \d+ requests failed .* confidence of 1 - /)
  })

  test('distinguish doubt from a breach, and the unseen from the healthy', () => {
    const doubtful = details(running, { requests: 50, errors: 3, latencyMs: 50 })
    expect(doubtful.guards[0]).toMatchObject({
      verdict: 'doubt',
      text: expect.stringContaining('is above 5 %') as string,
    })
    expect(doubtful.doubt).toContain('error rate')
    const unseen = details(running, { requests: 3, latencyMs: 50 })
    expect(unseen.guards.map(({ verdict }) => verdict)).toEqual(['unseen', 'unseen'])
    expect(unseen.missing).toBe('6 of 20 requests seen at 10 %')
    const nothing = countedDetails(running, { stage: [], hour: [] }, MINUTE)
    expect(nothing.guards[0]).toMatchObject({ value: null, old: null, low: null, high: null, verdict: 'unseen' })
  })

  test('have each of the last sixty minutes, those without a request included', () => {
    const shadow = { requests: 4, shadowed: 4, latencyMs: 30, values: { overlap: [0.5, 1] } }
    const { minutes, windows } = details(running, shadow)
    expect(minutes).toHaveLength(60)
    expect(minutes.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 60 }, (_, i) => (i - 49) * MINUTE))
    expect(minutes.at(-1)).toMatchObject({
      new: { requests: 4, p50Ms: 30, p99Ms: 30, errorRate: 0 },
      shadow: { requests: 4, overlap: 0.75, rankCorrelation: null },
    })
    expect(minutes[0]!.new).toEqual(sideOf(tally({})))
    expect(windows.map((window) => window.minutes)).toEqual([0, 1])
    expect(JSON.parse(JSON.stringify({ minutes, windows }))).toEqual({ minutes, windows }) // no NaN, no Infinity
  })
})

describe('the interval of a quantile', () => {
  test('covers the true quantile in at least 95 of 100 samples', () => {
    const random = uniform(5)
    let covered = 0
    for (let run = 0; run < 400; run++) {
      const seen = noLatencies()
      for (let i = 0; i < 200; i++) addLatency(seen, 100 * 10 ** random())
      const { high, low } = quantileInterval(seen, 0.95, 0.025)
      const [truth, bucket] = [100 * 10 ** 0.95, 2 ** (1 / 16)]
      if (low! / bucket <= truth && high! * bucket >= truth) covered++
    }
    expect(covered).toBeGreaterThanOrEqual(380)
  })

  test('has no upper bound where too little was seen for one, and none of nothing', () => {
    const few = noLatencies()
    addLatency(few, 10, 20)
    expect(quantileInterval(few, 0.95, 0.025)).toMatchObject({ high: null })
    expect(quantileInterval(noLatencies(), 0.95, 0.025)).toEqual({ low: null, high: null })
  })
})

describe('acts', () => {
  test.each<[string, Deployment, string[]]>([
    ['that runs', running, ['pause', 'promote', 'rollback']],
    ['that is paused', paused(running, null, 0), ['resume', 'promote', 'rollback']],
    [
      'whose stage wants approval',
      { ...running, stages: [{ ...stage(10, 1), approval: true }] },
      ['approve', 'pause', 'promote', 'rollback'],
    ],
    [
      'whose stage is approved',
      { ...running, stages: [{ ...stage(10, 1), approval: true }], approvedStage: 0 },
      ['pause', 'promote', 'rollback'],
    ],
    ['on its way to promotion', { ...running, ending: 'promote' }, ['rollback']],
    ['on its way back', { ...running, ending: 'rollback' }, []],
    ['that has completed', { ...running, status: 'completed' }, []],
    ['whose roll-back failed', { ...running, status: 'rollback_failed' }, ['rollback']],
  ])('of a deployment %s are those that are not refused', (_, state, acts) => {
    expect(actsOf(state)).toEqual(acts)
    for (const act of ACTS) if (!acts.includes(act) && act !== 'approve') expect(refusalOf(state, act)).not.toBeNull()
  })
})
