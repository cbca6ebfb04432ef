import { describe, expect, test } from 'vitest'
import { latestTick } from '@arq-ts/protocol/cron'
import { cron } from '../../src/index.ts'
import { tickJobId } from '../../src/cron/cron.ts'
import { planMissed, planTicks } from '../../src/cron/tick-plan.ts'

const nothing = () => {}
const at = (iso: string) => Date.parse(iso)
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

/** The first `count` ticks after an instant. */
function ticks(
  schedule: Parameters<typeof cron>[1],
  timeZone: string,
  after: string,
  count: number,
): (string | null)[] {
  const job = cron('cron:test', schedule, nothing, { timeZone })
  const found: (string | null)[] = []
  let last = at(after)
  for (let i = 0; i < count; i++) {
    const next = job.next(last)
    found.push(iso(next))
    if (next === null) break
    last = next
  }
  return found
}

describe('cron options', () => {
  test('match as arq does: second 0 and microsecond 123456 unless given', () => {
    expect(ticks({ hour: 2, minute: 30 }, 'UTC', '2026-03-01T00:00:00Z', 2)).toEqual([
      '2026-03-01T02:30:00.123Z',
      '2026-03-02T02:30:00.123Z',
    ])
    expect(ticks({ weekday: 'mon', hour: 9, minute: 0 }, 'UTC', '2026-11-24T00:00:00Z', 1)).toEqual([
      '2026-11-30T09:00:00.123Z',
    ])
    expect(ticks({ month: 2, day: 29, hour: 0, minute: 0 }, 'UTC', '2026-01-01T00:00:00Z', 1)).toEqual([
      '2028-02-29T00:00:00.123Z',
    ])
    expect(ticks({ second: null, microsecond: 0 }, 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
      '2026-01-01T00:00:01.000Z',
      '2026-01-01T00:00:02.000Z',
    ])
    // arq, which knows its last tick to the microsecond, gives 00:00:01.999500, 00:00:02.999500 and so on; these round up.
    expect(ticks({ second: null, microsecond: 999_500 }, 'UTC', '2026-01-01T00:00:00.100Z', 3)).toEqual([
      '2026-01-01T00:00:02.000Z',
      '2026-01-01T00:00:03.000Z',
      '2026-01-01T00:00:04.000Z',
    ])
    expect(ticks({ minute: new Set([0, 30]) }, 'Asia/Kolkata', '2026-01-01T00:01:00Z', 1)).toEqual([
      '2026-01-01T00:30:00.123Z',
    ])
  })

  test.each([
    [{ hour: 24 }, 'expected `hour` to be an integer from 0 to 23, got `24`'],
    [{ weekday: 'someday' as 'mon' }, 'expected `weekday` to be an integer from 0 to 6, or mon'],
    [{ minute: [] }, 'expected `minute` to have a value'],
    [{ month: 2, day: 30 }, 'never come'],
    [{ hours: 1 } as object, 'unknown option `hours`'],
    [{ microsecond: 1_000_000 }, '`microsecond`'],
    ['not a schedule', 'expected a cron expression'],
    ['2026-01-01T00:00:00', 'a date is not a schedule'],
  ])('refuse %j', (schedule, message) => {
    expect(() => cron('cron:x', schedule, nothing)).toThrow(message)
  })

  test('refuse zones and options that do not exist', () => {
    expect(() => cron('cron:x', { hour: 1 }, nothing, { timeZone: 'Mars/Olympus' })).toThrow('IANA name')
    expect(() => cron('cron:x', { hour: 1 }, nothing, { run_at_startup: true } as never)).toThrow(
      'did you mean `runAtStartup`?',
    )
  })
})

describe('cron expressions', () => {
  test('have five fields, or six with seconds', () => {
    expect(ticks('*/15 9 * * mon-fri', 'UTC', '2026-11-27T09:40:00Z', 2)).toEqual([
      '2026-11-27T09:45:00.000Z',
      '2026-11-30T09:00:00.000Z',
    ])
    expect(ticks('*/20 * * * * *', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
      '2026-01-01T00:00:20.000Z',
      '2026-01-01T00:00:40.000Z',
    ])
    expect(ticks('0 0 L * *', 'UTC', '2026-02-01T00:00:01Z', 1)).toEqual(['2026-02-28T00:00:00.000Z'])
  })
})

