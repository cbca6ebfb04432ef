import { decodeJob } from '@arq-ts/protocol/jobs'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/index.ts'
import type { Client, Job, Logger, Schedule } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const ids: string[] = []
const note = defineTask({
  name: 'note',
  params: z.object({ user: z.number().default(0) }),
  handler: (ctx, { user }) => {
    ids.push(ctx.jobId)
    return user
  },
})

/** Moves a schedule back in time, as if no worker had looked at it for this long: its clock is that of Redis. */
async function age(name: string, ms: number): Promise<void> {
  const { redis } = bench.database()
  const done = Number(await redis.hget(`arq:schedule:${name}`, 'done')) - ms
  await redis.multi().hset(`arq:schedule:${name}`, 'done', done).zadd('arq:schedules', done, name).exec()
}

const queued = (client: Client) => client.queuedJobs().then((jobs) => jobs.map(({ jobId }) => jobId).sort())

describe('a schedule', () => {
  test('is put, shown, changed, paused, resumed and removed', async () => {
    const client = bench.client()
    const put = await client.schedules.put('digest:42', {
      cron: ' 0  8 * * * ',
      timeZone: 'Europe/Berlin',
      task: note,
      input: { user: 42 },
      overlap: 'skip',
      missed: 'latest',
    })
    expect(put).toMatchObject({
      name: 'digest:42',
      cron: '0 8 * * *',
      timeZone: 'Europe/Berlin',
      everyMs: null,
      startAt: null,
      functionName: 'note',
      kwargs: { user: 42 },
      queueName: 'arq:queue',
      codec: 'msgpack',
      overlap: 'skip',
      missed: 'latest',
      paused: false,
      last: null,
      problem: null,
    })
    expect(put.next!.getTime()).toBeGreaterThan(await client.now())
    expect(await client.schedules.get('digest:42')).toEqual(put)
    expect(await client.schedules.pause('digest:42')).toMatchObject({ paused: true, next: null })
    expect(await client.schedules.put('digest:42', { everyMs: 5_000, task: 'f', codec: 'pickle' })).toMatchObject({
      everyMs: 5_000,
      startAt: new Date(0),
      cron: null,
      codec: 'pickle',
      paused: true,
    })
    await client.schedules.put('another', { at: Date.now() + 3_600_000, task: 'f', input: [1], kwargs: { a: 2 } })
    expect((await client.schedules.list()).map(({ name }) => name)).toEqual(['another', 'digest:42'])
    expect((await client.schedules.list({ limit: 1 })).map(({ name }) => name)).toEqual(['another'])
    expect((await client.schedules.list({ after: 'another' })).map(({ name }) => name)).toEqual(['digest:42'])
    expect(await client.schedules.list({ after: 'digest:42', limit: 1 })).toEqual([])
    expect((await client.schedules.resume('digest:42'))!.next).toBeInstanceOf(Date)
    expect(await client.schedules.remove('digest:42')).toBe(true)
    expect(await client.schedules.remove('digest:42')).toBe(false)
    expect(await client.schedules.get('digest:42')).toBeNull()
    expect(await client.schedules.pause('digest:42')).toBeNull()
    expect(await client.schedules.runNow('digest:42')).toBeNull()
    await client.schedules.remove('another')
    expect(await bench.database().redis.keys('arq:schedule*')).toEqual([])
  })

  test('takes the input of its task, by its types and by its schema', async () => {
    const { schedules } = bench.client()
    // @ts-expect-error the input has another type
    await expect(schedules.put('x', { everyMs: 1_000, task: note, input: { user: 'a' } })).rejects.toThrow('`user`')
    // @ts-expect-error an unknown option
    await expect(schedules.put('x', { everyMs: 1_000, task: 'f', overlaps: 'skip' })).rejects.toThrow(
      'did you mean `overlap`?',
    )
    await expect(schedules.put('', { everyMs: 1_000, task: 'f' })).rejects.toThrow('`name`')
    await expect(schedules.put('x', { everyMs: 999, task: 'f' })).rejects.toThrow('at least 1000')
    await expect(schedules.put('x', { at: 1_000, task: 'f' })).rejects.toThrow('lie in the future')
    await expect(schedules.put('x', { everyMs: 1_000, task: note, kwargs: {} })).rejects.toThrow('`kwargs` is for')
    expectTypeOf(schedules.get).returns.resolves.toEqualTypeOf<Schedule | null>()
    expect(await schedules.list()).toEqual([])
  })

  test('runs each tick once on several workers, and its jobs say where they are from', async () => {
    ids.length = 0
    const client = bench.client()
    await Promise.all([1, 2, 3].map(() => bench.worker({ tasks: [note] })))
    await client.schedules.put('fast', { everyMs: 1_000, task: note, input: { user: 7 } })
    await eventually(() => ids.length >= 2)
    await client.schedules.remove('fast')
    expect(ids).toEqual([...new Set(ids)])
    for (const id of ids) expect(id).toMatch(/^fast:\d+000$/)
    expect(await client.job(ids[0]!).result({ timeoutMs: 5_000 })).toBe(7)
    await client.schedules.put('later', { at: Date.now() + 3_600_000, task: note })
    const job = (await client.schedules.runNow('later'))!
    await job.result({ timeoutMs: 5_000 })
    expect(ids.at(-1)).toBe(job.jobId)
    const waiting = (await client.schedules.put('elsewhere', { everyMs: 1_000, task: 'f', queueName: 'other' })) && null
    expect(waiting).toBeNull()
    const tick = (await client.schedules.runNow('elsewhere'))!
    expect(await client.jobs.explain(tick.jobId, { queueName: 'other' })).toMatchObject({
      job: { schedule: 'elsewhere' },
      reasons: expect.arrayContaining([
        { check: 'schedule', ok: true, detail: 'the schedule "elsewhere" enqueued it' },
      ]) as unknown,
    })
  })

  test('that ticks once is gone after its tick', async () => {
    ids.length = 0
    const client = bench.client()
    await bench.worker({ tasks: [note] })
    const atMs = (await client.now()) + 200
    await client.schedules.put('once', { at: atMs, task: note })
    await eventually(() => ids.includes(`once:${Math.round(atMs)}`))
    expect(await bench.database().redis.keys('arq:schedule*')).toEqual([])
  })

  test('wakes workers that sleep past its tick, by a message of its name', async () => {
    const client = bench.client()
    const { redis } = bench.database()
    const listener = redis.duplicate()
    try {
      const names: string[] = []
      listener.on('message', (_channel, name: string) => names.push(name))
      await listener.subscribe(`arq:schedules@${redis.options.db}`)
      await client.schedules.put('near', { everyMs: 60_000, task: note })
      await client.schedules.pause('near')
      await client.schedules.resume('near')
      await eventually(() => names.length === 3)
      expect(names).toEqual(['near', 'near', 'near'])
    } finally {
      listener.disconnect()
    }
  })
})

