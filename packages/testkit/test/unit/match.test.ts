import { describe, expect, test } from 'vitest'
import { differences } from '../../src/assert/match.ts'

describe('a pattern', () => {
  test.each<[unknown, unknown]>([
    [{ a: 1, b: 2 }, { a: 1 }],
    [{ a: { b: { c: 1, d: 2 } } }, { a: { b: { d: 2 } } }],
    [[{ a: 1, b: 2 }], [{ b: 2 }]],
    [{ at: new Date(5) }, { at: new Date(5) }],
    [{ ids: new Set([1, 2]) }, { ids: new Set([2, 1]) }],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    [{ n: Number.NaN }, { n: Number.NaN }],
    [{ id: 'x1' }, { id: expect.stringMatching(/^x/) as unknown }],
    [{ list: [1, 'b'] }, { list: [expect.any(Number), 'b'] as unknown }],
    [{ a: 1 }, { missing: undefined }],
    [{ n: 2n }, { n: 2n }],
    [{}, {}],
  ])('number %#: a value fits', (actual, pattern) => {
    expect(differences(actual, pattern)).toEqual([])
  })

  test.each<[unknown, unknown, string[]]>([
    [{ a: 1 }, { a: 2 }, ['a is 1, expected 2']],
    [{ a: 1 }, { b: 2 }, ['b is missing, expected 2']],
    [{ a: { b: [1, 2] } }, { a: { b: [1, 3] } }, ['a.b[1] is 2, expected 3']],
    [{ a: [1] }, { a: [1, 2] }, ['a is [ 1 ], expected [ 1, 2 ]']],
    [{ a: null }, { a: { b: 1 } }, ['a is null, expected { b: 1 }']],
    [{ n: 1 }, { n: 1n }, ['n is 1, expected 1n']],
    [{ at: new Date(5) }, { at: new Date(6) }, ['at is 1970-01-01T00:00:00.005Z, expected 1970-01-01T00:00:00.006Z']],
    [{ a: -0 }, { a: 0 }, ['a is -0, expected 0']],
    [['x'], { 0: 'x' }, ["it is [ 'x' ], expected { '0': 'x' }"]],
    [{ a: 'b' }, { a: expect.any(Number) as unknown }, ["a is 'b', expected Any<Number>"]],
    [undefined, { a: 1 }, ['it is undefined, expected { a: 1 }']],
  ])('number %#: a value does not fit, and says where', (actual, pattern, lines) => {
    expect(differences(actual, pattern)).toEqual(lines)
  })
})
