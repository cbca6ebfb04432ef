import { describe, expect, test } from 'vitest'
import { DecodeError, RemoteError } from '../../src/errors.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import {
  ByteArray,
  Complex,
  Counter,
  Decimal,
  Deque,
  Fraction,
  FrozenSet,
  OrderedDict,
  PlainDate,
  PlainTime,
  PyGlobal,
  PyObject,
  Range,
  TimeDelta,
  Tuple,
  Uuid,
  decodeJob,
  decodeResult,
} from '../../src/index.ts'
import type { DateTime, DefaultDict } from '../../src/index.ts'
import fixtures from './fixtures/cpython-pickles.json' with { type: 'json' }

const bytes = (name: string, protocol: number) => {
  const found = fixtures.find((fixture) => fixture.name === name && fixture.protocol === protocol)
  return Buffer.from((found as { base64: string }).base64, 'base64')
}
const latin1 = (text: string) => Buffer.from(text, 'latin1')

describe.each([0, 1, 2, 3, 4, 5])('a pickle of CPython, protocol %i', (protocol) => {
  const read = (name: string) => decodePickle(bytes(name, protocol))

  test('gives scalars', () => {
    const expected = [
      null,
      true,
      false,
      0,
      255,
      256,
      65_536,
      -1,
      2 ** 31,
      -(2 ** 31),
      2n ** 53n,
      -(2n ** 200n),
      1.5,
      Infinity,
      -0,
    ]
    expect(read('scalars')).toEqual(expected)
  })

  test('returns strings, also with a lone surrogate', () => {
    expect(read('texts')).toEqual(['', 'a', 'é', '\u{1f600}', '\ud800', 'line\nbreak \\ quote', 'x'.repeat(300)])
  })

  test('gives bytes and bytearrays of their own memory', () => {
    const payload = bytes('bytes', protocol)
    const [empty, two, array, long] = decodePickle(payload) as Uint8Array[]
    payload.fill(0)
    expect([empty, two, long]).toEqual([new Uint8Array(), Uint8Array.of(0, 255), new Uint8Array(300).fill(0x79)])
    expect(two?.constructor).toBe(Uint8Array)
    expect(array).toBeInstanceOf(ByteArray)
    expect([...(array as Uint8Array)]).toEqual([0x61, 0x62])
  })

  test('gives lists, tuples, sets and frozensets', () => {
    const { list, tuple, set, frozen } = read('containers') as Record<string, unknown>
    expect(list).toEqual([1, [2, []]])
    expect(tuple).toEqual(Tuple.from([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]].map((items) => Tuple.from(items))))
    expect((tuple as unknown[])[0]).toBeInstanceOf(Tuple)
    expect((tuple as unknown[]).slice(1)).not.toBeInstanceOf(Tuple)
    expect([set, frozen]).toEqual([new Set([1]), new FrozenSet([1])])
    expect(frozen).toBeInstanceOf(FrozenSet)
  })

  test('gives plain objects for text keys, Maps for others', () => {
    const { text, mixed, ...rest } = read('dicts') as Record<string, unknown>
    expect(text).toEqual({ a: 1 })
    expect([...(mixed as Map<unknown, unknown>)]).toEqual([
      [1, 'one'],
      [Tuple.of(1, 2), 'pair'],
      [null, 'none'],
      [Uint8Array.of(0x6b), 'bytes'],
    ])
    expect(Object.keys(rest)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(rest)).toBe(Object.prototype)
  })

  test('keeps what is shared shared, and cycles cycles', () => {
    const [one, two] = read('shared') as unknown[]
    expect(one).toBe(two)
    const cycle = read('cycle') as { list: unknown[] }
    expect(cycle.list[0]).toBe(cycle)
  })

  test('gives the datetime family', () => {
    const [naive, utc, offset, zoned, date, time, delta] = read('dates') as [
      DateTime,
      DateTime,
      DateTime,
      DateTime,
      unknown,
      unknown,
      unknown,
    ]
    expect([naive.isNaive, naive.microsecond, naive.getTime()]).toEqual([
      true,
      123_456,
      Date.UTC(2024, 1, 29, 12, 30, 1, 123),
    ])
    expect([utc.isNaive, utc.getTime()]).toEqual([false, Date.UTC(2024, 1, 29, 12, 30)])
    expect([offset.isoformat(), offset.getTime()]).toEqual(['2024-02-29T12:30:00+05:30', Date.UTC(2024, 1, 29, 7)])
    expect(zoned.getTime()).toBe(Date.UTC(2024, 6, 1, 10))
    expect([date, time, delta]).toEqual([
      new PlainDate({ year: 1999, month: 12, day: 31 }),
      new PlainTime({ hour: 23, minute: 59, second: 59, microsecond: 1 }),
      new TimeDelta(-1, 3, 5),
    ])
  })

  test('gives exact numbers', () => {
    expect(read('numbers')).toEqual([
      new Decimal('1.50'),
      new Fraction(1, 3),
      new Complex(1, 2),
      new Range(1, 10, 2),
      new Uuid('80000000-0000-0000-0000-000000000005'),
    ])
  })

  test('gives collections', () => {
    const [ordered, counter, defaults, deque] = read('collections') as unknown[]
    expect(ordered).toBeInstanceOf(OrderedDict)
    expect([...(ordered as OrderedDict).keys()]).toEqual(['b', 'a'])
    expect(counter).toEqual(
      new Counter([
        ['a', 2],
        ['b', 1],
      ]),
    )
    expect([...(defaults as DefaultDict)]).toEqual([['a', [1]]])
    expect((defaults as DefaultDict).factory).toEqual(new PyGlobal('builtins', 'list'))
    expect(deque).toBeInstanceOf(Deque)
    expect([...(deque as Deque), (deque as Deque).maxLength]).toEqual([1, 2, 3])
  })

  test('leaves classes of others inert', () => {
    const [red, point, pair] = read('inert') as PyObject[]
    expect([red?.module, red?.name, red?.args]).toEqual(['user_classes', 'Color', Tuple.of(1)])
    expect([point?.name, point?.state]).toEqual(['Point', { x: 1, y: 'a' }])
    expect(String(point)).toMatch(/Point object>$/)
    expect(pair?.name).toBe('Pair')
  })

  test('returns exceptions as errors that can be recognized and thrown', () => {
    const [value, os, boom, imported] = read('exceptions') as [RemoteError, RemoteError, PyObject, RemoteError]
    expect(value).toBeInstanceOf(RemoteError)
    expect([value.pythonType, [...value.args], value.message]).toEqual([
      'builtins.ValueError',
      ['bad', 1],
      "ValueError: ('bad', 1)",
    ])
    expect([...os.args]).toEqual([2, 'No such file', 'a.txt'])
    expect(boom).toBeInstanceOf(PyObject)
    expect(imported.attributes).toMatchObject({ name: 'x' })
  })

  test('is a job, and a failed result with an exception of any class', () => {
    expect(decodeJob(bytes('job', protocol))).toEqual({
      codec: 'pickle',
      record: {
        jobTry: null,
        functionName: 'resize',
        args: Tuple.of<unknown>('a.png', 800),
        kwargs: { quality: 85 },
        enqueueTimeMs: 1_732_446_000_123,
      },
    })
    const { record } = decodeResult(bytes('result', protocol))
    expect(record).toMatchObject({
      success: false,
      startTimeMs: 1_732_446_000_223,
      finishTimeMs: 1_732_446_000_323,
      queueName: 'arq:queue',
      jobId: 'abc',
    })
    expect(record.result).toBeInstanceOf(RemoteError)
    expect((record.result as RemoteError).pythonType).toMatch(/\.Boom$/)
    expect((record.result as RemoteError).attributes).toEqual({ code: 3 })
  })
})

