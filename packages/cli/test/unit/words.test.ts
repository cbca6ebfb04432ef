import { PyGlobal, PyObject, RemoteError, Tuple } from '@arq-ts/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readArguments } from '../../src/commands/job.ts'
import { eventLine } from '../../src/commands/fleet.ts'
import { jsonText } from '../../src/json-value.ts'
import { callText, clockText, instantText, preview, spanText, whenText } from '../../src/output.ts'
import { hasColors, rendered, styles } from '../../src/style.ts'
import { cut, layOut, widthOf } from '../../src/table.ts'

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

  test('is bounded where the data of a job is a shared graph, which hides no other job', () => {
    let shared: unknown[] = ['leaf']
    for (let i = 0; i < 60; i++) shared = [shared, shared]
    const text = jsonText({ jobs: [{ args: [shared] }, { args: [1] }], complete: true })
    expect(text.length).toBeLessThan(40_000_000)
    const shown = JSON.parse(text) as { jobs: { args: unknown }[]; complete: boolean }
    expect(shown.complete).toBe(true)
    expect(shown.jobs[1]).toEqual({ args: [1] })
    expect(text).toContain('"$cut"')
  })

  test('marks what contains itself', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    expect(jsonText({ args: [cyclic] })).toContain('"$cut"')
  })

  test('keeps all rows of ours, however many', () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => ({ jobId: String(i), args: ['x'.repeat(10)] }))
    expect((JSON.parse(jsonText({ rows })) as { rows: unknown[] }).rows).toEqual(rows)
  })

  test('is laid out for people as it is for programs', () => {
    const value = { jobs: [{ id: 'a', args: [1, { b: 2 }] }], complete: true, incomplete: [] }
    expect(JSON.parse(jsonText(value, 2))).toEqual(value)
    expect(jsonText(value, 2)).toContain('\n  "complete": true')
  })

  test('has no character that a terminal acts on, and reads back as it was', () => {
    const value = { id: '\u009B31m\u202E\u2028\u001B[0m\uDCFF' }
    const text = jsonText(value)
    expect(text).toMatch(/^[ -~]*$/)
    expect(JSON.parse(text)).toEqual(value)
  })

  test('marks an object of a Python class too', () => {
    const point = new PyObject(new PyGlobal('geo', 'Point'), 'new', [1])
    expect(jsonText(point)).toContain('geo.Point')
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

describe('a table', () => {
  const rows = [
    { name: 'a', count: 5, note: 'x'.repeat(30) },
    { name: 'long', count: 12_345, note: 'y' },
  ]
  const columns = [
    { title: 'name', cell: (row: (typeof rows)[0]) => row.name },
    { title: 'count', cell: (row: (typeof rows)[0]) => String(row.count), align: 'right' as const, drop: 1 },
    { title: 'note', cell: (row: (typeof rows)[0]) => row.note, min: 4 },
  ]
  const plain = (width: number | null) => layOut(rows, columns, width).lines.map((line) => rendered(line, false))

  test('is aligned, with titles', () => {
    expect(plain(null)).toEqual(['name  count  note', `a         5  ${'x'.repeat(30)}`, 'long  12345  y'])
  })

  test('is shortened where it is too wide, and gives columns up only after that', () => {
    expect(plain(20)).toEqual(['name  count  note', 'a         5  xxxxxx…', 'long  12345  y'])
    expect(layOut(rows, columns, 12)).toMatchObject({ dropped: ['count'] })
    expect(plain(12)).toEqual(['name  note', 'a     xxxxx…', 'long  y'])
  })

  test('never has a line wider than the terminal, whatever is in it', () => {
    const odd = ['日本語のテキスト', '👩‍👩‍👧‍👦 family', 'é́́́', '\u001B[31mred', 'plain text of some length', '\u202Eevil']
    for (let width = 20; width < 60; width++) {
      const many = odd.map((name, count) => ({ name, count, note: odd[(count + width) % odd.length]! }))
      const shown = layOut(many, [{ ...columns[0]!, min: 5 }, ...columns.slice(1)], width).lines
      expect(Math.max(...shown.map((line) => widthOf(rendered(line, false))))).toBeLessThanOrEqual(width)
    }
  })

  test('cuts text without cutting a character or a style in two', () => {
    expect(cut('日本語', 4)).toBe('日…')
    expect(rendered(cut(styles.red('abcdef'), 4), true)).toBe('\u001B[31mabc…\u001B[39m')
  })
})

describe('text on a terminal', () => {
  test.each([
    ['a line break', 'a\nb', 'a\\nb'],
    ['colours', '\u001B[31mx\u001B[0m', '\\x1b[31mx\\x1b[0m'],
    ['an eight-bit control sequence', '\u009B31mx', '\\x9b31mx'],
    ['an override of the direction', '\u202Egnp', '\\u202egnp'],
    ['a line separator', 'a\u2028b', 'a\\u2028b'],
    ['a byte of an id that is not UTF-8', 'a\uDCFF', 'a\\xff'],
    ['a noncharacter, such as our marks are made of', '\uFDD2x\uFDEF', '\\ufdd2x\\ufdef'],
  ])('shows %s as what it is', (_, text, shown) => expect(rendered(text, false)).toBe(shown))

  test('never takes data for a mark of its own, in a line, a style or a table', () => {
    const unit = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0xfdd0, max: 0xfdef }) },
      fc.integer({ min: 0, max: 0x7f }),
      fc.integer({ min: 0x80, max: 0xffff }),
    )
    const data = fc.array(unit, { maxLength: 60 }).map((units) => String.fromCharCode(...units))
    const wordColumns = (['name', 'note'] as const).map((title) => ({
      title,
      cell: (row: { name: string; note: string }) => row[title],
      min: 4,
    }))
    const isSafe = (text: string) => !/[\p{Cc}\uFDD0-\uFDEF]/u.test(text)
    fc.assert(
      fc.property(data, data, fc.integer({ min: 3, max: 40 }), (first, second, width) => {
        const [a, b] = [rendered(first, true), rendered(second, true)]
        expect([a, b].every(isSafe)).toBe(true)
        // Within other data too: two ends may not make a mark together.
        expect(rendered(`x${first}${styles.red(`x${second}x`)}${first}`, true)).toBe(
          `x${a}\u001B[31mx${b}x\u001B[39m${a}`,
        )
        const rows = [{ name: first, count: 1, note: second }]
        for (const line of layOut(rows, wordColumns, width).lines.slice(1))
          expect(isSafe(rendered(line, true))).toBe(true)
      }),
    )
  })

  test('has our colours and no others', () => {
    expect(rendered(`${styles.red('a\u001B[0m')} b`, true)).toBe('\u001B[31ma\\x1b[0m\u001B[39m b')
  })

  test.each([
    [{ isTTY: true }, {}, true],
    [{ isTTY: true }, { TERM: 'dumb' }, false],
    [{ isTTY: true }, { NO_COLOR: '1' }, false],
    [{}, {}, false],
    [{}, { FORCE_COLOR: '1' }, true],
  ])('is coloured on %j with %j: %j', (sink, env, colors) => {
    expect(hasColors({ write() {}, ...sink }, env)).toBe(colors)
  })
})

