import { describe, expect, test } from 'vitest'
import { rulesOf, rulesSchema } from '../../src/config.ts'
import type { RulesInput } from '../../src/config.ts'
import { judge } from '../../src/judging/judge.ts'
import type { Stage } from '../../src/judging/rules.ts'
import type { Minute } from '../../src/judging/tally.ts'
import { atLook, healthy, judged, passable, stage } from '../support/judged.ts'
import { minute } from '../support/tallies.ts'

const reasonOf = (minutes: Minute[], given?: RulesInput) => judged(minutes, given).breach?.reason ?? null

describe('a breach is declared', () => {
  test.each<[string, Minute[], string]>([
    [
      'for an outage of one minute after 106 healthy ones',
      [...healthy(0, 106), minute(106, { requests: 60, errors: 60, latencyMs: 50 })],
      'error rate 100 % is above 5 %',
    ],
    [
      'for 30 % errors within two minutes',
      [
        ...healthy(0, 106),
        minute(106, { requests: 60, errors: 18, latencyMs: 50 }),
        minute(107, { requests: 60, errors: 18, latencyMs: 50 }),
      ],
      'error rate 30 % is above 5 %',
    ],
    [
      'for answers that all take 5 s',
      [...healthy(0, 100), minute(100, { requests: 60, latencyMs: 5_000 })],
      'p95 latency 5000 ms is above 200 ms',
    ],
    [
      'for five failures in a row at one request a minute',
      Array.from({ length: 6 }, (_, i) => minute(i, { requests: 1, errors: 1, latencyMs: 50 })),
      'error rate 100 % is above 5 %',
    ],
    [
      'for a rate a little too high, seen often enough',
      Array.from({ length: 60 }, (_, i) => minute(i, { requests: 300, errors: 21, latencyMs: 50 })),
      'error rate 7 % is above 5 %',
    ],
    [
      'for a slow tail, seen often enough',
      Array.from({ length: 30 }, (_, i) => minute(i, { requests: 300, slow: 30, latencyMs: 50, slowMs: 300 })),
      'p95 latency 300 ms is above 200 ms',
    ],
  ])('%s', (_, minutes, reason) => expect(reasonOf(minutes)).toBe(reason))

  test.each<[string, Minute[]]>([
    ['for two failures of two', [minute(0, { requests: 2, errors: 2, latencyMs: 50 })]],
    ['for the largest of twenty latencies', [minute(0, { requests: 20, slow: 1, latencyMs: 50 })]],
    ['for two slow answers of twenty', [minute(0, { requests: 20, slow: 2, latencyMs: 50 })]],
    ['at the limits themselves', [minute(0, { requests: 10_000, errors: 500, latencyMs: 200 })]],
    [
      'for a bad minute that noise explains',
      [...healthy(0, 30), minute(30, { requests: 60, errors: 6, latencyMs: 50 })],
    ],
    ['without a request', []],
  ])('not %s', (_, minutes) => expect(minutes.length === 0 ? null : reasonOf(minutes)).toBeNull())

  test('with the evidence in words', () => {
    const { breach } = judged([...healthy(0, 5), minute(5, { requests: 60, errors: 60, latencyMs: 50 })])
    expect(breach!.evidence).toMatch(
      /^60 of 60 requests failed in the last minute, at least \d\d(\.\d+)? % with a confidence of 1 - \d+e-\d$/,
    )
  })

  test('later when more looks have been taken without one: looking again costs confidence', () => {
    const zeroHits = Array.from({ length: 300 }, (_, i) => (i < 72 ? 1 : 0))
    const minutes = [minute(0, { requests: 300, latencyMs: 50, values: { zeroHits } })]
    const at = (look: number) =>
      judge(stage, rulesOf(rulesSchema.parse({ guards: [{ metric: 'zeroHits', max: 0.1 }] })), {
        ...atLook,
        minutes,
        nowMinute: 1,
        look,
        isLastStage: false,
      })
    expect(at(213).breach).not.toBeNull()
    expect(at(500_000).breach).toBeNull()
  })
})

