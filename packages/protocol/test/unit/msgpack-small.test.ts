import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EncodeError } from '../../src/errors.ts'
import { Tuple } from '../../src/index.ts'
import { encodeAny, encodeMsgpack } from '../../src/msgpack/msgpack.ts'
import { encodeSmall } from '../../src/msgpack/small.ts'
import { msgpackValue } from '../support/arbitraries.ts'

const EDGES = [7, 8, 15, 16, 31, 32, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits, -(2 ** bits) - 1, -(2 ** bits)])
const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.constantFrom(...EDGES, 0, -0, -32, -33))
const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ minLength: 28, maxLength: 300 }))
const { value: simple } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    number,
    text,
    fc.constantFrom(null, undefined, true, false),
    fc.array(tie('value'), { maxLength: 18 }),
    fc.dictionary(text, tie('value'), { maxKeys: 18, noNullPrototype: false }),
  ),
}))

describe('a small value', () => {
  test.each([
    ['a job without arguments', { t: null, f: 'noop', a: [], k: {}, et: 1_790_000_000_000 }],
    ['numbers at the limits of their forms', EDGES.slice(0, 15)],
    ['fractions, infinities and no number', [0.5, Infinity, -Infinity, NaN, -0]],
    ['strings at the limits of their forms', ['', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(255)]],
    ['a tuple', Tuple.of<unknown>(1, 'a')],
    ['keys without a value', [undefined, { a: undefined, b: 1 }]],
  ])('is written as every other: %s', (_, value) => {
    expect(encodeSmall(value)?.toString('hex')).toBe(encodeAny(value).toString('hex'))
  })

  test('is written as every other, or is left to the general way', () => {
    fc.assert(
      fc.property(fc.oneof(simple, msgpackValue), (value) => {
        const small = encodeSmall(value)
        if (small) expect(small.toString('hex')).toBe(encodeAny(value).toString('hex'))
      }),
      { numRuns: 1_000 },
    )
  })

  test.each([
    ['a string beyond ASCII', 'é'],
    ['a long text', 'x'.repeat(256)],
    ['bytes', Uint8Array.of(1)],
    ['a date', new Date(0)],
    ['a Map', new Map()],
    ['a bigint', 1n],
    ['an array of more than 15', Array.from({ length: 16 })],
    ['more than a kilobyte', Array.from({ length: 5 }, () => 'x'.repeat(250))],
    ['a value within itself', circle()],
  ])('is not %s', (_, value) => {
    expect(encodeSmall(value)).toBeUndefined()
  })

  test('that is followed by others stays as it was written', () => {
    const written = Array.from({ length: 2_000 }, (_, i) => encodeMsgpack({ i }))
    for (const [i, bytes] of written.entries()) expect(bytes.equals(encodeAny({ i }))).toBe(true)
  })

  test('may write another one while it is read', () => {
    const value = {
      first: 1,
      get second() {
        return encodeMsgpack('inner').length
      },
      third: 'x',
    }
    expect(encodeMsgpack(value).equals(encodeAny({ first: 1, second: 6, third: 'x' }))).toBe(true)
  })

  test('that cannot be read leaves the next one whole', () => {
    const value = {
      a: 1,
      get b(): never {
        throw new Error('no')
      },
    }
    expect(() => encodeMsgpack(value)).toThrow('no')
    expect(encodeMsgpack([1]).toString('hex')).toBe('9101')
  })

  test('is refused where it is larger than the limit', () => {
    expect(() => encodeMsgpack('x'.repeat(40), 10)).toThrow(EncodeError)
  })
})

function circle(): unknown[] {
  const value: unknown[] = []
  value.push(value)
  return value
}
