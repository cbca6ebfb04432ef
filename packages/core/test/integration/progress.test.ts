import { eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, pythonTask, Retry } from '../../src/index.ts'
import type { JobLogEntry } from '../../src/index.ts'
import { JobLogs } from '../../src/progress/job-logs.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
let redis: Redis

beforeEach(() => {
  redis = new Redis(bench.database().url)
})
afterEach(() => redis.disconnect())

/** Without ids and times, which differ from run to run. */
function plain(entries: readonly JobLogEntry[]): object[] {
  return entries.map(({ atMs: _atMs, id: _id, ...rest }) => rest)
}

async function all(events: AsyncIterable<JobLogEntry>): Promise<JobLogEntry[]> {
  const entries: JobLogEntry[] = []
  for await (const entry of events) entries.push(entry)
  return entries
}

const talk = defineTask({
  name: 'talk',
  record: { logs: true },
  handler: (ctx) => {
    ctx.log.debug('not kept')
    ctx.log.info({ path: 'a' }, 'read %d of %d', 1, 2)
    ctx.progress(0.25)
    ctx.progress(0.5, 'half')
    ctx.log.child({ part: 2 }).warn('slow')
    if (ctx.jobTry === 1) throw new Retry({ deferMs: 1 })
    ctx.log.error(new TypeError('odd'), 'continued')
  },
})

describe('the events of a job', () => {
  test('are what it logs and how far it is, try by try, until it has ended', async () => {
    const client = bench.client()
    await bench.worker({ tasks: [talk] })
    const job = (await client.enqueue(talk, []))!
    const tried = [
      { kind: 'log', level: 'info', message: 'read 1 of 2', fields: { path: 'a' } },
      { kind: 'progress', fraction: 0.5, message: 'half' },
      { kind: 'log', level: 'warn', message: 'slow', fields: { part: 2 } },
    ]
    const entries = await all(job.events())
    expect(plain(entries)).toEqual([
      ...tried.map((entry) => ({ ...entry, jobTry: 1 })),
      ...tried.map((entry) => ({ ...entry, jobTry: 2 })),
      { kind: 'log', level: 'error', message: 'continued', fields: { err: 'TypeError: odd' }, jobTry: 2 },
      { kind: 'end', outcome: 'complete', jobTry: 2 },
    ])
    expect(await client.history.log(job.jobId)).toEqual(entries)
    expect(await all(job.events({ after: entries[5]!.id }))).toEqual(entries.slice(6))
    // The list of such jobs goes with the newest of them.
    expect(await redis.pttl('arq:obs:logged')).toBeGreaterThan(6 * 86_400_000)
  })

  test('come while the job runs, and stop at a signal', async () => {
    const client = bench.client()
    let end = () => {}
    const hold = defineTask({
      name: 'hold',
      handler: async (ctx) => {
        ctx.progress(0.1)
        await new Promise<void>((resolve) => (end = resolve))
      },
    })
    await bench.worker({ tasks: [hold] })
    const job = (await client.enqueue(hold, []))!
    const events = job.events()
    expect((await events.next()).value).toMatchObject({ kind: 'progress', fraction: 0.1 })
    expect(await job.status()).toBe('in_progress')
    await events.return()
    expect(await all(job.events({ signal: AbortSignal.abort() }))).toEqual([])
    end()
    await job.result({ timeoutMs: 10_000 })
  })

  test('end for a job that logs nothing, and for one that nobody knows', async () => {
    const client = bench.client()
    const quiet = defineTask({ name: 'quiet', handler: (ctx) => ctx.log.info('not recorded') })
    await bench.worker({ tasks: [quiet] })
    const job = (await client.enqueue(quiet, []))!
    expect(await all(job.events())).toEqual([])
    expect(await all(client.job('nobody').events())).toEqual([])
    expect(await redis.keys('arq:obs:log*')).toEqual([])
  })

  test('distinguish an abort from a failure by the end', async () => {
    const client = bench.client()
    const fail = defineTask({
      name: 'fail',
      handler: (ctx) => {
        ctx.progress(Number.NaN)
        throw new Error('no')
      },
    })
    await bench.worker({ tasks: [fail] })
    const job = (await client.enqueue(fail, []))!
    expect(plain(await all(job.events()))).toEqual([
      { kind: 'progress', fraction: 0, jobTry: 1 },
      { kind: 'end', outcome: 'failed', jobTry: 1 },
    ])
  })

  test('are none where the worker records nothing', async () => {
    const client = bench.client()
    await bench.worker({ tasks: [talk], recorder: false })
    const job = (await client.enqueue(talk, []))!
    expect(await all(job.events())).toEqual([])
  })
})

