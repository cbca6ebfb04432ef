import { fileURLToPath } from 'node:url'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'
import type { WorkerOptions } from '../../src/index.ts'

const script = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))
const logger = createLogger({ level: 'silent' })

describe('a job that is handed to a worker', () => {
  let server: RedisServer
  let redis: Redis
  let client: Client
  const children: Child[] = []

  beforeAll(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })
  beforeEach(() => {
    client = new Client({ redis: server.url, logger, commandTimeoutMs: 20_000 })
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      await child.exited
    }
    await client.close()
    await redis.flushall()
  })

  const startWorker = async (options: WorkerOptions = {}) => {
    const settings = { url: server.url, options: { leaseMs: 1_000, ...options } }
    const child = new Child(process.execPath, [script, JSON.stringify(settings)])
    children.push(child)
    await child.line(/^event started/)
    return child
  }
  const isWaiting = () => eventually(async () => (await redis.llen('arq:waiting:arq:queue')) === 1)
  /** It waits, and polls for nothing. */
  const waitingWorker = async () => {
    const child = await startWorker({ handOff: true, pollDelayMs: 60_000 })
    await isWaiting()
    return child
  }

  test('runs elsewhere a second later, on its first try, if the worker is killed before it takes the job', async () => {
    const doomed = await waitingWorker()
    doomed.kill('SIGSTOP')
    const job = await client.enqueue('hold', ['a'])
    expect(await job?.status()).toBe('in_progress')
    doomed.kill('SIGKILL')
    const heir = await startWorker()
    await heir.line(/^holding a try=1/)
    await redis.set('release:a', 1)
    expect(await job?.result({ timeoutMs: 10_000 })).toEqual(['first', 1])
  })

  test('does not run on a worker that was stopped past the time of the hand-off, and the next job is not lost', async () => {
    const frozen = await waitingWorker()
    frozen.kill('SIGSTOP')
    const handed = await client.enqueue('hold', ['b'])
    expect(await handed?.status()).toBe('in_progress')
    const others = await client.enqueue('echo', [1])
    expect(await others?.status()).toBe('queued') // a worker gets one hand-off until it answers
    const heir = await startWorker()
    await heir.line(/^holding b try=1/)
    expect(await others?.result({ timeoutMs: 10_000 })).toBe(1)
    frozen.kill('SIGCONT')
    await frozen.line(/^event leaseLost/)
    await redis.set('release:b', 1)
    expect(await handed?.result({ timeoutMs: 10_000 })).toEqual(['first', 1])
    expect(frozen.lines.filter((line) => line.startsWith('holding'))).toEqual([])
  })

  test('runs once on a worker that was stopped past the time of the hand-off, if nobody else took it', async () => {
    const frozen = await waitingWorker()
    frozen.kill('SIGSTOP')
    const job = await client.enqueue('hold', ['c'])
    await eventually(async () => (await redis.exists(`arq:in-progress:${job?.jobId}`)) === 0)
    frozen.kill('SIGCONT')
    await frozen.line(/^holding c try=1/)
    await redis.set('release:c', 1)
    expect(await job?.result({ timeoutMs: 10_000 })).toEqual(['first', 1])
  })

  test.each([
    ['die', 'counts the try whose first step kills the process, and runs it again'],
    ['dieOnce', 'is not run again where its only try has killed the process'],
  ])('by the name of %s %s', async (name) => {
    await waitingWorker()
    const job = await client.enqueue(name, [])
    await startWorker()
    const result = job?.result({ timeoutMs: 20_000 })
    if (name === 'die') expect(await result).toBe(2)
    else await expect(result).rejects.toThrow('max 1 retries exceeded')
  })

  test('is not handed over while the channel is cut off, and is handed over once the worker listens again', async () => {
    const worker = await waitingWorker()
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    const job = await client.enqueue('echo', [1])
    expect(await job?.result({ timeoutMs: 20_000 })).toBe(1)
    await isWaiting()
    await client.enqueue('hold', ['d'])
    await worker.line(/^holding d try=1/)
    await redis.set('release:d', 1)
  })
})
