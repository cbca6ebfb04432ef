import { describe, expect, test } from 'vitest'
import { EncodeError, OptionsError, RemoteError } from '../../src/errors.ts'
import {
  Complex,
  DateTime,
  Decimal,
  Fraction,
  PlainDate,
  PlainTime,
  PyGlobal,
  PyObject,
  Range,
  TimeDelta,
  TimeZone,
  Uuid,
  ZoneInfo,
  encodeJob,
  decodeResult,
  encodeResult,
  encodeValue,
} from '../../src/index.ts'
import type { CodecName } from '../../src/index.ts'

const job = { jobTry: null, functionName: 'f', args: [] as unknown[], kwargs: {}, enqueueTimeMs: 1 }
const codecs = ['msgpack', 'json', 'pickle'] as const
class Pixels {
  width = 1
}

describe('a value that a codec refuses', () => {
  test.each<[unknown, string, readonly CodecName[]]>([
    [new Float32Array(2), 'pass `Array.from', codecs],
    [new DataView(new ArrayBuffer(1)), 'pass a Uint8Array of its bytes', codecs],
    [new Pixels(), 'give the class a `toJSON()`', codecs],
    [() => 1, 'pass data only', codecs],
    [Symbol('s'), 'pass data only', codecs],
    [Promise.resolve(1), 'await it first', codecs],
    [new Set([1]), "pass an array, or use codec 'pickle'", ['msgpack', 'json']],
    [new Complex(1, 2), "or use codec 'pickle'", ['msgpack', 'json']],
    [new PyObject(new PyGlobal('a', 'B'), 'reduce', []), "or use codec 'pickle'", ['msgpack', 'json']],
    [2n ** 70n, "use codec 'pickle'", ['msgpack']],
    [new Uint8Array(1), "use codec 'msgpack' or 'pickle'", ['json']],
    [Number.NaN, "use codec 'msgpack' or 'pickle'", ['json']],
  ])('%o is named by its place, with what would work: %s', (value, remedy, by) => {
    for (const codec of by) {
      const refusal = (encode: () => unknown) => {
        try {
          encode()
        } catch (error) {
          expect(error).toBeInstanceOf(EncodeError)
          return (error as Error).message
        }
        throw new Error(`${codec} did not refuse it`)
      }
      const placed = { deep: [1, { 'a b': value }] }
      expect(refusal(() => encodeJob({ ...job, args: ['x', placed] }, codec))).toMatch(
        /^`args\[1\]\.deep\[1\]\["a b"\]`: /,
      )
      expect(refusal(() => encodeJob({ ...job, kwargs: { image: placed } }, codec))).toMatch(/^`kwargs\.image\.deep/)
      const result = {
        ...job,
        success: true,
        result: placed,
        startTimeMs: 1,
        finishTimeMs: 1,
        queueName: 'q',
        jobId: 'i',
      }
      expect(refusal(() => encodeResult(result, codec))).toMatch(/^`result\.deep/)
      const message = refusal(() => encodeValue({ v: value }, codec))
      expect(message).toMatch(/^`v`: /)
      expect(message).toContain(remedy)
    }
  })

  test.each(codecs)('%s never recommends a codec that refuses the value too', (codec) => {
    const values = [new Float32Array(1), new Pixels(), () => 1, Promise.resolve(1), new Map([[{}, 1]]), new WeakMap()]
    for (const value of values) {
      try {
        encodeValue({ value }, codec)
      } catch (error) {
        for (const [, other] of (error as Error).message.matchAll(/'(msgpack|pickle|json)'/g)) {
          expect(() => encodeValue({ value }, other as CodecName), String(error)).not.toThrow()
        }
      }
    }
  })

  test.each(codecs)('does not hide a failure: %s writes an error whose words are no Unicode', (codec) => {
    const words = 'half of a \ud83d'
    for (const error of [
      new Error(words),
      new RemoteError(`app.${words}`, [words]),
      Object.assign(new Error('x'), { name: words }),
    ]) {
      const record = { t: 1, f: 'f', a: [], k: {}, et: 1, s: false, r: error, st: 1, ft: 2 }
      const { result } = decodeResult(encodeValue(record, codec)).record
      expect(result).toBeInstanceOf(RemoteError)
      expect((result as RemoteError).message).toMatch(/half of a [\ud83d\ufffd]/)
    }
  })

  test.each(codecs)('%s refuses an invalid date by an error that says so', (codec) => {
    expect(() => encodeValue({ at: new Date(NaN) }, codec)).toThrow(/`at`: expected a (valid )?date/)
  })

  test('in the arguments of an exception is not taken for the one that stands in the way', () => {
    const error = new RemoteError('builtins.ValueError', [new Set([1])])
    expect(() => encodeValue({ error, bad: new Set([2]) }, 'msgpack')).toThrow(/^`bad`: /)
  })
})

