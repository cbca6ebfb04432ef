import { PyGlobal, PyObject, RemoteError, Tuple } from '@arq-ts/core'
import { describe, expect, test } from 'vitest'
import { readArguments } from '../../src/commands/job.ts'
import { eventLine } from '../../src/commands/fleet.ts'
import { jsonText } from '../../src/json-value.ts'
import { callText, preview, spanText, table, whenText } from '../../src/output.ts'

describe('arguments of `job enqueue`', () => {
  test.each<[string[], unknown[], Record<string, unknown>]>([
    [['a.png', '800', 'true', 'null'], ['a.png', 800, true, null], {}],
    [['{"path": "a"}', '[1, 2]', '"5"'], [{ path: 'a' }, [1, 2], '5'], {}],
    [['old', 'grace_period_minutes=60', 'name=x=y'], ['old'], { grace_period_minutes: 60, name: 'x=y' }],
    [['1=2', '=x'], ['1=2', '=x'], {}],
    [['empty='], [], { empty: '' }],
  ])('%j', (texts, positional, keywords) => expect(readArguments(texts)).toEqual({ positional, keywords }))

  test('refuse a keyword given twice', () => {
    expect(() => readArguments(['a=1', 'a=2'])).toThrow("the keyword 'a' is given twice")
  })
})

describe('a value as JSON', () => {
  test.each<[unknown, unknown]>([
    [2n ** 70n, '1180591620717411303424'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Uint8Array([1, 2]), 'AQI='],
    [new Set([1, new Tuple(2, 3)]), [1, [2, 3]]],
    [new Map([['a', 1n]]), { a: '1' }],
    [new Map<unknown, unknown>([[1, 2]]), [[1, 2]]],
    [new RemoteError('builtins.ValueError', ['no']), { type: 'builtins.ValueError', message: 'ValueError: no' }],
    [{ a: undefined, b: [undefined] }, { b: [null] }],
  ])('%s', (value, expected) => expect(JSON.parse(jsonText(value, 0))).toEqual(expected))

  test('is told of an object of a Python class too', () => {
    const point = new PyObject(new PyGlobal('geo', 'Point'), 'new', [1])
    expect(jsonText(point, 0)).toContain('geo.Point')
  })
})

describe('a duration', () => {
  test.each([
    [0, '0 ms'],
    [850, '850 ms'],
    [12_000, '12 s'],
    [200_000, '3 min 20 s'],
    [18_600_000, '5 h 10 min'],
    [183_600_000, '2 d 3 h'],
  ])('%i', (ms, text) => expect(spanText(ms)).toBe(text))

  test('says before or after', () => {
    expect([whenText(new Date(5_000), 0), whenText(new Date(0), 5_000), whenText(null, 0)]).toEqual([
      'in 5 s',
      '5 s ago',
      '–',
    ])
  })
})

test('values that could move a cursor are shown without that', () => {
  const shown = preview('a\u001B[2Jb\nc')
  expect(shown.includes('\u001B') || shown.includes('\n')).toBe(false)
  expect(callText(['x'.repeat(200)], { k: 1 }, 20)).toHaveLength(20)
})

test('a table is aligned, with titles', () => {
  const rows = [
    { name: 'a', count: 5 },
    { name: 'long', count: 12_345 },
  ]
  expect(
    table(rows, [
      ['name', (row) => row.name],
      ['count', (row) => String(row.count), 'right'],
    ]),
  ).toBe('name  count\na         5\nlong  12345')
})

test('an event is one line', () => {
  const colors = { dim: String, red: String }
  const about = { jobId: 'j', functionName: 'f', queueName: 'q', atMs: 0, workerId: 'w' }
  expect(
    eventLine(
      { ...about, event: 'jobFinished', outcome: 'failed', runMs: 1_500, jobTry: 2, error: 'Error: x' },
      colors,
    ),
  ).toBe('00:00:00.000  failed      j:f  q  try 2, ran 1 s, Error: x')
})
