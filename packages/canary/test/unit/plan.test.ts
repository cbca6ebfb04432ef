import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NO_METRICS, summarise } from '../../src/metrics.ts'
import { decide, end, endingFailed, isOver, MAX_ENDING_FAILURES } from '../../src/plan.ts'
import type { Plan } from '../../src/plan.ts'
import type { Action, Deployment, Metrics, Observed, Rules, Stage } from '../../src/types.ts'

const MINUTE = 60_000
const stage = (percentage: number, durationMinutes: number): Stage => ({
  percentage,
  durationMinutes,
  errorThreshold: 0.05,
  latencyThreshold: 200,
})
const rules: Rules = { minSamples: 20, onNoTraffic: 'hold', holdMinutes: 60, baseline: null }
const fresh: Deployment = {
  id: 'canary_1',
  alias: 'products',
  oldCollection: 'v1',
  newCollection: 'v2',
  stages: [stage(10, 30), stage(50, 60), stage(100, 0)],
  autoRollback: true,
  rules,
  status: 'queued',
  currentStage: 0,
  startedAtMs: 0,
  stageStartedAtMs: 0,
  finishedAtMs: null,
  reason: null,
  ending: null,
  endingFailures: 0,
  tick: 0,
  nextTickAtMs: 0,
  decisions: [],
}
const running: Deployment = { ...fresh, status: 'running' }
const good: Metrics = { totalRequests: 100, totalErrors: 1, errorRate: 0.01, avgLatencyMs: 20, p95LatencyMs: 50 }
const seen = (changes: Partial<Observed> = {}): Observed => ({
  aliasCollection: 'v1',
  newCollectionExists: true,
  newMetrics: good,
  oldMetrics: good,
  ...changes,
})
const summary = ({ next, actions, againMs }: Plan) => ({
  status: next.status,
  stage: next.currentStage,
  ending: next.ending,
  actions: actions.map((action) => Object.values(action).join(' ')),
  againMs,
})

describe('a deployment', () => {
  test.each<[string, Deployment, Observed, number, Partial<ReturnType<typeof summary>>]>([
    ['begins with its first stage', fresh, seen(), 0, { status: 'running', actions: ['route 10'], againMs: MINUTE }],
    ['is looked at once a minute', running, seen(), 5 * MINUTE, { stage: 0, actions: ['route 10'], againMs: MINUTE }],
    ['is looked at when its stage ends', running, seen(), 29.5 * MINUTE, { againMs: MINUTE / 2 }],
    [
      'goes on when a stage has passed',
      running,
      seen(),
      30 * MINUTE,
      { stage: 1, actions: ['route 50'], againMs: MINUTE },
    ],
    [
      'is promoted after the last',
      { ...running, currentStage: 2 },
      seen(),
      0,
      { ending: 'promote', actions: [], againMs: 0 },
    ],
    [
      'switches the alias, then drops the route',
      { ...running, ending: 'promote' },
      seen(),
      0,
      { status: 'completed', actions: ['switch v2', 'unroute'], againMs: null },
    ],
    [
      'does not switch twice',
      { ...running, ending: 'promote' },
      seen({ aliasCollection: 'v2' }),
      0,
      { status: 'completed', actions: ['unroute'] },
    ],
    [
      'rests while it is paused',
      { ...running, status: 'paused' },
      seen(),
      99 * MINUTE,
      { status: 'paused', actions: [], againMs: null },
    ],
    [
      'is left alone once it has ended',
      { ...running, status: 'completed' },
      seen(),
      0,
      { status: 'completed', actions: [], againMs: null },
    ],
    [
      'fails when its alias was moved by somebody',
      running,
      seen({ aliasCollection: 'v9' }),
      0,
      { ending: 'fail', actions: [] },
    ],
    ['fails when its alias is gone', running, seen({ aliasCollection: null }), 0, { ending: 'fail' }],
    ['fails when the new collection is gone', running, seen({ newCollectionExists: false }), 0, { ending: 'fail' }],
    [
      'that failed drops its route and touches no alias',
      { ...running, ending: 'fail' },
      seen({ aliasCollection: 'v9' }),
      0,
      { status: 'failed', actions: ['unroute'] },
    ],
    [
      'rolled back before the switch drops its route',
      { ...running, ending: 'rollback' },
      seen(),
      0,
      { status: 'rolled_back', actions: ['unroute'] },
    ],
    [
      'rolled back after the switch moves the alias back',
      { ...running, ending: 'rollback' },
      seen({ aliasCollection: 'v2' }),
      0,
      { status: 'rolled_back', actions: ['switch v1', 'unroute'] },
    ],
    [
      'rolled back moves no alias of somebody else',
      { ...running, ending: 'rollback' },
      seen({ aliasCollection: 'v9' }),
      0,
      { status: 'rolled_back', actions: ['unroute'] },
    ],
  ])('%s', (_, state, observed, nowMs, expected) =>
    expect(summary(decide(state, observed, nowMs))).toMatchObject(expected),
  )

  test('tells when it begins and how it ended, and why', () => {
    expect(decide(fresh, seen(), 0).events).toEqual([{ type: 'deployment_started' }])
    expect(decide({ ...running, ending: 'promote' }, seen(), 0).events).toEqual([{ type: 'deployment_completed' }])
    expect(decide({ ...running, ending: 'rollback', reason: 'too slow' }, seen(), 0).events).toEqual([
      { type: 'deployment_failed', error: 'too slow' },
    ])
  })
})

