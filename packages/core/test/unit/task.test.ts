import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { ArgumentsError, defineContract, defineTask, implement } from '../../src/index.ts'
import type { AnyTask, Client, EmittedOf, InputOf, Job, JobContext, ResultOf, Task } from '../../src/index.ts'

const resize = defineTask({
  name: 'resize_image',
  params: z.object({ path: z.string(), width: z.number().int().default(800) }),
  handler: async (_ctx, { path, width }) => ({ path, width, ok: true }),
})

describe('the binding of a worker', () => {
  test('goes to the handler parsed, with defaults', () => {
    expect(resize.bind(['a.png'], {})).toEqual([{ path: 'a.png', width: 800 }])
    expect(resize.bind([], { width: 1, path: 'a.png' })).toEqual([{ path: 'a.png', width: 1 }])
  })

  test.each<[string, unknown[], Record<string, unknown>]>([
    ["resize_image() missing 1 required argument: 'path'", [], {}],
    ["resize_image() missing 1 required argument: 'path'; got wrong arguments: `width`: ", [], { width: 'x' }],
    ['resize_image() got wrong arguments: `path`: Invalid input: expected string, received null', [null], {}],
    ["resize_image() got an unexpected keyword argument 'x'", ['a'], { x: 1 }],
    ["resize_image() got multiple values for argument 'path'", ['a'], { path: 'b' }],
    ['resize_image() takes 2 positional arguments but 3 were given', ['a', 1, 2], {}],
  ])('refuses arguments that do not fit: %s', (message, args, kwargs) => {
    expect(() => resize.bind(args, kwargs)).toThrow(ArgumentsError)
    expect(() => resize.bind(args, kwargs)).toThrow(message)
  })

  test('names all that is missing, and where inside a value the fault lies', () => {
    const params = z.object({ a: z.number(), b: z.number(), c: z.object({ d: z.array(z.string()) }) })
    const task = defineTask({ name: 'f', params, handler: () => 1 })
    expect(() => task.bind([], {})).toThrow("f() missing 3 required arguments: 'a', 'b', and 'c'")
    expect(() => task.bind([1], {})).toThrow("f() missing 2 required arguments: 'b' and 'c'")
    expect(() => task.bind([1, 2, { d: ['x', 5] }], {})).toThrow(
      '`c.d.1`: Invalid input: expected string, received number',
    )
  })

  test('makes a short message of a large fault', () => {
    const task = defineTask({ name: 'f', params: z.object({ a: z.array(z.string()) }), handler: () => 1 })
    expect(() => task.bind([Array.from({ length: 10_000 }, () => 1)], {})).toThrow(/; and 9995 more$/)
    const record = defineTask({
      name: 'f',
      params: z.object({ a: z.record(z.string(), z.string()) }),
      handler: () => 1,
    })
    expect(() => record.bind([{ ['x'.repeat(1_000_000)]: 1 }], {})).toThrow(/^.{0,500}$/)
  })

  test('takes unknown keywords where the schema is loose or has a catch-all, and only there', () => {
    const shape = { a: z.number() }
    const bind = (params: z.ZodObject, kwargs: Record<string, unknown>) =>
      defineTask({ name: 'f', params, handler: () => 1 }).bind([1], kwargs)
    expect(bind(z.looseObject(shape), { b: 2 })).toEqual([{ a: 1, b: 2 }])
    expect(bind(z.object(shape).catchall(z.string()), { b: 'x' })).toEqual([{ a: 1, b: 'x' }])
    expect(() => bind(z.object(shape).catchall(z.string()), { b: 2 })).toThrow('`b`')
    for (const params of [z.object(shape), z.strictObject(shape)])
      expect(() => bind(params, { b: 2 })).toThrow("argument 'b'")
  })

  test('goes through as it came where the task has no schema', () => {
    const task = defineTask({ name: 'f', handler: (_ctx, a: number, b: number) => a + b })
    expect(task.bind([1, 'x'], { c: 3 })).toEqual([1, 'x'])
  })
})

