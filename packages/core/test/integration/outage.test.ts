import { eventually, freePort, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client } from '../../src/index.ts'
import { Subscriber } from '../../src/redis/subscriber.ts'
import { silent } from './support.ts'

/** Duration of a call, with its rejection. */
async function rejection(call: Promise<unknown>): Promise<{ code: unknown; message: string; tookMs: number }> {
  const startedMs = performance.now()
  const error = await call.then(
    (value) => new Error(`it resolved with ${String(value)}`),
    (reason: unknown) => reason as Error,
  )
  return { code: (error as { code?: unknown }).code, message: error.message, tookMs: performance.now() - startedMs }
}

describe('with a Redis that is away, a call ends by its own timeout:', () => {
  let client: Client
  beforeEach(async () => {
    client = new Client({
      redis: `redis://127.0.0.1:${await freePort()}`,
      logger: silent,
      commandTimeoutMs: 700,
    })
  })
  afterEach(() => client.close())

  test.each([
    ['job.result', () => client.job('x').result({ timeoutMs: 200 })],
    ['job.abort', () => client.job('x').abort({ timeoutMs: 200 })],
  ])('%s, as a wait that was too short', async (_, call) => {
    expect(await rejection(call())).toMatchObject({ code: 'ARQ_TIMEOUT' })
  })

  test.each([
    ['job.result without a timeout', () => client.job('x').result()],
    ['job.abort without a timeout', () => client.job('x').abort()],
    ['job.result with a longer timeout', () => client.job('x').result({ timeoutMs: 60_000 })],
    ['jobs.requestAbort', () => client.jobs.requestAbort('x', { queueName: 'q' })],
    ['workers.listen', () => client.workers.listen(() => {})],
    ['enqueue', () => client.enqueue('f')],
  ])('%s, after commandTimeoutMs', async (_, call) => {
    const { code, message } = await rejection(call())
    expect(code).toBe('ARQ_REDIS_UNAVAILABLE')
    expect(message).toContain('700 ms')
  })
})

describe('with a Redis that hangs', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await RedisServer.start()
  })
  afterEach(() => server.stop())

  test('a call that is under way ends by its timeout', async () => {
    const client = new Client({ redis: server.url, logger: silent, commandTimeoutMs: 500 })
    try {
      const job = await client.enqueue('f')
      server.pause()
      const sent = await rejection(client.enqueue('f'))
      expect(sent.code).toBe('ARQ_REDIS_UNAVAILABLE')
      expect(sent.tookMs).toBeLessThan(3_000)
      const waited = await rejection(job!.result({ timeoutMs: 300 }))
      expect(waited.code).toBe('ARQ_TIMEOUT')
      expect(waited.tookMs).toBeLessThan(3_000)
      server.resume()
      expect(await job!.status()).toBe('queued')
    } finally {
      await client.close()
    }
  })
})

describe('a subscriber', () => {
  test('hears, once Redis is back, on a channel whose first listener gave up', async () => {
    const port = await freePort()
    const subscriber = new Subscriber(`redis://127.0.0.1:${port}`, silent, 300)
    expect(await rejection(subscriber.listen('channel', () => {}))).toMatchObject({ code: 'ARQ_REDIS_UNAVAILABLE' })
    const server = await RedisServer.start({ port })
    const redis = new Redis(server.url)
    try {
      const heard: string[] = []
      await eventually(() => subscriber.listen('channel', (message) => heard.push(message)))
      await redis.publish('channel', 'hello')
      await eventually(() => heard.length > 0)
      expect(heard).toEqual(['hello'])
    } finally {
      redis.disconnect()
      await subscriber.close()
      await server.stop()
    }
  })

  test('listens to nothing once closed, and opens no connection', async () => {
    const server = await RedisServer.start()
    try {
      const subscriber = new Subscriber(server.url, silent)
      await subscriber.close()
      expect(await rejection(subscriber.listen('channel', () => {}))).toMatchObject({
        code: 'ARQ_REDIS_UNAVAILABLE',
        message: expect.stringContaining('closed') as string,
      })
    } finally {
      await server.stop()
    }
  })
})
