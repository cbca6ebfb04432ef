import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, endingFailed, ROLLBACK_GIVEN_UP_MS } from '../../src/plan.ts'
import { ending, isOver, resumed, shareOf } from '../../src/state.ts'
import type { Deployment, Observed, QdrantView } from '../../src/types.ts'
import { bad, fresh, good, marks, MINUTE, running, seen, stage, summary } from '../support/plans.ts'
import type { Seen } from '../support/plans.ts'

const promoting = ending(running, 'promote', null, 0)
const rollingBack = ending(running, 'rollback', 'too slow', 0)
const view: QdrantView = { aliasCollection: 'v1', newCollectionExists: true }
const away = new Error('Qdrant is away')

describe('a deployment', () => {
  test.each<[string, Deployment, Observed, number, Partial<ReturnType<typeof summary>>]>([
    ['begins with its first stage', fresh, seen(), 0, { status: 'running', share: 10, againMs: MINUTE }],
    ['is looked at once a minute', running, seen(), 5 * MINUTE, { stage: 0, share: 10, againMs: MINUTE }],
    ['is looked at when its stage ends', running, seen(), 29.5 * MINUTE, { againMs: MINUTE / 2 }],
    ['continues when a stage has passed', running, seen(), 30 * MINUTE, { stage: 1, share: 50, againMs: MINUTE }],
    [
      'is promoted after the last',
      { ...running, currentStage: 2 },
      seen(),
      0,
      { ending: 'promote', share: 100, switchTo: null, againMs: 0 },
    ],
    [
      'switches the alias, then drops the route',
      promoting,
      seen(),
      0,
      { status: 'completed', switchTo: 'v2', share: null },
    ],
    [
      'does not switch twice',
      promoting,
      seen({ aliasCollection: 'v2' }),
      0,
      { status: 'completed', switchTo: null, share: null },
    ],
    [
      'rests while it is paused, with its share',
      { ...running, status: 'paused' },
      seen({ new: bad }),
      99 * MINUTE,
      { status: 'paused', share: 10, againMs: 10 * MINUTE },
    ],
    ['is left alone once it has ended', { ...running, status: 'completed' }, seen(), 0, { status: 'completed' }],
    [
      'fails when its alias was moved by somebody',
      running,
      seen({ aliasCollection: 'v9' }),
      0,
      { status: 'failed', share: null, switchTo: null },
    ],
    ['fails when its alias is gone', running, seen({ aliasCollection: null }), 0, { status: 'failed', share: null }],
    ['fails when the new collection is gone', running, seen({ newCollectionExists: false }), 0, { status: 'failed' }],
    [
      'fails when that is so while it is paused: its share would go nowhere',
      { ...running, status: 'paused' },
      seen({ newCollectionExists: false }),
      0,
      { status: 'failed', share: null },
    ],
    [
      'is not promoted to a collection that is gone',
      promoting,
      seen({ newCollectionExists: false }),
      0,
      { status: 'failed', share: null, switchTo: null },
    ],
    [
      'does not take an alias over that somebody moved elsewhere',
      promoting,
      seen({ aliasCollection: 'v9' }),
      0,
      { status: 'failed', share: null, switchTo: null },
    ],
    ['rolled back before the switch moves no alias', rollingBack, seen(), 0, { status: 'rolled_back', switchTo: null }],
    [
      'rolled back after the switch moves the alias back',
      rollingBack,
      seen({ aliasCollection: 'v2' }),
      0,
      { status: 'rolled_back', switchTo: 'v1' },
    ],
    [
      'rolled back moves no alias of somebody else',
      rollingBack,
      seen({ aliasCollection: 'v9' }),
      0,
      { status: 'rolled_back', switchTo: null },
    ],
  ])('%s', (_, state, observed, nowMs, expected) =>
    expect(summary(decide(state, observed, nowMs))).toMatchObject(expected),
  )

  test('reports when it begins, and how and why it ended', () => {
    expect(decide(fresh, seen(), 0).events).toEqual([{ type: 'deployment_started' }])
    expect(decide(promoting, seen(), 0).events).toEqual([{ type: 'deployment_completed' }])
    expect(decide(rollingBack, seen(), 0).events).toEqual([{ type: 'deployment_failed', error: 'too slow' }])
    expect(decide(running, seen({ aliasCollection: null }), 0).events).toEqual([
      { type: 'deployment_failed', error: 'alias products points to nothing by now, not to v1' },
    ])
  })

  test('begins its stage anew after a pause, and reports its beginning once', () => {
    const resumedState = resumed({ ...running, status: 'paused', reason: 'x' }, 5 * MINUTE)
    const begun = decide(resumedState, seen(), 6 * MINUTE)
    expect(begun.next).toMatchObject({
      status: 'running',
      stageStartedAtMs: 6 * MINUTE,
      stageMarks: marks,
      reason: null,
    })
    expect(begun.events).toEqual([])
    const neverBegun = decide(resumed({ ...fresh, status: 'paused' }, 5 * MINUTE), seen(), 6 * MINUTE)
    expect(neverBegun.next).toMatchObject({ status: 'running', begunAtMs: 6 * MINUTE })
    expect(neverBegun.events).toEqual([{ type: 'deployment_started' }])
  })

  test.each<[string, Deployment]>([
    ['before it begins', fresh],
    ['while it is rolled back', rollingBack],
    ['before it begins, paused', { ...fresh, status: 'paused' }],
    ['when it was promoted before it began', ending(fresh, 'promote', null, 0)],
  ])('has no share of the traffic %s', (_, state) => expect(shareOf(state)).toBeNull())

  test('marks what was counted before each of its stages', () => {
    expect(decide(fresh, seen(), 0).next.stageMarks).toEqual(marks)
    expect(decide(running, seen(), 30 * MINUTE).next).toMatchObject({ currentStage: 1, stageMarks: marks })
  })
})

