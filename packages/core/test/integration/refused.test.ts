import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, defineTask, Worker } from '../../src/index.ts'
import { silent } from './support.ts'

/** ioredis ignores a SELECT that fails, and continues in database 0. */
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

describe('a password that is wrong', () => {
  let server: RedisServer
  let redis: Redis
  beforeEach(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
    await redis.config('SET', 'requirepass', 'right')
  })
  afterEach(async () => {
    redis.disconnect()
    await server.stop()
  })

  describe.each([0, 1])('for database %i', (database) => {
    test.each(['wrong', ''])('is reported at once: %j', async (password) => {
      // Without a bound a call would wait for ever for a server that is away.
      const client = new Client({ redis: `redis://:${password}@127.0.0.1:${server.port}/${database}`, logger: silent })
      const refused = {
        code: 'ARQ_REDIS_REPLY',
        message: expect.stringMatching(/^Redis refuses the user or/) as string,
      }
      await expect(client.enqueue('f')).rejects.toMatchObject(refused)
      await client.close()
    })

    test('has no worker start', async () => {
      const tasks = [defineTask({ name: 'f', handler: () => {} })]
      const url = `redis://:wrong@127.0.0.1:${server.port}/${database}`
      const worker = new Worker({ redis: url, tasks, logger: silent, handleSignals: false })
      await expect(worker.run()).rejects.toMatchObject({ code: 'ARQ_REDIS_REPLY' })
    })
  })

  test('is waited for where it was right before', async () => {
    const client = new Client({ redis: `redis://:right@127.0.0.1:${server.port}`, logger: silent })
    await client.enqueue('f')
    await redis.config('SET', 'requirepass', 'new')
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    const late = client.enqueue('f')
    await redis.config('SET', 'requirepass', 'right')
    expect(await late).not.toBeNull()
    expect(await redis.zcard('arq:queue')).toBe(2)
    await client.close()
  })
})
