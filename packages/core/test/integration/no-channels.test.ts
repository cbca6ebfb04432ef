import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Client, defineTask, Worker } from '../../src/index.ts'
import { next, silent } from './support.ts'

let server: RedisServer
let redis: Redis

beforeEach(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
  // Rights of a new user of Redis 7 with `~* +@all`: every key and command, and no channel. Python's arq needs none.
  await redis.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '+@all', 'resetchannels')
})
afterEach(async () => {
  redis.disconnect()
  await server.stop()
})

test('a user without channels enqueues, works, waits for results and aborts, by polling', async () => {
  const url = `redis://plain:secret@127.0.0.1:${server.port}`
  const tasks = [
    defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
    defineTask({
      name: 'until_aborted',
      handler: (ctx) =>
        new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
    }),
  ]
  const options = { redis: url, logger: silent, handleSignals: false, pollDelayMs: 50 }
  const worker = new Worker({ ...options, tasks, allowAbortJobs: true, handOff: true })
  const started = next(worker, 'started')
  const running = worker.run()
  await started
  const client = new Client({ redis: url, logger: silent })
  try {
    const job = await client.enqueue('echo', [5])
    expect(await job!.result({ timeoutMs: 10_000 })).toBe(5)
    const begun = next(worker, 'jobStarted')
    const endless = await client.enqueue('until_aborted')
    await begun
    expect(await endless!.abort({ timeoutMs: 10_000 })).toBe(true)
  } finally {
    await client.close()
    await worker.stop()
    await running
  }
})
