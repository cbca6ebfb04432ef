import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, defineTask, RedisReplyError, Worker } from '../../src/index.ts'
import { silent } from './support.ts'

const SECRET = 's3cret-word'
const PAYLOAD = 'payload-nobody-should-read'

/** A plain pino of the user's, at its most talkative, and what it wrote. */
function plainLogger() {
  let text = ''
  const log = pino({ level: 'trace' }, { write: (line: string) => (text += line) })
  return { log, text: () => text }
}

let server: RedisServer
let redis: Redis
beforeEach(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
})
afterEach(async () => {
  redis.disconnect()
  await server.stop()
})

describe('a refused command', () => {
  test('has a stable code, the first word of the reply, and no command', async () => {
    await redis.set('text', 'no queue')
    const client = new Client({ redis: server.url, logger: silent })
    try {
      const error = await client.enqueue('f', [PAYLOAD], { queueName: 'text' }).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(RedisReplyError)
      expect(error).toMatchObject({ code: 'ARQ_REDIS_REPLY', prefix: 'WRONGTYPE' })
      expect((error as Error).message).toMatch(/^WRONGTYPE /)
      expect(error).not.toHaveProperty('command')
      expect(error).not.toHaveProperty('cause')
      await expect(client.queuedJobs({ queueName: 'text' })).rejects.toMatchObject({
        code: 'ARQ_REDIS_REPLY',
        prefix: 'WRONGTYPE',
      })
    } finally {
      await client.close()
    }
  })

  test('in a transaction is reported with its own reason', async () => {
    await redis.call('ACL', 'SETUSER', 'weak', 'on', `>${SECRET}`, '~*', '&*', '+@all', '-zscore')
    const client = new Client({ redis: `redis://weak:${SECRET}@127.0.0.1:${server.port}`, logger: silent })
    try {
      await expect(client.job('x').status()).rejects.toMatchObject({ code: 'ARQ_REDIS_REPLY', prefix: 'NOPERM' })
    } finally {
      await client.close()
    }
  })
})

describe("a user's own logger", () => {
  test('gets no password that Redis refused', async () => {
    await redis.config('SET', 'requirepass', 'another')
    const { log, text } = plainLogger()
    const client = new Client({
      redis: `redis://:${SECRET}@127.0.0.1:${server.port}`,
      logger: log,
      commandTimeoutMs: 200,
    })
    try {
      await expect(client.job('x').status()).rejects.toMatchObject({ code: 'ARQ_REDIS_REPLY' })
      expect(text()).toContain('WRONGPASS')
      expect(text()).not.toContain(SECRET)
    } finally {
      await client.close()
    }
  })

  test('gets no payload of a job whose settlement met a key of a wrong type', async () => {
    const { log, text } = plainLogger()
    const worker = new Worker({
      redis: server.url,
      logger: log,
      handleSignals: false,
      logResults: false,
      logArguments: false,
      tasks: [
        defineTask({
          name: 'f',
          handler: async () => {
            await redis.set('arq:stats:arq:queue', 'no hash') // settling counts there
            return PAYLOAD
          },
        }),
      ],
    })
    const running = worker.run()
    const client = new Client({ redis: server.url, logger: silent })
    try {
      await client.enqueue('f')
      await eventually(() => text().includes('WRONGTYPE'))
      expect(text()).toContain('arq:stats:arq:queue')
      expect(text()).not.toContain(PAYLOAD)
      await redis.del('arq:stats:arq:queue')
    } finally {
      await client.close()
      await worker.stop()
      await running
    }
  })

  test('gets no command of a call that is tried again', async () => {
    const { log, text } = plainLogger()
    const client = new Client({ redis: server.url, logger: log, commandTimeoutMs: 3_000 })
    try {
      await client.enqueue('f')
      await redis.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction')
      const error = await client.enqueue('f', [PAYLOAD]).catch((reason: unknown) => reason)
      expect(String((error as Error).message)).toContain('OOM')
      expect(text()).not.toContain('faulty')
      log.error({ err: error }, 'the caller logs it, too')
      expect(text()).toContain('redis call failed, trying again')
      expect(text()).toContain('OOM')
      expect(text()).not.toContain('evalsha')
      expect(text()).not.toContain(PAYLOAD)
    } finally {
      await client.close()
    }
  })
})