describe('ticks that no worker enqueued', () => {
  /** About an hour, in the middle of which the tests run: a tick that comes meanwhile would be one more. */
  const hour = Math.round(Date.now() / (Math.floor(Date.now() / 3_600_000) + 0.5))
  const missing = async (missed: 'skip' | 'latest' | 'all', overlap: 'allow' | 'skip' = 'allow') => {
    const client = bench.client()
    await client.schedules.put('missed', { everyMs: hour, task: 'absent', queueName: 'other', missed, overlap })
    await age('missed', 5 * hour)
    await bench.worker({ tasks: [note] })
    await eventually(async () => (await client.schedules.get('missed'))!.next!.getTime() > (await client.now()))
    return (await client.queuedJobs({ queueName: 'other' })).map(({ jobId }) => Number(jobId.split(':')[1]) / hour)
  }

  test.each([
    ['skip', 'allow', 0],
    ['latest', 'allow', 1],
    ['all', 'allow', 5],
    ['all', 'skip', 1],
  ] as const)("are made up for by missed: '%s' with overlap: '%s' in %i jobs", async (missed, overlap, count) => {
    const hours = await missing(missed, overlap)
    expect(hours).toHaveLength(count)
    const last = Math.floor((await bench.client().now()) / hour)
    const all = [last - 4, last - 3, last - 2, last - 1, last]
    expect([...hours].sort()).toEqual(overlap === 'skip' ? all.slice(0, 1) : count === 0 ? [] : all.slice(-count))
  })

  test('are kept by a put with the same rule, and dropped by another rule and by a pause', async () => {
    const client = bench.client()
    const put = (everyMs: number) =>
      client.schedules.put('kept', { everyMs, task: 'absent', queueName: 'other', missed: 'all' })
    const due = async () => (await client.schedules.get('kept'))!.next!.getTime() < (await client.now())
    await put(hour)
    await age('kept', 5 * hour)
    await put(hour)
    expect(await due()).toBe(true)
    await put(2 * hour)
    expect(await due()).toBe(false)
    await age('kept', 5 * hour)
    await client.schedules.pause('kept')
    await client.schedules.resume('kept')
    expect(await due()).toBe(false)
  })
})

