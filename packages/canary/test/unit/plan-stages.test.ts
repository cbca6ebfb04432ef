import { describe, expect, test } from 'vitest'
import type { RulesInput } from '../../src/config.ts'
import { decide } from '../../src/plan.ts'
import { approved, ending, shareOf } from '../../src/state.ts'
import type { Deployment, Observed } from '../../src/types.ts'
import { bad, fresh, good, marks, MINUTE, rulesWith, running, seen, stage, summary } from '../support/plans.ts'
import { minute } from '../support/tallies.ts'
import type { TallyOf } from '../support/tallies.ts'

describe('a breach', () => {
  const failing = seen({ new: bad })
  test('rolls the deployment back, with the reason and its evidence', () => {
    const { next } = decide(running, failing, 5 * MINUTE)
    expect(next).toMatchObject({ ending: 'rollback', reason: 'error rate 50 % is above 5 %', looks: 1 })
    expect(next.decisions.at(-1)!.decision).toMatch(
      /^roll back: error rate 50 % is above 5 %: 50 of 100 requests failed in the stage so far, at least \d/,
    )
  })
  test('without automatic roll-back ends the deployment as failed', () => {
    expect(decide({ ...running, autoRollback: false }, failing, 5 * MINUTE).next.status).toBe('failed')
  })
  test('is tolerated as often as failureLimit allows, then rolled back', () => {
    let state: Deployment = { ...running, rules: rulesWith({ failureLimit: 2 }) }
    const events: string[] = []
    for (let look = 1; look <= 3; look++) {
      state = decide(state, failing, look * MINUTE).next
      events.push(state.decisions.at(-1)!.event)
    }
    expect(events).toEqual(['breach_tolerated', 'breach_tolerated', 'rolling_back'])
    expect(state.decisions[0]!.decision).toBe('breach 1 tolerated of at most 2: error rate 50 % is above 5 %')
  })
  test('that is tolerated keeps the stage from being passed', () => {
    const tolerant = { ...running, rules: rulesWith({ failureLimit: 5 }) }
    expect(decide(tolerant, failing, 30 * MINUTE).next).toMatchObject({ currentStage: 0, ending: null })
  })
  test('is not looked for before initialDelayMinutes are over, and the stage begins after them', () => {
    const cold = { ...fresh, rules: rulesWith({ initialDelayMinutes: 5 }) }
    const begun = decide(cold, seen(), 0).next
    expect(begun).toMatchObject({ status: 'running', warmingUntilMs: 5 * MINUTE })
    const still = decide(begun, failing, 4 * MINUTE)
    expect(still).toMatchObject({ next: { ending: null, looks: 0 }, againMs: MINUTE })
    const warm = decide(still.next, failing, 5 * MINUTE).next
    expect(warm).toMatchObject({ warmingUntilMs: null, stageStartedAtMs: 5 * MINUTE, stageMarks: marks, ending: null })
    expect(decide(warm, failing, 6 * MINUTE).next.ending).toBe('rollback')
    // The collection is warm in later stages.
    const second = decide({ ...warm, stageStartedAtMs: 0 }, seen(), 30 * MINUTE).next
    expect(second).toMatchObject({ currentStage: 1, warmingUntilMs: null })
  })
})

