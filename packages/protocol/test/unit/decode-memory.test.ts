import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { DecodeError } from '../../src/errors.ts'
import { decodeValue, encodeValue } from '../../src/index.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { encodePickle } from '../../src/pickle/write.ts'

const script = fileURLToPath(new URL('fixtures/decode-memory.mjs', import.meta.url))

/** The memory limit of a worker in deploy/kubernetes.yaml. */
const CONTAINER_MIB = 512
/** A Node that does nothing, and V8's young generation, which do not shrink with a payload. */
const FIXED_MIB = 90

interface Decoded {
  of: string
  outcome: string
  peakMiB: number
}

/** Payloads one after another in a process of their own, each `part` times smaller than 59 MiB, as is the bound. */
async function decodeApart(part: number, ...names: string[]): Promise<Decoded[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, String(part), ...names])
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Decoded)
}

describe('a payload of many small values', { timeout: 120_000 }, () => {
  test.each([
    { of: 'of 59 MiB', part: 1, names: ['empty lists', 'nothing but None'], count: 2 },
    { of: 'of every kind, each a quarter as large as the bound allows', part: 4, names: [], count: 17 },
  ])('$of is refused by the memory it takes, within that of a container', async ({ part, names, count }) => {
    const decoded = await decodeApart(part, ...names)
    expect(decoded).toHaveLength(count)
    for (const { of, outcome, peakMiB } of decoded) {
      expect(outcome, of).toMatch(/takes more than (134217728|33554432) bytes of memory|not valid msgpack/)
      expect(peakMiB, of).toBeLessThan(FIXED_MIB + (CONTAINER_MIB - FIXED_MIB) / part)
    }
  })
})

describe('the limits', () => {
  const value = { t: 1, f: 'f', a: Array.from({ length: 10_000 }, (_, i) => [i]), k: {}, et: 1 }

  test.each(['pickle', 'msgpack', 'json'] as const)('are options for %s', (codec) => {
    const bytes = encodeValue(value, codec)
    expect(decodeValue(bytes, { maxDecodedBytes: 8e6 }).codec).toBe(codec)
    expect(() => decodeValue(bytes, { maxDecodedBytes: 50_000 })).toThrow(/more than 50000 bytes of memory/)
    expect(() => decodeValue(bytes, { maxPayloadBytes: 1_024 })).toThrow(/at most 1024 bytes, got \d+; the option/)
    expect(() => encodeValue(value, codec, 1_024)).toThrow(/at most 1024 bytes; .* `maxPayloadBytes`/)
  })

  test('leave a long string and long bytes alone', () => {
    const large = { t: 1, f: 'f', a: ['x'.repeat(30e6), new Uint8Array(30e6)], k: {}, et: 1 }
    for (const codec of ['pickle', 'msgpack'] as const) {
      expect(decodeValue(encodeValue(large, codec)).codec).toBe(codec)
    }
  })
})

test('an integer that can be read can be written, and the reverse', () => {
  for (const bytes of [1, 2, 8, 9, 255, 256, 65_535, 65_536]) {
    for (const value of [2n ** (8n * BigInt(bytes) - 1n) - 1n, -(2n ** (8n * BigInt(bytes) - 1n))]) {
      const pickle = encodePickle(value)
      expect(BigInt(decodePickle(pickle) as number) === value, `${bytes} bytes`).toBe(true)
      expect(encodePickle(decodePickle(pickle)).equals(pickle)).toBe(true)
    }
  }
  const beyond = 2n ** (8n * 65_536n - 1n)
  expect(() => encodePickle(beyond)).toThrow(/at most 65536 bytes/)
  const head = Buffer.from([0x80, 4, 0x8b, 1, 0, 1, 0])
  expect(() => decodePickle(Buffer.concat([head, Buffer.alloc(65_537, 1), Buffer.from('.')]))).toThrow(DecodeError)
})

test('an integer that JSON reads can be written as JSON, and the reverse', () => {
  const longest = 10n ** 4_300n - 1n
  const value = { n: longest, t: 1, f: '', a: 1, k: 1 }
  expect((decodeValue(encodeValue(value, 'json')).value as typeof value).n).toBe(longest)
  expect(() => encodeValue({ n: longest + 1n }, 'json')).toThrow(/at most 4300 digits/)
})