test('leaves a tick out while the job of the one before is queued, and enqueues the next once that has ended', async () => {
  const client = bench.client()
  const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 60_000, log: silent })
  const lines: string[] = []
  const logger = Object.assign(Object.create(silent) as Logger, { info: (_: object, line: string) => lines.push(line) })
  try {
    await client.schedules.put('slow', { everyMs: 1_000, task: 'absent', queueName: 'other', overlap: 'skip' })
    await bench.worker({ tasks: [note], logger })
    await eventually(() => lines.filter((line) => line?.includes('is left out')).length >= 1)
    const [first] = await client.queuedJobs({ queueName: 'other' })
    expect(lines.find((line) => line?.includes('is left out'))).toContain('schedule slow: the tick of')
    expect(await client.queuedJobs({ queueName: 'other' })).toHaveLength(1)
    await client.jobs.remove(first!.jobId, { queueName: 'other' })
    await eventually(async () => (await client.queuedJobs({ queueName: 'other' })).length === 1)
    const [second] = await client.queuedJobs({ queueName: 'other' })
    expect(second!.jobId).not.toBe(first!.jobId)
  } finally {
    await link.close()
  }
})

test('enqueues nothing of the old version once a change or a removal has returned, whoever had read it before', async () => {
  const client = bench.client()
  const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 60_000, log: silent })
  try {
    for (const change of ['put', 'pause', 'remove and put'] as const) {
      await client.schedules.put('raced', { everyMs: 1_000, task: 'old' })
      const [record] = await link.schedules.read(['raced'])
      if (change === 'put') await client.schedules.put('raced', { everyMs: 1_000, task: 'new' })
      else if (change === 'pause') await client.schedules.pause('raced')
      else {
        await client.schedules.remove('raced')
        await client.schedules.put('raced', { everyMs: 1_000, task: 'new' })
      }
      const now = Date.now()
      const written = await link.schedules.write({
        name: 'raced',
        read: record!,
        revision: record!.revision,
        doneMs: now,
        nextMs: now,
        ticks: [{ jobId: `raced:${now}`, dueMs: now }],
        job: { payload: record!.payload, queueName: 'arq:queue', skipOverlap: false },
      })
      expect(written, change).toBeNull()
      expect(await queued(client)).toEqual([])
      await client.schedules.remove('raced')
    }
  } finally {
    await link.close()
  }
})

test('writes a tick once when the reply was lost and the call is sent again', async () => {
  const { redis } = bench.database()
  const client = bench.client()
  await client.schedules.put('again', { everyMs: 1_000, task: 'f' })
  const proxied = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 60_000, log: silent })
  try {
    const [record] = await proxied.schedules.read(['again'])
    const write = {
      name: 'again',
      read: record!,
      revision: record!.revision,
      doneMs: 5_000,
      nextMs: 6_000,
      ticks: [{ jobId: 'again:5000', dueMs: 5_000 }],
      job: { payload: record!.payload, queueName: 'arq:queue', skipOverlap: false },
    }
    expect(await proxied.schedules.write(write)).toEqual(['queued'])
    // The connection fails once after the server has done the call.
    const { run } = proxied.connection
    proxied.connection.run = ((operation: (client: unknown, attempt: number) => Promise<unknown>) =>
      run.call(proxied.connection, (redisClient) => operation(redisClient, 1))) as never
    expect(await proxied.schedules.write(write)).toEqual(['queued'])
    expect(await redis.zcard('arq:queue')).toBe(1)
    // A removal as well.
    const [read] = await proxied.schedules.read(['again'])
    const removal = { name: 'again', read: read!, revision: 'gone', doneMs: 0, nextMs: null, remove: true }
    proxied.connection.run = run
    expect(await proxied.schedules.write(removal)).toEqual([])
    proxied.connection.run = ((operation: (client: unknown, attempt: number) => Promise<unknown>) =>
      run.call(proxied.connection, (redisClient) => operation(redisClient, 1))) as never
    expect(await proxied.schedules.write(removal)).toEqual([])
  } finally {
    await proxied.close()
  }
})

