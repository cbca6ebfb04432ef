import { Writable } from 'node:stream'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { createLogger, cron, defineTask } from '../../src/index.ts'
import type { Worker } from '../../src/index.ts'
import { next, useHarness } from './support.ts'

const KEEPS = {
  'keepResultMs: 0': { options: { keepResultMs: 0 }, ttl: (ms: number) => ms === -2 },
  'keepResultMs: 20000': { options: { keepResultMs: 20_000 }, ttl: (ms: number) => ms > 0 && ms <= 20_000 },
  keepResultForever: { options: { keepResultForever: true }, ttl: (ms: number) => ms === -1 },
  "the worker's own": { options: {}, ttl: (ms: number) => ms > 20_000 && ms <= 60_000 },
}

/** Endings that the worker decides itself, by how a producer brings them about. */
const ENDINGS = {
  'max tries exceeded': { jobTry: 2, abort: false },
  'aborted before start': { jobTry: 1, abort: true },
}

describe('a job that the worker ends without a run', () => {
  const bench = useHarness()

  for (const [ending, { jobTry, abort }] of Object.entries(ENDINGS)) {
    test.each(Object.entries(KEEPS))(`of a task with %s: its result follows that (${ending})`, async (_, keep) => {
      const task = defineTask({ name: 'once', maxTries: 1, ...keep.options, handler: () => null })
      const { redis } = bench.database()
      const job = await bench.client().enqueue('once', [], { jobTry })
      if (abort) await redis.zadd('arq:abort', Date.now(), job!.jobId)
      await bench.worker({ tasks: [task], keepResultMs: 60_000, burst: true })
      await eventually(async () => (await redis.zscore('arq:queue', job!.jobId)) === null)
      expect(await redis.pttl(`arq:result:${job!.jobId}`)).toSatisfy(keep.ttl)
    })
  }

  test("leaves no in-progress key, a cron job's neither, as in arq", async () => {
    const yearly = cron('cron:yearly', { month: 1, day: 1, hour: 0, minute: 0 }, () => null)
    const job = await bench.client().enqueue('cron:yearly', [], { jobTry: 2 })
    const { redis } = bench.database()
    await bench.worker({ cron: [yearly], burst: true })
    await eventually(async () => (await redis.zscore('arq:queue', job!.jobId)) === null)
    expect(await redis.exists(`arq:in-progress:${job!.jobId}`)).toBe(0)
  })

  test('frees its id at once where it is a tick of a cron job with a fixed id', async () => {
    const fixed = cron('cron:fixed', { month: 1, day: 1, hour: 0, minute: 0 }, () => null, { jobId: 'tick' })
    const client = bench.client()
    // A worker was killed in its only try: the next claim exceeds maxTries.
    await client.enqueue('cron:fixed', [], { jobId: 'tick' })
    const { redis } = bench.database()
    await redis.set('arq:retry:tick', 1)
    await bench.worker({ cron: [fixed], burst: true })
    await eventually(async () => (await redis.zscore('arq:queue', 'tick')) === null)
    expect(await client.enqueue('cron:fixed', [], { jobId: 'tick' })).not.toBeNull()
  })
})

describe('a burst', () => {
  const bench = useHarness()
  const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

  test('ends on a paused queue, and names it', async () => {
    const client = bench.client()
    await client.enqueue('echo', [1], { queueName: 'held' })
    const served = await client.enqueue('echo', [2], { queueName: 'open' })
    await client.queues.pause('held')
    const { lines, logger } = recorder()
    const worker = await bench.worker({ tasks: [echo], queues: ['held', 'open'], burst: true, logger })
    await worker.run()
    expect(worker.pausedQueues).toEqual(['held'])
    expect(lines()).toContainEqual(expect.stringMatching(/the burst ends with 1 job left: 'held' is paused/))
    expect(await served?.result({ timeoutMs: 1_000 })).toBe(2)
    expect(await bench.database().redis.zcard('held')).toBe(1)
  })

  test('waits for a deferred job of an open queue although another queue is paused', async () => {
    const client = bench.client()
    await client.enqueue('echo', [1], { queueName: 'held' })
    const late = await client.enqueue('echo', [2], { queueName: 'open', deferByMs: 400 })
    await client.queues.pause('held')
    const worker = await bench.worker({ tasks: [echo], queues: ['held', 'open'], burst: true })
    await worker.run()
    expect(await late?.result({ timeoutMs: 1_000 })).toBe(2)
  })

  test('runs the ticks of its start before it ends, on a Redis that knows no script yet', async () => {
    for (let round = 0; round < 10; round++) {
      await bench.database().redis.script('FLUSH')
      let ran = 0
      const eager = cron(`cron:eager${round}`, { month: 1, day: 1, hour: 0, minute: 0 }, () => void ran++, {
        runAtStartup: true,
        overlap: round % 2 === 0 ? 'allow' : 'skip',
      })
      await (await bench.worker({ cron: [eager], burst: true })).run()
      expect(ran).toBe(1)
    }
  })
})

describe('the health key of a queue', () => {
  const bench = useHarness()
  const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

  test('stays when one of two workers stops, and goes with the last', async () => {
    const { redis } = bench.database()
    const first = await bench.worker({ tasks: [echo] })
    const second = await bench.worker({ tasks: [echo] })
    await first.stop()
    expect(await redis.exists('arq:queue:health-check')).toBe(1)
    await second.stop()
    expect(await redis.exists('arq:queue:health-check')).toBe(0)
  })

  test('goes with the last worker of its queue although workers of other queues live', async () => {
    const { redis } = bench.database()
    await bench.worker({ tasks: [echo], queueName: 'other' })
    const worker = await bench.worker({ tasks: [echo] })
    await worker.stop()
    expect(await redis.exists('arq:queue:health-check')).toBe(0)
    expect(await redis.exists('other:health-check')).toBe(1)
  })
})

describe('a handler', () => {
  const bench = useHarness()

  test('may pass its signal to any number of waits without a warning', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => void warnings.push(warning)
    process.on('warning', onWarning)
    const many = defineTask({
      name: 'many',
      handler: ({ signal }) => {
        for (let i = 0; i < 50; i++) signal.addEventListener('abort', () => i)
      },
    })
    await bench.worker({ tasks: [many] })
    await (await bench.client().enqueue('many'))?.result({ timeoutMs: 5_000 })
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})

describe('jobs of a function that a worker does not have', () => {
  const bench = useHarness()
  const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

  test('are reported once per function when they are handed back', async () => {
    const client = bench.client()
    for (let i = 0; i < 20; i++) await client.enqueue(i % 2 === 0 ? 'python_only' : 'other_only')
    const { lines, logger } = recorder()
    const worker: Worker = await bench.worker({ tasks: [echo], unknownFunction: 'release', logger })
    let released = 0
    worker.on('jobReleased', () => released++)
    expect(await next(worker, 'jobReleased')).toMatchObject({ jobTry: 1, reason: 'unknown function' })
    await eventually(() => released >= 20)
    const reports = lines().filter((line) => line.includes('is not registered on this worker'))
    expect(reports.toSorted()).toEqual([
      expect.stringContaining("function 'other_only' is not registered"),
      expect.stringContaining("function 'python_only' is not registered"),
    ])
  })
})

function recorder() {
  const written: string[] = []
  const destination = new Writable({ write: (chunk, _, done) => done(void written.push(String(chunk))) })
  return {
    logger: createLogger({ level: 'info', pretty: false, destination }),
    lines: () => written.map((line) => (JSON.parse(line) as { msg: string }).msg),
  }
}
