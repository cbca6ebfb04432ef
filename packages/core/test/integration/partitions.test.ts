import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { eventually } from '@arq-ts/test-support'
import { cron, defineTask, flow, JobAbortedError, Retry, Worker } from '../../src/index.ts'
import type { Client, WorkerOptions } from '../../src/index.ts'
import { Placement } from '../../src/partitions/placement.ts'
import { keySlot } from '../../src/redis/key-kinds.ts'
import { silent, useHarness } from './support.ts'

const PARTITIONS = 4
const options = { keyPrefix: '{orders}:', partitions: PARTITIONS }
const placement = new Placement(options.keyPrefix, PARTITIONS)
const bench = useHarness()

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })
const bad = defineTask({ name: 'bad', handler: () => Promise.reject(new Error('bad')) })
const again = defineTask({
  name: 'again',
  handler: (ctx) => {
    if (ctx.jobTry === 1) throw new Retry({ deferMs: 10 })
    return ctx.jobTry
  },
})

const client = () => bench.client(options)
const work = (more: WorkerOptions = {}) => bench.worker({ ...options, tasks: [echo, bad, again], ...more })
const ids = (count: number, prefix = 'job') => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

/** Keys of the test's database, by their hash tags. */
async function keysByPartition(): Promise<string[][]> {
  const redis = new Redis(bench.database().url)
  try {
    const keys = await redis.keys('*')
    const found = placement.prefixes.map((prefix) => keys.filter((key) => key.startsWith(prefix)))
    expect(found.flat().length).toBe(keys.length)
    return found
  } finally {
    redis.disconnect()
  }
}

describe('jobs', () => {
  test('lie in all partitions, each under one hash tag, and one worker runs them all', async () => {
    const producer = client()
    const outcomes = await producer.enqueueMany(ids(200).map((jobId) => ['echo', [jobId], { jobId }] as const))
    expect(outcomes.every(({ status }) => status === 'queued')).toBe(true)
    for (const keys of await keysByPartition()) {
      expect(keys.filter((key) => key.includes('arq:job:')).length).toBeGreaterThan(20)
      expect(new Set(keys.map(keySlot)).size).toBe(1)
    }
    expect(await producer.queues.stats('arq:queue')).toMatchObject({ pending: 200, running: 0, exact: true })
    await work({ maxJobs: 7 })
    for (const jobId of ids(200)) expect(await producer.job(jobId).result({ timeoutMs: 20_000 })).toBe(jobId)
    expect(await producer.queues.stats('arq:queue')).toMatchObject({ pending: 0, complete: 200, workers: 1 })
    expect(await producer.queuedJobs()).toEqual([])
  })

  test('never exceed the slots of the worker, in all partitions together', async () => {
    let running = 0
    let most = 0
    const held: (() => void)[] = []
    const hold = defineTask({
      name: 'hold',
      handler: async () => {
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => held.push(resolve))
        running--
      },
    })
    await work({ tasks: [hold], maxJobs: 3 })
    const producer = client()
    await producer.enqueueMany(ids(24).map((jobId) => ['hold', [], { jobId }] as const))
    for (let done = 0; done < 24; done++) {
      await eventually(() => held.length > 0)
      held.shift()!()
    }
    for (const jobId of ids(24)) await producer.job(jobId).result({ timeoutMs: 20_000 })
    expect(most).toBe(3)
  })

  test('of one id are queued once, whichever client enqueues, and are found by the id alone', async () => {
    const [one, other] = [client(), client()]
    for (const jobId of ids(12)) {
      expect(await one.enqueue('echo', [1], { jobId })).not.toBeNull()
      expect(await other.enqueue('echo', [2], { jobId })).toBeNull()
      expect(await other.job(jobId).status()).toBe('queued')
      expect(await other.jobs.details(jobId)).toMatchObject({ jobId, queueName: 'arq:queue', status: 'queued' })
    }
  })

  test('are aborted where they lie: queued, deferred and running', async () => {
    let started = 0
    const hold = defineTask({
      name: 'hold',
      handler: async (ctx) => {
        started++
        await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error)))
      },
    })
    await work({ tasks: [hold], maxJobs: 20, allowAbortJobs: true })
    const producer = client()
    await producer.enqueueMany(ids(8).map((jobId) => ['hold', [], { jobId }] as const))
    await producer.enqueueMany(ids(8, 'late').map((jobId) => ['hold', [], { jobId, deferByMs: 600_000 }] as const))
    await eventually(() => started === 8)
    const aborted = [...ids(8), ...ids(8, 'late')].map((jobId) => producer.job(jobId).abort({ timeoutMs: 20_000 }))
    expect(await Promise.all(aborted)).toEqual(Array.from({ length: 16 }, () => true))
    await expect(producer.job('job-3').result()).rejects.toThrow(JobAbortedError)
  })

  test('are tried again, fail, become dead letters in one list, and are replayed', async () => {
    await work()
    const producer = client()
    for (const jobId of ids(6, 'again')) await producer.enqueue('again', [], { jobId })
    for (const jobId of ids(6, 'again')) expect(await producer.job(jobId).result({ timeoutMs: 20_000 })).toBe(2)
    for (const jobId of ids(12, 'bad')) {
      await producer.enqueue('bad', [], { jobId })
      await expect(producer.job(jobId).result({ timeoutMs: 20_000 })).rejects.toThrow('bad')
    }
    expect(await producer.deadLetters.count()).toBe(12)
    const letters = await producer.deadLetters.list({ limit: 100 })
    expect(letters.map(({ jobId }) => jobId).sort()).toEqual(ids(12, 'bad').sort())
    const times = letters.map(({ failedAt }) => failedAt.getTime())
    expect(times).toEqual([...times].sort((a, b) => b - a))
    expect(await producer.jobs.retry('bad-3')).toBe(true)
    expect(await producer.deadLetters.count()).toBeLessThan(13)
  })

  test('of a worker that gave up its lease run again on another', async () => {
    const producer = client()
    for (const jobId of ids(8)) await producer.enqueue('echo', [jobId], { jobId })
    const redis = new Redis(bench.database().url)
    // The state that a killed worker leaves: claimed jobs, with leases that end.
    for (const jobId of ids(8)) {
      const prefix = placement.prefixes[placement.of(jobId)]!
      await redis.set(`${prefix}arq:in-progress:${jobId}`, 'gone:1:x/y', 'PX', 300)
      await redis.set(`${prefix}arq:retry:${jobId}`, '1', 'EX', 60)
    }
    redis.disconnect()
    await work()
    for (const jobId of ids(8)) expect(await producer.job(jobId).result({ timeoutMs: 20_000 })).toBe(jobId)
  })

  test('of several queues come in the order of the queues, from all partitions', async () => {
    const producer = client()
    const order: string[] = []
    const note = defineTask({ name: 'note', handler: (ctx) => void order.push(ctx.queueName) })
    for (const jobId of ids(20)) await producer.enqueue('note', [], { jobId, queueName: 'low' })
    for (const jobId of ids(20, 'high')) await producer.enqueue('note', [], { jobId, queueName: 'high' })
    await work({ tasks: [note], queues: ['high', 'low'], queueOrder: 'strict', maxJobs: 1 })
    await eventually(() => order.length === 40)
    expect(order.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 'high'))
  })
})

