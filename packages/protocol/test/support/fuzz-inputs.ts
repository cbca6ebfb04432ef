import { encodeJob, encodeResult, encodeValue } from '../../src/index.ts'
import type { CodecName } from '../../src/index.ts'
import fixtures from '../unit/fixtures/cpython-pickles.json' with { type: 'json' }

/** Gives integers from 0 to below a limit. */
export type Numbers = (below: number) => number

/** mulberry32: the same numbers for the same seed. */
export function numbers(from: number): Numbers {
  let state = from
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const job = {
  jobTry: 1,
  functionName: 'resize',
  args: ['a.png', 800, 1.5, 2 ** 40, null],
  kwargs: { quality: 85, tags: ['x', 'é'], deep: { a: [{}] } },
  enqueueTimeMs: 1_732_446_000_123,
}
const result = {
  ...job,
  success: false,
  result: new RangeError('bad'),
  startTimeMs: 1,
  finishTimeMs: 2,
  queueName: 'arq:queue',
  jobId: 'abc',
}

/** Bytes that mean something, for each codec: opcodes and heads, which random bytes rarely hit. */
const alphabet: Record<CodecName, Buffer> = {
  pickle: Buffer.from(
    '(.012FIJKLMNRSTUVXacdeghijloprstu}])GB\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96',
    'latin1',
  ),
  msgpack: Buffer.from([
    0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa1, 0xbf, 0xc0, 0xc1, 0xc4, 0xc5, 0xc6, 0xc7, 0xca, 0xcb, 0xcf, 0xd3, 0xd4, 0xd6,
    0xd7, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff,
  ]),
  json: Buffer.from('{}[]",:0123456789.eE+-\\untrfalse \u0000'),
}

const corpus: Record<CodecName, Buffer[]> = {
  pickle: [
    ...fixtures.map(({ base64 }) => Buffer.from(base64, 'base64')),
    encodeJob(job, 'pickle'),
    encodeResult(result, 'pickle'),
  ],
  msgpack: [
    encodeJob(job, 'msgpack'),
    encodeResult(result, 'msgpack'),
    encodeValue({ t: 1, a: new Map([[1, new Date(0)]]), b: new Uint8Array(9), c: 2n ** 63n, d: -1e300 }, 'msgpack'),
  ],
  json: [
    encodeJob(job, 'json'),
    encodeResult(result, 'json'),
    Buffer.from('{"a":[12345678901234567890,"\\u00e9\\ud800",true,false,null,-1.5e-7,{"320":{}}]}'),
  ],
}

/** A payload that is nearly right: a valid one with a few bytes changed, doubled, moved or lost. */
export function mutated(below: Numbers, codec: CodecName): Buffer {
  const samples = corpus[codec]
  const pick = () => samples[below(samples.length)] as Buffer
  let bytes = Buffer.from(pick())
  for (let count = 1 + below(below(7) + 1); count > 0 && bytes.length > 0; count--) {
    const at = below(bytes.length)
    const letters = alphabet[codec]
    switch (below(8)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << below(8))
        break
      case 1:
        bytes[at] = below(256)
        break
      case 2:
        bytes[at] = letters[below(letters.length)] as number
        break
      case 3:
        bytes = bytes.subarray(0, at)
        break
      case 4: // a piece is doubled
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - below(40))), bytes.subarray(at)])
        break
      case 5: // a piece of another is put in
        bytes = Buffer.concat([bytes.subarray(0, at), pick().subarray(below(20), 20 + below(60)), bytes.subarray(at)])
        break
      case 6:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([letters[below(letters.length)] as number]),
          bytes.subarray(at),
        ])
        break
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(8))])
    }
  }
  return bytes
}

/** A pickle of random values that hold each other: shared ones, cycles, exceptions, unknown classes, doubled pairs. */
export function generated(below: Numbers): Buffer {
  return new PickleProgram(below, below(40) === 0 ? 60_000 : 400).bytes()
}

class PickleProgram {
  readonly #below: Numbers
  readonly #limit: number
  readonly #parts: string[] = []
  #length = 0
  #memoized = 0

  constructor(below: Numbers, limit: number) {
    this.#below = below
    this.#limit = limit
  }

