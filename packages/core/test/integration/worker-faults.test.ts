import { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { eventually } from '@arq-ts/test-support'
import { createLogger, defineTask, Worker } from '../../src/index.ts'
import { silent, useHarness } from './support.ts'

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })
const never = () => new Promise<never>(() => {})

describe('a worker continues', () => {
  const bench = useHarness()

  test('when onJobEnd or afterJobEnd hangs: the slot is free after the grace, and the job is settled', async () => {
    const worker = await bench.worker({
      tasks: [echo],
      maxJobs: 1,
      onJobEnd: (ctx) => ctx.jobId === 'first' && never(),
      afterJobEnd: never,
    })
    const client = bench.client()
    const first = await client.enqueue('echo', [1], { jobId: 'first' })
    const second = await client.enqueue('echo', [2])
    expect(await second?.result({ timeoutMs: 5_000 })).toBe(2)
    expect(await first?.result({ timeoutMs: 5_000 })).toBe(1)
    await worker.stop()
  })

  test('when one of its queues is broken, with the others, also in a burst', async () => {
    const { redis, url } = bench.database()
    await redis.set('bad', 'no sorted set')
    const client = bench.client()
    await bench.worker({ tasks: [echo], queues: ['bad', 'good'] })
    const job = await client.enqueue('echo', ['good'], { queueName: 'good' })
    expect(await job?.result({ timeoutMs: 5_000 })).toBe('good')
    // A broken queue is served again once it is repaired.
    await redis.del('bad')
    const repaired = await client.enqueue('echo', ['repaired'], { queueName: 'bad' })
    expect(await repaired?.result({ timeoutMs: 5_000 })).toBe('repaired')

    await redis.set('bad', 'no sorted set again')
    const options = { redis: url, tasks: [echo], queues: ['bad', 'other'], burst: true, pollDelayMs: 50 }
    const burst = new Worker({ ...options, logger: silent, handleSignals: false })
    const running = burst.run()
    const inBurst = await client.enqueue('echo', ['burst'], { queueName: 'other' })
    expect(await inBurst?.result({ timeoutMs: 5_000 })).toBe('burst')
    await redis.del('bad')
    await running
  })
})

describe('a handler that throws', () => {
  const bench = useHarness()

  test.each<[string, () => unknown]>([
    [
      'at once',
      () => {
        throw new Error('mine')
      },
    ],
    [
      'later',
      async () => {
        await setImmediate()
        throw new Error('mine')
      },
    ],
  ])('%s is logged with its own frames, without those of the worker', async (_when, handler) => {
    const lines: string[] = []
    const destination = new Writable({
      write(line: Buffer, _encoding, done) {
        lines.push(line.toString())
        done()
      },
    })
    await bench.worker({
      tasks: [defineTask({ name: 'bad', handler })],
      maxTries: 1,
      logger: createLogger({ level: 'error', destination }),
    })
    const job = await bench.client().enqueue('bad')
    await expect(job?.result({ timeoutMs: 5_000 })).rejects.toThrow('mine')
    await eventually(() => lines.length > 0)
    const { err } = JSON.parse(lines[0]!) as { err: { stack: string } }
    expect(err.stack).toMatch(/^Error: mine(\n +at [^\n]*worker-faults\.test\.ts[^\n]*)+$/)
  })
})
