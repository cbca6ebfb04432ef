import { encodeJob } from '@arq-ts/protocol/jobs'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, Retry } from '../../src/index.ts'
import type { Client } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()

/** Handlers that count themselves and end on demand. */
function counted() {
  let active = 0
  let highest = 0
  const started: string[] = []
  const ends = new Map<string, () => void>()
  return {
    started,
    get active() {
      return active
    },
    get highest() {
      return highest
    },
    async run(name: string): Promise<void> {
      highest = Math.max(highest, ++active)
      started.push(name)
      await new Promise<void>((resolve) => ends.set(name, resolve))
      active--
    },
    end(name: string): void {
      ends.get(name)!()
    },
  }
}

const byName = z.object({ name: z.string(), tenant: z.string().default('one') })

async function enqueueAll(client: Client, task: never, inputs: readonly object[]): Promise<string[]> {
  const outcomes = await client.enqueueMany(inputs.map((input) => [task, input]) as never)
  return (outcomes as unknown as { job: { jobId: string } }[]).map(({ job }) => job.jobId)
}

const waiting = async (client: Client, name: string, options = {}) => (await client.limits.get(name, options)).waiting

test('starts as many jobs as a limit allows, and holds the others without a try and without a slot', async () => {
  const runs = counted()
  const limited = defineTask({
    name: 'limited',
    params: byName,
    limits: [{ name: 'two', concurrency: 2 }],
    handler: (_ctx, { name }) => runs.run(name),
  })
  const free = defineTask({ name: 'free', handler: (_ctx, value: number) => value })
  await bench.worker({ tasks: [limited, free], maxJobs: 3 })
  const client = bench.client()
  const ids = await enqueueAll(
    client,
    limited as never,
    ['a', 'b', 'c', 'd'].map((name) => ({ name })),
  )
  await eventually(async () => runs.active === 2 && (await waiting(client, 'two')) === 2)
  // One slot is left, and those that wait have none.
  expect(await (await client.enqueue(free, [7]))?.result({ timeoutMs: 5_000 })).toBe(7)
  const held = ids.find((_id, i) => !runs.started.includes('abcd'[i]!))!
  expect(await client.job(held).status()).toBe('deferred')
  expect(await bench.database().redis.exists(`arq:retry:${held}`, `arq:in-progress:${held}`)).toBe(0)
  for (let ended = 0; ended < 4; ended++) {
    await eventually(() => runs.started.length > ended)
    runs.end(runs.started[ended]!)
  }
  await Promise.all(ids.map((id) => client.job(id).result({ timeoutMs: 5_000 })))
  expect(runs.highest).toBe(2)
  await eventually(async () => (await bench.database().redis.keys('arq:limit*')).length === 0)
  expect(await bench.database().redis.exists('arq:held')).toBe(0)
})

test('counts by key, and lets a job start only when all its limits have a place', async () => {
  const runs = counted()
  const task = defineTask({
    name: 'limited',
    params: byName,
    limits: [
      { name: 'tenant', key: ({ tenant }) => tenant, concurrency: 1 },
      { name: 'all', concurrency: 2 },
    ],
    handler: (_ctx, { name }) => runs.run(name),
  })
  await bench.worker({ tasks: [task], maxJobs: 10 })
  const client = bench.client()
  const inputs = ['a1', 'a2', 'b1', 'c1'].map((name) => ({ name, tenant: name[0]! }))
  for (const input of inputs) await client.enqueue(task, input)
  await eventually(async () => (await waiting(client, 'all')) + (await waiting(client, 'tenant', { key: 'a' })) === 2)
  await eventually(() => runs.started.length >= 2)
  // One of each tenant, and two in all; who of those that came together is first is left open.
  expect(runs.started.length).toBe(2)
  expect(new Set(runs.started.map((name) => name[0])).size).toBe(2)
  for (let ended = 0; ended < inputs.length; ended++) {
    runs.end(runs.started[ended]!)
    await eventually(() => runs.started.length >= Math.min(inputs.length, ended + 2))
  }
  await eventually(async () => (await bench.database().redis.keys('arq:limit*')).length === 0)
  expect(runs.highest).toBe(2)
})

