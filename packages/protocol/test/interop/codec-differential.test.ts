import { isDeepStrictEqual } from 'node:util'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { RemoteError } from '../../src/errors.ts'
import { decodeValue, encodeValue } from '../../src/index.ts'
import type { CodecName } from '../../src/index.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { KNOWN_EXCEPTIONS } from '../../src/values/known-exceptions.ts'
import { jsonValue, msgpackValue, pickleValue } from '../support/arbitraries.ts'
import { PythonFrames } from './python-frames.ts'

const noPython = process.env.ARQ_TEST_NO_PYTHON
const python = process.env['ARQ_TEST_PYTHON_0.26.1'] ?? process.env.ARQ_TEST_PYTHON ?? 'python3'
const script = fileURLToPath(new URL('codec-differential.py', import.meta.url))
/** Number of Python's values, each in every protocol; ARQ_TEST_VALUES asks for more. */
const count = Number(process.env.ARQ_TEST_VALUES ?? 1_000)
const seed = Number(process.env.ARQ_TEST_SEED ?? Date.now() % 100_000)
const codecs = ['pickle', 'msgpack', 'json'] as const

interface Report {
  values: number
  payloads: number
  differences: string[]
}

/** A bare value has no first byte that identifies its codec. */
function decode(bytes: Uint8Array, codec: CodecName): unknown {
  return codec === 'pickle' ? decodePickle(bytes) : decodeValue(bytes).value
}

describe.skipIf(noPython !== undefined)(
  `codecs compared with CPython's (seed ${seed})${noPython ? `, left out: ${noPython}` : ''}`,
  () => {
    let frames: PythonFrames | undefined
    afterEach(() => frames?.close())

    test.each(codecs)('read what Python wrote, and Python reads what they then write: %s', async (codec) => {
      frames = new PythonFrames(python, ['-B', script, 'offer', codec, String(seed), String(count)])
      let report: Report | undefined
      while (report === undefined) {
        for (const offered of await frames.readBatch()) {
          if (offered.subarray(0, 10).toString() === '{"report":')
            report = (JSON.parse(offered.toString()) as { report: Report }).report
          else frames.write(rewrite(offered, codec))
        }
      }
      expect(
        report.differences.slice(0, 3),
        `${report.differences.length} of ${report.payloads} payloads differ`,
      ).toEqual([])
      expect(report.values).toBe(count)
      expect(report.payloads).toBeGreaterThan(codec === 'pickle' ? 5.5 * count : 0.9 * count)
    })

    test.each([
      ['pickle', pickleValue],
      ['msgpack', msgpackValue],
      ['json', jsonValue],
    ] as const)('write what Python reads, and read what Python then writes: %s', async (codec, arbitrary) => {
      frames = new PythonFrames(python, ['-B', script, 'echo', codec, String(seed)])
      const values = fc
        .sample(arbitrary, { seed, numRuns: count })
        .map((value) => ({ t: null, f: 'f', a: value, k: {}, et: 1 }))
      const different: unknown[] = []
      for (let from = 0; from < values.length; from += 100) {
        const batch = values.slice(from, from + 100)
        for (const value of batch) frames.write(encodeValue(value, codec))
        frames.write(Buffer.alloc(0))
        const replies = await frames.readBatch()
        expect(replies).toHaveLength(batch.length)
        for (const [index, reply] of replies.entries()) {
          const back = reply[0] === 0x21 ? reply.toString() : decode(reply, codec)
          if (!isDeepStrictEqual(back, batch[index])) different.push({ sent: batch[index], back })
        }
      }
      expect(different.slice(0, 3), `${different.length} of ${values.length} values differ`).toEqual([])
    })

    test('write every known exception so that Python can make it, whatever arguments and attributes it has', async () => {
      frames = new PythonFrames(python, ['-B', script, 'echo', 'pickle', String(seed)])
      const names = Object.entries(KNOWN_EXCEPTIONS).flatMap(([module, all]) => all.map((name) => `${module}.${name}`))
      const cases = names.flatMap((name) => [
        ...ODD_ARGUMENTS.map((args) => new RemoteError(name, args)),
        ...ODD_ATTRIBUTES.map((attributes) => new RemoteError(name, [], { attributes })),
      ])
      const unreadable: string[] = []
      for (let from = 0; from < cases.length; from += 100) {
        const batch = cases.slice(from, from + 100)
        for (const error of batch) frames.write(encodeValue({ r: error }, 'pickle'))
        frames.write(Buffer.alloc(0))
        for (const [index, reply] of (await frames.readBatch()).entries()) {
          const text = reply.toString('latin1')
          // Classes that came with a later Python than this one.
          if (text.startsWith('!') && !text.includes("Can't get attribute"))
            unreadable.push(`${batch[index]!.message}: ${text}`)
        }
      }
      expect(unreadable).toEqual([])
    })
  },
)

const ODD_ARGUMENTS: readonly (readonly unknown[])[] = [
  [],
  ['text'],
  [1],
  [1e308],
  ['5', '5'],
  ['group', [new Error('inner')]],
  ['group', [new RemoteError('builtins.SystemExit')]],
  ['group', [new RemoteError('asyncio.exceptions.CancelledError')]],
  [2, 'No such file', 'a', 'b', 'c', 'd'],
  [null],
]
const ODD_ATTRIBUTES: readonly unknown[] = [
  'text',
  [1],
  5,
  { args: 5 },
  { __class__: 'x', __cause__: 'x', __dict__: 5, __traceback__: 1, __suppress_context__: 'x', __context__: 2 },
  { __notes__: ['note'], code: 7 },
  new Map([[1, 2]]),
  new Error('x'),
]

function rewrite(payload: Buffer, codec: CodecName): Buffer {
  try {
    return encodeValue(decode(payload, codec), codec)
  } catch (error) {
    return Buffer.from(`!${(error as Error).stack}`)
  }
}
