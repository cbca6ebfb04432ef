import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { CONNECT_STEPS } from '../../src/plan/faults.ts'
import { Proxy } from '../../src/servers/proxy.ts'
import { RedisProcess } from '../../src/servers/redis-process.ts'

let dir: string
let server: RedisProcess
let proxy: Proxy
let client: Redis

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'arq-ts-chaos-'))
  server = await RedisProcess.start({ name: 'redis', dir, password: 'secret' })
})
afterAll(async () => {
  await server.kill()
  rmSync(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  proxy = await Proxy.open(server.port)
  client = new Redis({
    port: proxy.port,
    host: '127.0.0.1',
    protocol: 2,
    password: 'secret',
    db: 3,
    lazyConnect: true,
    retryStrategy: () => 10,
    maxRetriesPerRequest: null,
  })
  client.on('error', () => {})
})
afterEach(() => {
  client.disconnect()
  proxy.close()
})

test.each(CONNECT_STEPS.flatMap((step) => [false, true].map((afterSend) => ({ step, afterSend }))))(
  'cuts connections at $step (reply lost: $afterSend) until the trap is gone',
  async ({ step, afterSend }) => {
    proxy.trap({ step, afterSend })
    client.connect().catch(() => {})
    const subscribed = client.subscribe('channel')
    await eventually(() => proxy.trapped >= 3)
    proxy.clear()
    expect(await subscribed).toBe(1)
  },
)

test('carries nothing while it is stalled, and everything in its order afterwards', async () => {
  await client.connect()
  proxy.stall(true)
  const order: number[] = []
  const replies = [1, 2, 3].map(async (value) => {
    await client.echo(String(value))
    order.push(value)
  })
  const direct = server.client()
  await direct.ping()
  direct.disconnect()
  expect(order).toEqual([])
  proxy.stall(false)
  await Promise.all(replies)
  expect(order).toEqual([1, 2, 3])
})

test('delays each direction, and loses nothing when the delay ends', async () => {
  await client.connect()
  proxy.delay(50)
  const sentMs = performance.now()
  const first = client.echo('late')
  await first
  expect(performance.now() - sentMs).toBeGreaterThanOrEqual(100)
  const second = client.echo('also late')
  proxy.delay(0)
  expect(await second).toBe('also late')
})

test('resets every connection when it is cut', async () => {
  await client.connect()
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  proxy.cut()
  await closed
  expect(await client.ping()).toBe('PONG')
})
