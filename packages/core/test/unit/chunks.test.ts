import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { chunkWaitMs, endsOf } from '../../src/chunks/plan.ts'
import { defineContract, defineTask, implement, OptionsError, Worker } from '../../src/index.ts'
import type { InputOf, Job, Client, ResultOf, Task } from '../../src/index.ts'

const gathering = { jobs: 2, waitedMs: 10, canStartMore: true, isStopping: false }
const bounds = { size: 3, waitMs: 50 }

describe('a chunk', () => {
  test.each([
    ['waits for the rest of its time', gathering, 40],
    ['runs when it is full', { ...gathering, jobs: 3 }, 0],
    ['runs when its first job has waited long enough', { ...gathering, waitedMs: 50 }, 0],
    ['runs when no further job can start', { ...gathering, canStartMore: false }, 0],
    ['runs when the worker stops', { ...gathering, isStopping: true }, 0],
  ])('%s', (_name, state, waitMs) => {
    expect(chunkWaitMs(state, bounds)).toBe(waitMs)
  })
})

describe('the end of a job', () => {
  const jobs = [{ jobId: 'a' }, { jobId: 'b' }]
  const results = (returned: unknown) =>
    endsOf('f', jobs, returned).map((end) => (end.kind === 'complete' ? end.result : String(end.error)))

  test('is null where the handler returns nothing', () => {
    expect(results(undefined)).toEqual([null, null])
  })

  test('is its element of an array', () => {
    expect(results([1, [2]])).toEqual([1, [2]])
  })

  test('is undefined where its element of an array was never set', () => {
    const sparse: unknown[] = []
    sparse[1] = 1
    expect(endsOf('f', jobs, sparse)).toStrictEqual([
      { kind: 'complete', result: undefined },
      { kind: 'complete', result: 1 },
    ])
  })

  test('is its entry of a map, by the job or by its id', () => {
    const byBoth = new Map<unknown, unknown>([
      [jobs[0], 1],
      ['b', undefined],
    ])
    expect(results(byBoth)).toEqual([1, undefined])
  })

  test('is an error of its own where a map lacks it', () => {
    expect(results(new Map([['a', 1]]))).toEqual([1, "ResultError: f() returned a Map without a result for job 'b'"])
  })

  test.each([
    [[1], 'ResultError: f() returned 1 results for 2 jobs'],
    [{ a: 1 }, 'ResultError: f() returned an object for a chunk'],
    [7, 'ResultError: f() returned a number for a chunk'],
  ])('is an error where the handler returns %j', (returned, message) => {
    for (const result of results(returned)) expect(result).toContain(message)
  })
})

describe('a task with chunks', () => {
  const params = z.object({ id: z.string(), n: z.number().default(1) })
  const task = defineTask({
    name: 'index',
    params,
    chunk: { size: 10, waitMs: 5 },
    handler: (jobs) =>
      jobs.map((job) => {
        expectTypeOf(job.input).toEqualTypeOf<{ id: string; n: number }>()
        expectTypeOf(job.ctx.jobTry).toEqualTypeOf<number>()
        return { length: job.input.id.length }
      }),
  })

  test('takes and gives the types of one job', () => {
    expectTypeOf(task).toExtend<Task<{ id: string; n?: number | undefined }, { length: number }>>()
    expectTypeOf<InputOf<typeof task>>().toEqualTypeOf<z.input<typeof params>>()
    expectTypeOf<ResultOf<typeof task>>().toEqualTypeOf<{ length: number }>()
    const call = (client: Client) => client.enqueue(task, { id: 'a' })
    expectTypeOf<Awaited<ReturnType<typeof call>>>().toEqualTypeOf<Job<{ length: number }> | null>()
  })

  test('has the result of its contract, and refuses another', () => {
    const contract = defineContract({ name: 'index', params, returns: z.object({ ok: z.boolean() }) })
    const made = implement(
      contract,
      (jobs) => {
        for (const job of jobs) {
          expectTypeOf(job.input).toEqualTypeOf<{ id: string; n: number }>()
          job.complete({ ok: true })
          // @ts-expect-error not what the contract returns
          job.complete({ ok: 'yes' })
        }
      },
      { chunk: { size: 2, waitMs: 0 } },
    )
    expectTypeOf<ResultOf<typeof made>>().toEqualTypeOf<{ ok: boolean }>()
  })

  test('takes arrays of arguments without a schema', () => {
    defineTask({
      name: 'f',
      chunk: { size: 2, waitMs: 0 },
      handler: (jobs) => expectTypeOf(jobs[0]!.input).toEqualTypeOf<readonly unknown[]>() as never,
    })
  })

  test('names the option that is wrong', () => {
    const define = (chunk: object) => () => defineTask({ name: 'f', chunk: chunk as never, handler: () => {} })
    expect(define({ size: 0, waitMs: 1 })).toThrow('`chunk.size` to be')
    expect(define({ size: 1 })).toThrow('`chunk.waitMs`')
    expect(define({ size: 1, waitMs: 1, wait: 2 })).toThrow('did you mean `waitMs`')
  })

  test('is refused by a worker where a job would time out before its chunk runs', async () => {
    const slow = defineTask({ name: 'f', timeoutMs: 100, chunk: { size: 2, waitMs: 100 }, handler: () => {} })
    expect(() => new Worker({ redis: 'redis://127.0.0.1:1', tasks: [slow] })).toThrow(OptionsError)
    expect(() => new Worker({ redis: 'redis://127.0.0.1:1', tasks: [slow] })).toThrow(
      "expected `chunk.waitMs` of 'f' to be less than its timeout of 100 ms",
    )
  })
})
