import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DecodeError, EncodeError } from '../../src/errors.ts'
import { DateTime, Decimal, Tuple, Uuid } from '../../src/index.ts'
import { decodeMsgpack, encodeMsgpack } from '../../src/msgpack/msgpack.ts'
import { msgpackValue } from '../support/arbitraries.ts'

const hex = (value: unknown) => encodeMsgpack(value).toString('hex')
const read = (text: string) => decodeMsgpack(Buffer.from(text.replaceAll(' ', ''), 'hex'))

test('msgpack reads back what it wrote', () => {
  fc.assert(
    fc.property(msgpackValue, (value) => isDeepStrictEqual(decodeMsgpack(encodeMsgpack(value)), value)),
    { numRuns: 2_000 },
  )
})

describe('msgpack writes', () => {
  test.each([
    ['32 bits as they are', 2 ** 32 - 1, 'ceffffffff'],
    ['more than 32 bits as int64, never as a float', 5_000_000_000, 'd3000000012a05f200'],
    ['less than 32 bits below zero as int64', -(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    ['an enqueue time as int64', 1_732_446_000_123, 'd3000001935dd413fb'],
    ['a bigint in the smallest form', 5n, '05'],
    ['a bigint beyond 2^53', 2n ** 63n - 1n, 'd37fffffffffffffff'],
    ['a bigint beyond int64 as uint64', 2n ** 64n - 1n, 'cfffffffffffffffff'],
    ['a fraction as float64', 0.5, 'cb3fe0000000000000'],
    ['a whole float as an integer', 2, '02'],
    ['a float beyond all integers as a float', 1e300, 'cb7e37e43c8800759c'],
    ['undefined as nil', undefined, 'c0'],
    ['undefined in an array as nil, and no key without a value', [undefined, { a: undefined }], '92c080'],
    ['holes as nil', Array.from({ length: 1 }), '91c0'],
    ['objects as fixmap', { a: 1 }, '81a16101'],
    ['a null prototype as a map', Object.assign(Object.create(null), { a: 1 }), '81a16101'],
    ['a Map as a map', new Map<unknown, unknown>([[1, 'a']]), '8101a161'],
    ['a tuple as an array', Tuple.of(1, 2), '920102'],
    ['bytes as bin', Uint8Array.of(1, 2), 'c4020102'],
    ['a Buffer as bin', Buffer.from([1]), 'c40101'],
    ['a Date as a timestamp', new Date(1_000), 'd6ff00000001'],
    ['a Date before 1970 as a timestamp', new Date(-500), 'c70cff1dcd6500ffffffffffffffff'],
    [
      'what has a `toJSON` by it',
      [new Decimal('1.5'), new Uuid()],
      '92a3312e35d92430303030303030302d303030302d303030302d303030302d303030303030303030303030',
    ],
    ['an Error as a map', new RangeError('bad'), null],
  ])('%s', (_, value, expected) => {
    if (expected !== null) expect(hex(value)).toBe(expected)
    else {
      const map = { __exception__: 'builtins.ValueError', args: ['bad'], message: 'ValueError: bad' }
      expect(decodeMsgpack(encodeMsgpack(value))).toEqual(map)
    }
  })

  test('maps of more than 15 and 65,535 keys with larger heads', () => {
    const of = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1]))
    expect(hex(of(16)).slice(0, 6)).toBe('de0010')
    expect(hex(of(70_000)).slice(0, 10)).toBe('df00011170')
  })

  test.each([
    ['a Set', new Set([1]), /cannot carry Set objects; pass an array, or use codec 'pickle'/],
    ['a bigint beyond 64 bits', 2n ** 64n, /64 bits/],
    ['a bigint below -2^63', -(2n ** 63n) - 1n, /64 bits/],
    ['a lone surrogate', '\ud800', /surrogates/],
    ['a lone surrogate in a key', { '\ud800': 1 }, /surrogates/],
    ['an invalid date', new Date(NaN), /valid date/],
    ['a function', () => 1, /function/],
    ['a symbol', Symbol('x'), /symbol/],
    [
      'an instance of a class',
      new URLSearchParams(),
      /cannot carry URLSearchParams objects; pass plain data, or give the class a `toJSON/,
    ],
    ['a regular expression', /x/, /RegExp/],
  ])('refuses %s', (_, value, message) => {
    expect(() => encodeMsgpack({ value })).toThrow(EncodeError)
    expect(() => encodeMsgpack({ value })).toThrow(message)
  })

  test('refuses cycles and nesting beyond 500 levels', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    expect(() => encodeMsgpack(cycle)).toThrow(/a value contains itself/)
  })

  test('an error whose arguments it cannot carry, without them', () => {
    const map = decodeMsgpack(encodeMsgpack(Object.assign(new Error('kept'), {})))
    expect(map).toMatchObject({ __exception__: 'builtins.RuntimeError', args: ['kept'] })
  })
})

describe('msgpack reads', () => {
  test.each([
    ['64-bit integers that fit as numbers', 'cf0000000000000005', 5],
    ['2^53 - 1 as a number', 'cf001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['2^53 as a bigint', 'cf0020000000000000', 2n ** 53n],
    ['-2^53 as a bigint', 'd3ffe0000000000000', -(2n ** 53n)],
    ['uint64 as a bigint', 'cfffffffffffffffff', 2n ** 64n - 1n],
    ['float32', 'ca3fc00000', 1.5],
    ['text keys as a plain object', '81a16101', { a: 1 }],
    [
      'other keys as a Map',
      '82 01 a161 a162 02',
      new Map<unknown, unknown>([
        [1, 'a'],
        ['b', 2],
      ]),
    ],
    ['an array as a key', '81 9101 02', new Map([[[1], 2]])],
    ['a timestamp', 'd6ff00000001', new Date(1_000)],
    ['the empty ones', '92 80 90', [{}, []]],
    ['str8, 16 and 32', '93 d90161 da000161 db0000000161', ['a', 'a', 'a']],
    ['a long text key', `81 d921${'61'.repeat(33)} 01`, { ['a'.repeat(33)]: 1 }],
  ])('%s', (_, text, expected) => {
    const value = read(text)
    expect(value).toEqual(expected)
    // And back: no integer has become a float.
    expect(decodeMsgpack(encodeMsgpack(value))).toEqual(expected)
  })

  test('bytes into memory of their own', () => {
    const payload = Buffer.from('91c4020102', 'hex')
    const [value] = decodeMsgpack(payload) as [Uint8Array]
    payload.fill(0)
    expect(value).toEqual(Uint8Array.of(1, 2))
    expect(value.constructor).toBe(Uint8Array)
  })

  test('a `__proto__` key as a key', () => {
    const value = read('81 a95f5f70726f746f5f5f 81 a8706f6c6c75746564 c3') as object
    expect(Object.keys(value)).toEqual(['__proto__'])
    expect('polluted' in value).toBe(false)
  })

  test('without a trace on the payload', () => {
    const payload = Buffer.from('81a16101', 'hex')
    decodeMsgpack(payload)
    expect(Object.keys(payload)).toEqual(['0', '1', '2', '3'])
  })

  test.each([
    ['a map of 2^32 entries', 'df ffffffff 01', /entries are announced/],
    ['an array of 2^32 entries', 'dd ffffffff 01', /entries are announced/],
    ['bytes beyond the end', 'c6 ffffffff 01', /ends too soon/],
    ['a string beyond the end', 'db ffffffff 61', /ends too soon/],
    ['a length cut short', 'de 00', /ends too soon/],
    ['bytes after the end', '01 02', /1 bytes too many/],
    ['nothing', '', /ends too soon/],
    ['c1', 'c1', /means nothing/],
    ['a msgpackr record', 'd5 72 40 91 a161 40 01', /extension/],
    ['a msgpackr Set', 'd4 73 00 90', /extension/],
    ['a msgpackr reference', 'd6 69 00000001 90', /extension/],
    ['a msgpackr error', 'c7 03 65 920101', /extension/],
    ['an unknown extension', 'd4 05 00', /extension/],
    ['a timestamp whose nanoseconds are a second', 'd7 ff ee6b2800 00000000', /1000000000 nanoseconds/],
    ['a timestamp that no Date can be', 'c7 0c ff 00000000 7fffffffffffffff', /which no date has/],
    ['a timestamp just before all dates', 'c7 0c ff 00000000 fffff8244692bfff', /which no date has/],
    ['a timestamp of a wrong size', 'c7 05 ff 0000000000', /extension/],
    ['nesting beyond 500 levels', '91'.repeat(600) + '01', /deeper than 500/],
  ])('refuses %s', (_, text, message) => {
    expect(() => read(text)).toThrow(DecodeError)
    expect(() => read(text)).toThrow(message)
  })

  test.each([
    ['empty maps', '80'],
    ['empty arrays', '90'],
    ['empty bytes', 'c400'],
    ['maps that want slots for an index', '81a3333230c0'],
  ])('refuses millions of %s before it makes any', (_, unit) => {
    const units = Buffer.from(unit, 'hex')
    const count = Math.floor(8_000_000 / units.length)
    const head = Buffer.from('dd00000000', 'hex')
    head.writeUInt32BE(count, 1)
    expect(() => decodeMsgpack(Buffer.concat([head, Buffer.alloc(count * units.length, units)]))).toThrow(/memory/)
  })

  test('a naive datetime of ours as its instant', () => {
    const date = new DateTime({ year: 1970, month: 1, day: 1, second: 1 })
    expect(decodeMsgpack(encodeMsgpack(date))).toEqual(new Date(1_000))
  })
})