describe('the old collection in the same time is compared with by default', () => {
  const both = (fresh: object, old: object) => [minute(0, fresh, old)]
  test.each<[string, Minute[], string | null]>([
    [
      'by errors',
      both({ requests: 30_000, errors: 1_200, latencyMs: 50 }, { requests: 30_000, errors: 60, latencyMs: 50 }),
      "error rate 4 % is more than 2 % above the old collection's 0.2 %",
    ],
    [
      'by latency',
      both({ requests: 3_000, latencyMs: 100 }, { requests: 3_000, latencyMs: 50 }),
      "p95 latency 100 ms is more than 1.5 times the old collection's 50 ms",
    ],
    ['not by a few milliseconds', both({ requests: 3_000, latencyMs: 12 }, { requests: 3_000, latencyMs: 4 }), null],
    ['not where it has no traffic', both({ requests: 3_000, errors: 120, latencyMs: 100 }, {}), null],
    [
      'not where a difference may be chance',
      both({ requests: 60, errors: 2, latencyMs: 50 }, { requests: 60, errors: 0, latencyMs: 50 }),
      null,
    ],
    [
      'not where the old collection fails just as often',
      both({ requests: 3_000, errors: 120, latencyMs: 50 }, { requests: 3_000, errors: 110, latencyMs: 50 }),
      null,
    ],
  ])('%s', (_, minutes, reason) => {
    expect(reasonOf(minutes)).toBe(reason)
    expect(reasonOf(minutes, { baseline: null })).toBeNull()
  })
})

describe('a guard', () => {
  const some = (count: number, value: number) =>
    Array.from({ length: count }, (_, i) => value + (i % 2 === 0 ? 0.05 : -0.05))
  const with_ = (fresh: number[], old: number[] = []) => [
    minute(
      0,
      { requests: 3_000, latencyMs: 50, values: { ndcg: fresh } },
      old.length > 0 ? { requests: 3_000, latencyMs: 50, values: { ndcg: old } } : {},
    ),
  ]
  test.each<[string, Minute[], RulesInput, string | null]>([
    [
      'on a minimum finds a mean below it',
      with_(some(2_000, 0.5)),
      { guards: [{ metric: 'ndcg', min: 0.6 }] },
      'mean ndcg 0.5 is below 0.6',
    ],
    [
      'on a maximum finds a mean above it',
      with_(some(2_000, 0.5)),
      { guards: [{ metric: 'ndcg', max: 0.4 }] },
      'mean ndcg 0.5 is above 0.4',
    ],
    [
      'on a drop finds a mean too far below the old one',
      with_(some(2_000, 0.5), some(2_000, 0.8)),
      { guards: [{ metric: 'ndcg', maxDropFromOld: 0.1 }] },
      "mean ndcg 0.5 is more than 10 % below the old collection's 0.8",
    ],
    [
      'on a drop allows the drop it names',
      with_(some(2_000, 0.75), some(2_000, 0.8)),
      { guards: [{ metric: 'ndcg', maxDropFromOld: 0.1 }] },
      null,
    ],
    [
      'is quiet for a mean within its bounds',
      with_(some(2_000, 0.5)),
      { guards: [{ metric: 'ndcg', min: 0.3, max: 0.7 }] },
      null,
    ],
    [
      'is quiet while there are too few values for a proof',
      with_(some(20, 0.5)),
      { guards: [{ metric: 'ndcg', min: 0.6 }] },
      null,
    ],
    ['is quiet for a number that nobody records', with_([]), { guards: [{ metric: 'ndcg', min: 0.6 }] }, null],
    [
      'on a drop is quiet without the old collection',
      with_(some(2_000, 0.5)),
      { guards: [{ metric: 'ndcg', maxDropFromOld: 0.1 }] },
      null,
    ],
    [
      'judges numbers outside 0 to 1 by their range',
      with_(Array.from({ length: 5_000 }, (_, i) => 20 + (i % 3))),
      { guards: [{ metric: 'ndcg', max: 10 }] },
      'mean ndcg 20.9998 is above 10',
    ],
  ])('%s', (_, minutes, given, reason) => expect(reasonOf(minutes, given)).toBe(reason))

  test('keeps a stage from being passed until its number was recorded often enough', () => {
    const guards = [{ metric: 'ndcg', min: 0.3 }]
    expect(judged(with_([0.5, 0.5]), { guards }).missing).toBe('2 of 20 values of ndcg seen at 50 %')
    expect(judged(with_(some(20, 0.5)), { guards })).toEqual(passable)
    expect(judged(with_(some(20, 0.25)), { guards }).doubt).toBe('mean ndcg 0.25 is below 0.3 in the last minute')
  })
})

