import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  Client,
  clientDefaults,
  createLogger,
  cron,
  defineTask,
  Retry,
  Worker,
  workerDefaults,
} from '../../src/index.ts'
import type { EnqueueOptions, WorkerOptions } from '../../src/index.ts'
import { clientSchema, resolveClientOptions } from '../../src/options/client.ts'
import { checkEnqueueOptions } from '../../src/options/enqueue.ts'
import { resolveWorkerOptions, workerSchema } from '../../src/options/worker.ts'
import { retryPolicySchema } from '../../src/options/check.ts'
import { enqueueSchema } from '../../src/options/enqueue.ts'
import { taskSchema } from '../../src/tasks/task-options.ts'

const task = defineTask({ name: 'f', handler: () => 1 })

describe('bad options are refused with the field, what was expected, what came, and what to do', () => {
  test.each<[object, string]>([
    [{ maxJob: 3 }, 'Worker: Unknown option `maxJob`, did you mean `maxJobs`?'],
    [{ max_jobs: 3 }, 'Unknown option `max_jobs`, did you mean `maxJobs`?'],
    [{ job_timeout: 3 }, 'Unknown option `job_timeout`, did you mean `jobTimeoutMs` (in milliseconds)?'],
    [{ jobTimeout: 3 }, 'did you mean `jobTimeoutMs` (in milliseconds)?'],
    [{ timeout: 3 }, 'did you mean `jobTimeoutMs` (in milliseconds)?'],
    [{ on_startup: 3 }, 'did you mean `onStartup`?'],
    [{ functions: [task] }, 'did you mean `tasks`?'],
    [{ elephants: 3 }, 'Unknown option `elephants`'],
    [{ concurrency: 3 }, 'Unknown option `concurrency`, did you mean `maxJobs`?'],
    [{ connection: 'redis://x' }, 'Unknown option `connection`, did you mean `redis`?'],
    [{ attempts: 3 }, 'Unknown option `attempts`, did you mean `maxTries`?'],
    [{ retry: { delayMs: 1, delay: 3 } }, 'Unknown option `retry.delay`, did you mean `delayMs` (in milliseconds)?'],
    [{ deadLetter: { maxAge: 3 } }, 'Unknown option `deadLetter.maxAge`, did you mean `maxAgeMs`'],
    [{ queues: [{ name: 'a', weigth: 1 }] }, 'Unknown option `queues.0.weigth`, did you mean `weight`?'],
    [{ maxJobs: 'ten' }, 'Expected `maxJobs` to be an integer of at least 1, got `"ten"`'],
    [{ maxJobs: '10' }, 'Expected `maxJobs` to be an integer of at least 1, got `"10"`; pass a number, not a string'],
    [{ maxJobs: 1.5 }, 'Expected `maxJobs` to be an integer of at least 1, got `1.5`'],
    [{ maxJobs: Infinity }, 'Expected `maxJobs` to be an integer of at least 1, got `Infinity`'],
    [{ maxJobs: 0 }, 'Expected `maxJobs` to be at least 1, got `0`'],
    [{ keepResultMs: '1h' }, 'Expected `keepResultMs` to be a number of milliseconds, got `"1h"`'],
    [{ leaseMs: 10 }, 'Expected `leaseMs` to be at least 1000, got `10`'],
    [{ abortGraceMs: 1e10 }, 'Expected `abortGraceMs` to be at most 2147483647, got `10000000000`'],
    [{ codec: 'xml' }, "Expected `codec` to be 'msgpack' or 'pickle' or 'json', got `\"xml\"`"],
    [{ deadLetter: true }, 'Expected `deadLetter` to be false or an object, got `true`'],
    [{ retry: { delayMs: 1, backoff: 'expo' } }, "to be 'exponential' or 'fixed' or a function, got `\"expo\"`"],
    [{ timeZone: 'Mars' }, 'IANA time zone'],
    [{ logger: console }, 'Expected `logger` to be a pino logger, got `an instance of console`'],
    [{ tasks: [() => 1] }, 'Expected `tasks.0` to be a task made by defineTask(), got `a function`'],
    [{ cron: [{ name: 'x' }] }, 'Expected `cron.0` to be a cron job made by cron(), got `an object`'],
    [{ queues: ['a'], queueName: 'b' }, 'give `queueName` or `queues`, not both'],
    [{ queues: ['a', { name: 'a' }] }, "queue 'a' is in `queues` twice"],
    [{ tasks: [] }, 'at least one function or cron job must be registered'],
    [{ tasks: [task, task] }, "function 'f' is registered twice"],
    [{ cron: [cron('f', {}, () => {})] }, "function 'f' is registered twice"],
  ])('%j', (options, message) => {
    expect(() => new Worker({ tasks: [task], ...options })).toThrow(message)
  })

  test('of clients and retries too', () => {
    expect(() => new Client({ redis: 5 as never })).toThrow('Client: Expected `redis` to be a URL such as redis://')
    expect(() => new Client(null as never)).toThrow('Client: Expected an options object, got `null`')
    expect(() => new Client({ default_queue_name: 'q' } as never)).toThrow('did you mean `queueName`?')
    for (const deferMs of [-1, Number.NaN, Infinity, 1e300, '5' as never]) {
      expect(() => new Retry({ deferMs })).toThrow('Retry: expected `deferMs` to be a number of milliseconds')
    }
  })
})

