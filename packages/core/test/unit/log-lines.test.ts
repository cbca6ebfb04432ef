import { describe, expect, test } from 'vitest'
import { Decimal, RemoteError, Tuple } from '../../src/index.ts'
import * as lines from '../../src/logging/log-lines.ts'

const line = (args: unknown[], kwargs: Record<string, unknown> = {}) =>
  lines.started({ queuedMs: 0, ref: 'f', args, kwargs, jobTry: 1, delayedMs: 0 })

describe('a value is shown as Python would', () => {
  // Each text is what repr() gives in Python 3.11.
  test.each<[unknown, string]>([
    [null, 'None'],
    [undefined, 'None'],
    [true, 'True'],
    [1.5, '1.5'],
    [Number.NaN, 'nan'],
    [-Infinity, '-inf'],
    [2n ** 64n, '18446744073709551616'],
    ['a', "'a'"],
    ["it's", '"it\'s"'],
    [`it's "so"`, `'it\\'s "so"'`],
    ['a\\b\n\t\r', String.raw`'a\\b\n\t\r'`],
    ['\x1B[31m\x00\x7F', String.raw`'\x1b[31m\x00\x7f'`],
    ['\u00A0\u2028\u200E', String.raw`'\xa0\u2028\u200e'`],
    ['grüße 日本 😀', "'grüße 日本 😀'"],
    [new Uint8Array([97, 0, 255, 39]), `b"a\\x00\\xff'"`],
    [Tuple.adopt([1, 'x']), "(1, 'x')"],
    [Tuple.adopt([1]), '(1,)'],
    [[1, [2]], '[1, [2]]'],
    [new Set(), 'set()'],
    [new Set([1, 2]), '{1, 2}'],
    [new Map<unknown, unknown>([[1, 'a']]), "{1: 'a'}"],
    [{ a: 1, 'b-c': [] }, "{'a': 1, 'b-c': []}"],
  ])('%o', (value, text) => {
    expect(lines.repr(value)).toBe(text)
  })

  test('or in its own words, where it is of neither language', () => {
    expect(lines.repr(new Decimal('1.50'))).toBe('1.50')
    expect(lines.repr(new Date(0))).toBe('1970-01-01T00:00:00.000Z')
    expect(lines.repr(() => 1)).toBe('<function>')
    expect(lines.repr(new RemoteError('builtins.ValueError', ['bad']))).toBe('ValueError: bad')
  })
})

describe('a line', () => {
  test('is cut as arq cuts it, and never inside a character', () => {
    expect(line(['x'.repeat(200)])).toBe(`  0.00s → f('${'x'.repeat(78)}…)`)
    expect(line([`${'x'.repeat(77)}😀😀`])).toBe(`  0.00s → f('${'x'.repeat(77)}…)`)
  })

  test('tells of a delay beyond 1.2 s, and of the try from the second on', () => {
    const job = { queuedMs: 61_000, ref: 'id:f', args: [], kwargs: {}, jobTry: 1, delayedMs: 1_200 }
    expect(lines.started(job)).toBe(' 61.00s → id:f()')
    expect(lines.started({ ...job, jobTry: 3, delayedMs: 60_000 })).toBe(' 61.00s → id:f() try=3 delayed=60.00s')
  })

  test('says nothing of a null result', () => {
    expect(lines.completed(100, 'id:f', null)).toBe('  0.10s ← id:f ● ')
    expect(lines.completed(100, 'id:f', 0)).toBe('  0.10s ← id:f ● 0')
  })

  test('tells an error in one line that moves no cursor', () => {
    expect(lines.failed(0, 'id:f', new TypeError('a\n\n  b\x1B[2J'))).toBe(
      String.raw`  0.00s ! id:f failed, TypeError: a b\x1b[2J`,
    )
    expect(lines.failed(0, 'id:f', 'thrown text')).toBe('  0.00s ! id:f failed, thrown text')
  })

  test('survives values that throw when they are looked at', () => {
    const trap = {
      get a(): never {
        throw new Error('no')
      },
    }
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    expect(line([trap])).toBe('  0.00s → f(<cannot be shown>)')
    expect(lines.completed(0, 'f', revoked.proxy)).toBe('  0.00s ← f ● <cannot be shown>')
    expect(lines.describeError(Object.create(null))).toBe('<cannot be shown>')
  })
})

describe('megabytes cost no more than a glance', () => {
  const cyclic: unknown[] = []
  cyclic.push(cyclic, cyclic, cyclic)
  const large = 500_000

  test.each<[string, () => unknown]>([
    ['a text', () => lines.repr('x'.repeat(large))],
    ['a text of what has to be escaped', () => lines.repr('\n'.repeat(large))],
    ['a list', () => lines.repr(Array.from({ length: large }))],
    ['numbers in bytes', () => lines.repr(new Float64Array(large))],
    ['bytes', () => lines.repr(new Uint8Array(large))],
    ['a cycle', () => lines.repr(cyclic)],
    ['an integer', () => lines.repr(1n << BigInt(large * 8))],
    ['an error full of spaces', () => lines.describeError(new Error(' '.repeat(large)))],
    ['an error full of lines', () => lines.describeError(new Error(' \n'.repeat(large)))],
    [
      'arguments',
      () =>
        line(
          Array.from({ length: large }, (_, i) => i),
          { ['k'.repeat(large)]: 1 },
        ),
    ],
  ])('%s', (_, text) => {
    text() // compiled
    const started = performance.now()
    const shown = text() as string
    // Making the value is most of it; a quadratic pass would take minutes.
    expect(performance.now() - started).toBeLessThan(2_000)
    expect(shown.length).toBeLessThan(1_100)
  })
})
