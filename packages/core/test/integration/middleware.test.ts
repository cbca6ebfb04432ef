import { eventually } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createLogger, cron, defineTask, jobLogging, NonRetryableError, Retry } from '../../src/index.ts'
import type { Attempt, AttemptEnd, Middleware, OutgoingCall, RunContext } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()

/** Notes the metadata of each run. */
function metadataOfRuns(): { runs: [string, unknown][]; middleware: Middleware[] } {
  const runs: [string, unknown][] = []
  const run: Middleware['run'] = (ctx, next) => {
    runs.push([ctx.functionName, ctx.metadata])
    return next()
  }
  return { runs, middleware: [{ run }] }
}

const echo = defineTask({ name: 'echo', params: z.object({ n: z.number() }), handler: (_, { n }) => n })
const adds = (metadata: object): Middleware => ({
  enqueue: (call, next) => {
    Object.assign(call.metadata, metadata)
    return next()
  },
})

test.each(['msgpack', 'pickle', 'json'] as const)(
  'metadata of the enqueue side reaches the run side along with the arguments, in %s',
  async (codec) => {
    const { middleware, runs } = metadataOfRuns()
    const client = bench.client({ codec, middleware: [adds({ tenant: 'acme', hops: [1] }), adds({ user: 7 })] })
    const job = await client.enqueue(echo, { n: 1 })
    const [second] = await client.enqueueMany([[echo, { n: 2 }, { headStartMs: 5 }]])
    await bench.worker({ tasks: [echo], middleware })
    expect(await job!.result()).toBe(1)
    expect(await (second as { job: typeof job }).job!.result()).toBe(2)
    const metadata = { tenant: 'acme', hops: [1], user: 7 }
    expect(runs).toEqual([
      ['echo', metadata],
      ['echo', metadata],
    ])
  },
)

test('the enqueue side sees the call and its outcome, and changes options without touching the caller’s', async () => {
  const seen: unknown[] = []
  const client = bench.client({
    middleware: [
      {
        enqueue: async (call, next) => {
          const { functionName, input, options } = call
          seen.push({ functionName, input, options: { ...options } })
          call.options.queueName = 'other'
          call.options = { ...call.options, jobId: 'one' }
          const { job, status } = await next()
          seen.push([status, job.jobId])
          return { status, job }
        },
      },
    ],
  })
  const options = { expiresMs: 60_000 }
  expect(await client.enqueue('echo', [1], options)).toMatchObject({ jobId: 'one', queueName: 'other' })
  expect(await client.enqueue('echo')).toBeNull()
  expect(seen).toEqual([
    { functionName: 'echo', input: [1], options },
    ['queued', 'one'],
    { functionName: 'echo', input: undefined, options: {} },
    ['duplicate', 'one'],
  ])
  expect(options).toEqual({ expiresMs: 60_000 })
})

test('unique calls pass the enqueue side, and a replaced job has the newest metadata', async () => {
  const { middleware, runs } = metadataOfRuns()
  let revision = 0
  const enqueue = (call: OutgoingCall) => Object.assign(call.metadata, { revision: ++revision })
  const client = bench.client({
    middleware: [
      {
        enqueue: (call, next) => {
          enqueue(call)
          return next()
        },
      },
    ],
  })
  const unique = { key: 'k', onConflict: 'replace' } as const
  await client.enqueue(echo, { n: 1 }, { unique })
  const job = await client.enqueue(echo, { n: 2 }, { unique })
  await bench.worker({ tasks: [echo], middleware })
  expect(await job!.result()).toBe(2)
  expect(runs).toEqual([['echo', { revision: 2 }]])
})