describe('a stage is passable', () => {
  test('when every window, the last minute included, looks healthy', () => {
    expect(judged(healthy(0, 120))).toEqual(passable)
  })
  test('not by its sum: one bad minute at the end keeps it', () => {
    const { breach, doubt } = judged([...healthy(0, 119), minute(119, { requests: 60, errors: 4, latencyMs: 50 })])
    expect(breach).toBeNull()
    expect(doubt).toBe('error rate 6.67 % is above 5 % in the last minute')
  })
  test('not with one failed request as the last thing that was seen', () => {
    expect(judged([...healthy(0, 119), minute(119, { requests: 1, errors: 1, latencyMs: 50 })]).doubt).not.toBeNull()
  })
  test('not by requests that the observed share does not have, shadow requests left out', () => {
    const seen = (shadowed: number) =>
      judged([minute(0, { requests: 100, shadowed, latencyMs: 50 }, { requests: 100, latencyMs: 50 })])
    expect(seen(0).missing).toBeNull()
    expect(seen(90).missing).toBe('the new collection gets 9.1 % of the traffic, not 50 %')
  })
  test('in the shadow, where no user is sent to the new collection', () => {
    const minutes = [minute(0, { requests: 100, shadowed: 100, latencyMs: 50 }, { requests: 1_000, latencyMs: 50 })]
    expect(judged(minutes, {}, { percentage: 0, shadow: 10 }).missing).toBeNull()
    expect(judged([minute(0, {}, { requests: 10 })], {}, { percentage: 0, shadow: 10 }).missing).toBe(
      '0 of 20 requests seen in the shadow at 10 %',
    )
  })
})

describe('the last stage is passable', () => {
  const last = (minutes: Minute[], changes: Partial<Stage> = {}) => {
    const rules = rulesOf(rulesSchema.parse({}))
    const nowMinute = Math.max(...minutes.map((each) => each.minute)) + 1
    return judge({ ...stage, ...changes }, rules, { ...atLook, minutes, nowMinute, isLastStage: true })
  }
  /** One request a minute to each collection; those of the named minutes before the end failed. */
  const trickle = (count: number, ...failed: number[]) =>
    Array.from({ length: count }, (_, i) =>
      minute(i, { requests: 1, errors: failed.includes(count - i) ? 1 : 0, latencyMs: 50 }, { requests: 1 }),
    )
  test.each<[string, Minute[], string | null]>([
    ['by 33 requests of which none failed', trickle(100, 34), null],
    ['by all there are, where none failed', trickle(25), null],
    [
      'not by one failure among the last 33, where 30 % errors might look as good',
      trickle(100, 32),
      '1 of the last 33 requests failed, which does not rule an error rate of 30 % out',
    ],
    [
      'by few failures of many requests',
      [...healthy(0, 10), minute(10, { requests: 60, errors: 2, latencyMs: 50 })],
      null,
    ],
  ])('%s', (_, minutes, doubt) => {
    expect(last(minutes)).toMatchObject({ doubt, isDelaying: doubt !== null, isQuiet: false })
    expect(judged(minutes).doubt).toBeNull()
  })
  test('not by a window that looks bad, which is more than a delay', () => {
    expect(last(trickle(100, 2))).toMatchObject({
      doubt: 'error rate 50 % is above 5 % in the last 2 minutes',
      isDelaying: false,
    })
  })
  test('by more failures where the limit allows more, and by any where it allows all', () => {
    expect(last(trickle(100, 20), { errorThreshold: 0.1 }).doubt).toBeNull()
    expect(last(trickle(100, 2), { errorThreshold: 1 }).doubt).toBeNull()
  })
})

