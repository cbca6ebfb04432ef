import { inOtherRealm } from '@arq-ts/test-support'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeValue, encodeValue } from '../../src/codec.ts'
import { asError } from '../../src/errors/thrown.ts'
import { toRemoteError } from '../../src/index.ts'
import { repr } from '../../src/values/repr.ts'
import { fromOtherRealm, inThisRealm, isDate, isMap, isSet } from '../../src/values/realms.ts'
import { jsonValue, msgpackValue, pickleValue } from '../support/arbitraries.ts'

const arbitraries = { msgpack: msgpackValue, pickle: pickleValue, json: jsonValue }
const codecs = ['msgpack', 'pickle', 'json'] as const

describe.each(codecs)('a value of another realm, in %s', (codec) => {
  test('is written as the same value of this realm', () => {
    fc.assert(
      fc.property(arbitraries[codec], (value) => {
        const wrapped = { value, list: [value] }
        expect(encodeValue(inOtherRealm(wrapped), codec)).toEqual(encodeValue(wrapped, codec))
      }),
      { numRuns: 300 },
    )
  })

  test('is a date, a map or an error as one of this realm is', () => {
    const dated = { at: new Date(5_000), by: new Map([[1, new Error('broken')]]) }
    const error = Object.assign(new TypeError('wrong'), { code: 'E_WRONG', at: { line: 5 } })
    for (const value of [codec === 'json' ? { at: dated.at } : dated, { error }])
      expect(encodeValue(inOtherRealm(value), codec)).toEqual(encodeValue(value, codec))
  })

  test('is refused with its place where one of this realm is', () => {
    const value = { a: [{ at: new Date(NaN) }] }
    const refusalOf = (each: unknown) => {
      try {
        encodeValue(each, codec)
        return undefined
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(refusalOf(value)).toContain('a[0].at')
    expect(refusalOf(inOtherRealm(value))).toBe(refusalOf(value))
  })
})

test('shared values and cycles of another realm keep their identity in a pickle', () => {
  const shared = inOtherRealm({ a: 1 }) as Record<string, unknown>
  shared.self = shared
  const { value } = decodeValue(encodeValue({ one: shared, two: shared }, 'pickle'))
  const { one, two } = value as { one: { self: unknown }; two: unknown }
  expect(one).toBe(two)
  expect(one.self).toBe(one)
  expect(() => encodeValue(shared, 'msgpack')).toThrow(/contains itself/)
})

test('an error of another realm keeps its name, code and stack', () => {
  const error = inOtherRealm(Object.assign(new RangeError('far'), { code: 'E_FAR' })) as Error
  expect(error instanceof Error).toBe(false)
  expect(asError(error)).toMatchObject({ name: 'RangeError', message: 'far', code: 'E_FAR', stack: error.stack })
  expect(toRemoteError(error).pythonType).toBe('builtins.ValueError')
  expect(repr(error)).toBe(repr(new RangeError('far')))
})

test('a copy in this realm has the same contents, and is the same reference where nothing is foreign', () => {
  fc.assert(
    fc.property(pickleValue, (value) => {
      expect(inThisRealm(value)).toBe(value)
      expect(inThisRealm(inOtherRealm(value))).toEqual(value)
    }),
    { numRuns: 300 },
  )
})

test('an object that only claims to be a date, a map or a set is none', () => {
  const claims = (tag: string) => ({ [Symbol.toStringTag]: tag })
  expect([isDate(claims('Date')), isMap(claims('Map')), isSet(claims('Set'))]).toEqual([false, false, false])
  for (const tag of ['Date', 'Map', 'Set', 'Uint8Array']) expect(fromOtherRealm(claims(tag))).toBeUndefined()
})
