import type { HeatmapData, JobView, TryRow } from '@arq-ts/dashboard/api'
import { describe, expect, test } from 'vitest'
import { level, lowerBound, percentileLine, trimmed } from '../../src/charts/heat.ts'
import { layout } from '../../src/charts/timeline-layout.ts'
import { triesOf } from '../../src/pages/job-tries.ts'
import { canaryActs } from '../../src/pages/canary-acts.ts'
import { split, title } from '../../src/pages/overview-words.ts'
import { jobsIn, jobsInAll } from '../../src/pages/queue-words.ts'
import { fieldsOf, read } from '../../src/pages/replay-fields.ts'
import { otherReasons } from '../../src/pages/why-words.ts'

describe('the sentence of the overview', () => {
  const text = (of: Omit<Parameters<typeof title>[0], 'nowMs'>) =>
    title({ ...of, nowMs: 600_000 })
      .map((piece) => piece.text)
      .join('')
  const finding = (kind: 'growing' | 'unserved' | 'failing', type: 'queue' | 'function', name: string) =>
    ({ kind, severity: 'warning', subject: { type, name }, text: '', sinceMs: null }) as const
  const queue = { queueName: 'mail', state: 'on-time', oldestDueMs: null } as never

  test('names the first findings and counts the others', () => {
    expect(
      text({ headlines: [finding('growing', 'queue', 'mail'), finding('unserved', 'function', 'embed')], queues: [] }),
    ).toBe('mail is falling behind, and embed has no worker.')
    const three = [
      finding('failing', 'function', 'f'),
      finding('growing', 'queue', 'mail'),
      finding('unserved', 'function', 'embed'),
    ]
    expect(text({ headlines: three, queues: [] })).toBe(
      'f fails, mail is falling behind, and one more thing needs you.',
    )
  })

  test('is calm where nothing was found', () => {
    expect(text({ headlines: [], queues: [queue, queue] })).toBe('All two queues are on time.')
    expect(text({ headlines: [], queues: [] })).toBe('No job has been enqueued yet.')
  })

  test('never calls a queue on time whose oldest job waits long, though its rates are not known yet', () => {
    const late = { queueName: 'mail', state: 'on-time', oldestDueMs: 0 } as never
    expect(text({ headlines: [], queues: [queue, late] })).toBe('mail is late: its oldest due job waits for 10 min.')
  })

  test('makes the claim of a finding bold, and not its limits', () => {
    expect(split('mail grows by 3 jobs a minute and never empties')).toEqual([
      'mail grows by 3 jobs a minute',
      ' and never empties',
    ])
    expect(split('f fails. 3 wait')).toEqual(['f fails.', ' 3 wait'])
  })
})

describe('the tries of a job', () => {
  const job = (part: Partial<JobView>) =>
    ({ enqueuedMs: 1_000, startedMs: null, finishedMs: null, jobTry: 1, holder: null, error: null, ...part }) as JobView
  const tried = (jobTry: number, startedMs: number, finishedMs: number): TryRow => ({
    jobTry,
    startedMs,
    finishedMs,
    fromMs: null,
    outcome: 'retried',
    workerId: 'ops-1:1:a',
    error: 'Error: no',
    stack: null,
  })

  test('are one that ended well where nothing was recorded, for tries are recorded at a failure', () => {
    const tries = triesOf(job({ status: 'complete', startedMs: 1_500, finishedMs: 1_700 }), [])
    expect(tries).toMatchObject([
      { jobTry: 1, outcome: 'complete', fromMs: 1_000, startedMs: 1_500, finishedMs: 1_700 },
    ])
  })

  test('wait from the end of the try before, and end in the one that is to come', () => {
    const tries = triesOf(job({ status: 'retrying', jobTry: 2 }), [tried(2, 9_000, 9_500), tried(1, 2_000, 3_000)])
    expect(tries.map(({ jobTry, fromMs, outcome }) => [jobTry, fromMs, outcome])).toEqual([
      [1, 1_000, 'retried'],
      [2, 3_000, 'retried'],
      [3, 9_500, 'waiting'],
    ])
  })

  test('claim no wait where the try before was not recorded', () => {
    expect(
      triesOf(job({ status: 'running', jobTry: 4 }), [tried(2, 9_000, 9_500)]).map(({ fromMs }) => fromMs),
    ).toEqual([null, null])
  })

  test('are not doubled by a result that says what was recorded', () => {
    const failed = { ...tried(1, 2_000, 3_000), outcome: 'failed' as const }
    expect(triesOf(job({ status: 'dead', startedMs: 2_000, finishedMs: 3_000 }), [failed])).toHaveLength(1)
  })
})