describe('a Python value is made right or not at all', () => {
  const wrong = (make: () => unknown, message: RegExp) => {
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(message)
  }
  // As callers without types would.
  const loose = <T>(type: new (...args: never[]) => T, ...args: unknown[]) => new type(...(args as never[]))

  test.each<[string, () => unknown, RegExp]>([
    ['a PlainDate of three numbers', () => loose(PlainDate, 2026, 1, 2), /write `new PlainDate\(\{ year: 2026/],
    ['the 30th of February', () => new PlainDate({ year: 2026, month: 2, day: 30 }), /`day`.* from 1 to 28, got `30`/],
    ['the 29th of February 1900', () => new PlainDate({ year: 1900, month: 2, day: 29 }), /from 1 to 28/],
    ['two bytes', () => new PlainDate(new Uint8Array(2)), /4 bytes/],
    ['the year 0', () => new DateTime({ year: 0, month: 1, day: 1 }), /`year`/],
    ['hour 24', () => new PlainTime({ hour: 24 }), /`hour`/],
    ['half a second', () => new PlainTime({ second: 0.5 }), /`second`/],
    [
      'a zone by its name',
      () => loose(DateTime, { year: 2026, month: 1, day: 1 }, 'Europe/Berlin'),
      /TimeZone, a ZoneInfo/,
    ],
    ['a TimeDelta by fields', () => loose(TimeDelta, { days: 1 }), /write `new TimeDelta\(1, 3_600\)/],
    ['a TimeDelta of half days', () => new TimeDelta(0.5), /`days`/],
    ['a TimeDelta of no number', () => TimeDelta.fromMs(Number.NaN), /milliseconds/],
    ['an offset of a day', () => new TimeZone(new TimeDelta(1)), /less than a day/],
    ['an offset in minutes', () => loose(TimeZone, 60), /less than a day/],
    ['a zone without a name', () => new ZoneInfo(''), /zone's name/],
    ['a UUID that is none', () => new Uuid('nope'), /UUID with dashes, got `'nope'`/],
    ['a Decimal that is none', () => new Decimal('abc'), /decimal number/],
    ['a Decimal of a number', () => loose(Decimal, 1.5), /new Decimal\('1\.50'\)/],
    ['a Fraction over 0', () => new Fraction(1, 0), /positive/],
    ['a Range without steps', () => new Range(0, 1, 0), /not 0/],
    ['a Complex of strings', () => loose(Complex, '1', 2), /two numbers/],
    ['a PyGlobal without a module', () => loose(PyGlobal, undefined, 'x'), /a module and a name/],
    ['a PyObject of a string', () => loose(PyObject, 'geo.Point', 'reduce', []), /a PyGlobal and its arguments/],
  ])('%s', (_, make, message) => wrong(make, message))

  test.each(['0', '-0', '1.50', '.5', '5.', '1E+400', '-1e-5', 'NaN', 'sNaN12', '-Infinity', 'inf'])(
    'Decimal %s is one',
    (text) => expect(new Decimal(text).text).toBe(text),
  )

  test('a leap day is one', () => {
    expect(String(new PlainDate({ year: 2000, month: 2, day: 29 }))).toBe('2000-02-29')
    expect(String(new PlainDate({ year: 4, month: 2, day: 29 }))).toBe('0004-02-29')
  })
})