describe('the packing of a producer', () => {
  test('is the input as it was given: the worker parses it again', () => {
    const trim = z.object({ a: z.string().transform((text) => text.length), b: z.number().optional() })
    const task = defineTask({ name: 'trim', params: trim, handler: (_ctx, { a }) => a })
    const input = { a: 'abc', b: undefined }
    expect(task.pack(input)).toEqual({ args: [], kwargs: { a: 'abc' } })
    expect(Object.keys(task.pack(input).kwargs)).toEqual(['a'])
    expect(task.bind([], task.pack(input).kwargs)).toEqual([{ a: 3 }])
  })

  test.each<[string, unknown]>([
    ["missing 1 required argument: 'path'", {}],
    ["missing 1 required argument: 'path'", { path: undefined }],
    ["got an unexpected keyword argument 'widht'; it takes 'path', 'width'", { path: 'a', widht: 5 }],
    ['`path`: Invalid input: expected string, received number', { path: 5 }],
    ['takes its parameters as one object, got `an array`', ['a']],
    ['takes its parameters as one object, got `"a"`', 'a'],
    ['takes its parameters as one object, got `null`', null],
  ])('is refused before it is sent, as the worker would: %s', (message, input) => {
    expect(() => resize.pack(input as never)).toThrow(ArgumentsError)
    expect(() => resize.pack(input as never)).toThrow(message)
  })

  test('is an array where the task has no schema', () => {
    const task = defineTask({ name: 'f', handler: (_ctx, a: number) => a })
    expect(task.pack([1])).toEqual({ args: [1], kwargs: {} })
    expect(() => task.pack({ a: 1 } as never)).toThrow('takes its arguments as an array')
  })
})

describe('a schema with asynchronous parts', () => {
  const unheard: unknown[] = []
  const hear = (reason: unknown) => unheard.push(reason)
  beforeEach(() => void process.on('unhandledRejection', hear))
  afterEach(() => void process.off('unhandledRejection', hear))

  let asked = 0
  const known = async (text: string) => {
    asked++
    if (text === 'down') throw new Error('the database is down')
    return text !== 'unknown'
  }
  const params = z.object({ id: z.string().refine(known, 'no such id'), n: z.number().default(1) })
  const task = defineTask({ name: 'f', params, handler: (_ctx, { id }) => id })

  test('is awaited by the worker, and asked once', async () => {
    asked = 0
    expect(await task.bind(['a'], {})).toEqual([{ id: 'a', n: 1 }])
    expect(asked).toBe(1)
    await expect(task.bind(['unknown'], {})).rejects.toThrow('f() got wrong arguments: `id`: no such id')
  })

  test('fails the job, not the process, when what it asks fails', async () => {
    await expect(task.bind(['down'], {})).rejects.toThrow('the database is down')
    expect(task.pack({ id: 'down' })).toEqual({ args: [], kwargs: { id: 'down' } })
    await new Promise((resolve) => setImmediate(resolve))
    expect(unheard).toEqual([])
  })

  test('is checked by the producer as far as a synchronous check can', () => {
    expect(task.pack({ id: 'unknown' })).toEqual({ args: [], kwargs: { id: 'unknown' } })
    expect(() => task.pack({ id: 'a', n: 'x' } as never)).toThrow(
      '`n`: Invalid input: expected number, received string',
    )
    expect(() => task.pack({ n: 1 } as never)).toThrow("missing 1 required argument: 'id'")
  })
})

describe('a definition', () => {
  test('keeps its settings, durations in whole ms', () => {
    const task = defineTask({
      name: 'f',
      handler: () => 1,
      maxTries: 3,
      timeoutMs: 1.4,
      keepResultMs: 0.3,
      retry: { delayMs: 9.5 },
    })
    expect(task).toMatchObject({ name: 'f', maxTries: 3, timeoutMs: 1, keepResultMs: 0, retry: { delayMs: 10 } })
  })

  test.each<[string, object]>([
    ['Expected `name` to be not empty', { name: '', handler: () => 1 }],
    ['Expected `handler` to be a function, got `3`', { name: 'f', handler: 3 }],
    [
      'Expected `params` to be a zod 4 object: z.object({ … }), got `an object`',
      { name: 'f', params: { a: 1 }, handler: () => 1 },
    ],
    [
      'Unknown option `timeout`, did you mean `timeoutMs` (in milliseconds)?',
      { name: 'f', handler: () => 1, timeout: 3 },
    ],
    ['Unknown option `coroutine`, did you mean `handler`?', { name: 'f', handler: () => 1, coroutine: 3 }],
    ['Expected `maxTries` to be at least 1, got `0`', { name: 'f', handler: () => 1, maxTries: 0 }],
  ])('is refused: %s', (message, definition) => {
    expect(() => defineTask(definition as never)).toThrow(message)
    expect(() => defineTask(definition as never)).toThrow('defineTask: ')
  })
})

