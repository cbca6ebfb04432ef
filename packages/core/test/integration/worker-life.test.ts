import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { eventually } from '@arq-ts/test-support'
import { RedisContext } from '../../src/redis/context.ts'
import { Heartbeat } from '../../src/worker/heartbeat.ts'
import { createLogger, cron, defineTask, Worker } from '../../src/index.ts'
import type { WorkerOptions } from '../../src/index.ts'
import { next, silent, useHarness } from './support.ts'

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

describe('a worker that is stopped', () => {
  const bench = useHarness()

  const make = (options: WorkerOptions) =>
    new Worker({ redis: bench.database().url, tasks: [echo], logger: silent, handleSignals: false, ...options })

  /** Connections on the test's database, the test's own left out. */
  async function connections(): Promise<number> {
    const { redis, url } = bench.database()
    const list = (await redis.client('LIST')) as string
    return list.split('\n').filter((line) => line.includes(` db=${url.split('/').at(-1)} `)).length - 1
  }

  test('within onStartup runs onShutdown after it, never says that it started, and leaves nothing behind', async () => {
    const seen: string[] = []
    let release = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const worker = make({
      onStartup: async () => {
        seen.push('onStartup')
        await gate
        seen.push('begun')
      },
      onShutdown: () => void seen.push('onShutdown'),
    })
    worker.on('started', () => seen.push('started'))
    worker.on('stopped', () => seen.push('stopped'))
    const running = worker.run()
    await eventually(() => seen.includes('onStartup'))
    const stopped = worker.stop()
    release()
    await Promise.all([stopped, running])
    expect(seen).toEqual(['onStartup', 'begun', 'onShutdown', 'stopped'])
    await eventually(async () => (await connections()) === 0)
    expect(await bench.database().redis.keys('arq:worker*')).toEqual([])
  })

  test('within an onStartup that then fails ends all the same', async () => {
    const worker = make({ onStartup: () => stopping.then(() => Promise.reject(new Error('too late'))) })
    const stopping = new Promise<void>((resolve) => setImmediate(resolve)).then(() => void worker.stop())
    await worker.run()
    await eventually(async () => (await connections()) === 0)
  })

  test('a second time does not wait for an onStartup at work', async () => {
    const worker = make({ onStartup: () => new Promise(() => {}) })
    const running = worker.run()
    await eventually(async () => (await connections()) > 0)
    void worker.stop()
    void worker.stop()
    await running
  })

  test('before it ran closes its connection, and then has nothing to run', async () => {
    const worker = make({})
    await eventually(async () => (await connections()) === 1)
    await worker.stop()
    await eventually(async () => (await connections()) === 0)
    await worker.run()
    expect(await connections()).toBe(0)
  })

  test('removes its keys after the turn of its heartbeat that was under way', async () => {
    const { url, redis } = bench.database()
    const link = new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 1_000, log: silent })
    const entry = make({}).describe()
    let stopped: Promise<void> | undefined
    let described = 0
    const heartbeat: Heartbeat = new Heartbeat({
      registry: link.registry,
      countQueued: (names) => link.queues.size(names),
      log: silent,
      queues: ['arq:queue'],
      healthCheckKeys: ['arq:queue:health-check'],
      healthCheckIntervalMs: 60_000,
      describe: () => {
        if (++described === 2) stopped = heartbeat.stop()
        return entry
      },
      maintain: () => Promise.resolve(),
    })
    await heartbeat.start()
    await stopped
    expect(await redis.keys('*')).toEqual([])
    await link.close()
  })
})

describe('ticks of cron jobs', () => {
  const bench = useHarness()
  const job = cron('cron:eager', { month: 1, day: 1, hour: 0, minute: 0 }, () => null, { runAtStartup: true })

  test.each([
    ['pickle, which every Python worker reads, unless a codec is given', {}, 0x80],
    ['the codec given', { codec: 'json' } as const, '{'.charCodeAt(0)],
  ])('are written in %s', async (_, options, firstByte) => {
    const { redis } = bench.database()
    const hold = defineTask({ name: 'hold', handler: () => new Promise(() => {}) })
    const client = bench.client()
    await client.enqueue('hold', [], { deferUntil: Date.now() - 1_000 })
    const worker = bench.worker({ cron: [job], tasks: [hold], maxJobs: 1, ...options })
    const key = await eventually(async () => (await redis.keys('arq:job:cron:eager:*'))[0])
    expect((await redis.getBuffer(key as string))?.[0]).toBe(firstByte)
    await worker
  })
})

describe('a listener that rejects', () => {
  const bench = useHarness()

  test('costs neither the job nor the process', async () => {
    const lines: string[] = []
    const destination = new Writable({ write: (chunk, _, done) => done(void lines.push(String(chunk))) })
    const logger = createLogger({ level: 'error', pretty: false, destination })
    const worker = await bench.worker({ tasks: [echo], logger })
    const finished = next(worker, 'jobFinished')
    worker.on('jobStarted', () => Promise.reject(new Error('no metrics')))
    worker.on('jobFinished', () => {
      throw new Error('nor here')
    })
    const job = await bench.client().enqueue('echo', [1])
    expect(await job?.result({ timeoutMs: 5_000 })).toBe(1)
    await finished
    const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
    expect(messages).toEqual(["a listener of 'jobStarted' failed", "a listener of 'jobFinished' failed"])
  })
})