describe('a stage at its end', () => {
  const few = { requests: 3, errors: 0, latencyMs: 50 }
  /** The stage so far: 60 requests, the number of ones among 60 values by name, and the number of slow requests. */
  const guarded = (ones: Record<string, number>, slow = 0) => {
    const values = Object.fromEntries(
      ['a', 'b'].map((name) => [name, Array.from({ length: 60 }, (_, i) => (i < (ones[name] ?? 0) ? 1 : 0))]),
    )
    return { ...seen(), minutes: [minute(0, { requests: 60, latencyMs: 50, slow, slowMs: 300, values })] }
  }
  const silent = () => ({ ...guarded({}), checks: [{ name: 'smoke', verdict: 'unknown' as const, reason: null }] })
  const at = (given: RulesInput, minutes: number, observed = seen({ new: few })) =>
    decide({ ...running, rules: rulesWith(given) }, observed, minutes * MINUTE)

  test('holds without enough requests, and says why', () => {
    expect(summary(at({}, 30))).toMatchObject({ stage: 0, ending: null, againMs: MINUTE, share: 10 })
    expect(at({}, 30).next.reason).toBe('3 of 20 requests seen at 10 %')
  })
  test('notes that it holds once, however the number changes', () => {
    const first = at({}, 30).next
    const { next } = decide(first, seen({ new: { ...few, requests: 4 } }), 31 * MINUTE)
    expect(next.reason).toBe('4 of 20 requests seen at 10 %')
    expect(next.decisions).toEqual(first.decisions)
  })
  test('holds for requests whose latencies are missing: unknown is not fast', () => {
    expect(at({}, 30, seen({ new: { requests: 100, errors: 1 } })).next).toMatchObject({
      currentStage: 0,
      reason: '100 requests seen at 10 %, none with its latency',
    })
  })
  test('stops holding after holdMinutes', () => {
    expect(at({}, 89).next.ending).toBeNull()
    expect(at({}, 90).next).toMatchObject({
      ending: 'rollback',
      reason: expect.stringContaining('after 60 minutes of waiting') as string,
    })
  })
  test('holds and is watched until somebody searches: too little traffic is no reason for a roll-back', () => {
    const quiet = { ...seen(), minutes: [minute(29, few, { requests: 27, errors: 0, latencyMs: 50 })] }
    const later = at({}, 5_000, quiet)
    expect(later.next).toMatchObject({ status: 'running', ending: null, reason: '3 of 20 requests seen at 10 %' })
    expect(later.againMs).toBe(MINUTE)
    const oneFailed = { ...few, errors: 1 }
    const doubtful = { ...quiet, minutes: [minute(29, oneFailed, { requests: 27, errors: 0, latencyMs: 50 })] }
    expect(at({}, 5_000, doubtful).next).toMatchObject({ status: 'running', ending: null })
    expect(at({}, 5_000, doubtful).next.reason).toBe(
      '3 of 20 requests seen at 10 %; error rate 33.33 % is above 5 % in the stage so far',
    )
    const bad = { ...seen(), minutes: [minute(29, { requests: 9, errors: 9, latencyMs: 50 })] }
    expect(decide(later.next, bad, 5_001 * MINUTE).next.ending).toBe('rollback')
  })
  const trickle = (from: number, errors: number, requests = 3) => ({
    ...seen(),
    minutes: [
      minute(from, { requests: requests - 1, errors: Math.max(0, errors - 1), latencyMs: 50 }, { requests: 27 }),
      minute(from + 60, { requests: 1, errors: Math.min(1, errors), latencyMs: 50 }),
    ],
  })
  test.each<[string, Partial<TallyOf>, string]>([
    ['fails', { errors: 1 }, 'error rate 100 % is above 5 %'],
    ['is slow', { latencyMs: 5_000 }, 'p95 latency is above 200 ms'],
  ])('does not hold on for a trickle that %s: its evidence adds up though counts live for two hours', (_, how, why) => {
    // One request in 50 minutes, for a day in health and then not.
    const at = (k: number) => minute(50 * k, { requests: 1, latencyMs: 50, ...(k > 28 ? how : {}) }, { requests: 9 })
    let state: Deployment = { ...running, rules: rulesWith({ holdMinutes: 100_000 }) }
    let now = 0
    for (; state.ending === null && now < 50 * 60; now++) {
      const newest = Math.floor(now / 50)
      const minutes = [newest - 2, newest - 1, newest].filter((k) => k >= 0 && 50 * k >= now - 115).map(at)
      state = decide(state, { ...seen(), minutes }, now * MINUTE).next
    }
    expect(state).toMatchObject({ ending: 'rollback', reason: why })
    expect(Math.floor(now / 50) - 28).toBeLessThanOrEqual(8)
    expect(state.decisions.at(-1)!.decision).toMatch(/: \d of \d requests .* in the last \d+ minutes, beyond chance/)
  })
  test.each<[string, (look: number) => Observed]>([
    ['one number, then another', (look) => guarded(look % 2 === 0 ? { a: 5 } : { b: 5 })],
    ['a number, then latencies', (look) => (look % 3 === 0 ? guarded({ a: 5 }) : guarded({}, 4))],
    ['a check that is silent now and then', (look) => (look % 2 === 0 ? silent() : guarded({ a: 5 }))],
  ])('gives up on what lasts alone: not where %s looks bad for a while', (_, observedAt) => {
    const guards = ['a', 'b'].map((metric) => ({ metric, max: 0.05 }))
    let state: Deployment = { ...running, rules: rulesWith({ guards }) }
    for (let look = 30; look < 600; look++) {
      state = decide(state, observedAt(look), look * MINUTE).next
      expect(state).toMatchObject({ status: 'running', ending: null, currentStage: 0 })
    }
    // It is never passed meanwhile, and fails once one of them stays.
    for (let look = 600; look < 662 && state.ending === null; look++) {
      state = decide(state, guarded({ a: 5, b: look % 2 === 0 ? 5 : 0 }), look * MINUTE).next
    }
    expect(state).toMatchObject({
      ending: 'rollback',
      reason: 'mean a 0.0833 is above 0.05 in the stage so far, after 60 minutes of waiting for more',
    })
  })
  test.each<[string, (look: number) => Observed, 'rollback' | null]>([
    ['gives nothing up for one number, then another', (look) => guarded(look % 2 === 0 ? { a: 5 } : { b: 5 }), null],
    ['gives up on a number that looked bad throughout', () => guarded({ a: 5 }), 'rollback'],
  ])('%s while Qdrant was away for longer than holdMinutes', (_, observedAt, ending) => {
    const guards = ['a', 'b'].map((metric) => ({ metric, max: 0.05 }))
    let state: Deployment = { ...running, rules: rulesWith({ guards }) }
    for (let look = 30; look < 200; look++) {
      state = decide(state, { ...observedAt(look), qdrant: new Error('away') }, look * MINUTE).next
      expect(state).toMatchObject({ ending: null, reason: 'Qdrant does not answer' })
    }
    expect(decide(state, guarded({ a: 5 }), 200 * MINUTE).next.ending).toBe(ending)
  })
  test('does not give up on a quiet stage, though holdMinutes is 0', () => {
    const quiet = { ...seen(), minutes: [minute(29, few, { requests: 27, errors: 0, latencyMs: 50 })] }
    expect(at({ holdMinutes: 0 }, 5_000, quiet).next.ending).toBeNull()
  })
  test('does not watch a trickle for ever that fails twice as often as it may: its evidence adds up', () => {
    // Ten requests in two hours, of which every tenth fails: too few for a window, and never gross.
    const at = (k: number) =>
      minute(12 * k, { requests: 1, latencyMs: 50, errors: k % 10 === 0 ? 1 : 0 }, { requests: 9 })
    let state: Deployment = { ...running, rules: rulesWith() }
    let k = 0
    for (; state.ending === null && k < 5_000; k++) {
      const minutes = Array.from({ length: Math.min(k + 1, 10) }, (_, i) => at(k - i))
      state = decide(state, { ...seen(), minutes }, 12 * k * MINUTE).next
    }
    expect(state.ending).toBe('rollback')
    expect(state.reason).toMatch(/^error rate \d+(\.\d+)? % is above 5 %$/)
  })
  test.each<[string, Deployment, Observed, string]>([
    [
      'a number that nobody records, with traffic enough',
      { ...running, rules: rulesWith({ guards: [{ metric: 'ndgc', min: 0.3 }] }) },
      seen(),
      '0 of 20 values of ndgc seen at 10 %',
    ],
    [
      'latencies that nobody records',
      running,
      seen({ new: { requests: 100 } }),
      '100 requests seen at 10 %, none with its latency',
    ],
    [
      'shadow requests where nobody calls `shadow`',
      { ...running, stages: [{ ...stage(0, 30), shadow: 10 }] },
      { ...seen(), minutes: [minute(29, {}, { requests: 100_000, latencyMs: 50 })] },
      '0 of 20 requests seen in the shadow at 10 %',
    ],
    [
      'shadow requests of a dry run where nobody calls `shadow`',
      { ...running, rules: rulesWith({ dryRun: true }) },
      { ...seen(), minutes: [minute(29, {}, { requests: 100_000, latencyMs: 50 })] },
      '0 of 20 requests seen in the shadow at 10 %',
    ],
  ])('does not hold on for %s', (_, state, observed, why) => {
    const held = decide(state, observed, 89 * MINUTE).next
    expect(held).toMatchObject({ status: 'running', ending: null, reason: why })
    const { next } = decide(held, observed, 90 * MINUTE)
    expect(next.reason).toBe(
      `${state.rules.dryRun ? 'dry run: would be rolled back: ' : ''}${why}, after 60 minutes of waiting for more`,
    )
    expect(next.ending ?? next.status).toBe(state.rules.dryRun ? 'failed' : 'rollback')
  })
  test('gives one failure its time after a quiet day: time without traffic does not count as waiting', () => {
    const quiet = decide(running, trickle(-60, 0), 5_000 * MINUTE).next
    // 20 by now, and the last of them failed: no proof, and none of the patience is used up.
    const oneFailed = (now: number) => trickle(now - 66, 1, 20)
    const held = decide(quiet, oneFailed(5_001), 5_001 * MINUTE).next
    expect(held).toMatchObject({ ending: null, reason: 'error rate 100 % is above 5 % in the last 8 minutes' })
    expect(decide(held, oneFailed(5_060), 5_060 * MINUTE).next.ending).toBeNull()
    expect(decide(held, oneFailed(5_061), 5_061 * MINUTE).next.ending).toBe('rollback')
    // It counts anew when it is quiet again.
    const again = decide(held, trickle(4_900, 1), 5_030 * MINUTE).next
    expect(decide(again, oneFailed(5_061), 5_061 * MINUTE).next.ending).toBeNull()
  })
  test.each<[string, Observed, Partial<Deployment>]>([
    ['Qdrant does not answer', seen({ qdrant: new Error('away') }), {}],
    ['it waits for approval', seen(), { stages: [{ ...stage(10, 30), approval: true }, stage(100, 0)] }],
  ])('does not count the time in which %s as waiting for more', (_, observed, changes) => {
    const minutes = [
      minute(0, { requests: 1_000, latencyMs: 50 }),
      minute(4_999, { requests: 20, errors: 2, latencyMs: 50 }),
    ]
    const waiting = decide({ ...running, ...changes }, observed, 4_999 * MINUTE).next
    expect(decide(waiting, { ...seen(), minutes }, 5_000 * MINUTE).next).toMatchObject({
      ending: null,
      reason: 'error rate 10 % is above 5 % in the last minute',
    })
  })
  test('is held while its newest requests are too few to be promoted by, and is not rolled back for it', () => {
    const last: Deployment = { ...running, currentStage: 1, stages: [stage(10, 30), stage(50, 30), stage(100, 0)] }
    const oneFailed = (of: number) => ({
      ...seen(),
      minutes: Array.from({ length: of }, (_, i) =>
        minute(5 * i, { requests: 1, errors: i === 0 ? 1 : 0, latencyMs: 50 }, { requests: 1 }),
      ),
    })
    const held = decide(last, oneFailed(24), 120 * MINUTE).next
    expect(held).toMatchObject({
      status: 'running',
      ending: null,
      reason: '1 of the last 24 requests failed, which does not rule an error rate of 30 % out',
    })
    expect(decide(held, oneFailed(40), 200 * MINUTE).next.currentStage).toBe(2)
  })
  test.each<[RulesInput]>([[{ inconclusive: 'proceed' }], [{ onNoTraffic: 'proceed' }]])(
    'continues where %j says so',
    (given) => expect(summary(at(given, 30))).toMatchObject({ stage: 1 }),
  )
  test.each<[RulesInput]>([[{ inconclusive: 'fail' }], [{ onNoTraffic: 'fail' }]])('fails where %j says so', (given) =>
    expect(at(given, 30).next.ending).toBe('rollback'),
  )
  test('pauses where inconclusive is "pause", with its reason', () => {
    expect(at({ inconclusive: 'pause' }, 30).next).toMatchObject({
      status: 'paused',
      reason: '3 of 20 requests seen at 10 %',
    })
  })
  test('is not passed while its last minute looks bad, whatever inconclusive says', () => {
    // Two of twenty requests failed just now: no proof, yet nothing to build on.
    const minutes = [
      minute(5, { requests: 10_000, errors: 0, latencyMs: 50 }),
      minute(29, { requests: 20, errors: 2, latencyMs: 50 }),
    ]
    for (const inconclusive of ['hold', 'proceed'] as const) {
      const { next } = at({ inconclusive }, 30, { ...seen(), minutes })
      expect(next).toMatchObject({ currentStage: 0, ending: null })
      expect(next.reason).toBe('error rate 10 % is above 5 % in the last minute')
    }
  })
  test('is not passed by a share that its users do not get', () => {
    const { next } = at({}, 30, seen({ new: good, old: { requests: 5_000, errors: 0, latencyMs: 50 } }))
    expect(next).toMatchObject({ currentStage: 0, reason: 'the new collection gets 0.2 % of the traffic, not 10 %' })
  })
  test('waits for approval where it wants one, is watched meanwhile, and continues when it has it', () => {
    const guarded: Deployment = { ...running, stages: [{ ...stage(10, 30), approval: true }, stage(100, 0)] }
    const waiting = decide(guarded, seen(), 30 * MINUTE)
    expect(waiting.next).toMatchObject({ currentStage: 0, reason: 'stage of 10 % waits for approval' })
    expect(waiting.next.decisions.at(-1)!.event).toBe('waiting_for_approval')
    const later = decide(waiting.next, seen(), 9_000 * MINUTE)
    expect(later.next.decisions).toEqual(waiting.next.decisions)
    expect(decide(waiting.next, seen({ new: bad }), 31 * MINUTE).next.ending).toBe('rollback')
    const allowed = decide(approved(waiting.next, 31 * MINUTE), seen(), 31 * MINUTE).next
    expect(allowed.currentStage).toBe(1)
    // Approval of one stage is not approval of another.
    const second = { ...allowed, stages: [stage(10, 30), { ...stage(50, 0), approval: true }] }
    expect(decide(second, seen(), 32 * MINUTE).next.reason).toBe('stage of 50 % waits for approval')
  })
})

