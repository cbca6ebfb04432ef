import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeValue, encodeValue, orderedEntries, orderedKeys } from '../../src/index.ts'
import { repr, showJson } from '../../src/show.ts'
import { parseExactly } from '../../src/json/parse.ts'

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const short = (text: string) => `\x8c${String.fromCharCode(text.length)}${text}`

/** `{"v": {…}}` with these keys in this order, as Python writes it. */
const WRITTEN: Readonly<Record<string, (keys: readonly string[]) => Buffer>> = {
  pickle: (keys) => latin1(`\x80\x04}${short('v')}}(${keys.map((key) => `${short(key)}N`).join('')}us.`),
  'pickle, key by key': (keys) => latin1(`\x80\x04}${short('v')}}${keys.map((key) => `${short(key)}Ns`).join('')}s.`),
  msgpack: (keys) =>
    latin1(
      `\x85\xa1v\xde${String.fromCharCode(keys.length >> 8, keys.length & 255)}` +
        `${keys.map((key) => `${String.fromCharCode(0xa0 + key.length)}${key}\xc0`).join('')}\xa1a\xc0\xa1b\xc0\xa1c\xc0\xa1d\xc0`,
    ),
  json: (keys) => latin1(`{"v": {${keys.map((key) => `"${key}": null`).join(', ')}}}`),
}

const read = (bytes: Uint8Array) => (decodeValue(bytes).value as { v: Record<string, unknown> }).v

const KEYS = ['2024', '2023', 'all']

const anyKeys = fc.uniqueArray(
  fc.oneof(
    fc.nat(30).map(String),
    fc.constantFrom('00', '4294967294', '4294967295', '12345678901', '1.5', '-1', 'all', 'b', '__proto__'),
  ),
  { maxLength: 20 },
)

describe.each(Object.entries(WRITTEN))('a dict that came as %s', (_, write) => {
  test("keeps Python's order of keys that are numbers, through every codec, in logs and in JSON", () => {
    fc.assert(
      fc.property(anyKeys, (keys) => {
        const dict = read(write(keys))
        expect(Object.keys(dict).toSorted()).toEqual(keys.toSorted())
        expect(orderedKeys(dict)).toEqual(keys)
        for (const codec of ['pickle', 'msgpack', 'json'] as const) {
          const again = read(encodeValue({ v: dict, a: 1, b: 1, c: 1, d: 1 }, codec))
          expect(orderedKeys(again), codec).toEqual(keys)
        }
        expect(repr(dict)).toBe(`{${keys.map((key) => `'${key}': None`).join(', ')}}`)
        expect(showJson(dict)).toBe(`{${keys.map((key) => `"${key}":null`).join(',')}}`)
      }),
      { numRuns: 200 },
    )
  })

  test('is a plain object in every other respect', () => {
    const dict = read(write(KEYS))
    expect(dict).toEqual({ 2024: null, 2023: null, all: null })
    expect(Object.getPrototypeOf(dict)).toBe(Object.prototype)
    expect({ ...dict }).toEqual(dict)
    delete dict['2023']
    dict['1'] = 1
    expect(orderedEntries(dict)).toEqual([
      ['2024', null],
      ['all', null],
      ['1', 1],
    ])
  })
})

describe('the exact JSON reader', () => {
  const anyJson = fc.json({ stringUnit: 'binary' })

  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(anyJson, (text) => {
        const expected = JSON.parse(text) as unknown
        const actual = parseExactly(text)
        // Integers beyond 2^53 are what it is for.
        expect(JSON.stringify(actual, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))).toBe(
          JSON.stringify(expected),
        )
      }),
      { numRuns: 500 },
    )
  })

  test('refuses what JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        anyJson,
        fc.nat(),
        fc.constantFrom('', ',', '}', ']', '"', '\\', '0', 'e', ' ', '\u0001'),
        (text, at, put) => {
          const broken = text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1)
          const attempt = (parse: (text: string) => unknown) => {
            try {
              parse(broken)
              return 'read'
            } catch {
              return 'refused'
            }
          }
          expect(attempt(parseExactly), broken).toBe(attempt(JSON.parse))
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