describe('several guards at once', () => {
  const names = Array.from({ length: 20 }, (_, i) => `v${i}`)
  const guards = names.map((metric) => ({ metric, max: 0.05 }))
  const ones = (hits: number, of: number) => Array.from({ length: of }, (_, i) => (i < hits ? 1 : 0))
  const seen = (hits: (i: number) => number, of = 60) => {
    const values = Object.fromEntries(names.map((name, i) => [name, ones(hits(i), of)]))
    return [minute(0, { requests: of, latencyMs: 50, values }, { requests: of, latencyMs: 50 })]
  }
  const earlier = seen(() => 1).map((each) => ({ ...each, minute: -60 }))
  test('leave a stage passable where one of twenty means lies a little beyond its bound for a while, as some always does', () => {
    const oneOff = [...earlier, ...seen((i) => (i === 7 ? 4 : 1))]
    expect(judged(oneOff, { guards })).toEqual(passable)
    expect(judged(oneOff, { guards: [guards[7]!] }).doubt).toBe('mean v7 0.0667 is above 0.05 in the last minute')
  })
  test.each<[string, Minute[], string]>([
    [
      'in minutes far apart',
      [...seen((i) => (i === 7 ? 7 : 1)).map((each) => ({ ...each, minute: -60 })), ...seen((i) => (i === 7 ? 4 : 1))],
      'mean v7 0.0917 is above 0.05 in the stage so far',
    ],
    ['in the only minute there is', seen((i) => (i === 7 ? 6 : 1)), 'mean v7 0.1 is above 0.05 in the last minute'],
  ])('do not pass a mean that lies beyond its bound over the whole stage, seen %s', (_, minutes, doubt) => {
    const ten = guards.slice(0, 10)
    expect(judged(minutes, { guards: ten })).toMatchObject({ breach: null, missing: null, doubt })
  })
  test('find one that is far off', () => {
    expect(
      judged(
        seen((i) => (i === 7 ? 18 : 1)),
        { guards },
      ).doubt,
    ).toContain('mean v7 0.3 is above 0.05')
    expect(
      reasonOf(
        seen((i) => (i === 7 ? 30 : 1)),
        { guards },
      ),
    ).toBe('mean v7 0.5 is above 0.05')
  })
})

test('names everything that keeps a stage from being passed, each by a name that lasts', () => {
  const seen = (errors: number, slow: number, ones: number) =>
    judged(
      [
        minute(0, {
          requests: 60,
          errors,
          slow,
          latencyMs: 50,
          slowMs: 300,
          values: { zero: Array.from({ length: 60 }, (_, i) => (i < ones ? 1 : 0)) },
        }),
      ],
      {
        guards: [
          { metric: 'zero', max: 0.1 },
          { metric: 'ctr', min: 0.1 },
        ],
      },
    ).troubles.map(({ name }) => name)
  expect(seen(4, 4, 8)).toEqual(['few values of ctr', 'error rate', 'p95 latency', 'zero'])
  expect(seen(5, 0, 8)).toEqual(['few values of ctr', 'error rate', 'zero'])
  expect(seen(0, 0, 0)).toEqual(['few values of ctr'])
})

