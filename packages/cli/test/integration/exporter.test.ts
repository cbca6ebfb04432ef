import type { AddressInfo } from 'node:net'
import { Client, createLogger } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '../../src/metrics/labels.ts'
import { queueMetrics } from '../../src/metrics/queue-metrics.ts'
import { serveMetrics } from '../../src/metrics/server.ts'

let database: Database
let client: Client

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
})
afterEach(async () => {
  await client.close()
  await database.release()
})

const scrape = () => queueMetrics(client, () => client.queues.names()).metrics()
const series = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(`${name}{`))

test('fifty scrapers at once share one look at Redis, on the loopback by default', async () => {
  await database.redis.zadd('q', Date.now() - 1_000, 'a')
  const registry = queueMetrics(client, () => client.queues.names())
  let looks = 0
  const metrics = async () => {
    looks++
    return { text: await registry.metrics(), contentType: registry.contentType }
  }
  const server = await serveMetrics({ metrics, whyNotAlive: () => null, whyNotReady: () => null }, 0, undefined, 60_000)
  try {
    const { address, port } = server.address() as AddressInfo
    expect(address).toBe('127.0.0.1')
    const scrapes = Array.from({ length: 50 }, async () => (await fetch(`http://${address}:${port}/metrics`)).text())
    const texts = await Promise.all(scrapes)
    expect(new Set(texts).size).toBe(1)
    expect(texts[0]).toContain('arq_queue_jobs{queue="q",state="queued"} 1')
    expect(looks).toBe(1)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('queues get a bounded number of series, whoever makes them, and names of a megabyte are cut', async () => {
  const pipeline = database.redis.pipeline()
  for (let i = 0; i < 150; i++) pipeline.zadd(`queue-${i}`, 1, 'a')
  pipeline.zadd('x'.repeat(1_000_000), 1, 'a')
  await pipeline.exec()
  const text = await scrape()
  expect(series(text, 'arq_queue_paused').length).toBeLessThanOrEqual(101)
  expect(text.length).toBeLessThan(200_000)
})

test('a hundred thousand names, and names of a megabyte, share one label beyond the bound', () => {
  for (const room of [0, 50, 1_000_000]) {
    const labels = new Labels(['known'], room)
    const made = new Set(
      Array.from({ length: 100_000 }, (_, i) => labels.of(`f${i}`.padEnd(i < 300 ? 10_000 : 1, 'x'))),
    )
    expect(made.size).toBeLessThanOrEqual(Math.min(room, 100) + 1)
    expect(Math.max(...[...made].map((label) => label.length))).toBeLessThanOrEqual(120)
    expect(labels.of('known')).toBe('known')
  }
})

test('damaged keys are counted by their kind, and hide no queue', async () => {
  await database.redis.set('arq:dead', 'x')
  await database.redis.zadd('q', Date.now() - 1_000, 'a')
  const text = await scrape()
  expect(text).toContain('arq_redis_damaged_keys{key="arq:dead"} 1')
  expect(text).toContain('arq_redis_damaged_keys{key="arq:paused"} 0')
  expect(text).toContain('arq_queue_jobs{queue="q",state="queued"} 1')
  await database.redis.del('arq:dead')
  expect(await scrape()).toContain('arq_redis_damaged_keys{key="arq:dead"} 0')
})