describe('a change of the clock neither skips nor doubles a tick', () => {
  // New York: 2026-03-08 02:00 EST becomes 03:00 EDT (07:00Z); 2026-11-01 02:00 EDT becomes 01:00 EST (06:00Z).
  const NEW_YORK = 'America/New_York'

  test.each([
    ['arq options', {} as object],
    ['an expression', '* * * * *'],
  ])('a job of each minute is never silent, by %s', (_kind, schedule) => {
    for (const start of ['2026-11-01T04:30:00Z', '2026-03-08T05:30:00Z']) {
      const found = ticks(schedule as object, NEW_YORK, start, 240).map((time) =>
        Math.floor(at(time as string) / 60_000),
      )
      expect(found).toEqual(found.map((_, i) => (found[0] as number) + i))
    }
  })

  test.each([
    ['arq options', { hour: 1, minute: 30, microsecond: 0 }],
    ['an expression', '30 1 * * *'],
  ])('a time of day that comes twice runs the first time only, by %s', (_kind, schedule) => {
    expect(ticks(schedule, NEW_YORK, '2026-10-31T12:00:00Z', 3)).toEqual([
      '2026-11-01T05:30:00.000Z', // 01:30 EDT
      '2026-11-02T06:30:00.000Z',
      '2026-11-03T06:30:00.000Z',
    ])
  })

  test.each([
    ['arq options', { hour: 2, minute: 30, microsecond: 0 }],
    ['an expression', '30 2 * * *'],
  ])('a time of day that is left out runs as much later as the clock jumped, by %s', (_kind, schedule) => {
    expect(ticks(schedule, NEW_YORK, '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T07:30:00.000Z',
      '2026-03-09T06:30:00.000Z',
    ])
    expect(ticks(schedule, NEW_YORK, '2026-03-08T07:05:00Z', 1)).toEqual(['2026-03-08T07:30:00.000Z'])
  })

  test.each([
    ['arq options', { hour: 2, minute: [0, 30], microsecond: 0 }],
    ['an expression', '*/30 2 * * *'],
    ['an expression with a list', '0,30 2 * * *'],
  ])('open minutes of a named hour come once each at both changes, by %s', (_kind, schedule) => {
    expect(ticks(schedule, 'Europe/Berlin', '2025-03-29T12:00:00Z', 4)).toEqual([
      '2025-03-30T01:00:00.000Z', // 02:00, left out: 03:00 summer time
      '2025-03-30T01:30:00.000Z',
      '2025-03-31T00:00:00.000Z',
      '2025-03-31T00:30:00.000Z',
    ])
    expect(ticks(schedule, 'Europe/Berlin', '2025-10-25T12:00:00Z', 4)).toEqual([
      '2025-10-26T00:00:00.000Z', // 02:00 summer time
      '2025-10-26T00:30:00.000Z',
      '2025-10-27T01:00:00.000Z',
      '2025-10-27T01:30:00.000Z',
    ])
  })

  test.each(['0 * * * *', '0 0-23 * * *', '0 */1 * * *', '@hourly', { minute: 0, microsecond: 0 }])(
    'the spelling of an hourly schedule does not matter: %j',
    (schedule) => {
      const found = ticks(schedule, 'Europe/Berlin', '2025-10-25T23:30:00Z', 4).map((time) => at(time as string))
      expect(found.map((time) => (time - (found[0] as number)) / 3_600_000)).toEqual([0, 1, 2, 3])
    },
  )

  test('a moved tick keeps its place among those that follow the change', () => {
    // Lord Howe: 2026-10-04 02:00 (+10:30) becomes 02:30 (+11): 02:10 is moved to 02:40, 02:35 comes before it.
    expect(ticks('10,35 2 * * *', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z', 3)).toEqual([
      '2026-10-03T15:35:00.000Z',
      '2026-10-03T15:40:00.000Z',
      '2026-10-04T15:10:00.000Z',
    ])
  })

  test('a day that a zone leaves out does not lose its ticks', () => {
    // Samoa had no 30 December 2011.
    expect(ticks('0 9 30 12 *', 'Pacific/Apia', '2011-01-01T00:00:00Z', 1)).toEqual(['2011-12-30T19:00:00.000Z'])
  })

  test('half-hour changes too', () => {
    // Lord Howe: 2026-04-05 02:00 (+11) becomes 01:30 (+10:30).
    expect(ticks({ hour: 1, minute: 45, microsecond: 0 }, 'Australia/Lord_Howe', '2026-04-03T16:00:00Z', 2)).toEqual([
      '2026-04-04T14:45:00.000Z',
      '2026-04-05T15:15:00.000Z',
    ])
    const minutes = ticks({}, 'Australia/Lord_Howe', '2026-04-04T14:00:00Z', 120).map((time) =>
      Math.floor(at(time as string) / 60_000),
    )
    expect(minutes).toEqual(minutes.map((_, i) => (minutes[0] as number) + i))
  })

  test('in Europe as well', () => {
    expect(ticks('0 2 * * *', 'Europe/London', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T02:00:00.000Z',
      '2026-10-26T02:00:00.000Z',
    ])
    expect(ticks('30 1 * * *', 'Europe/London', '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
  })
})

describe('the latest tick of a span', () => {
  const latest = (schedule: string, after: string, until: string) => {
    const job = cron('cron:test', schedule, nothing, { timeZone: 'Europe/Berlin' })
    return iso(latestTick((afterMs) => job.next(afterMs), at(after), at(until)))
  }

  test('is found among one, many and none', () => {
    expect(latest('0 2 * * *', '2026-01-05T00:30:00Z', '2026-01-05T09:00:00Z')).toBe('2026-01-05T01:00:00.000Z')
    expect(latest('0 2 * * *', '2026-01-01T00:30:00Z', '2026-01-05T00:59:59Z')).toBe('2026-01-04T01:00:00.000Z')
    expect(latest('* * * * * *', '2026-01-01T00:00:00Z', '2026-01-08T00:00:00.500Z')).toBe('2026-01-08T00:00:00.000Z')
    expect(latest('* * 2 * * *', '2026-01-01T00:00:00Z', '2026-01-08T00:00:00Z')).toBe('2026-01-07T01:59:59.000Z')
    expect(latest('0 2 * * *', '2026-01-05T01:00:00Z', '2026-01-06T00:59:00Z')).toBeNull()
  })
})

describe('the plan of ticks', () => {
  const job = cron('cron:minutely', {}, nothing, { timeZone: 'UTC' })
  const now = at('2026-01-01T00:00:10Z')
  const next = at('2026-01-01T00:01:00.123Z')

  test('begins with the next tick and enqueues nothing, but for runAtStartup', () => {
    expect(planTicks(job, undefined, now, 1_000, undefined)).toEqual({ ticks: [], nextMs: next, missedMs: null })
    const eager = cron('cron:eager', {}, nothing, { timeZone: 'UTC', runAtStartup: true })
    expect(planTicks(eager, undefined, now, 1_000, undefined).ticks).toMatchObject([
      { atMs: now, jobId: `cron:eager:${now}` },
    ])
  })

  test("enqueues a tick within the window, under arq's id", () => {
    expect(planTicks(job, next, next - 1_001, 1_000, undefined).ticks).toEqual([])
    expect(planTicks(job, next, next - 999, 1_000, undefined)).toMatchObject({
      ticks: [{ atMs: next, jobId: `cron:minutely:${next}` }],
      nextMs: next + 60_000,
    })
  })

  test('enqueues a tick that is a little late, and leaves out those a sleeping process missed', () => {
    expect(planTicks(job, next, next + 30_000, 1_000, undefined).ticks).toHaveLength(1)
    const hour = planTicks(job, next, next + 3_600_000, 1_000, undefined)
    expect(hour).toMatchObject({ missedMs: next, ticks: [{ atMs: next + 3_600_000 }] })
  })

  test('enqueues the latest tick that a sleeping process missed, where they are made up for', () => {
    const careful = cron('cron:minutely', {}, nothing, { timeZone: 'UTC', missed: 'latest' })
    const late = next + 3_600_000 + 5_000
    expect(planTicks(careful, next, late, 1_000, undefined)).toMatchObject({
      missedMs: next,
      ticks: [{ atMs: next + 3_600_000 }],
      nextMs: next + 3_660_000,
    })
  })

  test('finds the latest tick after the last one that was recorded, within seven days', () => {
    const daily = cron('cron:daily', '0 2 * * *', nothing, { timeZone: 'UTC' })
    const missed = (last: string, now: string) => iso(planMissed(daily, at(last), at(now), undefined)?.atMs ?? null)
    expect(missed('2026-01-01T02:00:00Z', '2026-01-04T09:00:00Z')).toBe('2026-01-04T02:00:00.000Z')
    expect(missed('2026-01-04T02:00:00Z', '2026-01-04T09:00:00Z')).toBeNull()
    expect(missed('2026-01-04T01:59:59.500Z', '2026-01-04T02:00:00Z')).toBe('2026-01-04T02:00:00.000Z')
    const yearly = cron('cron:yearly', '0 2 1 1 *', nothing, { timeZone: 'UTC' })
    const yearlyMissed = (now: string) => planMissed(yearly, at('2025-01-01T02:00:00Z'), at(now), undefined)?.atMs
    expect(yearlyMissed('2026-01-08T01:59:00Z')).toBe(at('2026-01-01T02:00:00Z'))
    expect(yearlyMissed('2026-01-08T02:01:00Z')).toBeUndefined()
  })

  test('names ticks by jobId, by time, or leaves the name to chance', () => {
    expect(tickJobId(cron('c', {}, nothing, { jobId: 'mine' }), 5)).toBe('mine')
    expect(tickJobId(cron('c', {}, nothing), 5)).toBe('c:5')
    expect(tickJobId(cron('c', {}, nothing, { unique: false }), 5)).toBeUndefined()
  })
})
