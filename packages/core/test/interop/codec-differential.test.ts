import { fileURLToPath } from 'node:url'
import { Child } from '@arq-ts/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodePickle } from '../../src/protocol/pickle-read.ts'
import { Decimal, decodeValue, encodeValue, Tuple, Uuid } from '../../src/protocol/index.ts'

const noPython = process.env.ARQ_TEST_NO_PYTHON
const python = process.env['ARQ_TEST_PYTHON_0.26.1'] ?? 'python3'
const script = fileURLToPath(new URL('values.py', import.meta.url))
/** Per protocol; ARQ_TEST_VALUES asks for more. */
const count = Number(process.env.ARQ_TEST_VALUES ?? 1_000)
const seed = Number(process.env.ARQ_TEST_SEED ?? Date.now() % 100_000)

describe.skipIf(noPython !== undefined)(`pickles beside CPython's (seed ${seed})${noPython ? `, left out: ${noPython}` : ''}`, () => {
  test('reads what Python wrote in every protocol, and Python reads it back equal', async () => {
    const child = new Child(python, [script, String(seed), String(count)], { stdin: true })
    await child.line(/^"made"/, { timeoutMs: 50_000 })
    const made = child.lines.filter((line) => line.startsWith('["')).map((line) => JSON.parse(line) as [string, string])
    expect(made).toHaveLength(6 * count + 1)
    for (const [name, pickle] of made) {
      const value = decodePickle(Buffer.from(pickle, 'base64'))
      child.write(JSON.stringify([name, encodeValue(value, 'pickle').toString('base64')]))
    }
    child.write('"done"')
    expect(await child.line(/^\["checked"/, { timeoutMs: 50_000 })).toBe(`["checked", ${made.length}]`)
    const differences = child.lines.filter((line) => line.startsWith('["differs"'))
    expect(differences.slice(0, 3), `${differences.length} values differ`).toEqual([])
  })

  test('writes what Python reads, and reads back what Python then writes', async () => {
    const child = new Child(python, [script, '0', '0'], { stdin: true })
    await child.line(/^"made"/)
    const values = fc.sample(anyValue, { seed, numRuns: 1_500 })
    let from = child.lines.length
    for (const value of values) {
      child.write(JSON.stringify(['again', encodeValue(value, 'pickle').toString('base64')]))
      const line = await child.line(/^\["again"/, { from })
      from = child.lines.length
      const back = decodeValue(Buffer.from((JSON.parse(line) as [string, string])[1], 'base64')).value
      expect(back).toEqual(value)
    }
    child.write('"done"')
    await child.exited
  })
})

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value))),
  fc.double(),
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
  fc.uuid().map((text) => new Uuid(text)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new Decimal(String(value).replace('e', 'E').replace('E-', 'E-'))),
)

const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(tie('value'), { maxLength: 5 }).map((items) => Tuple.from(items)),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.uniqueArray(fc.integer(), { maxLength: 5 }).map((items) => new Set(items)),
    fc.array(fc.tuple(fc.integer(), tie('value')), { minLength: 1, maxLength: 4 }).map((pairs) => new Map(pairs)),
  ),
}))
