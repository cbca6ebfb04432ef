import { inOtherRealm } from '@arq-ts/test-support'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import { decodeJob, decodeResult, encodeJob, encodeResult } from '@arq-ts/protocol/jobs'
import type { CodecName } from '@arq-ts/protocol/jobs'
import { ArgumentsError, Decimal, defineContract, EncodeError, PlainDate, ResultError, Uuid } from '../../src/index.ts'
import type { Schema } from '../../src/index.ts'
import { isSame } from '../../src/tasks/arrival/as-is.ts'

const codecs = ['msgpack', 'pickle', 'json'] as const

/** A call as the worker's handler sees it, over the bytes of a codec. */
function arrive(params: Schema, input: object, codec: CodecName): unknown {
  const contract = defineContract({ name: 'f', params })
  const job = { jobTry: null, functionName: 'f', enqueueTimeMs: 0, ...contract.pack(input as never, codec) }
  const { record } = decodeJob(encodeJob(job, codec))
  return (contract.bind(record.args, record.kwargs) as readonly unknown[])[0]
}

/** A result as the producer sees it, over the bytes of a codec. */
function giveBack(returns: Schema, result: unknown, codec: CodecName): unknown {
  const contract = defineContract({ name: 'f', returns })
  const stored = { success: true, startTimeMs: 0, finishTimeMs: 0, queueName: 'q', jobId: 'id' }
  const job = { jobTry: 1, functionName: 'f', args: [], kwargs: {}, enqueueTimeMs: 0 }
  const bytes = encodeResult({ ...job, ...stored, result: contract.packResult!(result, codec) }, codec)
  return contract.unpack!(decodeResult(bytes).record.result)
}

interface Drawn {
  schema: z.ZodType
  input: fc.Arbitrary<unknown>
}

const number = fc.double({ noNaN: true, noDefaultInfinity: true })
const text = fc.string({ unit: 'grapheme', maxLength: 8 })
const date = fc.date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
const decimal = fc.integer().map((n) => new Decimal(`${n}.50`))
const bytes = fc.uint8Array({ maxLength: 8 })
const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  maxDepth: 2,
  maxKeys: 3,
})

const leaves: Drawn[] = [
  { schema: z.string(), input: text },
  { schema: z.number(), input: number },
  { schema: z.int(), input: fc.maxSafeInteger() },
  { schema: z.boolean(), input: fc.boolean() },
  { schema: z.null(), input: fc.constant(null) },
  { schema: z.undefined(), input: fc.constant(undefined) },
  { schema: z.bigint(), input: fc.oneof(fc.bigInt(), fc.bigInt({ min: -9n, max: 9n })) },
  { schema: z.date(), input: date },
  {
    schema: z.coerce.date(),
    input: fc.oneof(
      date,
      date.map((each) => each.toISOString()),
    ),
  },
  { schema: z.coerce.bigint(), input: fc.oneof(fc.bigInt(), fc.integer()) },
  { schema: z.enum(['a', 'b']), input: fc.constantFrom('a', 'b') },
  { schema: z.literal([1n, 'x', null, undefined]), input: fc.constantFrom(1n, 'x', null, undefined) },
  { schema: z.instanceof(Uint8Array), input: bytes },
  { schema: z.instanceof(Decimal), input: decimal },
  { schema: z.instanceof(Uuid), input: fc.uuid().map((each) => new Uuid(each)) },
  { schema: z.instanceof(Map), input: fc.dictionary(text, fc.integer()).map((each) => new Map(Object.entries(each))) },
  { schema: z.unknown(), input: anything },
  { schema: z.json(), input: fc.jsonValue({ maxDepth: 2 }) },
  { schema: z.string().transform((value) => value.length), input: text },
  { schema: z.bigint().transform(String), input: fc.bigInt() },
  { schema: z.string().default('x'), input: fc.option(text, { nil: undefined }) },
]

const maybe = (input: fc.Arbitrary<unknown>, nil: unknown) => fc.option(input, { nil, freq: 3 })