describe('the Redis target', () => {
  test.each(['redis://h', 'rediss://u:p@h:6380/1', 'h:6379', 'localhost', '/run/redis.sock', '6379'])(
    'may be %s',
    (redis) => {
      expect(resolveClientOptions({ redis }).redis).toBe(redis)
    },
  )

  // ioredis would connect without TLS, or to localhost.
  test.each(['http://h', 'valkeys://h', 'redis://u:pa/ss@h', '', new URL('redis://h'), ['h']])('is not %s', (redis) => {
    expect(() => resolveClientOptions({ redis: redis as never })).toThrow('Expected `redis` to be a URL such as')
  })

  test('may be options or a client, and is never copied', () => {
    const redis = new Redis({ lazyConnect: true })
    expect(resolveClientOptions({ redis }).redis).toBe(redis)
    expect(resolveClientOptions({ redis: { host: 'h' } }).redis).toEqual({ host: 'h' })
    redis.disconnect()
  })

  test('does not reveal its password when it is wrong', () => {
    expect(() => resolveClientOptions({ redis: 'valkey://app:secret@h' })).toThrow(/got `"valkey:\/\/app:\*\*\*@h"`$/)
  })
})

describe('resolved options', () => {
  const resolve = (options: WorkerOptions) => resolveWorkerOptions({ tasks: [task], ...options })

  test("have arq's defaults", () => {
    expect(resolve({})).toMatchObject({
      queues: [{ name: 'arq:queue', weight: 1 }],
      maxJobs: 10,
      jobTimeoutMs: 300_000,
      keepResultMs: 3_600_000,
      pollDelayMs: 500,
      queueReadLimit: 100,
      maxTries: 5,
      healthCheckIntervalMs: 3_600_000,
      maxBurstJobs: -1,
      deadLetter: { maxAgeMs: 604_800_000, maxCount: 10_000 },
    })
    expect(resolve({ maxJobs: 50 }).queueReadLimit).toBe(250)
    expect(resolveClientOptions({})).toMatchObject({
      codec: 'msgpack',
      queueName: 'arq:queue',
      commandTimeoutMs: 10_000,
    })
  })

  test('have durations in whole ms: Redis takes no others', () => {
    const options = resolve({
      keepResultMs: 0.3,
      leaseMs: 1_000.5,
      deadLetter: { maxAgeMs: 9.6 },
      retry: { delayMs: 1.5 },
    })
    expect(options).toMatchObject({
      keepResultMs: 0,
      leaseMs: 1_001,
      deadLetter: { maxAgeMs: 10, maxCount: 10_000 },
      retry: { delayMs: 2 },
    })
  })

  test('take undefined for not given', () => {
    expect(resolve({ maxJobs: undefined, ctx: undefined } as never)).toMatchObject({ maxJobs: 10, ctx: {} })
  })

  test('keep what is the user’s own: state, hooks, logger', () => {
    const own = { ctx: { db: {} }, onStartup: () => {}, logger: createLogger({ level: 'silent' }) }
    const options = resolve(own)
    expect([options.ctx, options.onStartup, options.logger]).toEqual([own.ctx, own.onStartup, own.logger])
    expect(options.ctx).toBe(own.ctx)
    expect(options.logger).toBe(own.logger)
  })
})

