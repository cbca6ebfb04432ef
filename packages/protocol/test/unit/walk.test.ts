import { describe, expect, test } from 'vitest'
import { ArgumentsError, EncodeError, RemoteError } from '../../src/errors.ts'
import { Decimal, PyGlobal, PyObject, Tuple, decodeValue, encodeValue } from '../../src/index.ts'
import { bindArguments } from '../../src/jobs/binding.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { jsonText, measure, repr, showJson } from '../../src/show.ts'

/** `N` and `levels` times `2\x86`: each level is a pair of the one below, twice. */
const pairs = (levels: number) => decodePickle(Buffer.from(`\x80\x04N${'2\x86'.repeat(levels)}.`, 'latin1'))

/** Values that hold each other in every way a pickle can make them. */
function cycles(): Record<string, unknown> {
  const list: unknown[] = []
  list.push(list, list)
  const dict: Record<string, unknown> = {}
  Object.assign(dict, { a: dict, b: [dict], c: dict })
  const map = new Map<unknown, unknown>()
  map.set(1, map).set(2, map)
  const args: unknown[] = []
  const error = new RemoteError('builtins.ValueError', args)
  args.push(error, error, { error })
  const object = new PyObject(new PyGlobal('app', 'Node'), 'reduce', new Tuple())
  object.state = { object, again: [object] }
  // The dict of FAULTS H13: exceptions that hold the dict they stand in.
  const errors: Record<string, unknown> = {}
  for (let i = 0; i < 8; i++) errors[`k${i}`] = new RemoteError('builtins.ValueError', [errors, errors])
  return { list, dict, map, error, object, errors }
}

/** Pairs of every kind, each level holding the one below twice. */
const SHARED: Readonly<Record<string, (below: unknown) => unknown>> = {
  lists: (below) => [below, below],
  tuples: (below) => Tuple.of(below, below),
  dicts: (below) => ({ a: below, b: below }),
  maps: (below) =>
    new Map([
      [1, below],
      [2, below],
    ]),
  errors: (below) => new RemoteError('builtins.ValueError', [below, below]),
  'errors by their attributes': (below) =>
    new RemoteError('builtins.ValueError', [], { attributes: { a: below, b: below } }),
  objects: (below) =>
    Object.assign(new PyObject(new PyGlobal('app', 'X'), 'reduce', Tuple.of(below)), { state: { below } }),
}

function shared(make: (below: unknown) => unknown, levels: number): unknown {
  let value: unknown = 'leaf'
  for (let i = 0; i < levels; i++) value = make(value)
  return value
}

/** Processor time of this process, which a busy machine does not stretch. */
function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { system, user } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** Generous: without a bound each of these takes minutes, or for ever. */
const BOUND_MS = 5_000

/** Everything that goes through decoded values. */
const WALKS: Readonly<Record<string, (value: unknown) => unknown>> = {
  repr: (value) => repr(value),
  'JSON for operators': (value) => JSON.parse(showJson(value, { maxLength: 100_000 })),
  'JSON for operators, of any length': (value) => {
    expect(showJson(value).length).toBeLessThan(8e6)
  },
  'JSON for stores': (value) => refusable(() => jsonText(value, { lenient: true })),
  msgpack: (value) => refusable(() => encodeValue({ value }, 'msgpack')),
  json: (value) => refusable(() => encodeValue({ value }, 'json')),
  pickle: (value) => refusable(() => encodeValue({ value }, 'pickle')),
  binding: (value) => refusable(() => bindArguments('f', ['a'], [value], {}, false)),
  measuring: (value) => measure(value),
  'the message of an error': (value) => new RemoteError('builtins.ValueError', [value]).message,
}

function refusable(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    if (error instanceof EncodeError || error instanceof ArgumentsError) return error
    throw error
  }
}

describe.each(Object.entries(WALKS))('%s', (_, walk) => {
  test.each(Object.keys(cycles()))('ends for a cycle by %s', (kind) => {
    expect(cpuMs(() => walk(cycles()[kind]))).toBeLessThan(BOUND_MS)
  })

  test.each(Object.keys(SHARED))('ends for %s that are shared at 22 and at 400 levels', (kind) => {
    for (const levels of [22, 400]) {
      const value = shared(SHARED[kind]!, levels)
      expect(
        cpuMs(() => walk(value)),
        `${levels} levels`,
      ).toBeLessThan(BOUND_MS)
    }
  })

  test('ends for the 53 bytes of a pickle that stand for millions of places', () => {
    for (const levels of [22, 60]) expect(cpuMs(() => walk(pairs(levels)))).toBeLessThan(BOUND_MS)
  })
})