test('continues with all other schedules where one is damaged, and says which', async () => {
  ids.length = 0
  const { redis } = bench.database()
  const client = bench.client()
  await client.schedules.put('healthy', { everyMs: 1_000, task: note })
  await client.schedules.put('unreadable', { everyMs: 1_000, task: note })
  await redis.hset('arq:schedule:unreadable', 'rule', '{"kind":"lunar"}')
  await redis.zadd('arq:schedules', 1, 'wrong', 2, 'gone')
  await redis.set('arq:schedule:wrong', 'no hash')
  const lines: string[] = []
  const logger = Object.assign(Object.create(silent) as Logger, {
    error: (_: object, line: string) => lines.push(line),
  })
  await bench.worker({ tasks: [note], logger })
  await eventually(() => ids.length >= 1 && lines.length >= 2)
  expect(lines.some((line) => line.includes('schedule unreadable does not tick: its rule cannot be read'))).toBe(true)
  expect(lines.some((line) => line.startsWith('schedule wrong: its ticks could not be enqueued'))).toBe(true)
  expect(await client.schedules.get('unreadable')).toMatchObject({
    problem: expect.stringContaining('rule') as unknown,
  })
  await eventually(async () => (await redis.zscore('arq:schedules', 'gone')) === null)
})

test('ticks again where a clock that was ahead has put it off for years', async () => {
  const client = bench.client()
  await client.schedules.put('ahead', { everyMs: 1_000, task: note })
  await age('ahead', -5 * 365 * 86_400_000)
  await bench.worker({ tasks: [note] })
  await eventually(() => ids.some((id) => id.startsWith('ahead:')))
})

describe('the system task', () => {
  const ask = async <T>(client: Client, args: unknown[], kwargs: object = {}): Promise<T> => {
    const job = (await client.enqueue('arq-ts:schedule', args, { kwargs: kwargs as Record<string, unknown> })) as Job<T>
    return job.result({ timeoutMs: 5_000 })
  }

  test('manages schedules for any producer, and answers by its result', async () => {
    const client = bench.client()
    const worker = await bench.worker({ tasks: [note] })
    expect(worker.describe().functions).toEqual(['note'])
    const put = { cron: '0 8 * * *', time_zone: 'Europe/Berlin', task: 'f', args: [1], kwargs: { a: 2 }, missed: 'all' }
    expect(await ask(client, ['put', 'p'], put)).toMatchObject({
      name: 'p',
      task: 'f',
      time_zone: 'Europe/Berlin',
      codec: 'pickle',
      missed: 'all',
    })
    const stored = await bench.database().redis.hgetBuffer('arq:schedule:p', 'payload')
    expect(decodeJob(stored!)).toMatchObject({ codec: 'pickle', record: { functionName: 'f', kwargs: { a: 2 } } })
    expect(await ask(client, ['list'])).toMatchObject([{ name: 'p', args: [1] }])
    expect(await ask(client, ['pause', 'p'])).toMatchObject({ paused: true, next_ms: null })
    expect(await ask(client, ['resume'], { name: 'p' })).toMatchObject({ paused: false })
    expect(await ask(client, ['run', 'p'])).toMatch(/^p:\d+$/)
    expect(await ask(client, ['remove', 'p'])).toBe(true)
    expect(await ask(client, ['get', 'p'])).toBeNull()
  })

  test.each([
    [['put', 'p'], { task: 'f' }, 'expected one of `cron`, `everyMs` and `at`'],
    [['put', 'p'], { every_ms: 1_000 }, 'needs `task`'],
    [['pause', 'p'], { task: 'f' }, "'pause' takes no `task`"],
    [['prune', 'p'], {}, 'action'],
    [['put', 'p'], { every: 1 }, 'every'],
  ])('refuses %j with %j by the reason', async (args, kwargs, reason) => {
    const client = bench.client()
    await bench.worker({ tasks: [note] })
    await expect(ask(client, args, kwargs)).rejects.toThrow(reason)
  })

  test('a worker without schedules leaves the ticks to others', async () => {
    const client = bench.client()
    await bench.worker({ tasks: [note], schedules: false })
    await expect(ask(client, ['list'])).rejects.toThrow('not found')
  })
})
