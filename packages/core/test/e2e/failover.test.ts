import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child, eventually, findServer, freePort, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, createLogger, defineTask, Worker } from '../../src/index.ts'

const logger = createLogger({ level: 'silent' })

/** A primary, a replica and a sentinel, all real; the primary is killed. */
describe('the night a Redis fails over', () => {
  let primary: RedisServer
  let replica: RedisServer
  let sentinel: Child
  let sentinelPort: number
  let dir: string

  beforeAll(async () => {
    primary = await RedisServer.start()
    replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
    sentinelPort = await freePort()
    dir = mkdtempSync(join(tmpdir(), 'arq-ts-sentinel-'))
    const config = join(dir, 'sentinel.conf')
    writeFileSync(
      config,
      `port ${sentinelPort}\nbind 127.0.0.1\ndir ${dir}\nsentinel monitor jobs 127.0.0.1 ${primary.port} 1\n` +
        'sentinel down-after-milliseconds jobs 500\nsentinel failover-timeout jobs 3000\n',
    )
    sentinel = new Child(findServer(), [config, '--sentinel'])
    const watcher = new Redis(sentinelPort, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null })
    watcher.on('error', () => {})
    // Failover needs a sentinel that knows the replica, and a replica in step.
    await eventually(
      async () => String(await watcher.call('SENTINEL', 'REPLICAS', 'jobs')).includes(String(replica.port)),
      { timeoutMs: 20_000 },
    )
    const link = new Redis(replica.url)
    await eventually(async () => (await link.info('replication')).includes('master_link_status:up'), {
      timeoutMs: 20_000,
    })
    link.disconnect()
    watcher.disconnect()
  })
  afterAll(async () => {
    sentinel?.kill()
    await replica?.stop()
    await primary?.stop()
    if (dir) rmSync(dir, { recursive: true, force: true })
  })

  test('running jobs are settled on the new primary, queued ones run there, and producers continue', async () => {
    const redis = { sentinels: [{ host: '127.0.0.1', port: sentinelPort }], name: 'jobs' }
    const client = new Client({ redis, logger, commandTimeoutMs: 30_000 })
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    const worker = new Worker({
      redis,
      tasks: [
        defineTask({ name: 'hold', handler: () => released.then(() => 'settled after the failover') }),
        defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
      ],
      pollDelayMs: 50,
      handleSignals: false,
      logger,
    })
    const running = worker.run()
    try {
      const held = await client.enqueue('hold', [])
      await new Promise<void>((resolve) => worker.once('jobStarted', () => resolve()))
      const deferred = await client.enqueue('echo', ['deferred'], { deferByMs: 2_000 })
      const direct = new Redis(primary.url)
      await direct.wait(1, 5_000) // what was written has reached the replica
      direct.disconnect()

      await primary.kill()
      const during = client.enqueue('echo', ['enqueued while nobody was primary'])
      await new Promise<void>((resolve) => worker.once('redisUp', () => resolve()))
      release()

      expect(await held?.result({ timeoutMs: 20_000 })).toBe('settled after the failover')
      expect(await (await during)?.result({ timeoutMs: 20_000 })).toBe('enqueued while nobody was primary')
      expect(await deferred?.result({ timeoutMs: 20_000 })).toBe('deferred')
    } finally {
      release()
      await worker.stop()
      await running
      await client.close()
    }
  })
})
