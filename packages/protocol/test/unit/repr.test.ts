import { describe, expect, test } from 'vitest'
import { RemoteError } from '../../src/errors.ts'
import {
  ByteArray,
  Complex,
  Counter,
  DateTime,
  Decimal,
  DefaultDict,
  Deque,
  Fraction,
  FrozenSet,
  OrderedDict,
  PlainDate,
  PlainTime,
  PyGlobal,
  Range,
  TimeDelta,
  TimeZone,
  Tuple,
  UTC,
  Uuid,
  ZoneInfo,
} from '../../src/index.ts'
import { repr, reprCall } from '../../src/show.ts'

const wall = { year: 2024, month: 5, day: 6, hour: 7, minute: 8, second: 9 }

describe('a value is shown as Python shows it', () => {
  // Each string is what repr() gives in Python 3.11.
  test.each<[unknown, string]>([
    [null, 'None'],
    [undefined, 'None'],
    [true, 'True'],
    [1.5, '1.5'],
    [-0, '-0.0'],
    [1e-7, '1e-07'],
    [0.00012, '0.00012'],
    [-0.000012, '-1.2e-05'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [2 ** 53, '9007199254740992.0'],
    [Number.NaN, 'nan'],
    [-Infinity, '-inf'],
    [2n ** 64n, '18446744073709551616'],
    ['a', "'a'"],
    ["it's", '"it\'s"'],
    [`it's "so"`, `'it\\'s "so"'`],
    ['a\\b\n\t\r', String.raw`'a\\b\n\t\r'`],
    ['\x1B[31m\x00\x7F', String.raw`'\x1b[31m\x00\x7f'`],
    ['\u009b31m', String.raw`'\x9b31m'`],
    ['\u00A0\u2028\u200E', String.raw`'\xa0\u2028\u200e'`],
    ['\ud800', String.raw`'\ud800'`],
    ['grüße 日本 😀', "'grüße 日本 😀'"],
    [new Uint8Array([97, 0, 255, 39]), `b"a\\x00\\xff'"`],
    [new ByteArray([97]), "bytearray(b'a')"],
    [Tuple.adopt([1, 'x']), "(1, 'x')"],
    [Tuple.adopt([1]), '(1,)'],
    [new Tuple(), '()'],
    [[1, [2, [3, [4, [5]]]]], '[1, [2, [3, [4, [5]]]]]'],
    [new Set(), 'set()'],
    [new Set([1, 2]), '{1, 2}'],
    [new FrozenSet(), 'frozenset()'],
    [new FrozenSet([1]), 'frozenset({1})'],
    [new Map<unknown, unknown>([[1, 'a']]), "{1: 'a'}"],
    [{ a: 1, 'b-c': [] }, "{'a': 1, 'b-c': []}"],
    [new OrderedDict([['a', 1]]), "OrderedDict([('a', 1)])"],
    [new OrderedDict(), 'OrderedDict()'],
    [new Counter([['a', 1]]), "Counter({'a': 1})"],
    [new Counter(), 'Counter()'],
    [
      Object.assign(new DefaultDict([['a', 1]]), { factory: new PyGlobal('builtins', 'list') }),
      "defaultdict(<class 'list'>, {'a': 1})",
    ],
    [Deque.from([1, 2]), 'deque([1, 2])'],
    [Object.assign(Deque.from([1]), { maxLength: 3 }), 'deque([1], maxlen=3)'],
    [new DateTime(wall), 'datetime.datetime(2024, 5, 6, 7, 8, 9)'],
    [new DateTime({ ...wall, second: 0 }), 'datetime.datetime(2024, 5, 6, 7, 8)'],
    [
      new DateTime({ ...wall, microsecond: 10 }, UTC),
      'datetime.datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=datetime.timezone.utc)',
    ],
    [
      new DateTime({ ...wall, fold: 1 }, new ZoneInfo('Europe/Berlin')),
      "datetime.datetime(2024, 5, 6, 7, 8, 9, fold=1, tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin'))",
    ],
    [new TimeZone(new TimeDelta(0, 3_600), 'named'), "datetime.timezone(datetime.timedelta(seconds=3600), 'named')"],
    [new PlainDate({ year: 2024, month: 5, day: 6 }), 'datetime.date(2024, 5, 6)'],
    [new PlainTime({ hour: 7, minute: 8 }), 'datetime.time(7, 8)'],
    [new PlainTime({ hour: 7, microsecond: 1 }, UTC), 'datetime.time(7, 0, 0, 1, tzinfo=datetime.timezone.utc)'],
    [new TimeDelta(1, 2), 'datetime.timedelta(days=1, seconds=2)'],
    [new TimeDelta(), 'datetime.timedelta(0)'],
    [new Decimal('1.10'), "Decimal('1.10')"],
    [new Uuid('12345678-1234-1234-1234-123456789abc'), "UUID('12345678-1234-1234-1234-123456789abc')"],
    [new Fraction(1, 3), 'Fraction(1, 3)'],
    [new Complex(1.5, -0.5), '(1.5-0.5j)'],
    [new Complex(0, 2), '2j'],
    [new Range(0, 9, 2), 'range(0, 9, 2)'],
    [new Range(0, 9), 'range(0, 9)'],
    [new RemoteError('builtins.ValueError', ['bad']), "ValueError('bad')"],
    [new RemoteError('builtins.KeyError', []), 'KeyError()'],
  ])('%o', (value, text) => {
    expect(repr(value)).toBe(text)
  })

  test('in its own words, where Python has none', () => {
    expect(repr(new Date(0))).toBe('1970-01-01T00:00:00.000Z')
    expect(repr(() => 1)).toBe('<function>')
    expect(repr(new TypeError('bad\n'))).toBe(String.raw`TypeError: bad\n`)
    expect(
      repr(
        new (class Money {
          cents = 1
        })(),
      ),
    ).toBe('<Money object>')
  })

  test('a naive datetime has the wall time that Python meant, whatever the zone of this machine is', () => {
    const before = process.env.TZ
    process.env.TZ = 'America/New_York'
    try {
      expect(new Date(0).getHours()).not.toBe(0)
      expect(repr(new DateTime(wall))).toBe('datetime.datetime(2024, 5, 6, 7, 8, 9)')
    } finally {
      if (before === undefined) delete process.env.TZ
      else process.env.TZ = before
    }
  })

  test('with an ellipsis for what is within itself', () => {
    const list: unknown[] = [1]
    list.push(list, { list })
    expect(repr(list)).toBe("[1, [...], {'list': [...]}]")
    const dict: Record<string, unknown> = {}
    dict.self = dict
    expect(repr(dict)).toBe("{'self': {...}}")
  })
})

test('a value that is too long is cut as arq cuts it: by characters, the last one an ellipsis', () => {
  expect(repr('x'.repeat(100), 10)).toBe("'xxxxxxxx…")
  expect(repr('😀'.repeat(100), 10)).toBe(`'${'😀'.repeat(8)}…`)
  expect(repr('😀'.repeat(8), 10)).toBe(`'${'😀'.repeat(8)}'`)
  expect(reprCall([1, 'a'], { b: 2, a: [3] }, 80)).toBe("1, 'a', a=[3], b=2")
  expect(reprCall([], { 'a\nb': 1 }, 80)).toBe(String.raw`a\nb=1`)
})
