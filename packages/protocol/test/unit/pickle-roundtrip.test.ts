import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EncodeError, RemoteError } from '../../src/errors.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { encodePickle } from '../../src/pickle/write.ts'
import { ByteArray, DateTime, FrozenSet, PyGlobal, PyObject, Tuple } from '../../src/index.ts'
import { pickleValue } from '../support/arbitraries.ts'

const again = (value: unknown) => decodePickle(encodePickle(value))

describe('a pickle that was written', () => {
  test('reads back as the same value', () => {
    fc.assert(
      fc.property(pickleValue, (value) => isDeepStrictEqual(again(value), value)),
      { numRuns: 2_000 },
    )
  })

  test('is written alike when it is written again', () => {
    fc.assert(
      fc.property(pickleValue, (value) => {
        // Keys such as '0' come first in any object of JavaScript; from there on nothing moves.
        const once = again(value)
        return encodePickle(again(once)).equals(encodePickle(once))
      }),
      { numRuns: 500 },
    )
  })

  test('keeps integers integers at any size', () => {
    for (let bit = 0; bit < 210; bit++) {
      for (const off of [-1n, 0n, 1n]) {
        for (const sign of [1n, -1n]) {
          const value = sign * (2n ** BigInt(bit) + off)
          const back = again(value)
          expect(back).toBe(Number.isSafeInteger(Number(value)) ? Number(value) : value)
          expect(again(back)).toBe(back)
        }
      }
    }
  })

  test('keeps what is shared shared, and cycles cycles', () => {
    const list: unknown[] = [1]
    list.push(list)
    const dict: Record<string, unknown> = { list }
    dict.self = dict
    const tuple = Tuple.of<unknown>([])
    ;(tuple[0] as unknown[]).push(tuple)
    const map = new Map<unknown, unknown>([[1, dict]])
    map.set('self', map)
    const point = new PyObject(new PyGlobal('app', 'Point'), 'new', new Tuple())
    point.state = { self: point }
    const value = { list, dict, tuple, map, point }
    const back = again(value) as typeof value
    expect(back.list[1]).toBe(back.list)
    expect(back.dict.list).toBe(back.list)
    expect(back.dict.self).toBe(back.dict)
    expect((back.tuple[0] as unknown[])[0]).toBe(back.tuple)
    expect(back.map.get('self')).toBe(back.map)
    expect(back.map.get(1)).toBe(back.dict)
    expect((back.point.state as { self: unknown }).self).toBe(back.point)
  })

  test('writes a long text once', () => {
    const text = 'x'.repeat(10_000)
    expect(encodePickle(Array.from({ length: 1_000 }, () => text)).length).toBeLessThan(20_000)
  })

  test('makes keys that Python can hash', () => {
    const shared = [1, [2]]
    const bytes = new ByteArray([1])
    const back = again([
      shared,
      new Map<unknown, unknown>([
        [shared, 'list'],
        [new Set([1]), 'set'],
        [bytes, 'bytes'],
      ]),
      bytes,
    ])
    const [list, map, bytearray] = back as [unknown, Map<unknown, unknown>, unknown]
    const [tuple, frozen, plain] = [...map.keys()]
    expect(list).not.toBeInstanceOf(Tuple)
    expect(tuple).toEqual(Tuple.of<unknown>(1, Tuple.of(2)))
    expect(tuple).toBeInstanceOf(Tuple)
    expect(frozen).toBeInstanceOf(FrozenSet)
    expect(plain).not.toBeInstanceOf(ByteArray)
    expect(bytearray).toBeInstanceOf(ByteArray)
  })

  test.each([
    ['an object', {}],
    ['a map', new Map()],
    ['an object within a tuple', Tuple.of({})],
  ])('refuses %s as a key', (_, key) => {
    expect(() => encodePickle(new Map([[key, 1]]))).toThrow(EncodeError)
    expect(() => encodePickle(new Set([key]))).toThrow(/hash/)
  })

  test('takes undefined and holes for None, leaves out keys without a value, and null prototypes are dicts', () => {
    // oxlint-disable-next-line no-sparse-arrays
    expect(again([undefined, , { a: undefined }])).toEqual([null, null, {}])
    expect(again(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 })
  })

  test('takes keys that read as numbers for keys', () => {
    const value = { '9e9': 1, '0x1': 2, '-1': 3, '4294967295': 4, '320': 5 }
    expect(again(value)).toEqual(value)
  })

  test('takes any number of large integers for keys', () => {
    const value = new Set(Array.from({ length: 5_000 }, (_, i) => (BigInt(i + 1) << 128n) + BigInt(i)))
    expect(again(value)).toEqual(value)
  })

  test('takes a `__proto__` key for a key', () => {
    const value = JSON.parse('{"__proto__": {"polluted": true}}') as object
    const back = again(value) as object
    expect(Object.hasOwn(back, '__proto__')).toBe(true)
    expect('polluted' in back).toBe(false)
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
  })

  test('writes a Date as an instant, and one that was changed as its new one', () => {
    const date = new Date(1_700_000_000_123)
    const back = again(date) as DateTime
    expect(back).toBeInstanceOf(DateTime)
    expect([back.getTime(), back.isNaive, back.isoformat()]).toEqual([
      date.getTime(),
      false,
      '2023-11-14T22:13:20.123000+00:00',
    ])
    back.setUTCFullYear(2030)
    expect((again(back) as DateTime).isoformat()).toBe('2030-11-14T22:13:20.123000+00:00')
    const naive = new DateTime({ year: 2024, month: 1, day: 2, microsecond: 5 })
    naive.setUTCHours(3)
    expect((again(naive) as DateTime).isoformat()).toBe('2024-01-02T03:00:00')
  })

  test.each([
    ['a function', () => 1, /function/],
    ['a symbol', Symbol('x'), /symbol/],
    ['an instance of a class', new URLSearchParams(), /URLSearchParams/],
    ['an invalid date', new Date(NaN), /years 1 to 9999/],
    ['a date before year 1', new Date(-1e15), /years 1 to 9999/],
    ['floats in a typed array', new Float64Array(1), /Float64Array/],
    ['an integer beyond all sense', 1n << 600_000n, /at most 65536 bytes/],
  ])('refuses %s', (_, value, message) => {
    expect(() => encodePickle({ value })).toThrow(EncodeError)
    expect(() => encodePickle({ value })).toThrow(message)
  })

  test('refuses nesting beyond 500 levels, and more than 64 MiB', () => {
    let deep: unknown = 1
    for (let i = 0; i < 502; i++) deep = [deep]
    expect(() => encodePickle(deep)).toThrow(/deeper than 500/)
    expect(() => encodePickle([new Uint8Array(40 << 20), new Uint8Array(40 << 20)])).toThrow(/at most 67108864 bytes/)
  })

  test('uses a `toJSON` where a class has one, also one that encodes its own value', () => {
    class Money {
      toJSON() {
        return { cents: 5, proof: encodePickle('within') }
      }
    }
    expect(again({ a: new Money(), b: 1 })).toEqual({
      a: { cents: 5, proof: new Uint8Array(encodePickle('within')) },
      b: 1,
    })
  })

  test('keeps an exception with its attributes', () => {
    const error = new RemoteError(new PyGlobal('app.errors', 'Outer.Boom'), ['bad', 7], {
      attributes: { code: 7 },
    })
    // Of a class that is no exception by its name, so that it stays inert until a result says that it failed.
    expect(again(error)).toMatchObject({
      module: 'app.errors',
      name: 'Outer.Boom',
      args: Tuple.of<unknown>('bad', 7),
      state: { code: 7 },
    })
    const known = again(new RemoteError('builtins.OSError', [2, 'gone'], { attributes: { a: 1 } })) as RemoteError
    expect(known).toMatchObject({ pythonType: 'builtins.OSError', module: 'builtins', attributes: { a: 1 } })
    expect([...known.args]).toEqual([2, 'gone'])
  })
})