/** Schemas of schemas, and inputs that fit them. */
const drawn: fc.Arbitrary<Drawn> = fc.letrec<{ any: Drawn }>((tie) => {
  const of = tie('any')
  return {
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 4, arbitrary: fc.constantFrom(...leaves) },
      of.map(({ schema, input }) => ({ schema: schema.optional(), input: maybe(input, undefined) })),
      of.map(({ schema, input }) => ({ schema: schema.nullable(), input: maybe(input, null) })),
      of.map(({ schema, input }) => ({ schema: z.lazy(() => schema), input })),
      of.map(({ schema, input }) => ({ schema: z.array(schema), input: fc.array(input, { maxLength: 3 }) })),
      of.map(({ schema, input }) => ({
        schema: z.record(z.string(), schema),
        input: fc.dictionary(text, input, { maxKeys: 3 }),
      })),
      of.map(({ schema, input }) => ({
        schema: z.set(schema),
        input: fc.array(input, { maxLength: 3 }).map((each) => new Set(each)),
      })),
      fc.tuple(of, of).map(([key, item]) => ({
        schema: z.map(key.schema, item.schema),
        input: fc.array(fc.tuple(key.input, item.input), { maxLength: 3 }).map((each) => new Map(each)),
      })),
      fc.tuple(of, of).map(([a, b]) => ({ schema: z.tuple([a.schema, b.schema]), input: fc.tuple(a.input, b.input) })),
      fc.tuple(of, of).map(([a, b]) => ({ schema: z.union([a.schema, b.schema]), input: fc.oneof(a.input, b.input) })),
      fc.tuple(of, of).map(([a, b]) => ({
        schema: z.discriminatedUnion('kind', [
          z.object({ kind: z.literal('a'), value: a.schema }),
          z.object({ kind: z.literal('b'), value: b.schema.optional() }),
        ]),
        input: fc.oneof(
          fc.record({ kind: fc.constant('a'), value: a.input }),
          fc.record({ kind: fc.constant('b'), value: maybe(b.input, undefined) }),
        ),
      })),
      fc.tuple(of, of).map(([a, b]) => ({
        schema: z.object({ a: a.schema, b: b.schema.optional() }),
        input: fc.record({ a: a.input, b: maybe(b.input, undefined) }),
      })),
      fc.tuple(of, of).map(([a, b]) => ({
        schema: z.intersection(z.object({ a: a.schema }), z.object({ b: b.schema })),
        input: fc.record({ a: a.input, b: b.input }),
      })),
    ),
  }
}).any

const example = drawn.chain(({ schema, input }) => input.map((value) => ({ schema, value })))
const runs = Number(process.env.FUZZ_RUNS ?? 300)
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) }

/** The schema's own output; undefined where it refuses the input. */
function outputOf(schema: z.ZodType, value: unknown): { output: unknown } | undefined {
  const { success, data } = schema.safeParse(value)
  return success ? { output: data } : undefined
}

test('a value that another option takes on arrival, with other defaults, is refused', () => {
  const schema = z.union([
    z.record(z.string(), z.instanceof(Decimal)),
    z.object({ a: z.string().optional(), b: z.string().default('x') }),
  ])
  const params = z.object({ value: schema })
  expect(() => arrive(params, { value: { a: undefined } }, 'pickle')).toThrow(/value.*another option of the union/)
  expect(arrive(params, { value: { a: 'y' } }, 'pickle')).toEqual({ value: { a: 'y', b: 'x' } })
})

test.each(codecs)('a dict without a prototype arrives within a union as any other, by %s', (codec) => {
  const params = z.object({ value: z.union([z.record(z.string(), z.date()), z.string()]) })
  const value = Object.assign(Object.create(null) as object, { at: new Date(5) })
  expect(arrive(params, { value }, codec)).toEqual({ value: { at: new Date(5) } })
})

