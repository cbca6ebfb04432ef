import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child, CuttingProxy, eventually, findServer, freePort, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

const logger = createLogger({ level: 'silent' })

let primary: RedisServer
let replica: RedisServer
let sentinel: Child
let watcher: Redis
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
  watcher = new Redis(sentinelPort, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null })
  watcher.on('error', () => {})
  await eventually(
    async () => /slave-priority|s_down_time/.test(String(await watcher.call('SENTINEL', 'REPLICAS', 'jobs'))),
    { timeoutMs: 20_000 },
  )
  const link = new Redis(replica.url)
  await eventually(async () => (await link.info('replication')).includes('master_link_status:up'), {
    timeoutMs: 20_000,
  })
  link.disconnect()
})
afterAll(async () => {
  watcher?.disconnect()
  sentinel?.kill()
  await replica?.stop()
  await primary?.stop()
  if (dir) rmSync(dir, { recursive: true, force: true })
})

test('after a failover by hand, producers leave the old primary while it still takes writes', async () => {
  const client = new Client({
    redis: { sentinels: [{ host: '127.0.0.1', port: sentinelPort }], name: 'jobs' },
    logger,
    commandTimeoutMs: 30_000,
  })
  const before = new Redis(primary.url)
  const after = new Redis(replica.url)
  try {
    expect(await client.enqueue('f', [], { jobId: 'before', deferByMs: 600_000 })).not.toBeNull()
    await before.wait(1, 5_000)
    await eventually(async () => (await watcher.call('SENTINEL', 'FAILOVER', 'jobs')) === 'OK', { timeoutMs: 20_000 })
    // Until Sentinel demotes the old primary, about ten seconds later, it still acts as a primary.
    let n = 0
    await eventually(
      async () => {
        const jobId = `after-${n++}`
        await client.enqueue('f', [], { jobId, deferByMs: 600_000 })
        return (await after.zscore('arq:queue', jobId)) !== null && (await before.zscore('arq:queue', jobId)) === null
      },
      { timeoutMs: 20_000, intervalMs: 50 },
    )
    expect(((await before.role()) as unknown[])[0]).toBe('master')
    expect(((await after.role()) as unknown[])[0]).toBe('master')
  } finally {
    before.disconnect()
    after.disconnect()
    await client.close()
  }
})

test('a client that hears of a failover while it asks Sentinel for the primary connects all the same', async () => {
  const proxy = await CuttingProxy.open(sentinelPort)
  const client = new Client({
    redis: { sentinels: [{ host: '127.0.0.1', port: proxy.port }], name: 'jobs' },
    logger,
    commandTimeoutMs: 20_000,
  })
  const links = [new Redis(primary.url), new Redis(replica.url)]
  // Behind the proxy, as the watch of the client is, and subscribed later: it hears of the failover after it.
  // Nothing handles the rejection of a SUBSCRIBE that ioredis sends by itself, once it is back after the cut.
  const options = { lazyConnect: true, enableReadyCheck: false, autoResubscribe: false }
  const listener = new Redis(proxy.port, '127.0.0.1', options)
  listener.on('error', () => {})
  try {
    expect(await client.enqueue('f', [], { jobId: 'first', deferByMs: 600_000 })).not.toBeNull()
    await listener.subscribe('+switch-master')
    const switched = new Promise((resolve) => listener.once('message', resolve))
    const asking = proxy.holdAt((command) => command.includes('get-master-addr-by-name'))
    for (const link of links) await link.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await asking
    await eventually(async () => (await watcher.call('SENTINEL', 'FAILOVER', 'jobs')) === 'OK', { timeoutMs: 30_000 })
    await switched
    proxy.cutAll()
    expect(await client.enqueue('f', [], { jobId: 'second', deferByMs: 600_000 })).not.toBeNull()
  } finally {
    listener.disconnect()
    for (const link of links) link.disconnect()
    await client.close()
    await proxy.close()
  }
}, 60_000)