test('frees the place of a job that is retried, and asks for one again at its next try', async () => {
  const tries: number[] = []
  const task = defineTask({
    name: 'limited',
    limits: [{ name: 'one', concurrency: 1 }],
    handler: (ctx) => {
      tries.push(ctx.jobTry)
      if (ctx.jobTry < 3) throw new Retry({ deferMs: 1 })
    },
  })
  await bench.worker({ tasks: [task] })
  const jobs = await bench.client().enqueueMany([
    [task, []],
    [task, []],
  ])
  for (const outcome of jobs) if ('job' in outcome) await outcome.job.result({ timeoutMs: 5_000 })
  expect(tries.sort()).toEqual([1, 1, 2, 2, 3, 3])
})

test('starts no job before its time by the rate, after a burst', async () => {
  const { redis } = bench.database()
  const starts: number[] = []
  const task = defineTask({
    name: 'limited',
    limits: [{ name: 'rate', rate: { count: 100, perMs: 1_000, burst: 5 } }],
    handler: async () => {
      const [seconds, micros] = await redis.time()
      starts.push(Number(seconds) * 1000 + Number(micros) / 1000)
    },
  })
  const [seconds, micros] = await redis.time()
  const began = Number(seconds) * 1000 + Number(micros) / 1000
  await Promise.all([bench.worker({ tasks: [task], maxJobs: 50 }), bench.worker({ tasks: [task], maxJobs: 50 })])
  await enqueueAll(
    bench.client(),
    task as never,
    Array.from({ length: 60 }, () => []),
  )
  await eventually(() => starts.length === 60)
  starts.sort((a, b) => a - b)
  for (const [n, start] of starts.entries()) expect(start - began).toBeGreaterThanOrEqual((n + 1 - 5) * 10)
})

describe('at run time', () => {
  test('starts what waits when a limit is raised, and holds when it is lowered', async () => {
    const runs = counted()
    const task = defineTask({
      name: 'limited',
      params: byName,
      limits: [{ name: 'tenant', key: ({ tenant }) => tenant, concurrency: 1 }],
      handler: (_ctx, { name }) => runs.run(name),
    })
    await bench.worker({ tasks: [task] })
    const client = bench.client()
    await client.limits.set('tenant', { key: 'one', concurrency: 0 })
    await enqueueAll(
      client,
      task as never,
      ['a', 'b', 'c'].map((name) => ({ name })),
    )
    await eventually(async () => (await waiting(client, 'tenant', { key: 'one' })) === 3)
    expect(runs.active).toBe(0)
    expect(await client.limits.list()).toMatchObject([
      { name: 'tenant', key: 'one', concurrency: 0, isSet: true, waiting: 3 },
    ])
    await client.limits.set('tenant', { concurrency: 3 })
    expect(runs.active, 'the key has settings of its own').toBe(0)
    expect(await client.limits.clear('tenant', { key: 'one' })).toBe(true)
    await eventually(() => runs.active === 3)
    for (const name of ['a', 'b', 'c']) runs.end(name)
    expect(await client.limits.clear('tenant')).toBe(true)
    expect(await client.limits.clear('tenant')).toBe(false)
    await eventually(async () => (await client.limits.list()).length === 0)
  })

  test('starts jobs sooner when a rate is lifted', async () => {
    const task = defineTask({
      name: 'limited',
      limits: [{ name: 'slow', rate: { count: 1, perMs: 3_600_000 } }],
      handler: () => 1,
    })
    await bench.worker({ tasks: [task] })
    const client = bench.client()
    const ids = await enqueueAll(client, task as never, [[], [], []])
    await eventually(async () => (await waiting(client, 'slow')) === 2)
    await client.limits.set('slow', { rate: null })
    expect(await Promise.all(ids.map((id) => client.job(id).result({ timeoutMs: 5_000 })))).toEqual([1, 1, 1])
  })
})

