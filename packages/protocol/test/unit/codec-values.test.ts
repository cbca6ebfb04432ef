import { describe, expect, test } from 'vitest'
import {
  Complex,
  DateTime,
  Decimal,
  Deque,
  Fraction,
  PlainDate,
  PlainTime,
  Range,
  TimeDelta,
  TimeZone,
  Tuple,
  Uuid,
  ZoneInfo,
} from '../../src/index.ts'

const iso = (date: Date) => date.toISOString()

describe('a datetime', () => {
  test('that is naive is read as UTC', () => {
    const date = new DateTime({ year: 2024, month: 2, day: 29, hour: 12, microsecond: 123_456 })
    expect([iso(date), date.isNaive, date.microsecond, date.isoformat()]).toEqual([
      '2024-02-29T12:00:00.123Z',
      true,
      123_456,
      '2024-02-29T12:00:00.123456',
    ])
  })

  test('with an offset is its instant', () => {
    const zone = new TimeZone(new TimeDelta(0, 5 * 3_600 + 1_800))
    const date = new DateTime({ year: 2024, month: 1, day: 1 }, zone)
    expect([iso(date), date.isoformat()]).toEqual(['2023-12-31T18:30:00.000Z', '2024-01-01T00:00:00+05:30'])
    expect(new DateTime({ year: 2024, month: 1, day: 1 }, new TimeZone(TimeDelta.fromMs(-3_601_000))).isoformat()).toBe(
      '2024-01-01T00:00:00-01:00:01',
    )
  })

  test.each([
    ['winter', { month: 1, day: 1, hour: 12 }, '2024-01-01T11:00:00.000Z'],
    ['summer', { month: 7, day: 1, hour: 12 }, '2024-07-01T10:00:00.000Z'],
    ['the first of two equal hours', { month: 10, day: 27, hour: 2, minute: 30 }, '2024-10-27T00:30:00.000Z'],
    [
      'the second of two equal hours',
      { month: 10, day: 27, hour: 2, minute: 30, fold: 1 as const },
      '2024-10-27T01:30:00.000Z',
    ],
    ['an hour that is left out', { month: 3, day: 31, hour: 2, minute: 30 }, '2024-03-31T01:30:00.000Z'],
    [
      'an hour that is left out, asked for by its later offset',
      { month: 3, day: 31, hour: 2, minute: 30, fold: 1 as const },
      '2024-03-31T00:30:00.000Z',
    ],
  ])('of a named zone is its instant: %s', (_, fields, expected) => {
    expect(iso(new DateTime({ year: 2024, ...fields }, new ZoneInfo('Europe/Berlin')))).toBe(expected)
  })

  test('of a zone nobody knows is read as UTC', () => {
    expect(iso(new DateTime({ year: 2024, month: 1, day: 1 }, new ZoneInfo('Mars/Olympus')))).toBe(
      '2024-01-01T00:00:00.000Z',
    )
  })

  test('of the first and the last year is no other', () => {
    expect(new DateTime({ year: 1, month: 1, day: 1 }).isoformat()).toBe('0001-01-01T00:00:00')
    expect(iso(new DateTime({ year: 1, month: 1, day: 1 }))).toBe('0001-01-01T00:00:00.000Z')
    expect(iso(new DateTime({ year: 9999, month: 12, day: 31, hour: 23 }))).toBe('9999-12-31T23:00:00.000Z')
  })
})

describe('values print and become JSON', () => {
  test.each([
    [new PlainDate({ year: 2024, month: 2, day: 9 }), '2024-02-09'],
    [new PlainTime({ hour: 5, microsecond: 7 }), '05:00:00.000007'],
    [new PlainTime({ hour: 23, fold: 1 }, new TimeZone(new TimeDelta())), '23:00:00+00:00'],
    [new Decimal('1.50'), '1.50'],
    [new Fraction(1, 3), '1/3'],
    [new Uuid('12345678-1234-1234-1234-123456789abc'), '12345678-1234-1234-1234-123456789abc'],
  ])('%s', (value, text) => {
    expect(String(value)).toBe(text)
    expect(JSON.stringify(value)).toBe(JSON.stringify(text))
  })

  test('count as numbers', () => {
    expect([Number(new Decimal('1.50')), Number(new Fraction(1, 4))]).toEqual([1.5, 0.25])
    expect([new TimeDelta(1, 2, 3_000).totalMs, TimeDelta.fromMs(-1)]).toEqual([
      86_402_003,
      new TimeDelta(-1, 86_399, 999_000),
    ])
    expect([...new Range(0, 7, 3)]).toEqual([0, 3, 6])
    expect([...new Range(3, 0, -1)]).toEqual([3, 2, 1])
    expect(String(new Complex(1, -2))).toBe('(1-2j)')
  })

  test('a date by its fields', () => {
    const date = new PlainDate({ year: 2024, month: 2, day: 9 })
    const time = new PlainTime({ hour: 23, minute: 5, second: 6, microsecond: 7, fold: 1 })
    expect([date.year, date.month, date.day, time.hour, time.minute, time.second, time.microsecond]).toEqual([
      2024, 2, 9, 23, 5, 6, 7,
    ])
  })
})

test('tuples and deques make plain arrays', () => {
  const tuple = Tuple.of(1, 2)
  expect([Array.isArray(tuple), tuple.length]).toEqual([true, 2])
  expect(tuple.map((item) => item)).not.toBeInstanceOf(Tuple)
  expect(Deque.from([1]).slice()).not.toBeInstanceOf(Deque)
})