describe('the log of a job', () => {
  test('keeps the last 64 KiB, whoever wrote before, and the newest 500 jobs', async () => {
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
    try {
      const entry = (i: number) =>
        JSON.stringify({ kind: 'log', atMs: 1, jobTry: 1, message: String(i).padEnd(1_000, 'x') })
      for (let from = 0; from < 200; from += 50) {
        await link.jobLogs.append(
          'j',
          Array.from({ length: 50 }, (_, i) => entry(from + i)),
        )
      }
      const kept = (await redis.xrange('arq:obs:log:j', '-', '+')).map(([, fields]) => fields[1]!)
      const bytes = kept.reduce((sum, value) => sum + value.length, 0)
      expect(bytes).toBeLessThanOrEqual(65_536)
      expect(bytes).toBeGreaterThan(65_536 - entry(0).length)
      expect(kept.at(-1)).toBe(entry(199))
      expect(Number(await redis.memory('USAGE', 'arq:obs:log:j', 'SAMPLES', 0))).toBeLessThan(1.5 * 65_536)
      for (let i = 0; i < 500; i++) await link.jobLogs.append(`n${i}`, ['{}'])
      expect(await redis.exists('arq:obs:log:j')).toBe(0)
      expect(await redis.keys('arq:obs:log:*')).toHaveLength(500)
    } finally {
      await link.close()
    }
  })

  test('that cannot be written costs its job nothing', async () => {
    const client = bench.client()
    await bench.worker({ tasks: [talk] })
    await redis.set('arq:obs:log:x', 'no stream')
    const job = (await client.enqueue(talk, [], { jobId: 'x' }))!
    await expect(job.result({ timeoutMs: 10_000 })).resolves.toBeNull()
    await eventually(async () => (await client.history.log('x')).length === 0)
  })
})

