import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { ARQ_VERSIONS, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Child, Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noPython, pythonOf, pythonScript } from '../../src/python.ts'
import { pythonWorker } from '../../src/workers.ts'
import type { RunningWorker } from '../../src/workers.ts'

/** Time for which a starved process of Python may stand still, in ms; a short fence lapses meanwhile. */
const STANDSTILL_MS = 2_500

describe.skipIf(noPython !== undefined)('an abort by Python that stands still between its two steps', () => {
  const interpreter = pythonOf(ARQ_VERSIONS.at(-1)!) as string
  const logger = createLogger({ level: 'silent' })
  let database: Database
  let client: Client
  let python: RunningWorker
  let abort: Child
  beforeEach(async () => {
    database = await takeDatabase()
    client = new Client({ redis: database.url, logger, codec: 'pickle' })
  })
  afterEach(async () => {
    abort?.kill('SIGKILL')
    await Promise.all([client.close(), python?.stop()])
    await database.release()
  })

  /** A worker of ours with one job that ends when it is released. */
  async function ours() {
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    let start = () => {}
    const started = new Promise<void>((resolve) => (start = resolve))
    const handler = async () => {
      start()
      await released
      return 'done'
    }
    const tasks = [defineTask({ name: 'hold', handler })]
    const worker = new Worker({ redis: database.url, logger, tasks, pollDelayMs: 50, handleSignals: false })
    const running = worker.run()
    return { started, release, stop: () => worker.stop().then(() => running) }
  }

  test('replaces no result, and its id leaves the queue', async () => {
    const { redis } = database
    // A fleet that asks for aborts.
    await redis.zadd('arq:abort', Date.now(), 'another')
    const first = await ours()
    const job = await client.enqueue('hold', [], { jobId: 'ended' })
    await first.started
    abort = pythonScript(interpreter, 'abort_gap', { url: database.url, id: 'ended' })
    // It has read the end of our lease, which lies ahead, and takes the job for a deferred one.
    const { score } = JSON.parse(await abort.line(/"score"/)) as { score: number }
    expect(score).toBeGreaterThan(Date.now())
    first.release()
    expect(await job!.result({ timeoutMs: 10_000 })).toBe('done')
    await first.stop()
    const result = await redis.getBuffer('arq:result:ended')
    const endedMs = Date.now()
    python = await pythonWorker(interpreter, { url: database.url, codec: 'pickle', name: 'python' })
    await eventually(() => Date.now() - endedMs > STANDSTILL_MS)
    abort.kill('SIGCONT')
    expect(JSON.parse(await abort.line(/"aborted"/))).toEqual({ aborted: false })
    expect(await redis.zscore('arq:queue', 'ended')).toBe('1')

    // The head of the queue is read before the rest.
    for (const value of [1, 2]) expect(await (await client.enqueue('echo', [value]))!.result()).toBe(value)
    expect(await redis.getBuffer('arq:result:ended')).toEqual(result)

    const second = await ours()
    await eventually(async () => (await redis.zscore('arq:queue', 'ended')) === null)
    second.release()
    await second.stop()
    expect(await redis.getBuffer('arq:result:ended')).toEqual(result)
  })

  test('keeps no worker of ours from a new job of the same id', async () => {
    const { redis } = database
    await redis.zadd('arq:abort', Date.now(), 'another')
    const worker = await ours()
    worker.release()
    for (let round = 0; round < 2; round++) {
      const job = await client.enqueue('hold', [], { jobId: 'again' })
      expect(await job!.result({ timeoutMs: 5_000 })).toBe('done')
      expect(await redis.get('arq:in-progress:again')).toBe('ended')
      expect(await redis.pttl('arq:in-progress:again')).toBeGreaterThan(30_000)
      await redis.del('arq:result:again')
    }
    await worker.stop()
  })
})