describe('a decision names the missing traffic', () => {
  const of = (fresh: number, old: number) =>
    judged([minute(0, { requests: fresh, latencyMs: 50 }, { requests: old, latencyMs: 50 })])
  test('as a lack of traffic if nobody searches', () => {
    expect(of(3, 3)).toMatchObject({ missing: '3 of 20 requests seen at 50 %', isQuiet: true })
  })
  test('as a lack of its share if users search the old collection', () => {
    expect(of(3, 300)).toMatchObject({ missing: '3 of 20 requests seen at 50 %', isQuiet: false })
  })
  const healthyOld = { requests: 27, latencyMs: 50 }
  test.each<[string, Minute, RulesInput, Partial<Stage>]>([
    [
      'values nobody records',
      minute(0, { requests: 60, latencyMs: 50 }),
      { guards: [{ metric: 'ndgc', min: 0.3 }] },
      {},
    ],
    ['requests without a latency', minute(0, { requests: 60 }, { requests: 60 }), {}, {}],
    ['a shadow that nobody asks for', minute(0, {}, { requests: 100_000 }), {}, { percentage: 0, shadow: 10 }],
    ['any share, and there are plenty', minute(0, { requests: 3 }, { requests: 3_000 }), { minObservedShare: 0 }, {}],
  ])('finds no lack of traffic for %s', (_, seen, given, changes) => {
    const { breach, isQuiet, missing } = judged([seen, minute(0, {}, {})], given, changes)
    expect({ breach, isQuiet }).toEqual({ breach: null, isQuiet: false })
    expect(missing).not.toBeNull()
  })
  test.each([
    ['one failure of three', 3, 1],
    ['two of three', 3, 2],
    ['two of two', 2, 2],
    ['three of three', 3, 3],
  ])('as a lack of traffic for %s, which chance explains', (_, requests, errors) => {
    const trickle = [minute(-60, { requests, errors, latencyMs: 50 }, healthyOld), minute(0, {}, {})]
    expect(judged(trickle, {}, { percentage: 10 })).toMatchObject({ breach: null, isQuiet: true })
  })
  test('as a lack of traffic for values that are recorded rarely, and as none where nobody records them', () => {
    const of = (count: number) => {
      const values = { ctr: Array.from({ length: count }, () => 0.5) }
      return judged([minute(0, { requests: 60, latencyMs: 50, ...(count > 0 ? { values } : {}) })], {
        guards: [{ metric: 'ctr', min: 0.1 }],
      })
    }
    expect(of(3)).toMatchObject({ missing: '3 of 20 values of ctr seen at 50 %', isQuiet: true })
    expect(of(0)).toMatchObject({ missing: '0 of 20 values of ctr seen at 50 %', isQuiet: false })
  })
  test('as a lack of traffic where a trickle gets as little as its share may be', () => {
    const sticky = [minute(0, { requests: 14, latencyMs: 50 }, { requests: 200, latencyMs: 50 })]
    expect(judged(sticky, {}, { percentage: 10 }).isQuiet).toBe(true)
  })
})

describe('a new collection that hangs', () => {
  // A request that never ends is counted by nobody: what is missing is its share.
  const hanging = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => minute(from + i, {}, { requests: 60, errors: 0, latencyMs: 50 }))
  test('is not passed on what it answered before', () => {
    const { breach, missing } = judged([...healthy(0, 106), ...hanging(106, 109)])
    expect(breach).toBeNull()
    expect(missing).toBe('the new collection gets 0 % of the traffic in the last minute, not 50 %')
  })
  test('is distinguished from one whose traffic has ended altogether', () => {
    expect(judged(healthy(0, 106))).toEqual(passable)
  })
})

test.each([Number.NaN, Number.POSITIVE_INFINITY])('a guard whose mean is %d is no evidence of health', (sum) => {
  const poisoned = minute(0, { requests: 60, latencyMs: 50, values: { ctr: Array.from({ length: 60 }, () => 0.5) } })
  poisoned.new.values.ctr!.sum = sum
  expect(judged([poisoned], { guards: [{ metric: 'ctr', min: 0.1 }] })).toMatchObject({
    breach: null,
    doubt: 'mean ctr is not a finite number in the last minute',
  })
})