describe('the pieces of a result', () => {
  const stream = defineTask({
    name: 'stream',
    handler: async (ctx, count: number) => {
      for (let i = 0; i < count; i++) await ctx.emit({ i, url: 'redis://me:secret@host', try: ctx.jobTry })
      if (ctx.jobTry === 1) throw new Retry({ deferMs: 1 })
      return count
    },
  })
  const pieces = (entries: readonly JobLogEntry[]) =>
    entries.flatMap((entry) => (entry.kind === 'chunk' ? [entry.value as { i: number; try: number }] : []))

  test('come as they were emitted, in order, each once, by their try', async () => {
    const client = bench.client()
    await bench.worker({ tasks: [stream] })
    const job = (await client.enqueue(stream, [30]))!
    const entries = await all(job.events({ from: 'start' }))
    expect(pieces(entries).map(({ i, try: jobTry }) => [jobTry, i])).toEqual(
      [1, 2].flatMap((jobTry) => Array.from({ length: 30 }, (_, i) => [jobTry, i])),
    )
    const isOfItsTry = (entry: JobLogEntry) =>
      entry.kind !== 'chunk' || entry.jobTry === (entry.value as { try: number }).try
    expect(entries.every(isOfItsTry)).toBe(true)
    expect(pieces(entries)[0]).toEqual({ i: 0, url: 'redis://me:secret@host', try: 1 })
    expect(entries.at(-1)).toMatchObject({ kind: 'end', outcome: 'complete' })
    expect(await all(job.events({ from: 'now' }))).toEqual([])
  })

  test('survive cut connections of the worker and of the reader without a gap and without a double', async () => {
    const client = bench.client()
    let next = () => {}
    const paced = defineTask({
      name: 'paced',
      handler: async (ctx) => {
        for (let i = 0; i < 40; i++) {
          await ctx.emit({ i, try: 1 })
          if (i % 10 === 9) await new Promise<void>((resolve) => (next = resolve))
        }
      },
    })
    await bench.worker({ tasks: [paced] })
    const job = (await client.enqueue(paced, []))!
    const seen: number[] = []
    for await (const entry of job.events()) {
      if (entry.kind !== 'chunk') continue
      seen.push((entry.value as { i: number }).i)
      if (seen.length % 10 !== 0) continue
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      next()
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i))
  })

  test('are at most 2,000 at a time while none is written, whatever was handed to a write before', async () => {
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
    try {
      const logs = new JobLogs(link.jobLogs, silent, () => 0)
      const jobIds = ['a', 'b', 'c']
      for (const jobId of jobIds) {
        for (let i = 0; i < 900; i++) logs.add({ jobId, jobTry: 1 }, { kind: 'log', level: 'info', message: '' })
        void logs.flush()
      }
      await logs.flush()
      const written = await Promise.all(jobIds.map((jobId) => redis.xlen(`arq:obs:log:${jobId}`)))
      expect(written).toEqual([900, 900, 200])
    } finally {
      await link.close()
    }
  })

  test('are appended once where the reply was lost and the call is sent again', async () => {
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
    try {
      const { run } = link.connection
      // The server does the call, and the connection is lost before its reply.
      link.connection.run = ((operation: (client: unknown, attempt: number) => Promise<unknown>) =>
        run.call(link.connection, async (redisClient) => {
          await operation(redisClient, 0)
          return operation(redisClient, 1)
        })) as never
      await link.jobLogs.append('j', ['{"a":1}', '{"a":2}'])
      await link.jobLogs.append('j', ['{"a":3}'])
      const kept = (await redis.xrange('arq:obs:log:j', '-', '+')).map(([, fields]) => fields[1])
      expect(kept).toEqual(['{"a":1}', '{"a":2}', '{"a":3}'])
    } finally {
      await link.close()
    }
  })

  test.each<[string, unknown, string]>([
    ['no JSON writes', 1n, 'JSON cannot write the value'],
    ['is a function', () => 1, 'JSON cannot write a function'],
    ['is too large', 'x'.repeat(65_300), 'more than the 65280 that one may have'],
  ])('are refused where a value %s', async (_, value, reason) => {
    const client = bench.client()
    const wrong = defineTask({ name: 'wrong', handler: (ctx) => ctx.emit(value) })
    await bench.worker({ tasks: [wrong] })
    await expect((await client.enqueue(wrong, []))!.result({ timeoutMs: 5_000 })).rejects.toThrow(reason)
  })

  test('are checked by the `emits` of their task, and arrive as what that schema gives', async () => {
    const at = new Date(1_700_000_000_000)
    const typed = defineTask({
      name: 'typed',
      emits: z.object({ n: z.number(), at: z.date(), note: z.string().default('none') }),
      handler: async (ctx) => {
        await ctx.emit({ n: 1, at })
        await ctx.emit({ n: 'x' } as never)
      },
    })
    await bench.worker({ tasks: [typed] })
    const job = (await bench.client().enqueue(typed, []))!
    const seen: unknown[] = []
    for await (const entry of job.events()) if (entry.kind === 'chunk') seen.push([entry.value.at, entry.value])
    expect(seen).toEqual([[at, { n: 1, at, note: 'none' }]])
    await expect(job.result({ timeoutMs: 5_000 })).rejects.toThrow(
      'typed() emitted what its `emits` does not take: `n`: Invalid input: expected number, received string',
    )
  })

  test('that do not fit the `emits` of a Python function stop the reader, which may continue behind them', async () => {
    const spoken = pythonTask({ name: 'spoken', emits: z.string() })
    const client = bench.client()
    const job = (await client.enqueue(spoken, []))!
    const add = (value: unknown) =>
      redis.xadd(`arq:obs:log:${job.jobId}`, '*', 'j', JSON.stringify({ kind: 'chunk', value, atMs: 1, jobTry: 1 }))
    const ids = [await add('one'), await add(2), await add('three')]
    const reading = job.events()
    expect((await reading.next()).value).toMatchObject({ kind: 'chunk', value: 'one' })
    await expect(reading.next()).rejects.toMatchObject({
      code: 'ARQ_RESULT',
      message: expect.stringContaining('a piece of the result of spoken() does not fit its `emits`') as string,
    })
    const rest = job.events({ after: ids[1]! })
    expect((await rest.next()).value).toMatchObject({ kind: 'chunk', value: 'three' })
    await rest.return()
  })

  test.each<[string, object, boolean, number, number]>([
    ['its result', { keepResultMs: 120_000 }, false, 60_001, 120_000],
    ['a minute, where it leaves no result', { keepResultMs: 0 }, false, 1, 60_000],
    ['its dead letter', { keepResultMs: 120_000, maxTries: 1 }, true, 120_001, 7 * 86_400_000],
    ['seven days, where its result is kept for ever', { keepResultForever: true }, false, 86_400_000, 7 * 86_400_000],
  ])('are kept as long as %s', async (_, options, fails, least, most) => {
    const task = defineTask({
      name: 'kept',
      ...options,
      handler: async (ctx) => {
        await ctx.emit('piece')
        if (fails) throw new Error('no')
      },
    })
    await bench.worker({ tasks: [task] })
    const job = (await bench.client().enqueue(task, []))!
    await all(job.events())
    const ttlMs = await redis.pttl(`arq:obs:log:${job.jobId}`)
    expect(ttlMs).toBeGreaterThanOrEqual(least)
    expect(ttlMs).toBeLessThanOrEqual(most)
  })

  test('that a handler does not await are bounded in memory, and those beyond are refused', async () => {
    const piece = 'x'.repeat(1_022) // 1,024 bytes as JSON
    const flood = defineTask({
      name: 'flood',
      handler: async (ctx) => {
        const emitted = await Promise.allSettled(Array.from({ length: 5_000 }, () => ctx.emit(piece)))
        const refused = emitted.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []))
        return [refused.length, refused[0]]
      },
    })
    await bench.worker({ tasks: [flood] })
    const job = (await bench.client().enqueue(flood, []))!
    expect(await job.result({ timeoutMs: 10_000 })).toEqual([
      5_000 - 4_096,
      expect.stringContaining('4194304 bytes wait to be written; await each call'),
    ])
  })

  test('that are small are bounded in number, and are written by few calls', async () => {
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
    try {
      await link.syncClock()
      const logs = new JobLogs(link.jobLogs, silent, () => 1)
      const of = { jobId: 'many', jobTry: 1 }
      for (let i = 0; i < 65_536; i++) void logs.emit(of, i)
      expect(() => logs.emit(of, 65_536)).toThrow('4194304 bytes wait to be written; await each call')
      await logs.flush()
      const kept = await redis.xrange('arq:obs:log:many', '-', '+')
      expect(JSON.parse(kept.at(-1)![1][1]!)).toMatchObject({ kind: 'chunk', value: 65_535 })
      // Each entry has the name of the call that wrote it.
      expect(new Set(kept.map(([, fields]) => fields[5])).size).toBeLessThan(4)
      await logs.emit(of, 'again')
      await logs.flush()
    } finally {
      await link.close()
    }
  })

  test('that are refused and not awaited end neither the handler nor the process', async () => {
    const client = bench.client()
    const careless = defineTask({
      name: 'careless',
      handler: (ctx) => {
        void ctx.emit(1n)
        return 'ended'
      },
    })
    await bench.worker({ tasks: [careless] })
    expect(await (await client.enqueue(careless, []))!.result({ timeoutMs: 5_000 })).toBe('ended')
  })

  test('are refused on a worker that records nothing', async () => {
    const client = bench.client()
    await bench.worker({ tasks: [stream], recorder: false })
    await expect((await client.enqueue(stream, [1]))!.result({ timeoutMs: 5_000 })).rejects.toThrow('recorder: false')
  })

  test('of a Python handler are read by its one line', async () => {
    const entry = { kind: 'chunk', value: 'token', atMs: 1, jobTry: 1 }
    await redis.xadd('arq:obs:log:py', '*', 'j', JSON.stringify(entry))
    const client = bench.client()
    const read = client.job('py').events()
    expect((await read.next()).value).toMatchObject(entry)
    await read.return()
  })

  test('are read by options that exist', () => {
    const job = bench.client().job('x')
    expect(() => job.events({ from: 'end' as 'now' })).toThrow('`from`')
    expect(() => job.events({ fromm: 'now' } as object)).toThrow('did you mean `from`?')
  })
})
