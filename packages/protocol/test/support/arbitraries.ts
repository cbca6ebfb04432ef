import fc from 'fast-check'
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
  PyObject,
  Range,
  TimeDelta,
  TimeZone,
  Tuple,
  Uuid,
  ZoneInfo,
} from '../../src/index.ts'

/** Strings of every plane; some with a surrogate that stands alone. */
export const anyText = fc.oneof(
  { weight: 4, arbitrary: fc.string() },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => `\udc80${text}\ud800`) },
  { weight: 1, arbitrary: fc.string({ minLength: 250, maxLength: 300 }) },
)

const integer = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 255, 256, 65_535, 65_536, 2 ** 31, -(2 ** 31), 2 ** 32),
)

const large = (bits: bigint) =>
  fc
    .bigInt({ min: -(2n ** bits), max: 2n ** bits })
    .map((value) => (Number.isSafeInteger(Number(value)) ? value + 2n ** bits : value))

const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => new Uint8Array(value))

/** Values that every codec carries both ways. */
const plainScalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  integer,
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
  fc.string({ unit: 'binary' }),
)

/** Nested lists and dicts; their scalars too where none are given. */
export const plainValue = (scalars: fc.Arbitrary<unknown> = plainScalar): fc.Arbitrary<unknown> =>
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      scalars,
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', '1', '320', '9e9')),
        tie('value'),
        {
          maxKeys: 5,
          noNullPrototype: true,
        },
      ),
    ),
  })).value

/** As JSON has them: a float from 2^53 on has no point behind its digits below 1e21, which makes it an integer. */
export const jsonValue: fc.Arbitrary<unknown> = plainValue(
  fc.oneof(
    plainScalar.filter(
      (value) =>
        typeof value !== 'number' || Number.isSafeInteger(value) || !Number.isInteger(value) || Math.abs(value) >= 1e21,
    ),
    anyText,
    large(200n),
  ),
)

/** Values that msgpack carries beyond that. */
export const msgpackValue: fc.Arbitrary<unknown> = plainValue(
  fc.oneof(
    plainScalar,
    bytes,
    large(63n),
    fc.constantFrom(NaN, Infinity, -Infinity),
    fc.constantFrom(2n ** 64n - 1n, -(2n ** 63n)),
  ),
)

const microsecond = fc.integer({ min: 0, max: 999_999 })
const clock = fc.record({
  hour: fc.integer({ min: 0, max: 23 }),
  minute: fc.integer({ min: 0, max: 59 }),
  second: fc.integer({ min: 0, max: 59 }),
  microsecond,
  fold: fc.constantFrom(0 as const, 1 as const),
})
const day = fc.record({
  year: fc.integer({ min: 1, max: 9999 }),
  month: fc.integer({ min: 1, max: 12 }),
  day: fc.integer({ min: 1, max: 28 }),
})
const delta = fc
  .tuple(fc.integer({ min: -9999, max: 9999 }), fc.integer({ min: 0, max: 86_399 }), microsecond)
  .map((parts) => new TimeDelta(...parts))
const zone = fc.oneof(
  fc.constant(null),
  fc.integer({ min: -86_399, max: 86_399 }).map((seconds) => new TimeZone(TimeDelta.fromMs(seconds * 1_000))),
  fc.constant(new TimeZone(new TimeDelta(0, 3_600), 'named')),
  fc.constantFrom('Europe/Berlin', 'America/New_York').map((key) => new ZoneInfo(key)),
)

const hashable = fc.oneof(
  anyText,
  integer,
  large(200n),
  fc.tuple(fc.string(), fc.integer()).map((pair) => Tuple.from(pair)),
  fc.uuid().map((text) => new Uuid(text)),
)

/** Keys as Python compares them. */
const byText = { selector: (key: unknown) => String(key), maxLength: 5 }

/** Everything a pickle carries; one's own classes only where Python can import them. */
export const pickleValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => {
  const pairs = fc
    .uniqueArray(hashable, byText)
    .chain((keys) => fc.tuple(...keys.map((key) => fc.tuple(fc.constant(key), tie('value')))))
  return {
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(
        plainScalar,
        anyText,
        fc.double(),
        large(200n),
        bytes,
        bytes.map((value) => new ByteArray(value)),
        fc.tuple(day, clock, zone).map(([date, time, tz]) => new DateTime({ ...date, ...time }, tz)),
        day.map((fields) => new PlainDate(fields)),
        clock.map((fields) => new PlainTime(fields)),
        delta,
        fc.uuid().map((text) => new Uuid(text)),
        fc.constantFrom('1.50', '-0', '1E+400', 'NaN').map((text) => new Decimal(text)),
        fc.constantFrom(
          new Fraction(1, 3),
          new Complex(1.5, -0.5),
          new Range(0, 9, 2),
          new PyGlobal('builtins', 'len'),
        ),
        fc
          .integer()
          .map(
            (value) => new PyObject(new PyGlobal('builtins', 'slice'), 'reduce', Tuple.of<unknown>(value, null, null)),
          ),
      ),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.array(tie('value'), { maxLength: 5 }).map((items) => Tuple.from(items)),
      fc.dictionary(anyText, tie('value'), { maxKeys: 5, noNullPrototype: true }),
      fc.uniqueArray(hashable, byText).map((items) => new Set(items)),
      fc.uniqueArray(hashable, byText).map((items) => new FrozenSet(items)),
      // A Map of strings only would come back as a plain object.
      pairs.map((entries) => new Map([[1, null], ...entries.filter(([key]) => key !== 1)] as [unknown, unknown][])),
      pairs.map((entries) => new OrderedDict(entries as [unknown, unknown][])),
      pairs.map((entries) =>
        Object.assign(new DefaultDict(entries as [unknown, unknown][]), { factory: new PyGlobal('builtins', 'list') }),
      ),
      fc.uniqueArray(hashable, byText).map((keys) => new Counter(keys.map((key, count) => [key, count]))),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => Object.assign(Deque.from(items), { maxLength: 3 })),
    ),
  }
}).value