test('serves the shares of a limit in turn, by weight', async () => {
  const runs = counted()
  const task = defineTask({
    name: 'limited',
    params: byName,
    limits: [
      {
        name: 'api',
        concurrency: 1,
        share: { key: ({ tenant }) => tenant, weight: ({ tenant }) => (tenant === 'big' ? 2 : 1) },
      },
    ],
    handler: (_ctx, { name }) => runs.run(name),
  })
  await bench.worker({ tasks: [task] })
  const client = bench.client()
  await client.enqueue(task, { name: 'first', tenant: 'first' })
  await eventually(() => runs.active === 1)
  const of = (tenant: string) => Array.from({ length: 6 }, (_, i) => ({ name: `${tenant}${i}`, tenant }))
  for (const input of [...of('big'), ...of('small')]) await client.enqueue(task, input)
  await eventually(async () => (await waiting(client, 'api')) === 12)
  for (let ended = 0; ended < 10; ended++) {
    await eventually(() => runs.started.length > ended)
    runs.end(runs.started[ended]!)
  }
  const served = runs.started.slice(1, 10)
  expect(served.filter((name) => name.startsWith('big'))).toHaveLength(6)
  expect(served.filter((name) => name.startsWith('small'))).toHaveLength(3)
  for (let ended = 10; ended < 13; ended++) {
    await eventually(() => runs.started.length > ended)
    runs.end(runs.started[ended]!)
  }
})

describe('a held job', () => {
  async function heldJob() {
    const runs = counted()
    const task = defineTask({
      name: 'limited',
      params: byName,
      limits: [{ name: 'one', concurrency: 1 }],
      handler: (_ctx, { name }) => runs.run(name),
    })
    await bench.worker({ tasks: [task] })
    const client = bench.client()
    await client.enqueue(task, { name: 'first' })
    await eventually(() => runs.active === 1)
    const job = (await client.enqueue(task, { name: 'held' }))!
    await eventually(async () => (await waiting(client, 'one')) === 1)
    return { runs, client, task, job }
  }

  test('keeps nobody waiting once it is aborted, removed or moved', async () => {
    const { runs, client, task, job } = await heldJob()
    const removed = (await client.enqueue(task, { name: 'removed' }))!
    const moved = (await client.enqueue(task, { name: 'moved' }))!
    const last = (await client.enqueue(task, { name: 'last' }))!
    await eventually(async () => (await waiting(client, 'one')) === 4)
    expect(await job.abort({ timeoutMs: 5_000 })).toBe(true)
    const { redis } = bench.database()
    await redis.multi().zrem('arq:queue', removed.jobId).del(`arq:job:${removed.jobId}`).exec()
    await redis.zadd('arq:queue', Date.now() + 3_600_000, moved.jobId)
    runs.end('first')
    await eventually(() => runs.started.includes('last'))
    expect(runs.started).toEqual(['first', 'last'])
    runs.end('last')
    await last.result({ timeoutMs: 5_000 })
    expect(Number(await redis.zscore('arq:queue', moved.jobId)), 'the new due time counts').toBeLessThan(
      Date.now() + 3_600_001,
    )
  })

  test('outlives the lifetime its payload would have had', async () => {
    const { job } = await heldJob()
    expect(await bench.database().redis.pttl(`arq:job:${job.jobId}`)).toBeGreaterThan(300_000_000_000)
  })

  test('is explained by the limit that holds it', async () => {
    const { client, job } = await heldJob()
    expect(await client.jobs.explain(job.jobId)).toMatchObject({
      job: { hold: { by: 'limit', about: 'one' } },
      reasons: expect.arrayContaining([expect.objectContaining({ check: 'limit', ok: false })]) as unknown,
    })
  })
})

test('fails a job whose key function throws, as an error of the job', async () => {
  const task = defineTask({
    name: 'limited',
    limits: [{ name: 'one', key: () => '', concurrency: 1 }],
    handler: () => 1,
  })
  await bench.worker({ tasks: [task] })
  const job = await bench.client().enqueue(task, [])
  await expect(job?.result({ timeoutMs: 5_000 })).rejects.toThrow("limit 'one': expected `key` to return a string")
})