describe('an opcode', () => {
  test.each([
    ['STRING of Python 2', "\x80\x02S'a\\x41\\n'\n.", 'aA\n'],
    ['SHORT_BINSTRING and BINSTRING', '\x80\x02U\x01aT\x01\0\0\0b\x86.', Tuple.of('a', 'b')],
    [
      'BINUNICODE8 and BINBYTES8',
      '\x80\x04\x8d\x01\0\0\0\0\0\0\0a\x8e\x01\0\0\0\0\0\0\0b\x86.',
      Tuple.of<unknown>('a', new Uint8Array([0x62])),
    ],
    ['LONG4', '\x80\x02\x8b\x02\0\0\0\xff\x7f.', 32_767],
    ['LONG1 of no bytes', '\x80\x02\x8a\0.', 0],
    ['LONG with its L', 'L12345678901234567890L\n.', 12_345_678_901_234_567_890n],
    ['DUP', '\x80\x02K\x012\x86.', Tuple.of(1, 1)],
    ['POP', '\x80\x02K\x01K\x020.', 1],
    ['POP of a mark', '\x80\x02K\x01(0.', 1],
    ['POP_MARK', '\x80\x02K\x01(K\x02K\x031.', 1],
    ['LIST and DICT', '(lp0\n(I1\nI2\ndp1\n\x86.', Tuple.of<unknown>([], new Map([[1, 2]]))],
    ['OBJ', '\x80\x02(capp\nPoint\nK\x01o.', new PyObject(new PyGlobal('app', 'Point'), 'reduce', Tuple.of(1))],
    ['INST', '(I1\niapp\nPoint\n.', new PyObject(new PyGlobal('app', 'Point'), 'reduce', Tuple.of(1))],
    ['a name of Python 2', 'c__builtin__\nunicode\n.', new PyGlobal('builtins', 'str')],
    ['a module of Python 2', 'curllib2\nRequest\n.', new PyGlobal('urllib.request', 'Request')],
    ['bytes after the end, which Python ignores', 'I1\n.I2\n.', 1],
  ])('%s is read', (_, pickle, expected) => {
    expect(decodePickle(latin1(pickle))).toEqual(expected)
  })

  test.each([
    ['PERSID', 'Pabc\n.'],
    ['BINPERSID', 'K\x01Q.'],
    ['EXT1', '\x80\x02\x82\x01.'],
    ['EXT2', '\x80\x02\x83\x01\0.'],
    ['EXT4', '\x80\x02\x84\x01\0\0\0.'],
    ['NEXT_BUFFER', '\x80\x05\x97.'],
    ['READONLY_BUFFER', '\x80\x05\x97\x98.'],
    ['one that does not exist', '\x80\x04\xfe.'],
  ])('%s is refused', (_, pickle) => {
    expect(() => decodePickle(latin1(pickle))).toThrow(/opcode 0x\w+ is refused/)
  })

  test.each([
    ['a protocol of the future', '\x80\x06N.'],
    ['a frame that is longer than the payload', '\x80\x04\x95\xff\0\0\0\0\0\0\0N.'],
    ['nothing on the stack', '\x80\x04.'],
    ['two values', '\x80\x04NN.'],
    ['an open mark', '\x80\x04(N.'],
    ['a mark that is missing', '\x80\x04Nt.'],
    ['a value below the mark', '\x80\x04K\x01(0(\x85.'],
    ['a memo entry that is not there', '\x80\x04h\x05.'],
    ['a key without its value', '\x80\x04}(Nu.'],
    ['keys on a list', '\x80\x04](K\x01K\x02u.'],
    ['items on a tuple', '\x80\x04)(K\x01e.'],
    ['members on a list', '\x80\x04](K\x01\x90.'],
    ['a state on a list', '\x80\x04]Nb.'],
    ['a call of a number', '\x80\x04K\x01)R.'],
    ['a call with a list', '\x80\x04capp\nf\n]R.'],
    ['an instance of a number', '\x80\x04K\x01)\x81.'],
    ['a global of numbers', '\x80\x04K\x01K\x02\x93.'],
    ['a length below zero', '\x80\x02T\xff\xff\xff\xffa.'],
    ['an integer that is none', 'Iabc\n.'],
    ['a float that is none', 'F0x10\n.'],
    ['a float of nothing', 'F\n.'],
    ['a string that is no UTF-8', '\x80\x04\x8c\x02\xc3\x28.'],
    ['a string cut within a character', '\x80\x04\x8c\x02\xe2\x82.'],
    ['a string written longer than need be', '\x80\x04\x8c\x02\xc0\x80.'],
    ['a broken escape', 'V\\u00\n.'],
    ['a quoted string without quotes', 'Sabc\n.'],
    ['bytes of Python 2 beyond ASCII', '\x80\x02U\x01\xff.'],
    [
      'a UUID of too many bits',
      '\x80\x04cuuid\nUUID\n)\x81}\x8c\x03int\x8a\x12\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01sb.',
    ],
    ['a deque beyond its length', '\x80\x04ccollections\ndeque\n)K\x01\x86R(K\x01K\x02e.'],
  ])('%s is a DecodeError', (_, pickle) => {
    expect(() => decodePickle(latin1(pickle))).toThrow(DecodeError)
    expect(() => decodePickle(latin1(pickle))).toThrow(/not a valid pickle/)
  })
})