test('a throw of the enqueue side refuses the call, for one item of many too', async () => {
  const client = bench.client({
    middleware: [
      {
        enqueue: (call, next) => {
          if (call.functionName === 'forbidden') throw new Error('not for you')
          return next()
        },
      },
    ],
  })
  await expect(client.enqueue('forbidden')).rejects.toThrow('not for you')
  const outcomes = await client.enqueueMany([['forbidden'], ['allowed']])
  expect(outcomes.map(({ status }) => status)).toEqual(['failed', 'queued'])
  expect((await client.queuedJobs()).map(({ functionName }) => functionName)).toEqual(['allowed'])
})

test.each<[string, Middleware['enqueue'], object]>([
  ['neither calls `next` nor throws', (async () => {}) as never, { code: 'ARQ_MIDDLEWARE' }],
  [
    'calls `next` twice',
    async (_, next) => {
      await next()
      return next()
    },
    { code: 'ARQ_MIDDLEWARE' },
  ],
  [
    'leaves options that are wrong',
    (call, next) => {
      call.options = { deferBy: 5 } as never
      return next()
    },
    { message: 'enqueue: Unknown option `deferBy`, did you mean `deferByMs` (in milliseconds)?' },
  ],
  [
    'leaves metadata that is no object',
    (call, next) => {
      Object.assign(call, { metadata: 'x' })
      return next()
    },
    { message: 'enqueue(\'f\'): expected the `metadata` of a middleware to be an object, got `"x"`' },
  ],
  [
    'leaves metadata that no codec writes',
    (call, next) => {
      call.metadata.at = () => 1
      return next()
    },
    { code: 'ARQ_ENCODE' },
  ],
  [
    'hides the error of `next`',
    (call, next) => ((call.options.jobTry = 0), next().catch(() => {})) as never,
    { code: 'ARQ_INVALID_OPTIONS' },
  ],
])('an enqueue side that %s makes the call fail', async (_, enqueue, error) => {
  const client = bench.client({ middleware: [{ enqueue: enqueue! }] })
  await expect(client.enqueue('f')).rejects.toMatchObject(error)
})

test('the client of handlers has the enqueue side of its worker; ticks of cron jobs do not', async () => {
  const { middleware, runs } = metadataOfRuns()
  const parent = defineTask({
    name: 'parent',
    handler: async (ctx) => (await ctx.client.enqueue(echo, { n: 3 }))!.jobId,
  })
  const tick = cron('tick', { month: 1, day: 1 }, () => 'ticked', { runAtStartup: true })
  const job = await bench.client().enqueue(parent, [])
  await bench.worker({ tasks: [parent, echo], cron: [tick], middleware: [adds({ from: 'worker' }), ...middleware] })
  expect(
    await bench
      .client()
      .job(await job!.result())
      .result(),
  ).toBe(3)
  await eventually(() => expect(runs.map(([name]) => name)).toContain('tick'))
  expect(runs).toContainEqual(['echo', { from: 'worker' }])
  expect(runs).toContainEqual(['parent', {}])
  expect(runs).toContainEqual(['tick', {}])
})

test('the run side replaces results, which `returns` checks, and its errors are those of the try', async () => {
  const task = defineTask({
    name: 'f',
    params: z.object({ n: z.number() }),
    returns: z.number(),
    retry: { delayMs: 1 },
    maxTries: 2,
    handler: (_, { n }) => n,
  })
  const tries: [number, number, unknown][] = []
  const run: Middleware['run'] = async (ctx, next) => {
    const n = (await next()) as number
    tries.push([n, ctx.jobTry, ctx.metadata.tenant])
    if (n === 0) return 10
    if (n === 1) return 'no number'
    if (n === 2 && ctx.jobTry === 1) throw new Retry({ deferMs: 1 })
    if (n === 3) throw new Error(`refused at try ${ctx.jobTry}`)
    return n
  }
  await bench.worker({ tasks: [task], middleware: [{ run }] })
  const client = bench.client({ middleware: [adds({ tenant: 'acme' })] })
  const ends = await Promise.all(
    [0, 1, 2, 3].map(async (n) => {
      const job = await client.enqueue(task, { n })
      return job!.result().catch((error: Error) => error.message)
    }),
  )
  expect(ends).toEqual([10, expect.stringContaining('expected number'), 2, 'RuntimeError: refused at try 2'])
  expect(tries.filter(([n]) => n === 2)).toEqual([
    [2, 1, 'acme'],
    [2, 2, 'acme'],
  ])
})

