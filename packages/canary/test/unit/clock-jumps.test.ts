import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withLostTime } from '../../src/lost-time.ts'
import { decide, ROLLBACK_GIVEN_UP_MS } from '../../src/plan.ts'
import { ending, isOver, sealed } from '../../src/state.ts'
import type { Deployment, Mark } from '../../src/types.ts'
import { fresh, MINUTE, rulesWith, stage } from '../support/plans.ts'
import type { Minute } from '../../src/judging/tally.ts'
import { addTally, emptyTally, since } from '../../src/judging/tally.ts'
import { tally } from '../support/tallies.ts'

const START = 1_000 * MINUTE
const STEP_MS = 5_000

/** A clock that jumps, and requests that are counted by it: both collections get 2 every 5 seconds. */
class World {
  /** Time that has really passed. */
  realMs = 0
  offsetMs = 0
  errorRate = 0
  readonly counted = new Map<number, Minute>()
  #requests = 0

  get nowMs(): number {
    return START + this.realMs + this.offsetMs
  }

  pass(): void {
    this.realMs += STEP_MS
    const minute = Math.floor(this.nowMs / MINUTE)
    const each = this.counted.get(minute) ?? { minute, new: emptyTally(), old: emptyTally() }
    this.counted.set(minute, each)
    for (const side of ['new', 'old'] as const) {
      for (let i = 0; i < 2; i++) {
        const errors = side === 'new' && (this.#requests++ % 100) / 100 < this.errorRate ? 1 : 0
        addTally(each[side], tally({ requests: 1, errors, latencyMs: 50 }))
      }
    }
  }
}

/** Counts of the stage, as `countStage` reads them, marks included. */
function observe(world: World, { stageMarks, stageStartedAtMs }: Deployment) {
  const now = Math.floor(world.nowMs / MINUTE)
  const all = [...world.counted.values()]
  const from = Math.floor((stageStartedAtMs ?? world.nowMs) / MINUTE) - 1
  const minutes = all
    .filter(({ minute }) => stageStartedAtMs !== null && minute >= from && minute <= now + 1)
    .map((each) => {
      const mark = stageMarks.find(({ minute }) => minute === each.minute) as (Minute & Mark) | undefined
      return mark ? { minute: each.minute, new: since(each.new, mark.new), old: since(each.old, mark.old) } : each
    })
  const marks = all
    .filter(({ minute }) => minute >= now - 1)
    .map(({ minute, new: theirs, old }) => {
      const copy = { minute, new: emptyTally(), old: emptyTally() }
      addTally(copy.new, theirs)
      addTally(copy.old, old)
      return copy as unknown as Mark
    })
  return { qdrant: { aliasCollection: 'v1', newCollectionExists: true }, minutes, marks, checks: [] }
}

interface Jump {
  atMs: number
  byMs: number
}

/** Plays a deployment with jumps of the clock. A tick comes when the clock says so, or the watch sees that it went back. */
function play(state: Deployment, jumps: readonly Jump[], untilMs: number, badFromMs = Infinity) {
  const world = new World()
  const left = [...jumps].sort((a, b) => a.atMs - b.atMs)
  let now: Deployment = { ...state, startedAtMs: START, nextTickAtMs: START }
  while (world.realMs < untilMs) {
    while (left[0] && left[0].atMs <= world.realMs) world.offsetMs += left.shift()!.byMs
    if (world.realMs >= badFromMs) world.errorRate = 0.5
    const looks = world.nowMs >= now.nextTickAtMs || world.realMs % MINUTE === 0
    if (looks) {
      const taken = withLostTime(now, world.nowMs)
      if (world.nowMs >= now.nextTickAtMs || taken !== now) {
        const { againMs, next } = decide(taken, observe(world, taken), world.nowMs)
        now = sealed(now, next, world.nowMs + againMs)
        if (now.ending !== null || isOver(now)) return { state: now, realMs: world.realMs }
      }
    }
    world.pass()
  }
  return { state: now, realMs: world.realMs }
}

const jumpsOf = (max: number) =>
  fc.array(
    fc.record({
      atMs: fc.integer({ min: 1, max: 25 }).map((minute) => minute * MINUTE),
      byMs: fc.oneof(
        fc.constantFrom(
          -MINUTE,
          MINUTE,
          -1_000,
          1_000,
          -61_000,
          61_000,
          -3_600_000,
          3_600_000,
          86_400_000,
          -86_400_000,
        ),
        fc.integer({ min: -7_200_000, max: 7_200_000 }),
      ),
    }),
    { minLength: 1, maxLength: max },
  )
const stages = [stage(10, 10), stage(50, 10), stage(100, 0)]
const begun: Deployment = { ...fresh, stages, rules: rulesWith({ baseline: {}, holdMinutes: 15 }) }
const runs = { numRuns: 60 }

describe('a clock that jumps', () => {
  test('promotes no healthy collection before its stages took their time, and rolls none back', () => {
    fc.assert(
      fc.property(jumpsOf(4), (jumps) => {
        const { realMs, state } = play(begun, jumps, 180 * MINUTE)
        // Each jump may cost or give what a look may be late.
        if (state.ending === 'promote') expect(realMs).toBeGreaterThanOrEqual((20 - jumps.length) * MINUTE)
        else expect([state.status, state.ending]).toEqual(['running', null])
        if (jumps.every(({ byMs }) => Math.abs(byMs) <= 7_200_000)) expect(state.ending).toBe('promote')
      }),
      runs,
    )
  })

  test('keeps no bad collection from being rolled back, and promotes none', () => {
    fc.assert(
      fc.property(jumpsOf(3), fc.integer({ min: 2, max: 18 }), (jumps, minute) => {
        const { realMs, state } = play(begun, jumps, 120 * MINUTE, minute * MINUTE)
        expect(state.ending).toBe('rollback')
        expect(realMs - minute * MINUTE).toBeLessThanOrEqual(5 * MINUTE)
      }),
      runs,
    )
  })

  test('ends no warming: a cold collection is not judged', () => {
    const cold = { ...begun, rules: rulesWith({ initialDelayMinutes: 10, baseline: null }) }
    for (const byMs of [MINUTE, 3_600_000, 86_400_000, -3_600_000]) {
      const { state } = play(cold, [{ atMs: 2 * MINUTE, byMs }], 9 * MINUTE, 0)
      expect([state.looks, state.ending], String(byMs)).toEqual([0, null])
    }
  })

  test('gives up no roll-back that Qdrant has refused for a minute', () => {
    const back = sealed(begun, ending({ ...begun, begunAtMs: START }, 'rollback', 'bad', START), START)
    const away = { qdrant: new Error('Qdrant is away'), minutes: [], marks: [], checks: [] }
    const later = START + ROLLBACK_GIVEN_UP_MS + MINUTE
    expect(decide(withLostTime(back, later), away, later).next).toMatchObject({ status: 'running', ending: 'rollback' })
    const looked = { ...back, nextTickAtMs: later }
    expect(decide(withLostTime(looked, later), away, later).next.status).toBe('rollback_failed')
  })
})
