import { ArgumentsError, defineTask, EncodeError, ResultError, Retry } from '@arq-ts/core'
import type { JobContext, Middleware } from '@arq-ts/core'
import { runTask } from '@arq-ts/testkit'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const resize = defineTask({
  name: 'resize',
  params: z.object({ path: z.string(), width: z.number().int().default(800) }),
  handler: async (_ctx, { path, width }) => ({ path, width, note: undefined, at: new Map([['x', 1]]) }),
})

describe('runTask', () => {
  test('gives the result as the producer of a real job gets it', async () => {
    const result = await runTask(resize, { path: 'a.png' })
    expect(result).toEqual({ path: 'a.png', width: 800, at: { x: 1 } })
    expectTypeOf(result.width).toBeNumber()
  })

  test.each(['msgpack', 'pickle', 'json'] as const)('goes through %s', async (codec) => {
    expect(await runTask(resize, { path: 'ü', width: 3 }, { codec })).toMatchObject({ path: 'ü', width: 3 })
  })

  test('rejects what does not fit the parameters, the codec or `returns`', async () => {
    await expect(runTask(resize, { path: 1 } as never)).rejects.toThrow(ArgumentsError)
    await expect(runTask(resize, { path: 'a', hight: 1 } as never)).rejects.toThrow(ArgumentsError)
    const plain = defineTask({ name: 'plain', handler: async (_ctx, value: unknown) => value })
    await expect(runTask(plain, [() => 1])).rejects.toThrow(EncodeError)
    await expect(runTask(plain, [Uint8Array.of(1)], { codec: 'json' })).rejects.toThrow(EncodeError)
    const returning = defineTask({ name: 'r', handler: async () => Symbol('x') })
    await expect(runTask(returning, [])).rejects.toThrow(EncodeError)
    const promise = defineTask({
      name: 'promise',
      returns: z.object({ n: z.number() }),
      handler: async () => ({ n: 'one' }) as never,
    })
    await expect(runTask(promise, [])).rejects.toThrow(ResultError)
  })

  test('rejects with what the handler throws, itself', async () => {
    const error = new Retry({ deferMs: 5 })
    const again = defineTask({ name: 'again', handler: () => Promise.reject(error) })
    await expect(runTask(again, [])).rejects.toBe(error)
  })

  test('gives the handler its job, and what its context needs; without that it does not compile', async () => {
    interface Services {
      db: { count(): number }
    }
    const count = defineTask({
      name: 'count',
      handler: async (ctx: JobContext<Services>) => {
        ctx.progress(0.5, 'half')
        return [ctx.db.count(), ctx.jobId, ctx.jobTry, ctx.queueName, ctx.signal.aborted]
      },
    })
    const progress: unknown[] = []
    const options = {
      ctx: { db: { count: () => 7 } },
      jobId: 'j',
      jobTry: 3,
      queueName: 'q',
      signal: AbortSignal.abort(),
      onProgress: (...said: unknown[]) => void progress.push(said),
    }
    expect(await runTask(count, [], options)).toEqual([7, 'j', 3, 'q', true])
    expect(progress).toEqual([[0.5, 'half']])
    // @ts-expect-error the handler needs `db`
    await expect(runTask(count, [])).rejects.toThrow(TypeError)
  })

  test('runs a task with chunks as a chunk of one job', async () => {
    const index = defineTask({
      name: 'index',
      params: z.object({ id: z.string() }),
      chunk: { size: 10, waitMs: 50 },
      handler: (jobs) => jobs.map(({ input }) => input.id),
    })
    expect(await runTask(index, { id: 'a' })).toBe('a')
  })

  test('refuses a flow to a handler that asks for it alone', async () => {
    const copying = defineTask({ name: 'copying', handler: (ctx) => ({ ...ctx }).jobId })
    expect(await runTask(copying, [], { jobId: 'j' })).toBe('j')
    const asking = defineTask({ name: 'asking', handler: (ctx) => void ctx.flow })
    await expect(runTask(asking, [])).rejects.toMatchObject({ code: 'ARQ_TEST_QUEUE' })
  })
})

test('runs a task within middleware, as a client and a worker have it', async () => {
  const shout = defineTask({ name: 'shout', params: z.object({ word: z.string() }), handler: (_ctx, { word }) => word })
  const middleware: Middleware[] = [
    {
      enqueue: async (call, next) => {
        call.metadata.by = 'a test'
        const { job, status } = await next()
        seen.push(status, await job.result())
        return { job, status }
      },
      run: async (ctx, next) => `${String(await next())} by ${String(ctx.metadata.by)}`,
    },
  ]
  const seen: unknown[] = []
  expect(await runTask(shout, { word: 'hey' }, { middleware })).toBe('hey by a test')
  expect(seen).toEqual(['queued', 'hey by a test'])
  const refusing: Middleware = { enqueue: () => Promise.reject(new Error('no')) }
  await expect(runTask(shout, { word: 'hey' }, { middleware: [refusing] })).rejects.toThrow('no')
})

test('hands each piece of the result to `onEmit` as a reader gets it, and refuses what would not arrive', async () => {
  const at = new Date(1_700_000_000_000)
  const answer = defineTask({
    name: 'answer',
    emits: z.object({ at: z.date(), note: z.string().default('none') }),
    handler: async (ctx, value: unknown) => ctx.emit(value as { at: Date }),
  })
  const seen: unknown[] = []
  await runTask(answer, [{ at }], { onEmit: (value) => seen.push(value) })
  expect(seen).toEqual([{ at, note: 'none' }])
  await expect(runTask(answer, [5])).rejects.toThrow(ResultError)
  const plain = defineTask({ name: 'plain', handler: (ctx) => ctx.emit(1n) })
  await expect(runTask(plain, [])).rejects.toThrow(EncodeError)
})

test('lets middleware observe the try, and fails by the error of one that does', async () => {
  const ends: unknown[] = []
  const fail = defineTask({
    name: 'fail',
    handler: (_ctx, how: string) => {
      if (how === 'retry') throw new Retry({ deferMs: 5 })
      if (how === 'fail') throw new Error('no')
      return how
    },
  })
  const observing: Middleware = {
    observe: ({ args, functionName, jobTry }) => {
      return ({ outcome }) => void ends.push([functionName, args[0], jobTry, outcome])
    },
  }
  const middleware = [observing]
  expect(await runTask(fail, ['well'], { middleware })).toBe('well')
  await expect(runTask(fail, ['retry'], { middleware, jobTry: 2 })).rejects.toBeInstanceOf(Retry)
  await expect(runTask(fail, ['fail'], { middleware })).rejects.toThrow('no')
  expect(ends).toEqual([
    ['fail', 'well', 1, 'complete'],
    ['fail', 'retry', 2, 'retried'],
    ['fail', 'fail', 1, 'failed'],
  ])
  const broken: Middleware = {
    observe: () => {
      throw new Error('of the middleware')
    },
  }
  await expect(runTask(fail, ['well'], { middleware: [broken] })).rejects.toThrow('of the middleware')
})
