import { describe, expect, test } from 'vitest'
import { DecodeError, RemoteError } from '../../src/errors.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { encodePickle } from '../../src/pickle/write.ts'
import { encodeValue, PyObject } from '../../src/index.ts'
import type { PayloadLimits } from '../../src/values/limits.ts'
import fixtures from './fixtures/cpython-pickles.json' with { type: 'json' }

const latin1 = (...parts: string[]) => Buffer.from(parts.join(''), 'latin1')
const short = (text: string) => `\x8c${String.fromCharCode(text.length)}${text}`
const named = (module: string, name: string) => `${short(module)}${short(name)}\x93`

/** Outcome of a call, were it made: the value, or what refused it. */
function attempt(bytes: Uint8Array, limits?: PayloadLimits): unknown {
  try {
    return decodePickle(bytes, limits)
  } catch (error) {
    if (error instanceof DecodeError) return error
    throw error
  }
}

describe('a pickle made to run code', () => {
  test.each([
    ['os.system', latin1('cos\nsystem\n(S"touch /tmp/owned"\ntR.')],
    ['posix.system in protocol 4', latin1('\x80\x04', named('posix', 'system'), short('id'), '\x85R.')],
    ['builtins.eval', latin1('\x80\x04', named('builtins', 'eval'), short('__import__("os").system("id")'), '\x85R.')],
    ['builtins.exec by INST', latin1('(S"import os"\ni__builtin__\nexec\n.')],
    ['subprocess.Popen by OBJ', latin1('(csubprocess\nPopen\nS"id"\no.')],
    ['a class made by NEWOBJ', latin1('\x80\x04', named('subprocess', 'Popen'), short('id'), '\x85\x81.')],
    [
      'getattr to reach further',
      latin1('\x80\x04', named('builtins', 'getattr'), named('os', 'path'), short('system'), '\x86R.'),
    ],
    [
      'functools.partial',
      latin1('\x80\x04', named('functools', 'partial'), named('os', 'system'), short('id'), '\x86R)R.'),
    ],
    [
      'a state that calls',
      latin1('\x80\x04', named('app', 'X'), ')\x81', named('os', 'system'), short('id'), '\x85Rb.'),
    ],
    ['a dotted name', latin1('\x80\x04', named('os', 'path.os.system'), short('id'), '\x85R.')],
    ['copyreg._reconstructor', latin1('ccopy_reg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.')],
    ['the pickle module itself', latin1('\x80\x04', named('pickle', 'loads'), 'C\x02N.\x85R.')],
    ['a JavaScript name', latin1('\x80\x04', named('constructor', 'constructor'), short('return process'), '\x85R.')],
    ['a prototype', latin1('\x80\x04}', short('__proto__'), '}', short('polluted'), '\x88ss.')],
  ])('is inert data: %s', (_, payload) => {
    const value = attempt(payload)
    expect(value === null || ['object', 'function'].includes(typeof value)).toBe(true)
    expect(typeof value).not.toBe('function')
    expect('polluted' in {}).toBe(false)
    // A value that was read can be written back, which still runs nothing here.
    if (value instanceof PyObject) expect(attempt(encodePickle(value))).toEqual(value)
  })

  test('does not become code by way of a data-only codec', () => {
    const claim = { __exception__: 'subprocess.Popen', args: ['id'], message: 'gotcha' }
    expect(encodePickle(claim).includes('Popen')).toBe(true) // as text
    expect(attempt(encodePickle(claim))).toEqual(claim)
  })
})

describe('a damaged pickle', () => {
  const samples = fixtures.map(({ base64 }) => Buffer.from(base64, 'base64')).filter((bytes) => bytes.length < 1_000)

  test('is refused wherever it is cut', () => {
    const read: string[] = []
    for (const sample of samples) {
      for (let length = 0; length < sample.length; length++)
        if (!(attempt(sample.subarray(0, length)) instanceof DecodeError))
          read.push(`${sample.toString('base64')}, ${length}`)
    }
    expect(read).toEqual([])
  })

  test('is refused or read as something else, whichever bit is flipped', () => {
    for (const sample of samples.filter((_, index) => index % 4 === 0)) {
      for (let bit = 0; bit < sample.length * 8; bit += 3) {
        const flipped = Buffer.from(sample)
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        attempt(flipped)
      }
    }
  })
})

