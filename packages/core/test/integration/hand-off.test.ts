import { encodeJob } from '@arq-ts/protocol'
import { eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLogger, defineTask } from '../../src/index.ts'
import type { Client, JobContext, Worker, WorkerOptions } from '../../src/index.ts'
import { Broker } from '../../src/redis/broker.ts'
import { next, useHarness } from './support.ts'

/** Long enough that nothing is found by polling. */
const NEVER_MS = 600_000

describe('a job that is handed to an idle worker', () => {
  const bench = useHarness()
  let redis: Redis
  let client: Client
  let held: Map<string, () => void>
  let ran: string[]

  beforeEach(() => {
    redis = new Redis(bench.database().url)
    client = bench.client()
    held = new Map()
    ran = []
  })
  afterEach(() => {
    for (const end of held.values()) end()
    redis.disconnect()
  })

  const note = (ctx: JobContext) => void ran.push(ctx.jobId)
  const echo = defineTask({
    name: 'echo',
    handler: (ctx, value: unknown) => {
      note(ctx)
      return value
    },
  })
  const hold = defineTask({
    name: 'hold',
    handler: (ctx) => {
      note(ctx)
      return new Promise<string>((resolve, reject) => {
        held.set(ctx.jobId, () => resolve('held'))
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error))
      })
    },
  })
  const once = defineTask({ name: 'once', maxTries: 1, handler: note })

  const entries = (queueName = 'arq:queue') => redis.lrange(`arq:waiting:${queueName}`, 0, -1)

  /** A worker that waits for jobs: nothing is due, and it polls for nothing. */
  async function waitingWorker(options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const before = (await entries()).length
    const worker = await bench.worker({
      tasks: [echo, hold, once],
      handOff: true,
      pollDelayMs: NEVER_MS,
      recorder: false,
      ...options,
    })
    await eventually(async () => (await entries()).length > before)
    return worker
  }

  const claims = vi.spyOn(Broker.prototype, 'claim')
  afterEach(() => void claims.mockClear())
  /** Ids that workers have claimed. */
  const claimed = () => claims.mock.calls.flatMap(([, jobIds]) => jobIds)

  test('runs without being claimed, and leaves the worker waiting for the next', async () => {
    await waitingWorker()
    for (const value of [1, 2, 3]) {
      await eventually(async () => (await entries()).length === 1)
      const job = await client.enqueue('echo', [value])
      expect(await job?.result({ timeoutMs: 5_000 })).toBe(value)
    }
    expect(ran).toHaveLength(3)
    expect(claimed()).toEqual([])
  })

  test.each(['10 mail room', 'a\nb', ' ', 'Büro 2', '%s', 'x'.repeat(1_100)])(
    'runs without being claimed on a worker of the name %j',
    async (name) => {
      await waitingWorker({ name })
      for (const value of [1, 2]) {
        await eventually(async () => (await entries()).length === 1)
        expect(await (await client.enqueue('echo', [value]))?.result({ timeoutMs: 5_000 })).toBe(value)
      }
      expect(claimed()).toEqual([])
    },
  )

  test('is held as a claimed job is, with its try counted and its lease in full, once it runs', async () => {
    const worker = await waitingWorker({ leaseMs: 20_000 })
    const job = (await client.enqueue('hold', []))!
    await eventually(async () => (await redis.get(`arq:retry:${job.jobId}`)) === '1')
    expect(await redis.get(`arq:in-progress:${job.jobId}`)).toMatch(new RegExp(`^${worker.id}/`))
    expect(await redis.pttl(`arq:in-progress:${job.jobId}`)).toBeGreaterThan(10_000)
    const score = Number(await redis.zscore('arq:queue', job.jobId))
    expect(score % 1).toBe(1 / 128)
    expect(await job.status()).toBe('in_progress')
    held.get(job.jobId)!()
    expect(await job.result({ timeoutMs: 5_000 })).toBe('held')
    expect(await redis.exists(`arq:retry:${job.jobId}`, `arq:in-progress:${job.jobId}`)).toBe(0)
  })

  test('goes to each of several workers in turn', async () => {
    const fleet = [await waitingWorker(), await waitingWorker(), await waitingWorker()]
    for (let i = 0; i < 9; i++) {
      await eventually(async () => (await entries()).length === 3)
      await (await client.enqueue('echo', [i]))?.result({ timeoutMs: 5_000 })
    }
    await eventually(() => fleet.every((worker) => worker.describe().counters.complete === 3))
  })

  test('waits for a free slot if there are more jobs than slots', async () => {
    await waitingWorker({ maxJobs: 2 })
    const outcomes = await client.enqueueMany([1, 2, 3, 4].map(() => ['hold', []] as const))
    await eventually(() => held.size === 2)
    const ids = outcomes.map((outcome) => (outcome.status === 'queued' ? outcome.job.jobId : ''))
    expect([...held.keys()].sort()).toEqual(ids.slice(0, 2).sort())
    expect(await entries()).toEqual([])
    for (let ended = 0; ended < 4; ended++) {
      await eventually(() => held.size > 0)
      const [id, end] = [...held][0]!
      held.delete(id)
      end()
    }
    await eventually(() => ran.length === 4)
    expect(new Set(ran)).toEqual(new Set(ids))
  })

  test('does not start before a job that is already due', async () => {
    await waitingWorker()
    const python = { jobTry: null, functionName: 'echo', args: [1], kwargs: {}, enqueueTimeMs: Date.now() }
    await redis.set('arq:job:first', Buffer.from(encodeJob(python, 'pickle')))
    await redis.zadd('arq:queue', Date.now(), 'first') // as Python enqueues it: nobody is woken
    const second = (await client.enqueue('echo', [2]))!
    expect(await second.result({ timeoutMs: 5_000 })).toBe(2)
    expect(claimed()).toEqual([second.jobId])
    await redis.publish(`arq:wake@${redis.options.db}:arq:queue`, '1')
    expect(await client.job('first').result({ timeoutMs: 5_000 })).toBe(1)
  })

  test('does not occur while the queue is paused', async () => {
    await waitingWorker()
    await client.queues.pause('arq:queue')
    expect(await entries()).toEqual([])
    const job = (await client.enqueue('echo', [1]))!
    expect(await job.status()).toBe('queued')
    await redis.publish(`arq:wake@${redis.options.db}:arq:queue`, '1') // the worker falls asleep again
    await client.queues.resume('arq:queue')
    expect(await job.result({ timeoutMs: 5_000 })).toBe(1)
    await eventually(async () => (await entries()).length === 1)
  })

  test("does not occur if the producer's user may not read the list of workers: the job is enqueued all the same", async () => {
    await waitingWorker()
    const { port, pathname } = new URL(bench.database().url)
    const user = `narrow${redis.options.db}`
    const keys = ['~arq:queue', '~arq:job:*', '~arq:result:*', '~arq:in-progress:*', '~arq:abort', '~arq:obs:noted']
    await redis.call('ACL', 'SETUSER', user, 'reset', 'on', '>x', ...keys, '&*', '+@all')
    const narrow = bench.client({ redis: `redis://${user}:x@127.0.0.1:${port}${pathname}` })
    for (const value of [1, 2]) {
      const job = await narrow.enqueue('echo', [value])
      expect(await job?.result({ timeoutMs: 5_000 })).toBe(value)
    }
    expect(claimed()).toHaveLength(2)
    await redis.call('ACL', 'SETUSER', user, '~arq:waiting:arq:queue')
    for (const [i, denied] of ['-lindex', '-lpop', '-pubsub', '-zrangebyscore', 'resetchannels'].entries()) {
      await eventually(async () => (await entries()).length === 1)
      await redis.call('ACL', 'SETUSER', user, '+@all', '&*', denied)
      const other = bench.client({ redis: `redis://${user}:x@127.0.0.1:${port}${pathname}` })
      const job = await other.enqueue('echo', [i])
      if (denied === 'resetchannels') await redis.publish(`arq:wake@${redis.options.db}:arq:queue`, '1')
      await eventually(() => ran.includes(job!.jobId))
      expect(claimed()).toContain(job!.jobId)
    }
    await redis.call('ACL', 'DELUSER', user)
  })

  test('is none where the user of the worker may not wait, which is logged once', async () => {
    const { port, pathname } = new URL(bench.database().url)
    const user = `deaf${redis.options.db}`
    const keys = ['~arq:[^w]*', '~arq:wo*']
    await redis.call('ACL', 'SETUSER', user, 'reset', 'on', '>x', ...keys, '&*', '+@all')
    const lines: { level: number; msg: string }[] = []
    const destination = { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) }
    const worker = await bench.worker({
      tasks: [echo],
      handOff: true,
      pollDelayMs: NEVER_MS,
      redis: `redis://${user}:x@127.0.0.1:${port}${pathname}`,
      logger: createLogger({ level: 'warn', destination } as never),
    })
    const refused = () => lines.filter(({ msg }) => msg.includes('arq:waiting:arq:queue'))
    await eventually(() => refused().length > 0)
    for (const value of [1, 2, 3])
      expect(await (await client.enqueue('echo', [value]))?.result({ timeoutMs: 5_000 })).toBe(value)
    expect(claimed()).toHaveLength(3)
    expect(refused()).toHaveLength(1)
    expect(lines.filter(({ level }) => level > 40)).toEqual([])
    await worker.stop()
    await redis.call('ACL', 'DELUSER', user)
  })

  test.each([
    ['an id of its own', { jobId: 'mine' }],
    ['a later time', { deferByMs: 1 }],
    ['an expiry', { expiresMs: 60_000 }],
    ['a unique key', { unique: { key: 'k' } }],
    ['a head start', { headStartMs: 1_000 }],
  ])('is none with %s', async (_, options) => {
    await waitingWorker()
    const job = await client.enqueue('echo', [1], options)
    expect(await job?.result({ timeoutMs: 5_000 })).toBe(1)
    expect(claimed()).toEqual([job!.jobId])
  })

  test('starts once Redis has counted its try, if it may have only one', async () => {
    await waitingWorker()
    const job = (await client.enqueue('once', []))!
    await job.result({ timeoutMs: 5_000 })
    expect(ran).toEqual([job.jobId])
  })

  test('is aborted like any other that runs', async () => {
    await waitingWorker()
    const job = (await client.enqueue('hold', []))!
    await eventually(() => held.has(job.jobId))
    expect(await job.abort({ timeoutMs: 5_000 })).toBe(true)
  })

  test('does not occur if the process of the worker is gone', async () => {
    const worker = await waitingWorker()
    const [entry] = await entries()
    await worker.stop()
    expect(await entries()).toEqual([])
    await redis.rpush('arq:waiting:arq:queue', entry!) // as one that was killed leaves it
    const job = (await client.enqueue('echo', [1]))!
    expect(await job.status()).toBe('queued')
    expect(await entries()).toEqual([])
  })

  test('is given back, uncounted, by a worker that stops', async () => {
    const worker = await waitingWorker({ jobCompletionWaitMs: 60_000 })
    const last = (await client.enqueue('hold', []))!
    await eventually(() => held.has(last.jobId))
    await eventually(async () => (await entries()).length === 1)
    const [entry] = await entries()
    const stopped = worker.stop()
    await eventually(async () => (await entries()).length === 0)
    await redis.rpush('arq:waiting:arq:queue', entry!) // as if the enqueue had come first
    const job = (await client.enqueue('echo', [1]))!
    await eventually(async () => (await job.status()) === 'queued')
    expect(await redis.exists(`arq:retry:${job.jobId}`, `arq:in-progress:${job.jobId}`)).toBe(0)
    held.get(last.jobId)!()
    await stopped
    expect(ran).toEqual([last.jobId])
  })

  test('is given back, uncounted, by a worker that has become quiet', async () => {
    const worker = await waitingWorker()
    const [entry] = await entries()
    await redis.set(`arq:obs:order:${worker.id}`, 'quiet')
    await redis.publish(`arq:orders@${redis.options.db}`, worker.id)
    await eventually(async () => (await entries()).length === 0)
    await redis.rpush('arq:waiting:arq:queue', entry!)
    const job = (await client.enqueue('echo', [1]))!
    await eventually(async () => (await job.status()) === 'queued')
    expect(await redis.exists(`arq:retry:${job.jobId}`, `arq:in-progress:${job.jobId}`)).toBe(0)
    expect(ran).toEqual([])
  })

  test('is due again, untouched, when the worker does not take it in time', async () => {
    const worker = await waitingWorker()
    const [entry] = await entries()
    await worker.stop()
    const listener = new Redis(bench.database().url)
    await listener.subscribe(entry!.split(' ')[3]!) // somebody hears it, and does nothing
    await redis.rpush('arq:waiting:arq:queue', entry!)
    const job = (await client.enqueue('echo', [7]))!
    expect(await job.status()).toBe('in_progress')
    expect(await redis.exists(`arq:retry:${job.jobId}`)).toBe(0)
    const heir = await bench.worker({ tasks: [echo] })
    const started = next<{ jobTry: number }>(heir, 'jobStarted')
    expect(await job.result({ timeoutMs: 10_000 })).toBe(7)
    expect((await started).jobTry).toBe(1)
    listener.disconnect()
  })

  test('cannot be forged by a user who may only publish', async () => {
    const worker = await waitingWorker()
    const [entry] = await entries()
    const [, bytes, token, channel] = entry!.split(' ') as [string, string, string, string]
    const job = (await client.enqueue('hold', []))!
    await eventually(() => held.has(job.jobId))
    const payload = await redis.getBuffer(`arq:job:${job.jobId}`)
    const head = `${Date.now() + 1_000} ${Date.now()} 1 forged:${payload!.length} `
    const madeUp = `${worker.id}/made-up`
    for (const forged of [`${madeUp.length} ${madeUp} ${head}`, `${bytes} ${token} ${head}`])
      await redis.publish(channel, Buffer.concat([Buffer.from(forged), payload!]))
    for (const text of ['', ' ', 'x', 'a b c d e', `${bytes} ${token} 1 1 1 x:9 abc`])
      await redis.publish(channel, text)
    await eventually(async () => (await entries()).length === 1)
    expect(await (await client.enqueue('echo', [1]))?.result({ timeoutMs: 5_000 })).toBe(1)
    expect(ran).not.toContain('forged')
  })
})