describe('a value that is no time', () => {
  test.each([
    [-Infinity, '-inf', '-inf  (no time)'],
    [1e300, '1e+300', '1e+300  (no time)'],
    [new Date(Number.NaN), 'no time', 'no time  (no time)'],
  ])('is shown as it is: %s', (at, when, instant) => {
    expect([whenText(at, 0), instantText(at, 0)]).toEqual([when, instant])
  })
})

describe('times that a person reads', () => {
  const before = process.env.TZ
  beforeEach(() => {
    process.env.TZ = 'Asia/Kolkata'
  })
  afterEach(() => {
    if (before === undefined) delete process.env.TZ
    else process.env.TZ = before
  })

  test('are those of this machine, in events, in top and in fields', () => {
    const colors = { dim: String, red: String }
    const about = { jobId: 'j', functionName: 'f', queueName: 'q', atMs: 7, workerId: 'w' }
    expect(
      eventLine(
        { ...about, event: 'jobFinished', outcome: 'failed', runMs: 1_500, jobTry: 2, error: 'Error: x' },
        colors,
      ),
    ).toBe('05:30:00.007  failed      j:f  q  try 2, ran 1 s, Error: x')
    expect([clockText(0), instantText(0, 60_000)]).toEqual(['05:30:00', '1970-01-01 05:30:00  (1 min ago)'])
  })
})