describe('a check', () => {
  const answered = (verdict: 'pass' | 'fail' | 'unknown', reason: string | null = null) =>
    seen({ checks: [{ name: 'smoke', verdict, reason }] })
  test('that fails is a breach', () => {
    expect(decide(running, answered('fail', 'empty answers'), MINUTE).next).toMatchObject({
      ending: 'rollback',
      reason: 'check smoke failed: empty answers',
    })
  })
  test('that gives no answer rolls nothing back, and the stage is not passed', () => {
    expect(decide(running, answered('unknown', 'timed out'), MINUTE).next).toMatchObject({ ending: null, reason: null })
    expect(decide(running, answered('unknown', 'timed out'), 30 * MINUTE).next).toMatchObject({
      currentStage: 0,
      reason: 'check smoke gave no answer: timed out',
    })
  })
  test('that passes changes nothing', () => {
    expect(decide(running, answered('pass'), 30 * MINUTE).next.currentStage).toBe(1)
  })
})

describe('a dry run', () => {
  const dry: Deployment = { ...running, rules: rulesWith({ dryRun: true }) }
  test('sends no user to the new collection', () => {
    expect(shareOf(dry)).toBe(0)
    expect(decide({ ...fresh, rules: dry.rules }, seen(), 0).next.decisions.at(-1)!.decision).toBe(
      'stage begins at 0 %, 10 % in the shadow',
    )
  })
  test('that would be promoted is completed, and moves no alias', () => {
    const plan = decide({ ...dry, currentStage: 2 }, seen(), 0)
    expect(plan).toMatchObject({ switchTo: null, next: { status: 'completed', ending: null } })
    expect(plan.next.reason).toBe('dry run: would be promoted, the alias was not moved')
  })
  test.each([
    ['promote', 'v1'],
    ['rollback', 'v2'],
  ] as const)('of which a %s is written down moves no alias, though that points to %s', (kind, aliasCollection) => {
    const { next, switchTo } = decide(ending(dry, kind, null, 0), seen({ aliasCollection }), MINUTE)
    expect([switchTo, next.status]).toEqual([null, kind === 'promote' ? 'completed' : 'rolled_back'])
  })
  test('that would be rolled back fails, and says why', () => {
    expect(decide(dry, seen({ new: bad }), MINUTE)).toMatchObject({
      switchTo: null,
      next: { status: 'failed', reason: 'dry run: would be rolled back: error rate 50 % is above 5 %' },
    })
  })
})
