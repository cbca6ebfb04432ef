import { describe, expect, test } from 'vitest'
import { simulate } from '../../simulation/simulate.ts'
import type { Behaviour, LatencyShape, Outcome, Scenario } from '../../simulation/simulate.ts'
import { DEFAULT_STAGES } from '../../src/config.ts'

const behaviour = (errorRate: number, kind: LatencyShape['kind'] = 'lognormal', p95Ms = 120): Behaviour => ({
  errorRate,
  latency: { kind, p95Ms },
})
const atSixty = behaviour(0.03)
const outage = behaviour(1)
const base: Scenario = { perMinute: 60, oldPerMinute: 540, healthy: atSixty, stages: DEFAULT_STAGES }
const play = (changes: Partial<Scenario>, runs: number): Outcome[] =>
  Array.from({ length: runs }, (_, run) => simulate({ ...base, ...changes }, run + 1))
const count = (outcomes: readonly Outcome[], status: Outcome['status']) =>
  outcomes.filter((outcome) => outcome.status === status).length

describe('a healthy collection is promoted', () => {
  test.each<[string, Partial<Scenario>]>([
    ['when its traffic comes in bursts', { load: (minute) => (minute % 10 === 0 ? 10 : 0) }],
    ['when its traffic doubles and halves', { load: (minute) => (minute % 7 < 3 ? 2 : 0.5) }],
    ['when its traffic ends and comes back', { load: (minute) => (minute > 60 && minute < 150 ? 0 : 1) }],
    ['when 3 % of its answers take 5 s, and those of the old one too', { healthy: behaviour(0.03, 'bimodal', 120) }],
    ['when the old one has no traffic', { oldPerMinute: 0 }],
    ['when the old one has next to no traffic', { oldPerMinute: 0.2 }],
    ['when the old one fails', { old: outage }],
    ['when the old one fails, at one request a minute', { old: outage, perMinute: 1, oldPerMinute: 9 }],
    ['when the old one is much slower', { old: behaviour(0.03, 'constant', 5_000) }],
    ['when nobody looks for an hour', { unwatched: [20, 80] }],
    [
      'when its errors decline from 3 % to none',
      { behaviourAt: (minute) => behaviour(Math.max(0, 0.03 - minute / 5_000)) },
    ],
  ])('%s', (_, changes) => {
    const outcomes = play(changes, 12)
    expect([count(outcomes, 'rolled_back'), count(outcomes, 'completed')]).toEqual([0, 12])
  })
})

describe('a collection that turns bad is rolled back, never promoted', () => {
  test.each<[string, Partial<Scenario>]>([
    [
      'by a slow drift from 1 % errors to 15 %',
      { behaviourAt: (minute) => behaviour(Math.min(0.15, 0.01 + minute / 1_000)) },
    ],
    ['by a slow drift of its latency', { behaviourAt: (minute) => behaviour(0.01, 'lognormal', 80 + 2 * minute) }],
    [
      'to bursts of an outage, a minute of each ten',
      { behaviourAt: (minute) => (minute % 10 === 9 ? outage : atSixty) },
    ],
    [
      'while nobody looks, and stays so',
      { unwatched: [20, 80], behaviourAt: (minute) => (minute > 40 ? outage : atSixty) },
    ],
    [
      'with the old one, which is no excuse',
      { old: outage, behaviourAt: (minute) => (minute > 100 ? outage : atSixty) },
    ],
    ['to two modes, the slow one of 20 %', { behaviourAt: () => behaviour(0.01, 'pareto', 500) }],
  ])('%s', (_, changes) => {
    expect(count(play(changes, 12), 'rolled_back')).toBe(12)
  })

  test('within two looks of the first that sees it, when nobody had looked', () => {
    for (const { looksToRollBack, status } of play(
      { unwatched: [20, 80], fault: { atMinute: 50, behaviour: outage } },
      12,
    )) {
      expect(status).toBe('rolled_back')
      expect(looksToRollBack).toBeLessThanOrEqual(2)
    }
  })
})