describe('lists and acts of an operator', () => {
  test('show jobs by due time over all partitions, page by page, each once', async () => {
    const producer = client()
    const now = await producer.now()
    for (const [i, jobId] of ids(30).entries())
      await producer.enqueue('echo', [], { jobId, deferUntil: new Date(now + 60_000 + 1_000 * ((i * 7) % 30)) })
    const listed = []
    for await (const job of producer.jobs.list({ statuses: ['deferred'] })) listed.push(job)
    const times = listed.map(({ score }) => score!)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(listed.map(({ jobId }) => jobId).sort()).toEqual(ids(30).sort())
    const paged: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<Client['jobs']['page']>> = await producer.jobs.page({
        queueNames: ['arq:queue'],
        limit: 7,
        cursor,
      })
      paged.push(...page.jobs.map(({ jobId }) => jobId))
      cursor = page.cursor
    } while (cursor !== null)
    expect(paged).toEqual(listed.map(({ jobId }) => jobId))
  })

  test('pause, resume, move, remove and purge reach every partition', async () => {
    const producer = client()
    expect(await producer.queues.pause('arq:queue')).toBe(true)
    expect(await producer.queues.paused()).toEqual(['arq:queue'])
    await work()
    for (const jobId of ids(12)) await producer.enqueue('echo', [jobId], { jobId })
    expect(await producer.jobs.move('arq:queue', 'other', ids(2).concat('none'))).toEqual(['moved', 'moved', 'absent'])
    expect(await producer.jobs.remove('job-2')).toBe('removed')
    expect((await producer.queues.names()).names).toEqual(expect.arrayContaining(['arq:queue', 'other']))
    expect(await producer.queues.stats('arq:queue')).toMatchObject({ pending: 9, paused: true })
    expect(await producer.queues.purge('other', { all: true })).toBe(2)
    expect(await producer.queues.resume('arq:queue')).toBe(true)
    for (const jobId of ids(12).slice(3)) expect(await producer.job(jobId).result({ timeoutMs: 20_000 })).toBe(jobId)
    expect(await producer.job('job-1').status()).toBe('not_found')
  })

  test('the doctor finds what is wrong in any partition, and repairs it', async () => {
    const producer = client()
    for (const jobId of ids(8)) await producer.enqueue('echo', [], { jobId, deferByMs: 600_000 })
    const redis = new Redis(bench.database().url)
    const damaged = `${placement.prefixes[placement.of('job-5')]}arq:retry:job-5`
    await redis.lpush(damaged, 'no counter')
    const { findings, jobs } = await producer.doctor.examine()
    expect(jobs).toBe(8)
    expect(findings.some((finding) => JSON.stringify(finding).includes(damaged))).toBe(true)
    redis.disconnect()
  })

  test('the worker stands once in the registry, and its health and history are those of the namespace', async () => {
    const worker = await work({ recorder: { intervalMs: 100 } })
    const producer = client()
    for (const jobId of ids(8)) await producer.enqueue('echo', [], { jobId })
    for (const jobId of ids(8)) await producer.job(jobId).result({ timeoutMs: 20_000 })
    expect((await producer.workers.list()).map(({ id }) => id)).toEqual([worker.id])
    expect(await producer.workers.health('arq:queue')).not.toBeNull()
    expect(await producer.workers.quiet(worker.id)).toBe(true)
    await eventually(async () => (await producer.workers.list())[0]?.state === 'quiet')
  })
})

