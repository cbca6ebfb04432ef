import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../src/config/index.ts'
import * as arq from '../../src/index.ts'
import { silent } from './support.ts'

/** The password of the server, which no error may contain: messages, causes and fields go to logs and trackers. */
const SECRET = 'hunter2-of-redis'

let server: RedisServer
let redis: Redis
let client: arq.Client
let worker: arq.Worker
let running: Promise<void>
const reasons = new Map<string, (reason: unknown) => void>()
const ends = new Map<string, (error: unknown) => void>()

const url = (database = 0) => `redis://:${SECRET}@127.0.0.1:${server.port}/${database}`
const waiting = (id: string) => new Promise<unknown>((resolve) => reasons.set(id, resolve))
const ended = (id: string) => new Promise<unknown>((resolve) => ends.set(id, resolve))

const add = arq.defineTask({
  name: 'add',
  params: z.object({ a: z.number() }),
  returns: z.number(),
  handler: (_ctx, { a }) => (a < 0 ? ('less than nothing' as never) : a),
})
const fail = arq.defineTask({
  name: 'fail',
  maxTries: 1,
  handler: (_ctx, how: 'error' | 'final') => {
    throw how === 'final' ? new arq.NonRetryableError('no use') : new TypeError('boom')
  },
})
/** Ends when its signal fires, and passes on the reason. */
const wait = arq.defineTask({
  name: 'wait',
  maxTries: 1,
  handler: async (ctx) => {
    const reason = await new Promise((resolve) => {
      ctx.signal.addEventListener('abort', () => resolve(ctx.signal.reason), { once: true })
    })
    reasons.get(ctx.jobId)!(reason)
    throw reason
  },
})
const late = arq.defineTask({ name: 'late', maxTries: 1, timeoutMs: 20, handler: wait.handler })
const tasks = [add, fail, wait, late]

async function workerOn(database: number, options: Partial<arq.WorkerOptions> = {}) {
  const made = new arq.Worker({
    redis: url(database),
    tasks,
    logger: silent,
    handleSignals: false,
    leaseMs: 1_000,
    ...options,
  })
  made.on('jobFinished', ({ jobId, error }) => ends.get(jobId)?.(error))
  return { made, run: made.run() }
}

beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
  await redis.config('SET', 'requirepass', SECRET)
  client = new arq.Client({ redis: url(), logger: silent })
  const { made, run } = await workerOn(0)
  worker = made
  running = run
})
afterAll(async () => {
  await worker.stop()
  await running
  await client.close()
  redis.disconnect()
  await server.stop()
})

const thrown = async (call: () => unknown): Promise<unknown> => {
  try {
    return { accepted: await call() }
  } catch (error) {
    return error
  }
}
const enqueued = async (task: arq.AnyTask | string, input: unknown = [], options: arq.EnqueueOptions = {}) =>
  (await client.enqueue(task as string, input as unknown[], options))!

interface Produced {
  /** Makes the error as a program would meet it. */
  make: () => Promise<unknown>
  /** The parts that its message must have. */
  words: RegExp
  /** True if the error has a `cause`. */
  hasCause?: boolean
}

