import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, defineTask, Worker } from '../../src/index.ts'
import { encodeJob } from '@arq-ts/protocol'
import { luaShas } from '../../src/redis/scripts.generated.ts'
import { next, silent } from './support.ts'

/** On a server of its own: what it counts of commands is looked at. */
describe('a wake-up', () => {
  let server: RedisServer
  let redis: Redis
  let client: Client
  const workers: Worker[] = []
  const monitors: Socket[] = []

  beforeEach(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
    client = new Client({ redis: server.url, logger: silent })
  })
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.stop()
    for (const monitor of monitors.splice(0)) monitor.destroy()
    await client.close()
    redis.disconnect()
    await server.stop()
  })

  const ran: string[] = []
  const noop = defineTask({ name: 'noop', handler: (ctx) => void ran.push(ctx.jobId) })

  /** Started, and asleep for longer than the test lasts. */
  async function idleWorker(maxJobs = 10): Promise<Worker> {
    const options = { redis: server.url, tasks: [noop], logger: silent, handleSignals: false, pollDelayMs: 60_000 }
    const worker = new Worker({ ...options, handOff: false, maxJobs })
    workers.push(worker)
    const started = next(worker, 'started')
    void worker.run()
    await started
    await expect.poll(() => calls('zrangebyscore')).toBeGreaterThan(0)
    return worker
  }

  /**
   * The names of scripts that are run from now on, except those of the recorder.
   * Over a plain socket: ioredis takes lines that follow `OK` at once for replies.
   */
  async function overheard(): Promise<string[]> {
    const { port } = new URL(server.url)
    const monitor = connect(Number(port), '127.0.0.1')
    monitors.push(monitor)
    const names = new Map(Object.entries(luaShas).map(([name, sha]) => [sha as string, name]))
    const heard: string[] = []
    const listening = once(monitor, 'data')
    createInterface({ input: monitor }).on('line', (line) => {
      const [, sha] = /"evalsha" "(\w+)"/i.exec(line) ?? []
      const name = sha && (names.get(sha) ?? sha)
      if (name && !name.startsWith('record')) heard.push(name)
    })
    monitor.write('MONITOR\r\n')
    await listening
    return heard
  }

  async function calls(command: string): Promise<number> {
    const stats = await redis.info('commandstats')
    return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0)
  }

  test('lets an idle worker claim a job that comes alone, without looking for it first', async () => {
    const worker = await idleWorker()
    const scripts = await overheard()
    for (let i = 0; i < 3; i++) {
      const finished = next(worker, 'jobFinished')
      await client.enqueue(noop, [])
      await finished
    }
    const each = ['handOff', 'claim', 'finish']
    await expect.poll(() => scripts).toEqual([...each, ...each, ...each])
  })

  test('of a job that another worker took first has more looked for', async () => {
    const worker = await idleWorker()
    const now = Date.now()
    const unheard = { jobTry: null, functionName: 'noop', args: [], kwargs: {}, enqueueTimeMs: now }
    await redis.set('arq:job:unheard', Buffer.from(encodeJob(unheard, 'msgpack')))
    await redis.zadd('arq:queue', now, 'unheard')
    const finished = next<{ jobId: string }>(worker, 'jobFinished')
    await redis.publish('arq:wake@0:arq:queue', `${now} taken`)
    expect((await finished).jobId).toBe('unheard')
  })

  test('lets an idle worker claim a few jobs that come together by one call, without looking for them first', async () => {
    const worker = await idleWorker()
    const scripts = await overheard()
    const finished = next(worker, 'jobFinished')
    await Promise.all([client.enqueue(noop, []), client.enqueue(noop, [])])
    await finished
    await expect.poll(() => scripts).toEqual(['handOff', 'claim', 'finish'])
  })

  test('has the jobs of one batch looked for that the worker has no room for', async () => {
    const worker = await idleWorker(2)
    const all = Array.from({ length: 5 }, () => client.enqueue(noop, []))
    const jobs = await Promise.all(all)
    for (const job of jobs) await job?.result({ timeoutMs: 5_000 })
    expect(worker.describe().counters.complete).toBe(5)
  })

  test('has the next batch looked for where others were sooner', async () => {
    await idleWorker()
    const scripts = await overheard()
    await redis.publish('arq:wake@0:arq:queue', `${Date.now()},taken,by-others`)
    await expect.poll(() => scripts).toEqual(['claim', 'reserve'])
    await redis.publish('arq:wake@0:arq:queue', `${Date.now()},taken,as-well`)
    await expect.poll(() => scripts).toEqual(['claim', 'reserve', 'reserve'])
  })

  test('has jobs of a large batch looked for', async () => {
    const worker = await idleWorker()
    const scripts = await overheard()
    const finished = next(worker, 'jobFinished')
    await Promise.all(Array.from({ length: 17 }, () => client.enqueue(noop, [])))
    await finished
    expect(scripts.slice(0, 2)).toEqual(['enqueue', 'reserve'])
  })

  test('that names a job twice starts it once', async () => {
    await idleWorker()
    ran.length = 0
    const now = Date.now()
    const unheard = { jobTry: null, functionName: 'noop', args: [], kwargs: {}, enqueueTimeMs: now }
    await redis.set('arq:job:unheard', Buffer.from(encodeJob(unheard, 'msgpack')))
    await redis.zadd('arq:queue', now, 'unheard')
    await redis.publish('arq:wake@0:arq:queue', `${now},unheard,unheard`)
    await client.job('unheard').result({ timeoutMs: 5_000 })
    expect(ran).toEqual(['unheard'])
  })

  test('gives a job to one of many idle workers, once', async () => {
    const fleet = await Promise.all(Array.from({ length: 5 }, () => idleWorker()))
    ran.length = 0
    for (let i = 0; i < 20; i++) {
      const job = await client.enqueue(noop, [])
      await job?.result({ timeoutMs: 5_000 })
    }
    expect(new Set(ran).size).toBe(20)
    expect(ran).toHaveLength(20)
    expect(fleet.reduce((sum, worker) => sum + worker.describe().counters.complete, 0)).toBe(20)
  })

  test('starts nothing of a paused queue', async () => {
    await idleWorker()
    await client.queues.pause('arq:queue')
    const job = await client.enqueue(noop, [])
    const before = await calls('evalsha')
    await expect.poll(() => calls('evalsha')).toBeGreaterThan(before) // the worker was there
    expect(await job?.status()).toBe('queued')
    await client.queues.resume('arq:queue')
    await job?.result({ timeoutMs: 5_000 })
  })

  test('is heard with ids that hold spaces', async () => {
    const worker = await idleWorker()
    const finished = next<{ jobId: string }>(worker, 'jobFinished')
    await client.enqueue(noop, [], { jobId: 'an id of words' })
    expect((await finished).jobId).toBe('an id of words')
  })
})