describe.each(codecs)('values that %s carries', (codec) => {
  test('reaches the handler as the output of its schema, or is refused with its path', () => {
    let accepted = 0
    fc.assert(
      fc.property(example, ({ schema, value }) => {
        const params = z.object({ first: z.string(), value: schema })
        const input = { first: 'x', value }
        const parsed = outputOf(params, input)
        let arrived
        try {
          arrived = arrive(params, input, codec)
        } catch (error) {
          if (![ArgumentsError, EncodeError].some((type) => error instanceof type)) throw error
          expect(String(error)).toMatch(/value|a key that Python can hash/)
          return
        }
        accepted++
        expect(parsed).toBeDefined()
        if (!isSame(arrived, parsed!.output)) expect(arrived).toEqual(parsed!.output)
      }),
      { numRuns: runs, ...seed },
    )
    expect(accepted).toBeGreaterThan(runs / 4)
  })

  test('arrives from another realm as it does from this one', () => {
    const outcomeOf = (call: () => unknown): unknown => {
      try {
        return { value: call() }
      } catch (error) {
        if (![ArgumentsError, ResultError, EncodeError].some((type) => error instanceof type)) throw error
        return { refused: (error as Error).message }
      }
    }
    fc.assert(
      fc.property(example, ({ schema, value }) => {
        const params = z.object({ value: schema })
        const input = { value }
        const foreign = inOtherRealm(input) as object
        expect(outcomeOf(() => arrive(params, foreign, codec))).toEqual(outcomeOf(() => arrive(params, input, codec)))
        const result = inOtherRealm(value)
        expect(outcomeOf(() => giveBack(schema, result, codec))).toEqual(
          outcomeOf(() => giveBack(schema, value, codec)),
        )
      }),
      { numRuns: runs / 3, ...seed },
    )
  })

  test('comes back to the producer as the output of the schema of the result', () => {
    let accepted = 0
    fc.assert(
      fc.property(example, ({ schema, value }) => {
        const parsed = outputOf(schema, value)
        let result
        try {
          result = giveBack(schema, value, codec)
        } catch (error) {
          if (![ResultError, EncodeError].some((type) => error instanceof type)) throw error
          return
        }
        accepted++
        expect(parsed).toBeDefined()
        if (value === undefined && schema.safeParse(null).success) return
        if (!isSame(result, parsed!.output)) expect(result).toEqual(parsed!.output)
      }),
      { numRuns: runs, ...seed },
    )
    expect(accepted).toBeGreaterThan(runs / 4)
  })
})

describe('a value that a codec changes for good', () => {
  const when = z.union([z.string(), z.date()])
  test.each<[string, CodecName, Schema, unknown, string]>([
    ['a Set without a type', 'msgpack', z.any(), { a: [new Set([1])] }, '`value.a.0`: a Set arrives as an array'],
    [
      'a small bigint without a type',
      'pickle',
      z.any(),
      [1n],
      '`value.0`: 1n arrives as the number 1; type it as z.bigint()',
    ],
    ['a date without a type', 'json', z.unknown(), { at: new Date() }, '`value.at`: an instance of Date arrives as'],
    [
      'a Map with string keys',
      'pickle',
      z.any(),
      new Map([['a', 1]]),
      '`value`: a Map with string keys arrives as an object',
    ],
    ['a date that a string comes before', 'json', when, new Date(), '`value`: another option of the union takes it'],
    [
      'undefined next to null',
      'json',
      z.array(z.number().nullish()),
      [undefined],
      '`value.0`: undefined arrives as null',
    ],
    [
      'a date of Python',
      'json',
      z.instanceof(PlainDate),
      new PlainDate({ year: 2026, month: 1, day: 2 }),
      "use codec 'pickle'",
    ],
    ['a class of your own', 'pickle', z.instanceof(URLSearchParams), new URLSearchParams(), 'use z.codec()'],
  ])('is refused where it is enqueued: %s', (_, codec, schema, value, message) => {
    expect(() => arrive(z.object({ value: schema }), { value }, codec)).toThrow(ArgumentsError)
    expect(() => arrive(z.object({ value: schema }), { value }, codec)).toThrow(message)
  })

  test('is carried by the codec that can', () => {
    const at = new Date(5)
    expect(arrive(z.object({ at: when }), { at }, 'msgpack')).toEqual({ at })
    const day = new PlainDate({ year: 2026, month: 1, day: 2 })
    expect(arrive(z.object({ day: z.instanceof(PlainDate) }), { day }, 'pickle')).toEqual({ day })
  })
})

describe('undefined', () => {
  test.each(codecs)('is left out of objects at every depth in %s', (codec) => {
    const params = z.object({ opts: z.object({ w: z.number().optional(), deep: z.array(z.looseObject({})) }) })
    const input = { opts: { w: undefined, deep: [{ x: undefined, y: 1 }] } }
    expect(arrive(params, input, codec)).toStrictEqual({ opts: { deep: [{ y: 1 }] } })
  })

  test.each(codecs)('is the result of a handler that returns nothing, where the type says so, in %s', (codec) => {
    expect(giveBack(z.undefined(), undefined, codec)).toBeUndefined()
    expect(giveBack(z.string().optional(), undefined, codec)).toBeUndefined()
    expect(giveBack(z.null(), null, codec)).toBeNull()
    expect(() => giveBack(z.string(), undefined, codec)).toThrow(ResultError)
  })
})

test('a schema of zod mini restores what it says', () => {
  const params = mini.object({ n: mini.bigint(), at: mini.optional(mini.date()), tags: mini.set(mini.string()) })
  const input = { n: 42n, at: new Date(7), tags: new Set(['a']) }
  for (const codec of codecs) expect(arrive(params, input, codec)).toEqual(input)
})
