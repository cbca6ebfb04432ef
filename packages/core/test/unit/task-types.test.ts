import { Decimal, Uuid } from '@arq-ts/protocol/values'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import { defineContract, defineTask, implement, pythonTask } from '../../src/index.ts'
import type { Client, EnqueueOutcome, InputOf, Job, ResultOf } from '../../src/index.ts'

// Types alone are tested: what is enqueued here is compiled and not called. `toEqualTypeOf` fails where one side is `any`.
describe('types from a task’s schema to its handler, its producer and its result', () => {
  test('keep the members of a discriminated union apart', () => {
    const draw = defineTask({
      name: 'draw',
      params: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('circle'), r: z.number() }),
        z.object({ kind: z.literal('box'), w: z.number(), h: z.number().default(1) }),
      ]),
      handler: (_ctx, shape) => {
        expectTypeOf(shape).toEqualTypeOf<{ kind: 'circle'; r: number } | { kind: 'box'; w: number; h: number }>()
        return shape.kind === 'circle' ? shape.r : undefined
      },
    })
    expectTypeOf<InputOf<typeof draw>>().toEqualTypeOf<
      { kind: 'circle'; r: number } | { kind: 'box'; w: number; h?: number | undefined }
    >()
    const enqueue = (client: Client) => client.enqueue(draw, { kind: 'box', w: 1 })
    expectTypeOf<Awaited<ReturnType<typeof enqueue>>>().toEqualTypeOf<Job<number | null> | null>()
    // @ts-expect-error - a field of another member
    const other = (client: Client) => client.enqueue(draw, { kind: 'box', r: 1 })
    // @ts-expect-error - no member has this kind
    const none = (client: Client) => client.enqueue(draw, { kind: 'cube' })
    expect([enqueue, other, none]).toHaveLength(3)
  })

  test('keep brands, zod’s and one’s own', () => {
    const userId = z.string().brand<'UserId'>()
    const branded = defineTask({
      name: 'branded',
      params: z.object({ id: userId }),
      handler: (_ctx, { id }) => {
        expectTypeOf(id).toEqualTypeOf<z.infer<typeof userId>>()
        return id
      },
    })
    expectTypeOf<InputOf<typeof branded>>().toEqualTypeOf<{ id: string }>()
    expectTypeOf<ResultOf<typeof branded>>().toEqualTypeOf<z.infer<typeof userId>>()
    type Own = string & { readonly own: 'brand' }
    const own = defineTask({ name: 'own', handler: (_ctx, id: Own) => ({ id }) })
    expectTypeOf<ResultOf<typeof own>>().toEqualTypeOf<{ id: Own }>()
    // @ts-expect-error - a string without the brand
    const plain = (client: Client) => client.enqueue(own, ['x'])
    expect(plain).toBeTypeOf('function')
  })

  test('follow recursive schemas, lazy ones and getters', () => {
    interface Tree {
      name: string
      children: Tree[]
    }
    const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string(), children: z.array(tree) }))
    const list = z.object({
      value: z.number(),
      get next() {
        return list.nullable()
      },
    })
    const walk = defineTask({
      name: 'walk',
      params: z.object({ tree, list }),
      handler: (_ctx, input) => {
        expectTypeOf(input.tree).toEqualTypeOf<Tree>()
        expectTypeOf(input.list.next!.next!.value).toEqualTypeOf<number>()
        return input.tree
      },
    })
    type Result = ResultOf<typeof walk>
    expectTypeOf<Result['children'][number]['children'][number]['name']>().toEqualTypeOf<string>()
  })

  test('keep tuples, read-only ones and rest arguments', () => {
    const at = defineTask({
      name: 'at',
      params: z.object({ at: z.tuple([z.number(), z.string()]).readonly() }),
      handler: (_ctx, input) => input.at,
    })
    expectTypeOf<ResultOf<typeof at>>().toEqualTypeOf<readonly [number, string]>()
    const rest = defineTask({
      name: 'rest',
      handler: (_ctx, first: string, ...more: readonly number[]) => [first, more],
    })
    expectTypeOf<InputOf<typeof rest>>().toEqualTypeOf<[first: string, ...more: readonly number[]]>()
    // @ts-expect-error - a string among the numbers
    const wrong = (client: Client) => client.enqueue(rest, ['a', 1, 'b'])
    expect(wrong).toBeTypeOf('function')
  })

  test('are the input before a schema changes it, and the output after it', () => {
    const forms = defineTask({
      name: 'forms',
      params: z.object({
        optional: z.number().optional(),
        transformed: z.string().transform((text) => text.length),
        piped: z.string().pipe(z.coerce.number()),
        preprocessed: z.preprocess((given) => Number(given), z.number()),
        coerced: z.coerce.date(),
        caught: z.number().catch(3),
      }),
      handler: (_ctx, input) => {
        expectTypeOf(input).toEqualTypeOf<{
          transformed: number
          piped: number
          preprocessed: number
          coerced: Date
          caught: number
          optional?: number | undefined
        }>()
      },
    })
    type Input = InputOf<typeof forms>
    expectTypeOf<Pick<Input, 'transformed' | 'piped' | 'optional'>>().toEqualTypeOf<{
      transformed: string
      piped: string
      optional?: number | undefined
    }>()
    expectTypeOf<Input['preprocessed']>().toBeUnknown()
    expectTypeOf<Input['coerced']>().toBeUnknown()
    expectTypeOf<Input['caught']>().toEqualTypeOf<number>()
    expectTypeOf<ResultOf<typeof forms>>().toEqualTypeOf<null>()
  })

  test('say what the wire makes of values without `returns`, and what the schema makes of them with it', () => {
    const make = () => ({
      big: 1n,
      at: new Date(),
      map: new Map([['a', 1]]),
      ids: new Set<bigint>(),
      off: new Decimal('1'),
    })
    const plain = defineTask({ name: 'plain', handler: make })
    expectTypeOf<ResultOf<typeof plain>>().toEqualTypeOf<{
      big: number | bigint
      at: string | Date
      map: Record<string, number>
      ids: Set<number | bigint>
      off: string | Decimal
    }>()
    const contract = defineContract({
      name: 'exact',
      returns: z.object({ big: z.bigint(), at: z.date(), text: z.string().transform(Number) }),
    })
    const exact = implement(contract, () => ({ big: 1n, at: new Date(), text: '5' }))
    expectTypeOf<ResultOf<typeof exact>>().toEqualTypeOf<{ big: bigint; at: Date; text: number }>()
    // @ts-expect-error - a number where the schema takes a bigint
    const wrong = () => implement(contract, () => ({ big: 1, at: new Date(), text: '5' }))
    const python = pythonTask({ name: 'python', returns: z.tuple([z.date(), z.instanceof(Uuid)]) })
    expectTypeOf<ResultOf<typeof python>>().toEqualTypeOf<[Date, Uuid]>()
    expect(wrong).toBeTypeOf('function')
  })

  test('come from zod mini as from zod', () => {
    const task = defineTask({
      name: 'mini',
      params: mini.object({ a: mini.optional(mini.string()), b: mini._default(mini.number(), 1) }),
      returns: mini.object({ at: mini.date() }),
      handler: (_ctx, input) => {
        expectTypeOf(input).toEqualTypeOf<{ b: number; a?: string | undefined }>()
        return { at: new Date() }
      },
    })
    expectTypeOf<InputOf<typeof task>>().toEqualTypeOf<{ a?: string | undefined; b?: number | undefined }>()
    expectTypeOf<ResultOf<typeof task>>().toEqualTypeOf<{ at: Date }>()
  })

  test('go through a function that is generic in the schema', () => {
    const taskOf = <Params extends z.ZodType>(params: Params) =>
      defineTask({ name: 'generic', params, handler: (_ctx, input) => input })
    const task = taskOf(z.object({ a: z.string() }))
    expectTypeOf<InputOf<typeof task>>().toEqualTypeOf<{ a: string }>()
    expectTypeOf<ResultOf<typeof task>>().toEqualTypeOf<{ a: string }>()
  })

  test('stand one by one in the outcomes of `enqueueMany`', () => {
    const one = defineTask({ name: 'one', handler: () => 1 })
    const many = (client: Client) =>
      client.enqueueMany([
        [one, []],
        ['by name', [5]],
      ])
    expectTypeOf<Awaited<ReturnType<typeof many>>>().toEqualTypeOf<[EnqueueOutcome<number>, EnqueueOutcome]>()
  })
})
