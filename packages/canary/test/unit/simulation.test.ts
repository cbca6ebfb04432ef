import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  boundsBroken,
  faultAt,
  healthyAt,
  kindAt,
  lastWindowAt,
  samples,
  trickleAt,
  trickleFaultAt,
} from '../../simulation/characteristics.ts'
import type { Characteristics } from '../../simulation/characteristics.ts'
import { chart } from '../../simulation/chart.ts'
import { page } from '../../simulation/page.ts'
import { DEFAULT_STAGES } from '../../src/config.ts'
import { simulate } from '../../simulation/simulate.ts'

const docs = (extension: string) =>
  readFileSync(new URL(`../../../../docs/reference/canary-simulation.${extension}`, import.meta.url), 'utf8')

const none = { healthy: [], lastWindow: [], faults: [], kinds: [], trickles: [] }

describe('simulated deployments', () => {
  test('of a healthy collection are promoted, at a trickle and at a flood', () => {
    for (const perMinute of [1, 60]) {
      expect(healthyAt(perMinute, 4)).toMatchObject({ rolledBack: 0, undecided: 0 })
    }
  })
  test('of healthy collections of other kinds are promoted', () => {
    const kinds = [
      kindAt('errors on and off by the minute, 6 % and none', 1_000, 4),
      kindAt('twenty guards at 60 % of their bounds', 60, 2),
    ]
    expect(boundsBroken({ ...none, kinds })).toEqual([])
  })
  test('of a healthy collection are not rolled back for the first failure after hours of hardly any traffic', () => {
    const healthy = { errorRate: 0.03, latency: { kind: 'lognormal', p95Ms: 120 } } as const
    const slow = { perMinute: 0.1, oldPerMinute: 0.9, healthy, rules: { holdMinutes: 360 }, maxMinutes: 900 }
    // Seeds by which 20 requests come at once in the end, and one of them fails.
    for (const seed of [3, 11]) {
      expect(simulate({ ...slow, stages: DEFAULT_STAGES.slice(1, 2) }, seed).status).toBe('undecided')
    }
  })
  test('of a healthy collection with hardly any traffic and many guards wait, and are not rolled back', () => {
    expect(boundsBroken({ ...none, trickles: [trickleAt(0.5, 20, 1)] })).toEqual([])
  })
  test('of a collection with hardly any traffic are rolled back for an outage', () => {
    const { longest, promoted } = trickleFaultAt('outage', 0.1, 2)
    expect(promoted).toBe(0)
    expect(longest).toBeLessThan(4)
  })
  test('with a fault at any minute are rolled back within the looks that are promised', () => {
    const faults = [faultAt('outage', 60, 15), faultAt('slow', 60, 15), faultAt('errors30', 60, 30)]
    expect(boundsBroken({ ...none, faults })).toEqual([])
  })
  test('with a fault in the last window are never promoted', () => {
    const lastWindow = [lastWindowAt('outage', 60, 20), lastWindowAt('errors30', 60, 20)]
    expect(boundsBroken({ ...none, lastWindow })).toEqual([])
  })
  test('are repeated by their seed', () => {
    const behaviour = { errorRate: 0.03, latency: { kind: 'lognormal', p95Ms: 120 } } as const
    const scenario = { perMinute: 20, oldPerMinute: 20, healthy: behaviour, stages: DEFAULT_STAGES.slice(0, 1) }
    expect(simulate(scenario, 5)).toEqual(simulate(scenario, 5))
    expect(simulate(scenario, 5)).not.toEqual(simulate(scenario, 6))
  })
  test('would show a judge that keeps no bound', () => {
    const figures = {
      perMinute: 60,
      runs: 100,
      within2: 0.5,
      within3: 0.5,
      median: 3,
      p99: 9,
      promoted: 1,
      fault: 'outage',
    } as const
    expect(
      boundsBroken({
        ...none,
        healthy: [{ perMinute: 1, runs: 100, rolledBack: 0.02, undecided: 0, meanMinutes: 210 }],
        faults: [figures],
      }),
    ).toEqual([
      'healthy at 1 a minute: 2 % rolled back, at most 1 % allowed',
      'outage at 60 a minute: 50 % rolled back within 2 looks, at least 99 % needed',
      'outage at 60 a minute: 1 promoted',
    ])
  })
})

describe('the committed figures', () => {
  const figures = JSON.parse(docs('json')) as Characteristics
  test('are those of the judge as it is: `npm run simulate` makes them anew', () => {
    expect(samples()).toEqual(figures.samples)
  })
  test('keep every bound', () => expect(boundsBroken(figures)).toEqual([]))
  test('are those of the page and of the plot', () => {
    expect(docs('md').replace(/ +\|/g, ' |').replace(/-+ \|/g, '--- |')).toBe(
      page(figures).replace(/ +\|/g, ' |').replace(/-+ \|/g, '--- |'),
    )
    expect(docs('svg')).toBe(chart(figures))
  })
})
