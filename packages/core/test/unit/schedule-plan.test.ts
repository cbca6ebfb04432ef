import { describe, expect, test } from 'vitest'
import { ruleOf, ruleText, readRule, ticksOf } from '../../src/schedules/rule.ts'
import type { RuleOptions } from '../../src/schedules/rule.ts'
import { LATE_MS, MAX_MISSED, planTicks } from '../../src/schedules/tick-plan.ts'
import type { Missed } from '../../src/schedules/tick-plan.ts'

const at = (iso: string) => Date.parse(iso)
const next = (options: RuleOptions) => ticksOf(ruleOf('test', options))

describe('the rule of a schedule', () => {
  test('ticks by an expression in its zone, across changes of its clock', () => {
    const ticks = next({ cron: '30 2 * * *', timeZone: 'Europe/Berlin' })
    expect(new Date(ticks(at('2026-03-28T12:00:00Z'))!).toISOString()).toBe('2026-03-29T01:30:00.000Z')
    expect(new Date(ticks(at('2026-10-24T12:00:00Z'))!).toISOString()).toBe('2026-10-25T00:30:00.000Z')
  })

  test('ticks at a distance from a fixed instant, whenever it is asked', () => {
    const ticks = next({ everyMs: 7_000, startAt: 3_000 })
    expect([0, 2_999, 3_000, 9_999, 10_000, 1_000_000].map((after) => ticks(after))).toEqual([
      3_000, 3_000, 10_000, 10_000, 17_000, 1_004_000,
    ])
    expect(next({ everyMs: 60_000 })(at('2026-01-01T00:00:30Z'))).toBe(at('2026-01-01T00:01:00Z'))
  })

  test('ticks once at an instant', () => {
    const ticks = next({ at: new Date(5_000) })
    expect([4_999, 5_000].map((after) => ticks(after))).toEqual([5_000, null])
  })

  test.each<[RuleOptions, string]>([
    [{}, 'expected one of `cron`, `everyMs` and `at`'],
    [{ cron: '* * * * *', everyMs: 1_000 }, 'expected one of'],
    [{ everyMs: 1_000, timeZone: 'UTC' }, '`timeZone` is for `cron`'],
    [{ cron: '* * * * *', startAt: 1 }, '`startAt` is for `everyMs`'],
    [{ cron: '* * * * *', timeZone: 'Mars/Olympus' }, 'expected `timeZone` to be an IANA name'],
    [{ cron: '61 * * * *' }, 'expected a cron expression'],
    [{ cron: '0 0 30 2 *' }, 'never comes'],
  ])('is refused where it is none: %j', (options, message) => {
    expect(() => ruleOf('schedules.put', options)).toThrow(message)
  })

  test('is read back from its text, and anything else is none', () => {
    for (const options of [{ cron: '0 8 * * *' }, { everyMs: 1_000 }, { at: 7 }]) {
      const rule = ruleOf('test', options)
      expect(readRule(ruleText(rule))).toEqual(rule)
    }
    const wrong = [
      '',
      '{}',
      'null',
      '[1]',
      '{"kind":"cron"}',
      '{"kind":"every","everyMs":0,"startMs":0}',
      '{"kind":"every","everyMs":999,"startMs":0}',
      '{"kind":"at"}',
    ]
    expect(wrong.map(readRule)).toEqual(wrong.map(() => undefined))
  })
})

/** All ticks after one instant and not after another, one by one. */
function everyTick(ticks: (afterMs: number) => number | null, afterMs: number, untilMs: number): number[] {
  const found: number[] = []
  for (let tick = ticks(afterMs); tick !== null && tick <= untilMs; tick = ticks(tick)) found.push(tick)
  return found
}

/** Ticks that a look must enqueue, computed in another way than the plan: from the list of all ticks. */
function expected(due: number[], nowMs: number, missed: Missed): number[] {
  if (due.length === 0 || nowMs - due[0]! <= LATE_MS) return due
  if (missed === 'skip') return due.filter((tick) => nowMs - tick <= LATE_MS)
  return missed === 'latest' ? due.slice(-1) : due.slice(-MAX_MISSED)
}

const START = at('2026-03-28T20:00:00Z')
const RULES: Record<string, RuleOptions> = {
  'each second': { everyMs: 1_000 },
  'each 45 s': { cron: '*/45 * * * * *' },
  'each quarter of an hour': { cron: '*/15 * * * *', timeZone: 'Europe/Berlin' },
  'each night, at a time that a change leaves out': { cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
  'each seven hours': { everyMs: 7 * 3_600_000, startAt: START + 1 },
  once: { at: START + 3_600_000 },
}
/** Time between two looks of the fleet, in ms. */
const LOOKS: Record<string, (random: () => number) => number> = {
  'no downtime': (random) => Math.floor(random() * 2_000),
  'outages below a minute': (random) => Math.floor(random() * 59_000),
  'outages of hours': (random) =>
    random() < 0.7 ? Math.floor(random() * 1_500) : Math.floor(random() * 2 * 3_600_000),
  'a clock that is set back now and then': (random) =>
    random() < 0.2 ? -Math.floor(random() * 30_000) : Math.floor(random() * 120_000),
}
const MISSED: Missed[] = ['skip', 'latest', 'all']

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

describe.each(Object.keys(RULES))('a schedule that ticks %s', (rule) => {
  const ticks = next(RULES[rule]!)

  describe.each(Object.keys(LOOKS))('with %s', (look) => {
    test.each(MISSED)("with missed: '%s' enqueues what it must at every look, and nothing twice", (missed) => {
      const random = seeded(rule.length * 1_000 + look.length)
      const enqueued: number[] = []
      let doneMs = START
      let nowMs = START
      for (let looks = 0; looks < 12; looks++) {
        nowMs += LOOKS[look]!(random)
        const due = everyTick(ticks, doneMs, nowMs)
        const plan = planTicks(ticks, doneMs, nowMs, missed)
        expect(plan.ticks).toEqual(expected(due, nowMs, missed))
        expect(plan.missedMs).toBe(due.length > 0 && nowMs - due[0]! > LATE_MS ? due[0] : null)
        expect(plan.doneMs).toBeGreaterThanOrEqual(doneMs)
        expect(plan.nextMs).toBe(ticks(plan.doneMs))
        enqueued.push(...plan.ticks)
        doneMs = plan.doneMs
      }
      expect(enqueued).toEqual([...new Set(enqueued)].sort((a, b) => a - b))
    })
  })
})