describe('types', () => {
  test('describe what a task takes and returns', () => {
    expectTypeOf<InputOf<typeof resize>>().toEqualTypeOf<{ path: string; width?: number | undefined }>()
    expectTypeOf<ResultOf<typeof resize>>().toEqualTypeOf<{ path: string; width: number; ok: boolean }>()
    expectTypeOf(resize).toExtend<AnyTask>()
    const plain = defineTask({ name: 'f', handler: (_ctx, a: number, b?: string) => `${a}${b}` })
    expectTypeOf<InputOf<typeof plain>>().toEqualTypeOf<[a: number, b?: string | undefined]>()
    expectTypeOf<ResultOf<typeof plain>>().toEqualTypeOf<string>()
    expectTypeOf(plain).toEqualTypeOf<Task<[a: number, b?: string | undefined], string>>()
  })

  test('let enqueue take the input and give the result', () => {
    const enqueue = (client: Client) => client.enqueue(resize, { path: 'a' })
    expectTypeOf<ReturnType<typeof enqueue>>().toEqualTypeOf<
      Promise<Job<{ path: string; width: number; ok: boolean }> | null>
    >()
    // @ts-expect-error - a parameter that is missing
    const missing = (client: Client) => client.enqueue(resize, {})
    // @ts-expect-error - a parameter that does not exist
    const unknown = (client: Client) => client.enqueue(resize, { path: 'a', widht: 5 })
    expect([missing, unknown]).toHaveLength(2)
  })

  test('give the handler its context, with what onStartup put there', () => {
    interface State {
      db: { query(sql: string): Promise<number> }
    }
    const task = defineTask({
      name: 'f',
      params: z.object({ sql: z.string() }),
      handler: (ctx: JobContext<State>, { sql }) => {
        expectTypeOf(ctx.jobTry).toEqualTypeOf<number>()
        expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>()
        return ctx.db.query(sql)
      },
    })
    expectTypeOf<ResultOf<typeof task>>().toEqualTypeOf<number>()
    expectTypeOf(task).toExtend<AnyTask>()
  })
})

describe('`emits`', () => {
  const emits = z.object({ at: z.date(), note: z.string().default('none') })

  test('types what a handler emits by its input, and what events give by its output', () => {
    const task = defineTask({
      name: 'answer',
      emits,
      handler: (ctx, prompt: string) => {
        expectTypeOf(ctx.emit).parameter(0).toEqualTypeOf<{ at: Date; note?: string | undefined }>()
        return prompt
      },
    })
    expectTypeOf<EmittedOf<typeof task>>().toEqualTypeOf<{ at: Date; note: string }>()
    const contract = defineContract({ name: 'answer', emits })
    const made = implement(contract, (ctx) => {
      expectTypeOf(ctx.emit).parameter(0).toEqualTypeOf<{ at: Date; note?: string | undefined }>()
    })
    expectTypeOf<EmittedOf<typeof made>>().toEqualTypeOf<{ at: Date; note: string }>()
    const plain = defineTask({ name: 'plain', handler: (ctx) => void ctx.emit(5) })
    expectTypeOf<EmittedOf<typeof plain>>().toBeUnknown()
  })

  test('carries a piece through JSON, and refuses what does not fit', () => {
    const task = defineTask({ name: 'answer', emits, handler: () => {} })
    const at = new Date(1_700_000_000_000)
    const packed: unknown = JSON.parse(JSON.stringify(task.packEmitted!({ at })))
    expect(task.unpackEmitted!(packed)).toEqual({ at, note: 'none' })
    expect(() => task.packEmitted!({ at: 'soon' })).toThrow('answer() emitted what its `emits` does not take: `at`')
    expect(() => task.unpackEmitted!(5)).toThrow('a piece of the result of answer() does not fit its `emits`')
    expect(() => defineTask({ name: 'x', emits: {} as never, handler: () => {} })).toThrow('`emits`')
  })
})