describe('a stage is judged', () => {
  const bad = (changes: Partial<Metrics>) => seen({ newMetrics: { ...good, ...changes } })
  test.each<[string, Deployment, Observed, string | null]>([
    ['by its error rate', running, bad({ errorRate: 0.0512 }), 'error rate 5.12 % is above 5 %'],
    ['by its p95 latency', running, bad({ p95LatencyMs: 200.5 }), 'p95 latency 200.5 ms is above 200 ms'],
    ['not at its thresholds', running, bad({ errorRate: 0.05, p95LatencyMs: 200 }), null],
    ['not by too few requests', running, bad({ totalRequests: 19, errorRate: 1 }), null],
    [
      'beside the old collection, if that is wanted',
      { ...running, rules: { ...rules, baseline: { maxErrorRateIncrease: 0.02, maxLatencyRatio: 1.5 } } },
      bad({ p95LatencyMs: 100 }),
      "p95 latency 100 ms is more than 1.5 times the old collection's 50 ms",
    ],
    [
      'beside it by errors too',
      { ...running, rules: { ...rules, baseline: { maxErrorRateIncrease: 0.02, maxLatencyRatio: 1.5 } } },
      bad({ errorRate: 0.04 }),
      "error rate 4 % is more than 2 % above the old collection's 1 %",
    ],
    [
      'not beside an old one that has no traffic',
      { ...running, rules: { ...rules, baseline: { maxErrorRateIncrease: 0, maxLatencyRatio: 1 } } },
      { ...bad({ p95LatencyMs: 100 }), oldMetrics: NO_METRICS },
      null,
    ],
  ])('%s', (_, state, observed, reason) => {
    const plan = decide(state, observed, 5 * MINUTE)
    expect(plan.next.reason).toBe(reason)
    expect(plan.next.ending).toBe(reason === null ? null : 'rollback')
    const alone = decide({ ...state, autoRollback: false }, observed, 5 * MINUTE)
    expect(alone.next.ending).toBe(reason === null ? null : 'fail')
  })
})

describe('a stage that ends without traffic', () => {
  const few = seen({ newMetrics: { ...good, totalRequests: 3 } })
  const at = (onNoTraffic: Rules['onNoTraffic'], minutes: number) =>
    decide({ ...running, rules: { ...rules, onNoTraffic } }, few, minutes * MINUTE)

  test('holds, and says why', () => {
    expect(summary(at('hold', 30))).toMatchObject({ stage: 0, ending: null, againMs: MINUTE, actions: ['route 10'] })
    expect(at('hold', 30).next.reason).toBe('3 of 20 requests seen at 10 %')
  })
  test('does not hold for ever', () => {
    expect(at('hold', 89).next.ending).toBeNull()
    expect(at('hold', 90).next).toMatchObject({
      ending: 'rollback',
      reason: expect.stringContaining('after 60 minutes of waiting') as string,
    })
  })
  test('goes on where that is wanted', () => expect(summary(at('proceed', 30))).toMatchObject({ stage: 1 }))
  test('fails where that is wanted', () => expect(at('fail', 30).next.ending).toBe('rollback'))
})

