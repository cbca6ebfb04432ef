import { existsSync, readFileSync } from 'node:fs'
import { eventually, freePort, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()
const SOON = { timeoutMs: 60_000 }
const repository = new URL('../../../../', import.meta.url)

let server: RedisServer
let redis: Redis
let port: number

beforeEach(async () => {
  server = await RedisServer.start({ persistent: true })
  redis = new Redis(server.url, { retryStrategy: () => 100 })
  redis.on('error', () => {}) // it goes away in these tests
  port = await freePort()
})
afterEach(async () => {
  redis.disconnect()
  await server.stop()
})

const scrape = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
const statusOf = async (probe: string) => (await fetch(`http://127.0.0.1:${port}/${probe}`)).status

/** Scrapes of one second share a collection. */
const becomes = (line: string) =>
  eventually(async () => {
    expect((await scrape()).split('\n')).toContain(line)
    return true
  }, SOON)

function startExporter() {
  const child = bench.start(['exporter', '--port', String(port), '--redis', server.url], {}, { redis: false })
  return { child, isUp: () => eventually(async () => (await statusOf('healthz')) === 200, SOON) }
}

test('measures queues that no worker knows, outlives its Redis, and ends by SIGTERM', async () => {
  await redis.zadd('theirs', Date.now() - 60_000, 'a', Date.now() - 1_000, 'b')
  await redis.zadd('später', Date.now() + 3_600_000, 'c')
  const { child, isUp } = startExporter()
  await isUp()
  await becomes('arq_queue_jobs{queue="theirs",state="queued"} 2')
  await becomes('arq_queue_jobs{queue="später",state="deferred"} 1')
  await becomes('arq_queues_complete 1')
  const waited = Number(/^arq_queue_oldest_due_seconds\{queue="theirs"\} (.*)$/m.exec(await scrape())![1])
  expect(waited).toBeGreaterThanOrEqual(60)

  await server.kill()
  await becomes('arq_redis_up 0')
  expect(await scrape()).not.toContain('queue="theirs"') // no number of a Redis that does not answer
  expect(await statusOf('readyz')).toBe(503)
  expect(await statusOf('healthz')).toBe(200)

  await server.restart()
  await becomes('arq_redis_up 1')
  await becomes('arq_queue_jobs{queue="theirs",state="queued"} 2')
  expect(await statusOf('readyz')).toBe(200)

  expect(await child.stop()).toBe(0)
})

test('starts while Redis is away, and measures once it is there', async () => {
  await redis.zadd('theirs', Date.now() - 60_000, 'a')
  await server.kill()
  const { child, isUp } = startExporter()
  await isUp()
  await becomes('arq_redis_up 0')
  await server.restart()
  await becomes('arq_queue_jobs{queue="theirs",state="queued"} 1')
  expect(await child.stop()).toBe(0)
})

test('has every metric that its alert rules name', async () => {
  await redis.zadd('theirs', Date.now() - 60_000, 'a')
  const { isUp } = startExporter()
  await isUp()
  await becomes('arq_redis_up 1')
  const file = new URL('deploy/alerts-exporter.yml', repository)
  expect(existsSync(file)).toBe(true)
  const named = new Set(readFileSync(file, 'utf8').match(/\barq_[a-z_]+\b/g))
  const text = await scrape()
  expect([...named].filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([])
  expect(named.size).toBeGreaterThan(5)
})
