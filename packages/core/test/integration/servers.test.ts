import { Redis } from 'ioredis'
import { afterAll, describe, expect, test } from 'vitest'
import { Client, createLogger, defineTask, Worker } from '../../src/index.ts'
import { RedisServer, startRedisContainer, whyNoContainers } from '@arq-ts/test-support'

const noContainers = await whyNoContainers()
const logger = createLogger({ level: 'silent' })

/** Requirements that every kind of server meets. */
function serves(start: () => Promise<{ url: string; stop(): Promise<void> }>): void {
  let stop: (() => Promise<void>) | undefined
  afterAll(() => stop?.())

  test('runs a job from end to end', async () => {
    const server = await start()
    stop = () => server.stop()
    const client = new Client({ redis: server.url, logger })
    const worker = new Worker({
      redis: server.url,
      tasks: [defineTask({ name: 'f', handler: () => 'ran' })],
      burst: true,
      logger,
      handleSignals: false,
    })
    const job = await client.enqueue('f', [])
    await worker.run()
    expect(await job?.result()).toBe('ran')
    await client.close()
  })
}

describe('a server process', () => {
  serves(() => RedisServer.start())

  test('keeps its data over a kill, when asked to', async () => {
    const server = await RedisServer.start({ persistent: true })
    const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
    redis.on('error', () => {})
    await redis.set('kept', '1')
    await server.restart()
    expect(await redis.get('kept')).toBe('1')
    redis.disconnect()
    await server.stop()
  })
})

describe.skipIf(noContainers !== undefined)(
  noContainers ? `a container (left out: ${noContainers})` : 'a container',
  () => {
    serves(() => startRedisContainer())
  },
)