test('a run side that never calls `next` leaves the handler out; one that calls it twice fails the try', async () => {
  let calls = 0
  const task = defineTask({ name: 'f', handler: (_, how: unknown) => `${String(how)} ${++calls}` })
  const run: Middleware['run'] = async (ctx, next) => {
    if (ctx.metadata.skip) return 'skipped'
    const first = await next()
    return first === 'twice 1' ? next() : first
  }
  await bench.worker({ tasks: [task], middleware: [{ run }] })
  const skipping = bench.client({ middleware: [adds({ skip: true })] })
  expect(await (await skipping.enqueue(task, ['x']))!.result()).toBe('skipped')
  const twice = await bench.client().enqueue(task, ['twice'])
  await expect(twice!.result()).rejects.toThrow('a middleware called `next` twice')
  expect(calls).toBe(1)
})

test('an interrupted job whose middleware still holds it does not start its handler', async () => {
  let hasRun = false
  const task = defineTask({ name: 'f', timeoutMs: 50, handler: () => (hasRun = true) })
  const run: Middleware['run'] = async (ctx, next) => {
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
    return next()
  }
  await bench.worker({ tasks: [task], middleware: [{ run }] })
  const job = await bench.client().enqueue(task, [])
  await expect(job!.result()).rejects.toThrow('timeout of 50 ms')
  expect(hasRun).toBe(false)
})

test('surrounds each job of a chunk, and the call of a sandbox', async () => {
  const seen: RunContext[] = []
  const chunked = defineTask({
    name: 'chunked',
    params: z.object({ n: z.number() }),
    chunk: { size: 3, waitMs: 20_000 },
    handler: (jobs, ctx) =>
      jobs.map(({ input }) => input.n + Object.keys(ctx).filter((key) => key === 'metadata').length),
  })
  const sandboxed = defineTask({
    name: 'sandboxed',
    params: z.looseObject({ act: z.string() }),
    sandbox: { module: new URL('../fixtures/sandbox-acts.mjs', import.meta.url), kind: 'thread' },
  })
  const run: Middleware['run'] = async (ctx, next) => {
    seen.push(ctx)
    return [await next()]
  }
  const client = bench.client({ middleware: [adds({ by: 'me' })] })
  const chunk = await client.enqueueMany([0, 1, 2].map((n) => [chunked, { n }] as const) as never)
  const alone = await client.enqueue(sandboxed, { act: 'echo', value: 20 })
  await bench.worker({ tasks: [chunked, sandboxed], middleware: [{ run }] })
  const jobs = (chunk as unknown as { job: { result(): Promise<unknown> } }[]).map(({ job }) => job.result())
  expect(await Promise.all([...jobs, alone!.result()])).toEqual([[0], [1], [2], [20]])
  expect(seen.map(({ functionName, metadata }) => [functionName, metadata])).toEqual(
    expect.arrayContaining([
      ['chunked', { by: 'me' }],
      ['sandboxed', { by: 'me' }],
    ]),
  )
  expect(seen.length).toBe(4)
})

/** Notes each try that starts, and each end of one. */
function tries(): { starts: Attempt[]; ends: [string, AttemptEnd][]; middleware: Middleware } {
  const starts: Attempt[] = []
  const ends: [string, AttemptEnd][] = []
  const observe = (attempt: Attempt) => {
    starts.push(attempt)
    return (end: AttemptEnd) => void ends.push([attempt.jobId, end])
  }
  return { starts, ends, middleware: { observe } }
}