const produced: Record<string, Produced> = {
  ARQ_ARGUMENTS: { make: () => thrown(() => client.enqueue(add, {} as never)), words: /add\(\).*`?a`?/ },
  ARQ_DECODE: {
    make: async () => {
      await redis.set('arq:job:garbage', 'no payload')
      return thrown(() => client.job('garbage').info())
    },
    words: /expected a pickle, a msgpack map or a JSON object, got 10 bytes/,
  },
  ARQ_ENCODE: {
    make: () => thrown(() => client.enqueue('f', [{ deep: () => 1 }])),
    words: /`args\[0\]\.deep`: msgpack cannot carry a function; pass data only/,
    hasCause: true,
  },
  ARQ_FAILED_JOBS: {
    make: async () => {
      const own = new arq.Client({ redis: url(2), logger: silent })
      await own.enqueue(fail, ['error'])
      await own.close()
      const { made } = {
        made: new arq.Worker({ redis: url(2), tasks, logger: silent, handleSignals: false, burst: true }),
      }
      return thrown(() => made.runCheck())
    },
    words: /^1 job failed: .*boom/,
  },
  ARQ_FLOW: { make: () => thrown(() => client.flows.get('none').status()), words: /none/ },
  ARQ_FLOW_FAILED: {
    make: async () => {
      const flow = arq.flow('report', { onUnknown: 'fail' })
      flow.call(fail, ['error'])
      return thrown(async () => (await client.start(flow)).result({ timeoutMs: 20_000 }))
    },
    words: /report/,
  },
  ARQ_INVALID_CONFIG: {
    make: () =>
      thrown(() =>
        loadConfig({ env: {}, cwd: '/nowhere', flags: { redis_url: `redis://:${SECRET}@h:x`, max_jobs: 0 } }),
      ),
    words: /--redis.*`redis_url`[^]*--max-jobs.*`max_jobs`/,
  },
  ARQ_INVALID_OPTIONS: {
    make: () => thrown(() => new arq.Client({ redis: `redis://:${SECRET}@h/abc` })),
    words: /Client: Expected `redis` to be .* database is a number from 0, not 'abc', got/,
  },
  ARQ_JOB_ABORTED: {
    make: async () => {
      const job = await enqueued('add', [1], { deferByMs: 600_000, jobId: 'aborted' })
      await job.abort({ timeoutMs: 20_000 })
      return thrown(() => job.result())
    },
    words: /job aborted was aborted/,
    hasCause: true,
  },
  ARQ_JOB_FAILED: {
    make: async () => {
      const job = await enqueued('nowhere')
      return thrown(() => job.result({ timeoutMs: 20_000 }))
    },
    words: /function 'nowhere' not found/,
    hasCause: true,
  },
  ARQ_JOB_TIMEOUT: {
    make: async () => {
      const reason = waiting('late')
      await enqueued(late, [], { jobId: 'late' })
      return reason
    },
    words: /timeout of 20 ms/,
  },
  ARQ_LEASE_LOST: {
    make: async () => {
      const reason = waiting('stolen')
      const started = new Promise((resolve) =>
        worker.on('jobStarted', ({ jobId }) => jobId === 'stolen' && resolve(jobId)),
      )
      await enqueued(wait, [], { jobId: 'stolen' })
      await started
      await redis.set('arq:in-progress:stolen', 'another')
      return reason
    },
    words: /lease/,
  },
  ARQ_MIDDLEWARE: {
    make: async () => {
      const middleware: arq.Middleware[] = [{ enqueue: async (_call, next) => (await next(), next()) }]
      const own = new arq.Client({ redis: url(), logger: silent, middleware })
      const error = await thrown(() => own.enqueue('add', [1]))
      await own.close()
      return error
    },
    words: /add.*`?next/,
  },
  ARQ_NON_RETRYABLE: {
    make: async () => {
      const end = ended('final')
      await enqueued(fail, ['final'], { jobId: 'final' })
      return end
    },
    words: /^no use$/,
  },
  ARQ_REDIS_REPLY: {
    make: async () => {
      await redis.set('a-string', 'x')
      return thrown(() => client.enqueue('add', [1], { queueName: 'a-string' }))
    },
    words: /WRONGTYPE|a-string/,
  },
  ARQ_REDIS_UNAVAILABLE: {
    make: async () => {
      const away = new arq.Client({ redis: `redis://:${SECRET}@127.0.0.1:1/0`, logger: silent, commandTimeoutMs: 300 })
      const error = await thrown(() => away.enqueue('add', [1]))
      await away.close()
      return error
    },
    words: /127\.0\.0\.1:1.*(refused|ECONNREFUSED)/,
    hasCause: true,
  },
  ARQ_REMOTE: {
    make: async () => {
      const job = await enqueued(fail, ['error'])
      return thrown(() => job.result({ timeoutMs: 20_000 }))
    },
    words: /boom/,
  },
  ARQ_RESULT: {
    make: async () => {
      const end = ended('unfit')
      await enqueued(add, { a: -1 }, { jobId: 'unfit' })
      return end
    },
    words: /add\(\) returned what its `returns` does not take: /,
  },
  ARQ_RESULT_NOT_FOUND: {
    make: () => thrown(() => client.job('never').result()),
    words: /job never is not in arq:queue/,
  },
  ARQ_RETRY: {
    make: async () => new arq.Retry({ deferMs: 5, cause: new Error('busy') }),
    words: /defer/,
    hasCause: true,
  },
  ARQ_RETRY_JOB: { make: async () => new arq.RetryJob('again'), words: /again/ },
  ARQ_SANDBOX_LOAD: {
    make: async () => {
      const module = new URL('./nothing-here.mjs', import.meta.url)
      const sandboxed = arq.defineTask({ name: 'apart', sandbox: { module } })
      const made = new arq.Worker({ redis: url(3), tasks: [sandboxed], logger: silent, handleSignals: false })
      return thrown(() => made.run())
    },
    words: /nothing-here\.mjs/,
    hasCause: true,
  },
  ARQ_TIMEOUT: {
    make: async () => {
      const job = await enqueued('add', [1], { deferByMs: 600_000, jobId: 'far' })
      return thrown(() => job.result({ timeoutMs: 5 }))
    },
    words: /job far did not end within 5 ms; it continues/,
  },
  ARQ_WORKER_STOPPED: {
    make: async () => {
      const reason = waiting('stopped')
      const { made, run } = await workerOn(4)
      const started = new Promise((resolve) => made.on('jobStarted', resolve))
      const own = new arq.Client({ redis: url(4), logger: silent })
      await own.enqueue(wait, [], { jobId: 'stopped' })
      await started
      await made.stop()
      await run
      await own.close()
      return reason
    },
    words: /stop/,
  },
}