describe.each(['msgpack', 'json'] as const)('%s', (codec) => {
  test('refuses a long string that stands at thousands of places, in the time that one refusal takes', () => {
    const value = Array.from({ length: 15_000 }, () => 'x'.repeat(30_000))
    const refused = cpuMs(() => expect(() => encodeValue({ value }, codec)).toThrow(/at most 67108864 bytes/))
    expect(refused).toBeLessThan(BOUND_MS)
  })

  test('writes rows that share their settings', () => {
    const settings = Array.from({ length: 50 }, (_, i) => i)
    const rows = Array.from({ length: 5_000 }, (_, id) => ({ id, a: 1, b: 2, settings }))
    const bytes = encodeValue({ t: 1, f: 'f', a: rows, k: {}, et: 1 }, codec)
    expect(decodeValue(bytes).value).toMatchObject({ a: { length: 5_000, 4_999: { id: 4_999, settings } } })
    expect(bindArguments('f', ['rows'], [rows], {}, false)).toEqual({ rows })
    expect(showJson(rows)).toBe(JSON.stringify(rows))
  })

  test('refuses a value that contains itself, and says so', () => {
    const { dict, list } = cycles()
    for (const value of [dict, list]) expect(() => encodeValue({ value }, codec)).toThrow(/a value contains itself/)
  })

  test('writes the message of an exception in place of arguments that contain themselves', () => {
    const { errors } = cycles()
    const failure = new RemoteError('builtins.ValueError', [errors], { message: 'ValueError: circular' })
    const text = encodeValue({ t: 1, r: failure, a: 1, k: 1, et: 1 }, codec).toString('latin1')
    expect(text).toContain('ValueError: circular')
  })

  test('writes what is shared now and then, at each of its places', () => {
    const config = { host: 'a', ports: [1, 2] }
    const value = { v: Array.from({ length: 1_000 }, () => config) }
    const plain = { v: Array.from({ length: 1_000 }, () => ({ host: 'a', ports: [1, 2] })) }
    expect(encodeValue(value, codec).equals(encodeValue(plain, codec))).toBe(true)
  })

  test('gives the same bytes for a large value, which is walked as a graph, as for its parts', () => {
    const part = (i: number) => ({ i, d: new Decimal('1.5'), u: undefined, big: 2 ** 40 + i, n: [[]] })
    const many = Array.from({ length: 30_000 }, (_, i) => part(i))
    const whole = encodeValue(many, codec).toString('latin1')
    const last = encodeValue(part(29_999), codec).toString('latin1')
    expect(whole).toContain(last)
    expect(whole.length).toBeGreaterThan(last.length * 29_000)
  })

  test('refuses what nests too deep also where only the sum of shared parts does', () => {
    let half: unknown = 1
    for (let i = 0; i < 300; i++) half = [half]
    let whole: unknown = [half]
    for (let i = 0; i < 300; i++) whole = [whole]
    expect(() => encodeValue([half, whole], codec)).toThrow(/deeper than 500 levels/)
  })
})

describe('JSON for operators', () => {
  test('marks what it leaves out, and stays valid', () => {
    const { list } = cycles()
    expect(JSON.parse(showJson({ list }))).toEqual({
      list: [{ $cut: 'it contains itself' }, { $cut: 'it contains itself' }],
    })
    const long = JSON.parse(
      showJson(
        Array.from({ length: 1_000 }, (_, i) => i),
        { maxLength: 100 },
      ),
    ) as unknown[]
    expect(long.at(-1)).toEqual({ $cut: expect.stringMatching(/^9\d\d more of 1000 values$/) as string })
    expect(JSON.parse(showJson({ a: 'x'.repeat(500) }, { maxLength: 100 }))).toEqual({
      a: { $cut: 'a string of 500 characters', start: expect.stringMatching(/^x+$/) as string },
    })
    expect(JSON.parse(showJson(2n ** 65_536n))).toEqual({ $cut: 'an integer of more than 4,300 digits' })
  })

  test('shows what is shared at each of its places', () => {
    const config = { host: 'a' }
    expect(showJson([config, config])).toBe('[{"host":"a"},{"host":"a"}]')
  })

  test('is what JSON.stringify writes, where nothing is special, also with indentation', () => {
    const value = { a: [1, 'x', null, true, 1.5], b: { c: {}, d: [] }, e: [[[]]], f: 'é"\\\n' }
    expect(showJson(value)).toBe(JSON.stringify(value))
    expect(showJson(value, { indent: 2 })).toBe(JSON.stringify(value, null, 2))
  })

  test('has no character that moves a cursor, hides text or reads as a line of its own', () => {
    const hostile = '\u0000\u001b[2J\u007f\u009b31m\u2028\u2029\u202e\u200b\ufeff\u{e0041}'
    const text = showJson({ [hostile]: hostile })
    expect(text).toMatch(/^[ -~]*$/)
    expect(JSON.parse(text)).toEqual({ [hostile]: hostile })
  })
})

describe('a measured value', () => {
  test('counts what is shared wherever it stands', () => {
    const part = ['x', 'y']
    expect(measure([part, part])).toEqual({ nodes: 7, distinct: 4, bytes: 11, levels: 2 })
    expect(measure(pairs(60)).nodes).toBe(2 ** 61 - 1)
    expect(measure(cycles().list).nodes).toBe(Infinity)
  })
})

describe('arguments', () => {
  test('that share their values too often are refused before a schema looks at them', () => {
    expect(() => bindArguments('f', ['a'], [pairs(22)], {}, false)).toThrow(ArgumentsError)
    expect(() => bindArguments('f', [], [], { a: cycles().dict }, true)).toThrow(/contains itself/)
    expect(bindArguments('f', ['a'], [pairs(10)], {}, false)).toHaveProperty('a')
  })
})