  bytes(): Buffer {
    this.#put('\x80\x04')
    // As a job, as a result, or as it comes.
    if (this.#below(3) === 0) this.#value(0)
    else this.#record(this.#below(2) === 0)
    this.#put('.')
    return Buffer.from(this.#parts.join(''), 'latin1')
  }

  #record(isResult: boolean): void {
    const kwargs = () => this.#container('}', 'u', () => [this.#text(), this.#value(2)])
    this.#put(`}(${short('t')}K\x01${short('f')}${short('f')}${short('a')}(`)
    for (let count = this.#below(4); count > 0; count--) this.#value(1)
    this.#put(`t${short('k')}`)
    kwargs()
    this.#put(`${short('et')}K\x01`)
    if (isResult) {
      this.#put(`${short('s')}\x89${short('st')}K\x01${short('ft')}K\x01${short('r')}`)
      this.#value(1)
    }
    this.#put('u')
  }

  #value(depth: number): void {
    if (depth > 60 || this.#length > this.#limit) return this.#scalar()
    switch (this.#below(14)) {
      case 0:
      case 1:
        return this.#container(']', 'e', () => this.#value(depth + 1))
      case 2:
        return this.#container('}', 'u', () => [this.#text(), this.#value(depth + 1)])
      case 3:
        return this.#container('}', 'u', () => [this.#scalar(), this.#value(depth + 1)])
      case 4:
        this.#put('(')
        this.#several(() => this.#value(depth + 1))
        return this.#memoize('t')
      case 5:
        return this.#container('\x8f', '\x90', () => this.#scalar())
      case 6: {
        // Each pair holds the one below twice.
        this.#value(depth + 1)
        return this.#put('2\x86'.repeat(1 + this.#below(this.#below(20) === 0 ? 40 : 6)))
      }
      case 7:
      case 8: {
        const [module, name] = CLASSES[this.#below(CLASSES.length)]!
        this.#put(`${short(module)}${short(name)}\x93(`)
        this.#several(() => this.#value(depth + 1))
        this.#memoize('tR')
        if (this.#below(3) > 0 || module === 'collections' || module === 'datetime') return
        this.#container('}', 'u', () => [this.#text(), this.#value(depth + 1)])
        return this.#put('b')
      }
      case 9:
      case 10:
      case 11:
        if (this.#memoized === 0) return this.#scalar()
        return this.#put(`j${uint32(this.#below(this.#memoized))}`)
      default:
        return this.#scalar()
    }
  }

  /** Memoized before it is filled, so that it may hold itself. */
  #container(open: string, close: string, add: () => unknown): void {
    this.#memoize(open)
    this.#put('(')
    this.#several(add)
    this.#put(close)
  }

  #several(add: () => unknown): void {
    for (let count = this.#below(this.#below(12) + 1); count > 0; count--) add()
  }

  #scalar(): void {
    const below = this.#below
    const scalars: (() => string)[] = [
      () => 'N',
      () => '\x88',
      () => `K${String.fromCharCode(below(256))}`,
      () => `G${Array.from({ length: 8 }, () => String.fromCharCode(below(256))).join('')}`,
      () => `\x8a\x10${Array.from({ length: 16 }, () => String.fromCharCode(below(256))).join('')}`,
      () => `C\x04a\x00\xff${String.fromCharCode(below(256))}`,
      () => `X${uint32(below(3) * 200)}`,
    ]
    const made = scalars[below(scalars.length)]!()
    if (!made.startsWith('X')) return this.#put(made)
    const length = made.charCodeAt(1) + 256 * made.charCodeAt(2)
    this.#memoize(made + (below(2) === 0 ? 'x' : '\x1b').repeat(length))
  }

  #text(): void {
    this.#put(short(['a', 'args', '2024', '7', '__proto__', '\x1b[2J', '__exception__', 'x\ny'][this.#below(8)]!))
  }

  #memoize(opcodes: string): void {
    this.#put(`${opcodes}\x94`)
    this.#memoized++
  }

  #put(opcodes: string): void {
    this.#parts.push(opcodes)
    this.#length += opcodes.length
  }
}

const CLASSES = [
  ['builtins', 'ValueError'],
  ['builtins', 'KeyError'],
  ['app.errors', 'Declined'],
  ['geo', 'Point'],
  ['subprocess', 'Popen'],
  ['builtins', 'frozenset'],
  ['collections', 'OrderedDict'],
  ['collections', 'deque'],
  ['datetime', 'timedelta'],
] as const

function short(text: string): string {
  return `\x8c${String.fromCharCode(text.length)}${text}`
}

function uint32(value: number): string {
  return String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, 0)
}