/** The error of a client that points elsewhere. */
async function errorOf(options: arq.ClientOptions): Promise<unknown> {
  const own = new arq.Client({ logger: silent, commandTimeoutMs: 300, ...options })
  const error = await thrown(() => own.enqueue('add', [1]))
  await own.close()
  return error
}

/** Further ways to a connection that fails, each with a password in its hands. */
const variants: [code: string, where: string, Produced][] = [
  [
    'ARQ_REDIS_REPLY',
    'a wrong password',
    {
      make: () => errorOf({ redis: `redis://:wrong-${SECRET}@127.0.0.1:${server.port}`, commandTimeoutMs: 5_000 }),
      words: /^Redis refuses the user or/,
    },
  ],
  [
    'ARQ_REDIS_UNAVAILABLE',
    'a sentinel that is away',
    {
      make: () =>
        errorOf({
          redis: {
            name: 'jobs',
            sentinels: [{ host: '127.0.0.1', port: 1 }],
            password: SECRET,
            sentinelPassword: SECRET,
          },
        }),
      words: /'jobs' by Sentinel at 127\.0\.0\.1:1/,
      hasCause: true,
    },
  ],
  [
    'ARQ_REDIS_UNAVAILABLE',
    'a host that is unknown',
    {
      make: () => errorOf({ redis: `redis://:${SECRET}@nowhere.invalid` }),
      words: /nowhere\.invalid:6379/,
      hasCause: true,
    },
  ],
  [
    'ARQ_REDIS_UNAVAILABLE',
    'a client that was closed',
    {
      make: async () => {
        const own = new arq.Client({ redis: url(), logger: silent })
        await own.close()
        return thrown(() => own.enqueue('add', [1]))
      },
      words: /the client was closed; create a new one/,
    },
  ],
]

/** Codes whose errors need more than a server, and the package whose tests meet them. */
const elsewhere: Record<string, string> = {
  ARQ_CACHE_BUSY: 'write-behind',
  ARQ_CACHE_FULL: 'write-behind',
  ARQ_DEPLOYMENT: 'canary',
  ARQ_QDRANT: 'qdrant',
  ARQ_SANDBOX_DIED: 'core',
  ARQ_SANDBOX_MEMORY: 'core',
  ARQ_TEST_QUEUE: 'testkit',
}

describe('an error in a real program says what happened, and to what, without secrets:', () => {
  const cases = [...Object.entries(produced).map(([code, each]) => [code, '', each] as const), ...variants]
  test.each(cases)('%s %s', async (code, _, { make, words, hasCause = false }) => {
    const error = (await make()) as arq.ArqError
    expect(error).toMatchObject({ code, message: expect.stringMatching(words) as string })
    expect(error).toBeInstanceOf(arq.ArqError)
    expect(error.cause instanceof Error).toBe(hasCause)
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      const own = Object.fromEntries(Object.getOwnPropertyNames(at).map((key) => [key, (at as never)[key]]))
      expect(`${inspect(at, { depth: 8, showHidden: true })} ${JSON.stringify(own)} ${at.stack}`).not.toContain(SECRET)
    }
  })
})

test('every code of the reference page occurs, here or in the tests of its package', () => {
  const page = readFileSync(new URL('../../../../docs/reference/errors.md', import.meta.url), 'utf8')
  const sections = page.split(/^## /m).slice(1)
  const listed = new Map(sections.map((section) => /^`(\w+)`\n`(\w+)`/.exec(section)!.slice(1) as [string, string]))
  expect([...Object.keys(produced), ...Object.keys(elsewhere)].toSorted()).toEqual([...listed.keys()].toSorted())
  const packages = fileURLToPath(new URL('../../../', import.meta.url))
  for (const [code, folder] of Object.entries(elsewhere)) {
    const tests = join(packages, folder, 'test')
    const files = readdirSync(tests, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'))
    const isMet = (file: string) => {
      const text = readFileSync(join(tests, file), 'utf8')
      return !file.endsWith('errors-for-real.test.ts') && (text.includes(code) || text.includes(listed.get(code)!))
    }
    expect(files.some(isMet), code).toBe(true)
  }
})
