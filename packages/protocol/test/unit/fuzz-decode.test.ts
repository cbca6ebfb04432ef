import { afterAll, expect, test } from 'vitest'
import { DecodeError, EncodeError } from '../../src/errors.ts'
import { decodeJob, decodeResult, encodeJob, encodeResult, encodeValue } from '../../src/index.ts'
import type { CodecName } from '../../src/index.ts'
import { decodeJson } from '../../src/json/json.ts'
import { decodeMsgpack } from '../../src/msgpack/msgpack.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { encodePickle } from '../../src/pickle/write.ts'
import fixtures from './fixtures/cpython-pickles.json' with { type: 'json' }

/** Mutated inputs per codec: `pnpm fuzz` asks for a million in all by FUZZ_RUNS. FUZZ_SEED asks for the same ones again. */
const runs = Number(process.env.FUZZ_RUNS ?? 20_000)
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000)

/** mulberry32: the same numbers for the same seed. */
function numbers(from: number): (below: number) => number {
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

const decoders: Record<CodecName, (bytes: Uint8Array) => unknown> = {
  pickle: decodePickle,
  msgpack: decodeMsgpack,
  json: decodeJson,
}

function mutate(below: (limit: number) => number, codec: CodecName): Buffer {
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

const told: string[] = []
afterAll(() => console.log(`fuzz, seed ${seed}:\n${told.join('\n')}`))

test.each(['pickle', 'msgpack', 'json'] as const)(
  '%s reads or refuses whatever comes, in time and within memory',
  (codec) => {
    const below = numbers(seed)
    let [read, slowestMs, bytes] = [0, 0, 0]
    const before = process.memoryUsage().rss
    const started = performance.now()
    for (let run = 0; run < runs; run++) {
      const input = mutate(below, codec)
      const kept = Buffer.from(input)
      bytes += input.length
      const from = performance.now()
      try {
        const value = decoders[codec](input)
        read++
        // What was read can be written by the codec that loses nothing, unless it is no value of Python.
        if (run % 4 === 0) encodeAgain(value)
        decodeJob(input)
        decodeResult(input)
      } catch (error) {
        if (!(error instanceof DecodeError))
          throw new Error(`seed ${seed}, run ${run}: ${input.toString('base64')}`, { cause: error })
      }
      slowestMs = Math.max(slowestMs, performance.now() - from)
      if (!kept.equals(input))
        throw new Error(`seed ${seed}, run ${run}: the payload was changed: ${kept.toString('base64')}`)
    }
    const seconds = (performance.now() - started) / 1_000
    const grownMb = (process.memoryUsage().rss - before) / 1e6
    told.push(
      `${codec}: ${runs} inputs of ${Math.round(bytes / runs)} bytes, ${Math.round(runs / seconds)}/s, ${read} read, slowest ${slowestMs.toFixed(1)} ms, +${grownMb.toFixed(0)} MB`,
    )
    expect(slowestMs).toBeLessThan(2_000)
    expect(grownMb).toBeLessThan(800)
  },
  60_000 + runs,
)

/** As a worker does that hands its arguments back. */
function encodeAgain(value: unknown): void {
  let pickle: Buffer
  try {
    pickle = encodePickle(value)
  } catch (error) {
    if (error instanceof EncodeError) return
    throw error
  }
  try {
    decodePickle(pickle)
  } catch (error) {
    throw new Error('what was written cannot be read', { cause: error })
  }
}
