import { RedisServer } from '@arq-ts/testkit'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, defineTask, Worker } from '../../src/index.ts'
import { silent } from './support.ts'

/** ioredis ignores a SELECT that fails, and goes on in database 0. */
describe('a database that the server does not have', () => {
  let server: RedisServer
  let redis: Redis
  beforeEach(async () => {
    server = await RedisServer.start({ args: ['--databases', '4'] })
    redis = new Redis(server.url)
  })
  afterEach(async () => {
    redis.disconnect()
    await server.stop()
  })

  const refused = { code: 'ARQ_REDIS_REPLY', message: expect.stringMatching(/database 9/) as string }

  test('gets no jobs, and database 0 neither', async () => {
    const client = new Client({ redis: `${server.url}/9`, logger: silent })
    await expect(client.enqueue('f')).rejects.toMatchObject(refused)
    await expect(client.enqueue('f')).rejects.toMatchObject(refused)
    expect(await redis.dbsize()).toBe(0)
    await client.close()
  })

  test('has no worker start', async () => {
    const tasks = [defineTask({ name: 'f', handler: () => {} })]
    const worker = new Worker({ redis: `${server.url}/9`, tasks, logger: silent, handleSignals: false })
    await expect(worker.run()).rejects.toMatchObject(refused)
    expect(await redis.dbsize()).toBe(0)
  })

  test('is another matter than one that it has', async () => {
    const client = new Client({ redis: `${server.url}/3`, logger: silent })
    await client.enqueue('f')
    await server.restart()
    await client.enqueue('f')
    expect(await redis.dbsize()).toBe(0)
    await redis.select(3)
    expect(await redis.zcard('arq:queue')).toBe(1)
    await client.close()
  })
})