describe('a deployment whose Qdrant does not answer', () => {
  const blind = (changes: Seen = {}) => seen({ qdrant: away, ...changes })
  const why = 'Qdrant does not answer'
  test.each<[string, Deployment, Observed, number, Partial<ReturnType<typeof summary>>, string | null]>([
    ['does not begin', fresh, blind(), 0, { status: 'queued', share: null, againMs: 5_000 }, why],
    ['stays in its stage', running, blind(), MINUTE, { stage: 0, share: 10, againMs: MINUTE }, null],
    ['does not continue to the next', running, blind(), 30 * MINUTE, { stage: 0, share: 10, againMs: 5_000 }, why],
    [
      'is rolled back by its numbers all the same: the traffic leaves at once',
      running,
      blind({ new: { ...good, errors: 100 } }),
      MINUTE,
      { ending: 'rollback', share: null, againMs: 0 },
      'error rate 100 % is above 5 %',
    ],
    ['is tried again when it is promoted', promoting, blind(), MINUTE, { ending: 'promote', share: 10 }, null],
    ['is tried again when it is rolled back', rollingBack, blind(), MINUTE, { ending: 'rollback' }, 'too slow'],
    [
      'rests while it is paused',
      { ...running, status: 'paused' },
      blind(),
      MINUTE,
      { status: 'paused', share: 10 },
      null,
    ],
  ])('%s', (_, state, observed, nowMs, expected, reason) => {
    const plan = decide(state, observed, nowMs)
    expect(summary(plan)).toMatchObject(expected)
    expect(plan.next.reason).toBe(reason)
  })

  test('says so no longer once it answers', () => {
    const waiting = decide(running, blind(), 30 * MINUTE).next
    expect(decide({ ...waiting, stages: [stage(10, 40)] }, seen(), 31 * MINUTE).next.reason).toBeNull()
  })
})

test('a roll-back that cannot be done is tried for an hour, ever less often, then given up, and says so', () => {
  let state = rollingBack
  const waits: number[] = []
  for (let nowMs = 0; nowMs < ROLLBACK_GIVEN_UP_MS;) {
    const plan = endingFailed(state, 'Qdrant is away', nowMs)
    expect(plan.next).toMatchObject({ status: 'running', ending: 'rollback' })
    waits.push(plan.againMs)
    nowMs += plan.againMs
    state = plan.next
  }
  expect(waits.slice(0, 6)).toEqual([5_000, 10_000, 20_000, 40_000, MINUTE, MINUTE])
  expect(endingFailed(state, 'Qdrant is away', ROLLBACK_GIVEN_UP_MS)).toMatchObject({
    next: { status: 'rollback_failed', reason: 'too slow; the roll-back failed: Qdrant is away' },
    events: [{ type: 'deployment_failed' }],
  })
})

test('a promotion is tried for ever: what has passed all its stages is not given up', () => {
  const state = { ...promoting, endingFailures: 1_000 }
  expect(endingFailed(state, 'away', 99 * ROLLBACK_GIVEN_UP_MS).next).toMatchObject({ ending: 'promote' })
})

/** Redis, Qdrant and drivers in a few lines; a driver may die before it switches, or before it writes. */
class World {
  stored = fresh
  alias = 'v1'
  nowMs = 0
  tally = good
  isAway = false

  tick(dies: 'first' | 'switched' | 'never'): void {
    for (;;) {
      const qdrant = this.isAway ? away : { ...view, aliasCollection: this.alias }
      const plan = decide(this.stored, seen({ new: this.tally, qdrant }), this.nowMs)
      if (dies === 'first') return
      if (plan.switchTo !== null) this.alias = plan.switchTo
      if (dies === 'switched') return
      this.stored = plan.next
      if (plan.againMs > 0 || isOver(this.stored)) return
    }
  }
}

test('the alias agrees in the end with the end of the deployment, whichever process dies at any point', () => {
  const steps = fc.array(
    fc.record({
      dies: fc.constantFrom('first', 'switched', 'never', 'never'),
      isAway: fc.boolean(),
      minutes: fc.nat(40),
      isBad: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    }),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(steps, (all) => {
      const world = new World()
      for (const { dies, isAway, isBad, minutes } of all) {
        world.nowMs += minutes * MINUTE
        world.tally = isBad ? bad : good
        world.isAway = isAway
        world.tick(dies as 'first' | 'switched' | 'never')
        if (isOver(world.stored)) break
      }
      world.isAway = false
      world.tally = good
      for (let i = 0; i < 10 && !isOver(world.stored); i++) {
        world.nowMs += 60 * MINUTE
        world.tick('never')
      }
      expect(isOver(world.stored)).toBe(true)
      expect(shareOf(world.stored)).toBeNull()
      if (world.stored.status === 'rollback_failed') return // it says so: nobody knows the alias
      expect(world.alias).toBe(world.stored.status === 'completed' ? 'v2' : 'v1')
    }),
    { numRuns: 5_000 },
  )
})
