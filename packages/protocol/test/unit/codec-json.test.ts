import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DecodeError, EncodeError } from '../../src/errors.ts'
import { DateTime, Tuple } from '../../src/index.ts'
import { decodeJson, encodeJson } from '../../src/json/json.ts'
import { jsonValue } from '../support/arbitraries.ts'

const write = (value: unknown) => encodeJson(value).toString()
const read = (text: string) => decodeJson(Buffer.from(text))

test('json reads back what it wrote', () => {
  fc.assert(
    fc.property(jsonValue, (value) => isDeepStrictEqual(decodeJson(encodeJson(value)), value)),
    { numRuns: 2_000 },
  )
})

describe('json writes', () => {
  test.each([
    [
      'integers with every digit',
      [5_000_000_000, 2n ** 70n, -(2n ** 70n), 5n],
      '[5000000000,1180591620717411303424,-1180591620717411303424,5]',
    ],
    ['undefined as null, and no key without a value', [undefined, { a: undefined, b: 1 }], '[null,{"b":1}]'],
    [
      'floats beyond the safe integers as floats',
      [2 ** 53, 1e20, 1e300],
      '[9007199254740992.0,100000000000000000000.0,1e+300]',
    ],
    ['a date as its ISO text', new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [
      'a datetime of Python as its ISO text',
      new DateTime({ year: 2024, month: 2, day: 29 }),
      '"2024-02-29T00:00:00.000Z"',
    ],
    ['a tuple as an array', Tuple.of(1), '[1]'],
    [
      'a Map of strings as an object',
      new Map([
        ['a', 1],
        ['__proto__', 2],
      ]),
      '{"a":1,"__proto__":2}',
    ],
    [
      'an error as a map',
      new Error('bad'),
      '{"__exception__":"builtins.RuntimeError","args":["bad"],"message":"RuntimeError: bad"}',
    ],
    ['the sign of a zero', [-0, 0, { a: -0 }], '[-0.0,0,{"a":-0.0}]'],
    ['a lone surrogate as an escape', '\ud800', String.raw`"\ud800"`],
  ])('%s', (_, value, expected) => {
    expect(write(value)).toBe(expected)
  })

  test('bigints as integers, whatever a program has made of their `toJSON`', () => {
    const prototype = BigInt.prototype as unknown as { toJSON?: () => string }
    prototype.toJSON = () => 'patched'
    try {
      expect(write([2n ** 64n])).toBe('[18446744073709551616]')
    } finally {
      delete prototype.toJSON
    }
  })

  test.each([
    ['NaN', NaN, /NaN/],
    ['an infinity', -Infinity, /-Infinity/],
    ['bytes', new Uint8Array(1), /bytes; use codec 'msgpack' or 'pickle', or a base64 string/],
    ['a Set', new Set(), /cannot carry Set objects/],
    ['a Map with other keys', new Map([[1, 2]]), /string keys only, got a key of type number/],
    ['a function', () => 1, /function/],
  ])('refuses %s', (_, value, message) => {
    expect(() => encodeJson({ value })).toThrow(EncodeError)
    expect(() => encodeJson({ value })).toThrow(message)
  })
})

describe('json reads', () => {
  test.each([
    [
      'integers with every digit',
      '[9007199254740991, 9007199254740993, -12345678901234567890]',
      [Number.MAX_SAFE_INTEGER, 9007199254740993n, -12345678901234567890n],
    ],
    [
      'floats of many digits as floats',
      '[0.1234567890123456789, 12345678901234567890.5, 1e400]',
      [0.12345678901234568, 12345678901234567000, Infinity],
    ],
    [
      'long digits within strings as strings',
      String.raw`["12345678901234567890", "\"12345678901234567890"]`,
      ['12345678901234567890', '"12345678901234567890'],
    ],
    ['keys that look like anything', '{"1":1,"320":2,"toString":3}', { 1: 1, 320: 2, toString: 3 }],
    [
      'the last of equal keys, with long integers too',
      '{"a":1,"a":12345678901234567890}',
      { a: 12345678901234567890n },
    ],
  ])('%s', (_, text, expected) => {
    expect(read(text)).toEqual(expected)
  })

  test.each(['{"__proto__":{"polluted":true}}', '{"__proto__":{"polluted":true},"a":12345678901234567890}'])(
    'a `__proto__` key as a key: %s',
    (text) => {
      const value = read(text) as object
      expect(Object.hasOwn(value, '__proto__')).toBe(true)
      expect('polluted' in value).toBe(false)
    },
  )

  test.each([
    ['what is no JSON', '{', /not valid JSON/],
    ['what is closed too often', '{}}', /closes what was never opened/],
    ["Python's NaN", '{"a":NaN}', /not valid JSON/],
    ['nesting beyond 500 levels', `{"a":${'['.repeat(600)}`, /deeper than 500/],
    ['an integer of many digits', `{"a":${'9'.repeat(5_000)}}`, /5000 digits/],
    ['millions of empty objects', `{"a":[${'{},'.repeat(9_000_000)}0]}`, /memory/],
    ['slots for an index', `{"a":[${'{"320":1},'.repeat(100_000)}0]}`, /memory/],
  ])('refuses %s', (_, text, message) => {
    expect(() => read(text)).toThrow(DecodeError)
    expect(() => read(text)).toThrow(message)
  })

  test('a long string next to a long integer', () => {
    const long = 'x\\'.repeat(3_000_000)
    expect(read(`{"a":12345678901234567890,"b":${JSON.stringify(long)}}`)).toEqual({
      a: 12345678901234567890n,
      b: long,
    })
  })

  test('refuses bytes that are not UTF-8', () => {
    expect(() => decodeJson(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).toThrow(/not valid JSON/)
  })
})

describe('strings that repeat', () => {
  /** A hundred lists that share their hundred strings. */
  const repeated = (text: string) => Array.from({ length: 100 }, () => Array<string>(100).fill(text))

  test('are refused where a pickle of 2 KB, say, would become megabytes of escapes', () => {
    expect(() => write(repeated('\u0001'.repeat(1_000)))).toThrow(
      /repeated so often that json would write 50000000 bytes of escapes/,
    )
  })

  test.each([
    ['a hundred thousand short words', Array<string>(100_000).fill('ok')],
    ['a hundred thousand short lines', Array<string>(100_000).fill('a "b"\n')],
    ['long strings without escapes', repeated('x'.repeat(1_000))],
    ['long strings with some escapes', repeated(`${'x'.repeat(90)}\n`.repeat(20))],
    ['long strings of pairs of surrogates', repeated('😀'.repeat(500))],
    ['one long string of control characters', ['\u0001'.repeat(5_000_000)]],
    ['many different strings of control characters', Array.from({ length: 4_000 }, (_, i) => '\u0001'.repeat(i))],
  ])('are written where they are %s', (_, value) => {
    expect(write(value).length).toBe(JSON.stringify(value).length)
  })
})
