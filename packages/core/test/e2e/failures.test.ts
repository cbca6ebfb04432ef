import { fileURLToPath } from 'node:url'
import { Client, createLogger, defineTask, Worker } from '../../src/index.ts'
import type { WorkerOptions } from '../../src/index.ts'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const script = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))
const slowStart = fileURLToPath(new URL('fixtures/slow-start.mjs', import.meta.url))
const logger = createLogger({ level: 'silent' })

/** On a server of its own, which is killed, starved and flushed. */
describe('a worker outlives what goes wrong', () => {
  let server: RedisServer
  let client: Client
  let redis: Redis
  const children: Child[] = []

  beforeEach(async () => {
    server = await RedisServer.start({ persistent: true })
    client = new Client({ redis: server.url, logger, commandTimeoutMs: 20_000 })
    redis = new Redis(server.url)
    redis.on('error', () => {})
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      await child.exited
    }
    await client.close()
    redis.disconnect()
    await server.stop()
  })

  async function startWorker(options: WorkerOptions = {}, clockOffsetMs = 0): Promise<Child> {
    const child = new Child(process.execPath, [script, JSON.stringify({ url: server.url, options, clockOffsetMs })])
    children.push(child)
    await child.line(/^event started/)
    return child
  }

  test('gives the job of a killed worker to another within the lease, and counts the try', async () => {
    const doomed = await startWorker({ leaseMs: 2_000 })
    const job = await client.enqueue<[string, number]>('hold', ['a'])
    await doomed.line(/^holding a/)
    const killedAt = Date.now()
    doomed.kill('SIGKILL')
    const heir = await startWorker({ leaseMs: 2_000 })
    await heir.line(/^holding a try=2/)
    expect(Date.now() - killedAt).toBeLessThan(2_000 + 3_000)
    expect(await job?.result({ timeoutMs: 10_000 })).toEqual(['second', 2])
  })

  test('gives the job of a killed worker to another before all that waits, where the queue is behind', async () => {
    const doomed = await startWorker({ leaseMs: 1_500, maxJobs: 1 })
    const job = await client.enqueue('hold', ['a'])
    await doomed.line(/^holding a/)
    const sinceMs = Date.now() - 5_000
    await client.enqueueMany(['b', 'c', 'd'].map((name, i) => ['hold', [name], { deferUntil: sinceMs + i }] as const))
    doomed.kill('SIGKILL')
    const heir = await startWorker({ leaseMs: 1_500, maxJobs: 1 })
    await heir.line(/^holding b/)
    await eventually(async () => (await redis.zrank('arq:queue', job!.jobId)) === 0, { timeoutMs: 15_000 })
    await redis.set('release:b', 1)
    await heir.line(/^holding a try=2/)
    const started = heir.lines.filter((line) => line.startsWith('holding')).map((line) => line[8])
    expect(started.slice(0, 2)).toEqual(['b', 'a'])
  })

  test('refuses the late outcome of a worker that was stopped past its lease: the job is not lost, its result not overwritten', async () => {
    const frozen = await startWorker({ leaseMs: 1_500 })
    const job = await client.enqueue('hold', ['b'])
    await frozen.line(/^holding b/)
    frozen.kill('SIGSTOP')
    await startWorker({ leaseMs: 1_500 })
    expect(await job?.result({ timeoutMs: 15_000 })).toEqual(['second', 2])
    await redis.set('release:b', 1)
    frozen.kill('SIGCONT')
    await frozen.line(/^event leaseLost/)
    expect(await job?.result()).toEqual(['second', 2])
    expect(frozen.lines.filter((line) => line.startsWith('event jobFinished'))).toEqual([])
    // and it continues to work
    expect(await (await client.enqueue('echo', ['still here']))?.result({ timeoutMs: 10_000 })).toBe('still here')
  })

  test('keeps the result of a worker that was stopped past its lease when nobody else took the job', async () => {
    const frozen = await startWorker({ leaseMs: 1_000 })
    const job = await client.enqueue('hold', ['c'])
    await frozen.line(/^holding c/)
    frozen.kill('SIGSTOP')
    await eventually(async () => !(await redis.exists(`arq:in-progress:${job?.jobId}`)))
    await redis.set('release:c', 1)
    frozen.kill('SIGCONT')
    expect(await job?.result({ timeoutMs: 10_000 })).toEqual(['first', 1])
  })

  test('keeps running jobs while Redis is killed and restarted, settles them, and continues', async () => {
    const worker = await startWorker()
    const job = await client.enqueue('hold', ['d'])
    await worker.line(/^holding d/)
    await server.kill()
    await worker.line(/^event redisDown/)
    const during = client.enqueue('echo', ['enqueued while it was away'])
    await server.restart()
    await worker.line(/^event redisUp/)
    await eventually(() => redis.set('release:d', 1))
    expect(await job?.result({ timeoutMs: 15_000 })).toEqual(['first', 1])
    expect(await (await during)?.result({ timeoutMs: 10_000 })).toBe('enqueued while it was away')
    expect(worker.hasEnded).toBe(false)
  })

  test('settles a job that ended while Redis was away', async () => {
    const worker = await startWorker()
    const job = await client.enqueue('block', [1_500])
    await worker.line(/→ .*:block/)
    await server.kill()
    await worker.line(/← .*:block/)
    await server.restart()
    expect(await job?.result({ timeoutMs: 15_000 })).toBe('blocked')
  })

  test('survives cut connections and a flushed script cache', async () => {
    const worker = await startWorker()
    const job = await client.enqueue('hold', ['e'])
    await worker.line(/^holding e/)
    await redis.call('SCRIPT', 'FLUSH')
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(() => redis.set('release:e', 1))
    expect(await job?.result({ timeoutMs: 15_000 })).toEqual(['first', 1])
    expect(await (await client.enqueue('echo', [1]))?.result({ timeoutMs: 10_000 })).toBe(1)
  })

  test('puts an evicted payload back when it retries, and fails one that vanished before it ran', async () => {
    const worker = new Worker({
      redis: server.url,
      tasks: [
        defineTask({
          name: 'evicted',
          maxTries: 3,
          retry: { delayMs: 10 },
          handler: async (ctx) => {
            if (ctx.jobTry > 1) return ctx.jobTry
            await redis.del(`arq:job:${ctx.jobId}`)
            throw new Error('again, please')
          },
        }),
      ],
      handleSignals: false,
      logger,
    })
    void worker.run()
    const job = await client.enqueue('evicted', [])
    expect(await job?.result({ timeoutMs: 10_000 })).toBe(2)
    const vanished = await client.enqueue('evicted', [], { deferByMs: 200 })
    await redis.del(`arq:job:${vanished?.jobId}`)
    await expect(vanished?.result({ timeoutMs: 10_000 })).rejects.toThrow('job expired')
    await worker.stop()
  })

  test('works by the time of Redis, with its own clock ten minutes off', async () => {
    for (const offsetMs of [600_000, -600_000]) {
      const worker = await startWorker({}, offsetMs)
      const soon = await client.enqueue('echo', ['soon'], { deferByMs: 300 })
      expect(await soon?.result({ timeoutMs: 10_000 })).toBe('soon')
      const later = await client.enqueue('echo', ['later'], { deferByMs: 300_000 })
      expect(await soon?.resultInfo()).toMatchObject({
        startTime: expect.toSatisfy((at: Date) => Math.abs(at.getTime() - Date.now()) < 60_000),
      })
      expect(await later?.status()).toBe('deferred')
      await worker.stop()
    }
  })

  test('reports a blocked event loop', async () => {
    const worker = await startWorker({ leaseMs: 1_000, eventLoopLagWarnMs: 200 })
    await client.enqueue('block', [1_500])
    await worker.line(/event loop blocked for 1\.\d+s: leases of 1000 ms may have lapsed/)
  })

  test('gives up the slot of a handler that ignores its signal, and says so', async () => {
    const worker = await startWorker({ maxJobs: 1, abortGraceMs: 100 })
    const job = await client.enqueue('stubborn', [])
    await expect(job?.result({ timeoutMs: 10_000 })).rejects.toMatchObject({
      pythonType: 'asyncio.exceptions.TimeoutError',
    })
    await worker.line(/ignored its abort signal \(timed out\)/)
    expect(await (await client.enqueue('echo', ['next']))?.result({ timeoutMs: 10_000 })).toBe('next')
  })

  test('survives a handler that throws what has no words', async () => {
    await startWorker()
    await expect((await client.enqueue('crash', []))?.result({ timeoutMs: 10_000 })).rejects.toMatchObject({
      pythonType: 'builtins.RuntimeError',
      args: ['an object that is no Error was thrown'],
    })
    expect(await (await client.enqueue('echo', ['next']))?.result({ timeoutMs: 10_000 })).toBe('next')
  })

  test('on SIGTERM lets running jobs end, then hands back what is left, uncounted', async () => {
    const worker = await startWorker({ jobCompletionWaitMs: 300, abortGraceMs: 100 })
    const job = await client.enqueue('hold', ['f'])
    await worker.line(/^holding f/)
    worker.kill('SIGTERM')
    await worker.line(/^signal ARQ_WORKER_STOPPED/)
    await worker.line(/^event jobReleased/)
    expect(await worker.exited).toBe(0)
    expect(await job?.status()).toBe('queued')
    expect(await redis.get(`arq:retry:${job?.jobId}`)).toBeNull()
    await startWorker()
    expect(await job?.result({ timeoutMs: 10_000 })).toEqual(['second', 1])
  })

  test('on SIGTERM within onStartup waits for it, runs onShutdown, and the process ends', async () => {
    const worker = new Child(process.execPath, [slowStart, server.url])
    children.push(worker)
    await worker.line(/^starting/)
    worker.kill('SIGTERM')
    expect(await worker.exited).toBe(0)
    expect(worker.lines.filter((line) => /^[a-z]+$/.test(line))).toEqual(['starting', 'up', 'down', 'ended'])
  })

  test('does not repeat the reports it could not send while Redis was away', async () => {
    const worker = await startWorker({ healthCheckIntervalMs: 200 })
    await server.kill()
    await worker.line(/^event redisDown/)
    const downAt = performance.now()
    await eventually(() => performance.now() - downAt > 3_000)
    await server.restart()
    const fresh = new Redis(server.url)
    const reports = async () => Number(/cmdstat_psetex:calls=(\d+)/.exec(await fresh.info('commandstats'))?.[1] ?? 0)
    // Two keys in each of its turns, of which it missed fifteen.
    expect(await eventually(reports)).toBeLessThan(15)
    fresh.disconnect()
  })

  test('refuses an enqueue that Redis does not answer in time, and says why', async () => {
    const hasty = new Client({ redis: server.url, logger, commandTimeoutMs: 300 })
    await hasty.enqueue('echo', [1])
    await server.kill()
    await expect(hasty.enqueue('echo', [2])).rejects.toMatchObject({ code: 'ARQ_REDIS_UNAVAILABLE' })
    await hasty.close()
  })
})