test('lists the jobs that have a place with their workers, and those that wait in their turn', async () => {
  const runs = counted()
  const limited = defineTask({
    name: 'limited',
    params: byName,
    limits: [{ name: 'one', concurrency: 1 }],
    handler: (_ctx, { name }) => runs.run(name),
  })
  // Spaces and slashes stand in the parts of a place, too.
  await bench.worker({ name: 'a b/c', tasks: [limited] })
  const client = bench.client()
  expect(await client.limits.jobs('one')).toEqual([])
  const ids = ['first job', 'second', 'ü']
  for (const [i, jobId] of ids.entries()) {
    await client.enqueue(limited, { name: jobId }, { jobId, deferUntil: Date.now() - 1_000 + i })
    await eventually(async () => (await client.limits.jobs('one')).length === i + 1)
  }
  const [running, ...waiting] = await client.limits.jobs('one')
  expect(running).toMatchObject({ jobId: 'first job', state: 'running', queueName: null })
  expect(running!.workerId).toMatch(/^a b\/c:/)
  expect(running!.until!.getTime()).toBeGreaterThan(Date.now())
  expect(waiting.map(({ jobId, state, until, workerId }) => [jobId, state, until, workerId])).toEqual([
    ['second', 'waiting', null, null],
    ['ü', 'waiting', null, null],
  ])
  expect(await client.limits.jobs('one', { limit: 1 })).toHaveLength(2)
  for (const id of ids) {
    await eventually(() => runs.started.includes(id))
    runs.end(id)
  }
})

describe('a damaged key of a limit', () => {
  /** Ids of any bytes, as every client of Redis may write them. */
  const bytes = (n: number) => Buffer.from([0xff, 0xfe, 0x80 + (n >> 7), n & 0x7f])
  const limited = (run: () => Promise<unknown> | number = () => 1) =>
    defineTask({
      name: 'limited',
      limits: [{ name: 'api', concurrency: 1, rate: { count: 1, perMs: 50 }, share: { key: () => 'one' } }],
      handler: run,
    })

  test('may be an id that is not UTF-8: its job keeps its place as long as it runs', async () => {
    const { redis } = bench.database()
    const runs = counted()
    await bench.worker({ tasks: [limited(() => runs.run('bytes'))], leaseMs: 1_000 })
    const job = { jobTry: null, functionName: 'limited', args: [], kwargs: {}, enqueueTimeMs: Date.now() }
    await redis.set(Buffer.concat([Buffer.from('arq:job:'), bytes(1)]), encodeJob(job, 'pickle'))
    await redis.zadd('arq:queue', 1, bytes(1))
    await eventually(() => runs.active === 1)
    const untilMs = async () => Number((await redis.zrange('arq:limit-running:api', '0', '0', 'WITHSCORES'))[1])
    const first = await untilMs()
    await eventually(async () => (await untilMs()) > first)
    runs.end('bytes')
  })

  test('may be any number of ids of limits that are not UTF-8: places of dead workers come free all the same', async () => {
    const { redis } = bench.database()
    for (let n = 0; n < 150; n++) await redis.zadd('arq:limit-watch', 0, bytes(n))
    const [seconds] = await redis.time()
    await redis.zadd('arq:limit-running:api', Number(seconds) * 1000 + 2_000, 'dead/token job')
    await bench.worker({ tasks: [limited()] })
    const job = await bench.client().enqueue('limited')
    expect(await job!.result({ timeoutMs: 20_000 })).toBe(1)
    expect(await redis.exists('arq:limit-watch')).toBe(0)
  })

  test.each([
    ['settings without a time', 'arq:limits', 'api', '|5||'],
    ['settings of words', 'arq:limits', 'api', 'x|y|z|w'],
    ['settings that are not finite', 'arq:limits', 'api', 'nan|inf|-inf|nan'],
    ['a time that is a word', 'arq:limit-state:api', 'tat', 'x'],
    ['a time that is no number', 'arq:limit-state:api', 'tat', 'nan'],
    ['a time of a clock that was years ahead', 'arq:limit-state:api', 'tat', String(Date.now() + 1e11)],
    ['a turn that is no number', 'arq:limit-state:api', 'served', 'nan'],
    ['a turn of its share that is a word', 'arq:limit-state:api', 'share:one', 'x'],
  ])('may be %s: its jobs run one at a time', async (_what, key, field, value) => {
    const { redis } = bench.database()
    await redis.hset(key, field, value)
    const runs = counted()
    const names = ['a', 'b', 'c']
    await bench.worker({ tasks: [limited(() => runs.run(names[runs.started.length]!))] })
    const client = bench.client()
    for (const _ of names) await client.enqueue('limited')
    for (const [i, name] of names.entries()) {
      await eventually(() => runs.started.length > i)
      runs.end(name)
    }
    expect(runs.highest).toBe(1)
  })
})