describe('a pickle made to exhaust memory or time', () => {
  /** A quarter of the bound, so that it is met in a quarter of the time. */
  const maxDecodedBytes = 32 * 1024 * 1024
  const many = 500_000
  const repeat = (text: string, bytes = many) => text.repeat(Math.floor(bytes / text.length))
  const list = named('builtins', 'list')

  test.each([
    ['empty sets', latin1('\x80\x04(', repeat('\x8f'), 't.'), /memory/],
    [
      'copies of a long list',
      latin1('\x80\x04(', repeat('N'), 'l\x940', list, '\x940(', repeat('h\x01h\0\x85R'), 't.'),
      /memory/,
    ],
    [
      'copies of long bytes',
      latin1(
        '\x80\x04B\0\0\x10\0',
        repeat('x', 0x100000),
        '\x85\x940',
        named('builtins', 'bytearray'),
        '\x940(',
        repeat('h\x01h\0R'),
        't.',
      ),
      /memory/,
    ],
    ['slots for an index', latin1('\x80\x04', short('320'), '\x940(', repeat('}h\0Ns'), 't.'), /memory/],
    ['nested tuples', latin1('\x80\x04)', repeat('\x85', 100_000), '.'), /deeper than 500/],
    ['nested lists', latin1('\x80\x04', repeat(']', 10_000), repeat('a', 9_999), '.'), /deeper than 500/],
    ['nested calls', latin1('\x80\x04', named('app', 'f'), repeat(')R', 10_000), '.'), /deeper than 500/],
    ['nested marks', latin1('\x80\x04', repeat('('), 't.'), /deeper than 500/],
    ['a memo index out of all bounds', latin1('\x80\x04Nr\xff\xff\xff\xff.'), /memo 4294967295 is out of bounds/],
    ['a string of four gigabytes', latin1('\x80\x04X\xff\xff\xff\xffa.'), /ends too soon/],
    ['bytes of 2^63', latin1('\x80\x04\x8e', '\xff'.repeat(8), 'a.'), /ends too soon/],
    ['an integer of a megabyte', latin1('\x80\x04\x8b\0\0\x10\0', repeat('\x7f', 0x100000), '.'), /larger than 65536/],
    ['an integer of many digits', latin1('I', repeat('9', 10_000), '\n.'), /no number/],
    ['a name of many letters', latin1('c', repeat('a', 5_000), '\nb\n.'), /too long a name/],
    ['more than 64 MiB', Buffer.alloc(64 * 1024 * 1024 + 1, 0x4e), /at most 67108864 bytes/],
    [
      'keys that all have one hash',
      Buffer.concat([
        latin1('\x80\x04\x8f('),
        ...Array.from({ length: 5_000 }, (_, i) =>
          latin1('\x8a\x0d', '\0'.repeat(9), String.fromCharCode(i & 255, i >> 8, 1, 1)),
        ),
        latin1('\x90.'),
      ]),
      /keys of one hash/,
    ],
  ])('is refused in time: %s', (_, payload, message) => {
    const before = process.memoryUsage().rss
    const refused = attempt(payload, { maxDecodedBytes })
    expect(refused).toBeInstanceOf(DecodeError)
    expect((refused as DecodeError).message).toMatch(message)
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
  })

  test('as references to references is small, and is written back small or refused', () => {
    let layer: unknown = 'laugh'
    for (let i = 0; i < 200; i++) layer = [layer, layer]
    const pickle = encodePickle(layer)
    expect(pickle.length).toBeLessThan(2_000)
    const value = decodePickle(pickle)
    expect(encodePickle(value).length).toBe(pickle.length)
    expect(() => encodeValue({ value }, 'msgpack')).toThrow(/shared so often/)
    expect(() => encodeValue({ value }, 'json')).toThrow(/shared so often/)
  })

  test('as the arguments of an exception has a short message', () => {
    let layer: unknown = 'laugh'
    for (let i = 0; i < 200; i++) layer = [layer, layer]
    const error = new RemoteError('builtins.ValueError', [layer, 'x'.repeat(10_000)], { message: 'not printed' })
    const { message } = decodePickle(encodePickle(error)) as RemoteError
    expect(message).toMatch(/^ValueError: \(\[\[\[/)
    expect(message.length).toBeLessThanOrEqual(1_012)
  })
})