test('the observe side sees each try from its start to its decided end, whatever that is', async () => {
  const { ends, middleware, starts } = tries()
  const task = defineTask({
    name: 'f',
    params: z.object({ how: z.string() }),
    retry: { delayMs: 1 },
    handler: async (ctx, { how }) => {
      if (how === 'hangs')
        await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('stopped'))))
      if (how === 'retried' && ctx.jobTry === 1) throw new Retry({ deferMs: 2 })
      if (how === 'by policy' && ctx.jobTry === 1) throw new Error('once')
      if (how === 'failed') throw new NonRetryableError('for good')
      return how
    },
  })
  const client = bench.client({ middleware: [adds({ tenant: 'acme' })] })
  await bench.worker({ tasks: [task], allowAbortJobs: true, middleware: [middleware] })
  const enqueue = async (how: unknown, jobId: string) => (await client.enqueue('f', [how], { jobId }))!
  const hanging = await enqueue('hangs', 'aborted')
  const others = await Promise.all(['complete', 'retried', 'by policy', 'failed'].map((how) => enqueue(how, how)))
  const unfit = await enqueue(5, 'unfit')
  await Promise.all([...others, unfit].map((job) => job.result({ timeoutMs: 10_000 }).catch(() => {})))
  await eventually(() => starts.some(({ jobId }) => jobId === 'aborted'))
  await hanging.abort({ timeoutMs: 10_000 })
  const endsOf = (jobId: string) => ends.flatMap(([id, end]) => (id === jobId ? [end] : []))
  const failed = { outcome: 'failed', error: expect.any(Error) as Error }
  expect(endsOf('complete')).toEqual([{ outcome: 'complete', result: 'complete', ranMs: expect.any(Number) as number }])
  expect(endsOf('retried')).toMatchObject([{ outcome: 'retried', by: 'retry', delayMs: 2 }, { outcome: 'complete' }])
  expect(endsOf('by policy')).toMatchObject([{ outcome: 'retried', by: 'policy' }, { outcome: 'complete' }])
  expect([endsOf('failed'), endsOf('unfit'), endsOf('aborted')]).toMatchObject([
    [failed],
    [failed],
    [{ outcome: 'aborted' }],
  ])
  expect(starts.filter(({ jobId }) => jobId === 'retried')).toMatchObject(
    [1, 2].map((jobTry) => ({
      jobTry,
      functionName: 'f',
      queueName: 'arq:queue',
      isCron: false,
      args: ['retried'],
      kwargs: {},
      metadata: { tenant: 'acme' },
    })),
  )
})

test('the observe side sees the jobs that a stopping worker gives back', async () => {
  const { ends, middleware, starts } = tries()
  const task = defineTask({
    name: 'f',
    handler: (ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('x')))),
  })
  const worker = await bench.worker({ tasks: [task], middleware: [middleware] })
  await bench.client().enqueue('f', [], { jobId: 'held' })
  await eventually(() => starts.length === 1)
  await worker.stop()
  expect(ends).toMatchObject([['held', { outcome: 'released' }]])
})

test('a worker logs by its own logger, or by the `jobLogging` of its middleware', async () => {
  const linesOf = () => {
    const lines: string[] = []
    const write = (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) > 0
    return { lines, logger: createLogger({ destination: { write } as never }) }
  }
  const [own, other] = [linesOf(), linesOf()]
  await bench.worker({
    tasks: [echo],
    logger: own.logger,
    middleware: [jobLogging({ logger: other.logger, logArguments: false })],
  })
  const job = (await bench.client().enqueue(echo, { n: 7 }))!
  expect(await job.result({ timeoutMs: 10_000 })).toBe(7)
  const ofJob = (lines: string[]) =>
    lines.filter((line) => line.includes(`${job.jobId}:echo`)).map((line) => line.slice(8))
  expect(ofJob(own.lines)).toEqual([])
  expect(ofJob(other.lines)).toEqual([`→ ${job.jobId}:echo()`, `← ${job.jobId}:echo ● 7`])
})