describe('a record of several jobs', () => {
  test('a unique key lies with its job, and stands for all partitions', async () => {
    const producer = client()
    for (let i = 0; i < 12; i++) {
      const unique = { key: `customer-${i}` }
      const first = await producer.enqueue('echo', [i], { unique })
      expect(placement.of(first!.jobId)).toBe(placement.of(unique.key))
      expect(await producer.enqueue('echo', [i], { unique })).toBeNull()
    }
  })

  test('a flow lies in one partition, another one in another, and both end', async () => {
    await work()
    const producer = client()
    const runs = []
    for (let i = 0; i < 12; i++) {
      const chain = flow('chain', { onUnknown: 'fail' })
      const first = chain.call('echo', [i])
      chain.call('echo', [first], { name: 'second' })
      runs.push(await producer.start(chain))
    }
    const used = new Set<number>()
    for (const [i, run] of runs.entries()) {
      expect(await run.result({ timeoutMs: 20_000 })).toBe(i)
      const { members } = await run.status()
      expect(members.map(({ jobId }) => placement.of(jobId))).toEqual([0, 0].map(() => placement.of(run.flowId)))
      used.add(placement.of(run.flowId))
    }
    expect(used.size).toBeGreaterThan(1)
    expect((await producer.flows.list()).length).toBe(12)
    const own = flow('own', { onUnknown: 'fail' })
    own.call('echo', [1])
    await expect(producer.start(own, { flowId: 'own' })).rejects.toThrow("'{own}'")
    expect(await (await producer.start(own, { flowId: '{own}' })).result({ timeoutMs: 20_000 })).toBe(1)
  })

  test('ticks of cron jobs and schedules are found by their ids, each enqueued once by a fleet', async () => {
    const seen: string[] = []
    const tick = (name: string) =>
      cron(name, '* * * * * *', (ctx) => void seen.push(ctx.jobId), { overlap: 'skip', keepResultMs: 60_000 })
    const crons = [tick('cron:a'), tick('cron:b'), tick('cron:c')]
    await work({ cron: crons })
    await work({ cron: crons })
    const producer = client()
    await producer.schedules.put('every', { task: 'echo', input: [1], everyMs: 1_000 })
    await eventually(() => new Set(seen.map((id) => id.slice(0, 6))).size === 3 && seen.length >= 6, {
      timeoutMs: 20_000,
    })
    expect(new Set(seen).size).toBe(seen.length)
    for (const id of seen.slice(0, 3)) await eventually(async () => (await producer.job(id).status()) === 'complete')
    await eventually(async () => (await producer.schedules.get('every'))?.last != null, { timeoutMs: 20_000 })
    const { jobId } = (await producer.schedules.get('every'))!.last!
    await eventually(async () => (await producer.job(jobId).status()) === 'complete')
  })

  test('a pause of a cron job holds wherever its ticks lie', async () => {
    const ran: string[] = []
    const names = ids(6, 'cron:p')
    await work({ cron: names.map((name) => cron(name, '* * * * * *', () => void ran.push(name))) })
    const producer = client()
    await eventually(() => new Set(ran).size === names.length, { timeoutMs: 20_000 })
    for (const name of names) expect(await producer.cron.pause(name)).toBe(true)
    expect(await producer.cron.pause('cron:p-0')).toBe(false)
    const listed = (await producer.cron.list()).filter(({ pause }) => pause?.reach === 'exact')
    expect(listed.map(({ name }) => name)).toEqual(names)
    expect(await producer.cron.resume('cron:p-0')).toBe(true)
  })

  test('limits are refused, at the worker and at run time, with the reason', async () => {
    const limited = defineTask({ name: 'limited', limits: [{ name: 'one', concurrency: 1 }], handler: () => 1 })
    expect(() => new Worker({ ...options, redis: bench.database().url, logger: silent, tasks: [limited] })).toThrow(
      /limits do not span partitions/,
    )
    await expect(client().limits.set('api', { concurrency: 1 })).rejects.toThrow(/do not span partitions/)
  })
})

test('a worker that stops gives back what it claimed in every partition', async () => {
  const hold = defineTask({
    name: 'hold',
    handler: async (ctx) => {
      if (ctx.jobTry > 1) return 'second'
      await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error)))
    },
  })
  const producer = client()
  for (const jobId of ids(8)) await producer.enqueue('hold', [], { jobId })
  const first = await work({ tasks: [hold], maxJobs: 8, jobCompletionWaitMs: 0 })
  await eventually(() => first.describe().running.length === 8)
  await first.stop()
  expect(await producer.queues.stats('arq:queue')).toMatchObject({ pending: 8, running: 0 })
})