describe('options of a job', () => {
  test.each<EnqueueOptions[]>([
    [{}],
    [{ jobId: 'x', queueName: 'q', deferByMs: 0.5, expiresMs: 1, jobTry: 1, kwargs: { a: 1 } }],
    [{ deferUntil: new Date() }],
    [{ deferUntil: -1 }],
    [{ kwargs: Object.create(null) as Record<string, unknown> }],
    [{ jobId: undefined, deferByMs: undefined } as never],
  ])('may be %o', (options) => {
    expect(() => checkEnqueueOptions(options)).not.toThrow()
  })

  test.each<[unknown, string | RegExp]>([
    [{ _defer_by: 3 }, 'enqueue: Unknown option `_defer_by`, did you mean `deferByMs` (in milliseconds)?'],
    [{ deferBy: 3 }, 'did you mean `deferByMs` (in milliseconds)?'],
    [{ delay: 3 }, 'Unknown option `delay`, did you mean `deferByMs` (in milliseconds)?'],
    [{ eta: 3 }, 'Unknown option `eta`, did you mean `deferUntil`?'],
    [{ schema: 3 }, /Unknown option `schema`$/],
    [{ jobId: '' }, 'Expected `jobId` to be not empty'],
    [{ jobId: 5 }, 'Expected `jobId` to be a string, got `5`'],
    [{ jobId: 'a\uD800' }, 'Expected `jobId` to be a string without lone surrogates'],
    [{ jobId: '\uDCFF' }, 'Expected `jobId` to be a string without lone surrogates'],
    [{ deferByMs: -1 }, 'Expected `deferByMs` to be at least 0, got `-1`'],
    [{ deferByMs: 1e20 }, 'Expected `deferByMs` to be at most 3155760000000'],
    [{ expiresMs: 0 }, 'Expected `expiresMs` to be at least 1, got `0`'],
    [{ expiresMs: 1e19 }, 'Expected `expiresMs` to be at most'],
    [{ jobTry: 1.5 }, 'Expected `jobTry` to be an integer of at least 1'],
    [{ deferUntil: null }, 'Expected `deferUntil` to be a Date or unix ms, got `null`'],
    [{ deferUntil: '2030-01-01' }, 'Expected `deferUntil` to be a Date or unix ms, got `"2030-01-01"`'],
    [{ deferUntil: new Date('x') }, 'Expected `deferUntil` to be a Date or unix ms, got `an invalid Date`'],
    [{ kwargs: [1] }, 'Expected `kwargs` to be an object, got `an array`'],
    [{ kwargs: new Map() }, 'Expected `kwargs` to be an object'],
    [{ deferByMs: 1, deferUntil: 1 }, "use either 'deferUntil' or 'deferByMs' or neither, not both"],
    [null, 'enqueue: Expected an options object, got `null`'],
    ['x', 'enqueue: Expected an options object, got `"x"`'],
  ])('may not be %o', (options, message) => {
    expect(() => checkEnqueueOptions(options as EnqueueOptions)).toThrow(message)
  })

  test('are refused by the quick check exactly where the schema refuses them', () => {
    const values = [
      undefined,
      null,
      '',
      'x',
      0,
      -1,
      0.5,
      1,
      1e13,
      1e17,
      Number.NaN,
      Infinity,
      true,
      [],
      {},
      new Map(),
      new Date(),
      new Date('x'),
    ]
    for (const key of Object.keys(enqueueSchema.shape)) {
      for (const value of values) {
        const { success } = enqueueSchema.safeParse({ [key]: value })
        let passed = true
        try {
          checkEnqueueOptions({ [key]: value } as EnqueueOptions)
        } catch {
          passed = false
        }
        expect([key, value, passed]).toEqual([key, value, success])
      }
    }
  })
})

describe('the reference page', () => {
  const page = readFileSync(new URL('../../../../docs/reference/options.md', import.meta.url), 'utf8')
  const rows = (heading: string) => {
    const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? ''
    const lines = [...section.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)]
    return new Map(lines.map(([, name = '', rest = '']) => [name, rest.split('|').map((cell) => cell.trim())]))
  }
  const sections: [string, z.ZodObject, object][] = [
    ['Client', clientSchema, clientDefaults],
    ['Enqueue', enqueueSchema, {}],
    ['Task', taskSchema(), {}],
    ['Worker', workerSchema, workerDefaults],
    ['Retry policy', retryPolicySchema(), {}],
  ]

  test.each(sections)('lists exactly the options of: %s', (heading, schema) => {
    expect([...rows(heading).keys()].toSorted()).toEqual(Object.keys(schema.shape).toSorted())
  })

  test.each(sections)(
    'has a meaning for each, and the defaults and bounds of the source: %s',
    (heading, schema, defaults) => {
      for (const [name, cells] of rows(heading)) {
        const [bounds = '', fallback = '', meaning] = cells.toReversed()
        expect(meaning, name).not.toBe('')
        const value = (defaults as Record<string, unknown>)[name]
        if (['number', 'boolean'].includes(typeof value)) expect(fallback.replaceAll(',', ''), name).toBe(String(value))
        if (typeof value === 'string' && value !== '') expect(fallback, name).toContain(`\`${value}\``)
        const inner = schema.shape[name] instanceof z.ZodOptional ? schema.shape[name].unwrap() : schema.shape[name]
        if (!(inner instanceof z.ZodNumber) || name === 'maxBurstJobs') continue
        expect(bounds, name).toContain(`≥ ${inner.minValue}`)
        expect(bounds.includes('a timer'), name).toBe(inner.maxValue === 2_147_483_647)
      }
    },
  )
})
