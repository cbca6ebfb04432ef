import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as core from '../../src/index.ts'
import { Client, cron, defineTask, Worker } from '../../src/index.ts'
import { clientSchema, workerSchema } from '../../src/options.ts'

const task = defineTask({ name: 'f', handler: () => 1 })

describe('bad options are refused with the field, what was expected, what came, and what to do', () => {
  test.each<[object, string]>([
    [{ tasks: [task], maxJob: 3 }, 'Worker: Unknown option `maxJob`, did you mean `maxJobs`?'],
    [{ tasks: [task], max_jobs: 3 }, 'did you mean `maxJobs`?'],
    [{ tasks: [task], job_timeout: 3 }, 'did you mean `jobTimeoutMs` (in milliseconds)?'],
    [{ functions: [task] }, 'did you mean `tasks`?'],
    [{ tasks: [task], maxJobs: 'ten' }, 'Expected `maxJobs` to be an integer of at least 1, got `"ten"`'],
    [{ tasks: [task], maxJobs: 1.5 }, 'Expected `maxJobs` to be an integer of at least 1, got `1.5`'],
    [{ tasks: [task], leaseMs: 10 }, 'Expected `leaseMs` to be at least 1000, got `10`'],
    [{ tasks: [task], codec: 'xml' }, "Expected `codec` to be 'msgpack' or 'pickle' or 'json', got `\"xml\"`"],
    [{ tasks: [task], queues: ['a'], queueName: 'b' }, 'not both'],
    [{}, 'at least one function or cron job must be registered'],
    [{ tasks: [task, task] }, "function 'f' is registered twice"],
    [{ tasks: [task], cron: [cron('f', {}, () => {})] }, 'registered twice'],
    [{ tasks: [task], timeZone: 'Mars' }, 'IANA time zone'],
  ])('%j', (options, message) => {
    expect(() => new Worker(options)).toThrow(message)
  })

  test('tasks and clients too', () => {
    expect(() => defineTask({ name: '', handler: () => 1 })).toThrow('`name`')
    expect(() => defineTask({ name: 'x', handler: 3 as never })).toThrow('Expected `handler` to be a function')
    expect(() => defineTask({ name: 'x', handler: () => 1, timeout: 3 } as never)).toThrow('did you mean `timeoutMs`')
    expect(() => defineTask({ name: 'x', params: { a: 1 } as never, handler: () => 1 })).toThrow('`params`')
    expect(() => new Client({ redis: 5 as never })).toThrow('`redis`')
    expect(() => new core.Retry({ deferMs: -1 })).toThrow('`deferMs`')
  })
})

describe('the reference pages', () => {
  const page = (name: string) => readFileSync(new URL(`../../../../docs/reference/${name}.md`, import.meta.url), 'utf8')

  test('list exactly the errors there are', () => {
    const codes = Object.values(core)
      .filter(
        (value): value is typeof core.Retry => typeof value === 'function' && value.prototype instanceof core.ArqError,
      )
      .map(
        (kind) =>
          new (kind as unknown as new (...args: unknown[]) => core.ArqError)(
            ...(kind.name === 'FailedJobsError' ? [1, []] : kind === core.Retry ? [] : ['x']),
          ).code,
      )
    const listed = [...page('errors').matchAll(/^## `(ARQ_[A-Z_]+)`/gm)].map((match) => match[1])
    expect(listed.toSorted()).toEqual(codes.toSorted())
  })

  test('list exactly the options there are', () => {
    const listed = (heading: string) => {
      const section =
        page('options')
          .split(/^## /m)
          .find((part) => part.startsWith(heading)) ?? ''
      return [...section.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1])
    }
    expect(listed('Client').toSorted()).toEqual(Object.keys(clientSchema.shape).toSorted())
    expect(listed('Worker').toSorted()).toEqual(Object.keys(workerSchema.shape).toSorted())
  })
})

describe('a task', () => {
  test('parses asynchronously where its schema has to', async () => {
    const slow = defineTask({
      name: 'slow',
      params: z.object({ a: z.string().refine(async (text) => text !== 'bad') }),
      handler: (_ctx, { a }) => a,
    })
    expect(await slow.bind(['good'], {})).toEqual([{ a: 'good' }])
    await expect(slow.bind(['bad'], {})).rejects.toMatchObject({ code: 'ARQ_ARGUMENTS' })
    expect(slow.pack({ a: 'bad' })).toEqual({ args: [], kwargs: { a: 'bad' } })
  })

  test('sends what it was given, since the worker parses again', () => {
    const trim = defineTask({
      name: 'trim',
      params: z.object({ a: z.string().transform((text) => text.length), b: z.number().optional() }),
      handler: (_ctx, { a }) => a,
    })
    expect(trim.pack({ a: 'abc', b: undefined })).toEqual({ args: [], kwargs: { a: 'abc' } })
    expect(trim.bind(['abc'], {})).toEqual([{ a: 3 }])
  })

  test('takes unknown keywords where its schema is loose', () => {
    const loose = defineTask({ name: 'loose', params: z.looseObject({ a: z.number() }), handler: (_ctx, all) => all })
    expect(loose.bind([1], { other: 2 })).toEqual([{ a: 1, other: 2 }])
  })
})