test('a roll-back that cannot be done is given up in the end, and says so', () => {
  let state = end(running, 'rollback', 'too slow', 0).next
  for (let i = 1; i < MAX_ENDING_FAILURES; i++) {
    const plan = endingFailed(state, 'Qdrant is away', i)
    expect(plan).toMatchObject({ againMs: 5_000, next: { status: 'running', ending: 'rollback' } })
    state = plan.next
  }
  expect(endingFailed(state, 'Qdrant is away', 99)).toMatchObject({
    againMs: null,
    next: { status: 'rollback_failed', reason: 'too slow; the roll-back failed: Qdrant is away' },
    events: [{ type: 'deployment_failed' }],
  })
})

test('a promotion is tried for ever: what has passed all its stages is not given up', () => {
  const state = { ...running, ending: 'promote' as const, endingFailures: 1_000 }
  expect(endingFailed(state, 'away', 0).next).toMatchObject({ status: 'running', ending: 'promote' })
})

test('the 95th percentile is of the latencies themselves', () => {
  const latencies = Array.from({ length: 100 }, (_, i) => i + 1)
  expect(
    summarise([
      { count: 60, errors: 3, latencies: latencies.slice(0, 60) },
      { count: 40, errors: 0, latencies: latencies.slice(60) },
    ]),
  ).toEqual({
    totalRequests: 100,
    totalErrors: 3,
    errorRate: 0.03,
    avgLatencyMs: 50.5,
    p95LatencyMs: 95,
  })
  expect(summarise([])).toEqual(NO_METRICS)
})

/** Redis, Qdrant and drivers in a few lines; a driver may die before any of its actions, or before it writes. */
class World {
  stored = fresh
  alias = 'v1'
  route: number | null = null
  nowMs = 0
  metrics = good

  tick(diesAfter: number): void {
    for (;;) {
      const state = this.stored
      const observed = seen({ aliasCollection: this.alias, newMetrics: this.metrics })
      const plan = decide(state, observed, this.nowMs)
      for (const [i, action] of plan.actions.entries()) {
        if (i === diesAfter) return
        this.act(action)
      }
      if (plan.actions.length === diesAfter) return // before it wrote
      this.stored = plan.next
      if (plan.againMs !== 0) return
    }
  }

  act(action: Action): void {
    if (action.kind === 'switch') this.alias = action.collection
    else this.route = action.kind === 'route' ? action.percentage : null
  }
}

test('whoever dies wherever: the alias and the route agree in the end with how the deployment ended', () => {
  const steps = fc.array(
    fc.record({
      diesAfter: fc.oneof(fc.constant(99), fc.nat(3)),
      minutes: fc.nat(40),
      isBad: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    }),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(steps, (all) => {
      const world = new World()
      for (const { diesAfter, isBad, minutes } of all) {
        world.nowMs += minutes * MINUTE
        world.metrics = isBad ? { ...good, errorRate: 0.5 } : good
        world.tick(diesAfter)
        expect(world.stored.status === 'completed' ? world.alias : 'v1').toBe(
          world.stored.status === 'completed' ? 'v2' : 'v1',
        )
      }
      for (let i = 0; i < 10 && !isOver(world.stored); i++) {
        world.nowMs += 60 * MINUTE
        world.metrics = good
        world.tick(99)
      }
      expect(isOver(world.stored)).toBe(true)
      expect(world.route).toBeNull()
      expect(world.alias).toBe(world.stored.status === 'completed' ? 'v2' : 'v1')
    }),
    { numRuns: 5_000 },
  )
})