describe('the form of a replay', () => {
  const schema = {
    properties: {
      path: { type: 'string' },
      width: { type: 'integer', default: 800 },
      format: { enum: ['webp', 'png'] },
      tags: {},
    },
    required: ['path'],
  }

  test('is filled with positional and keyword arguments and defaults', () => {
    const fields = fieldsOf(schema, ['a.jpg'], { format: 'png', tags: [1] })!
    expect(fields.map(({ kind, text }) => [kind, text])).toEqual([
      ['string', 'a.jpg'],
      ['number', '800'],
      ['choice', 'png'],
      ['json', '[\n  1\n]'],
    ])
    expect(read(fields)).toEqual({ args: [], kwargs: { path: 'a.jpg', width: 800, format: 'png', tags: [1] } })
  })

  test('is left out where the schema has no place for an argument', () => {
    expect(fieldsOf(schema, [], { other: 1 })).toBeNull()
    expect(fieldsOf(schema, [1, 2, 3, 4, 5], {})).toBeNull()
    expect(fieldsOf(null, [], {})).toBeNull()
  })

  test('says which field means no value', () => {
    const fields = fieldsOf(schema, ['a.jpg'], {})!
    expect(read(fields.map((field) => (field.name === 'width' ? { ...field, text: 'wide' } : field)))).toBe(
      'Expected "width" to be a number, got wide.',
    )
  })
})

describe('the timeline', () => {
  const row = (
    jobTry: number,
    startedMs: number | null,
    finishedMs: number | null,
    outcome: TryRow['outcome'],
  ): TryRow => ({
    jobTry,
    workerId: null,
    fromMs: 0,
    startedMs,
    finishedMs,
    outcome,
    error: null,
    stack: null,
  })

  test('draws running time to scale, whatever the waits were', () => {
    const places = layout(
      [row(1, 1_000, 2_000, 'retried'), row(2, 9_000_000, 9_002_000, 'failed'), row(3, null, null, 'waiting')],
      900,
      0,
      60,
    )
    const width = (i: number) => places[i]!.end - places[i]!.start - 6
    expect(width(1) / width(0)).toBeCloseTo(2)
    expect(places[2]!.end).toBeLessThanOrEqual(900)
    places.slice(1).forEach(({ wait }, i) => expect(wait).toBe(places[i]!.end))
  })
})

describe('the heat map', () => {
  const map = {
    boundsMs: [64, 128, 256, null],
    counts: [
      [0, 0, 0, 0],
      [0, 90, 10, 0],
    ],
    fromMs: 0,
    stepMs: 1,
    samples: [],
  } as unknown as HeatmapData

  test('keeps the rows that have jobs, and one around them', () => {
    expect(trimmed(map)).toEqual({ first: 0, last: 3, most: 90 })
  })

  test('places a percentile within its row, and knows where nothing ran', () => {
    const [none, p95] = percentileLine(map, 0.95)
    expect(none).toBeNull()
    expect(p95).toBeGreaterThan(128)
    expect(p95).toBeLessThan(256)
    expect(lowerBound(map, 0)).toBe(32)
  })

  test('colours a few and many differently', () => {
    expect([level(1, 40), level(40, 40)]).toEqual([1, 6])
  })
})

test('an approval names the stage that the page shows, and no other act has a body', () => {
  const row = { currentStage: 1, stages: [] } as never
  const bodies = Object.entries(canaryActs).map(([act, { body }]) => [act, body?.(row)])
  expect(bodies.filter(([, body]) => body !== undefined)).toEqual([['approve', { stage: 1 }]])
})

test('a number of jobs that is a bound is shown as one, in a table and in a sum', () => {
  const queue = { pending: 1_200, deferred: 0, running: 5, exact: true }
  const large = { ...queue, exact: false }
  const shown = (of: typeof queue) => [
    jobsIn(of, of.pending, '≤ '),
    jobsIn(of, of.deferred, '≤ '),
    jobsIn(of, of.running, '≥ '),
  ]
  expect(shown(queue)).toEqual(['1,200', '0', '5'])
  expect(shown(large)).toEqual(['≤ 1,200', '0', '≥ 5'])
  expect(jobsInAll([queue, queue])).toBe('2,400 jobs due, 0 deferred, in two queues.')
  expect(jobsInAll([queue, large])).toBe('At most 2,400 jobs due, 0 deferred, in two queues.')
})

test('the reasons below a headline do not repeat it', () => {
  const reasons = [{ detail: 'it is due in 2.1 s; it was tried twice' }, { detail: 'it is in the queue "mail"' }]
  expect(otherReasons(reasons, 'It is due in 3 s; it was tried twice')).toEqual(reasons.slice(1))
})
