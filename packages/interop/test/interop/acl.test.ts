import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pythonProducer, typescriptProducer } from '../../src/producers.ts'
import { noPython, pythonOf } from '../../src/python.ts'
import { pythonWorker, typescriptWorker } from '../../src/workers.ts'

const ACL = fileURLToPath(new URL('../../../../deploy/redis.acl', import.meta.url))
const COMMAND = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url))
const silent = createLogger({ level: 'silent' })
const echo = { function: 'echo', args: [{ py: '1', ts: 1 }] }

let server: RedisServer
let admin: Redis
const ends: (() => Promise<unknown>)[] = []

/** The users of the recipe, as an operator puts them into a server. `admin` stands in for its owner. */
async function applyRecipe(): Promise<void> {
  await admin.call('ACL', 'SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all')
  await admin.auth('admin', 'admin')
  const users = readFileSync(ACL, 'utf8').matchAll(/^user (.+)$/gm)
  for (const [, rules] of users) await admin.call('ACL', 'SETUSER', ...rules!.split(/\s+/))
}

const urlOf = (user: string) => `redis://${user}:change-me-${user}@127.0.0.1:${server.port}`

/**
 * Commands that the server refused. A worker does without CONFIG, which would show the server's passwords, and a reader
 * does without scripts.
 */
async function refusals(): Promise<string[]> {
  const entries = (await admin.call('ACL', 'LOG')) as unknown[][]
  const field = (entry: unknown[], name: string) => String(entry[entry.indexOf(name) + 1])
  return entries
    .map((entry) => `${field(entry, 'username')}: ${field(entry, 'reason')} ${field(entry, 'object')}`)
    .filter((line) => !line.endsWith(': command config|get') && line !== 'monitor: command evalsha')
}

async function endWith<T extends { stop(): Promise<unknown> } | { close(): Promise<unknown> }>(part: T): Promise<T> {
  ends.push(() => ('stop' in part ? part.stop() : part.close()))
  return part
}

/** Polls too seldom to find anything by it: what Python enqueues is heard of by keyspace events. */
const asWorker = async (user: string) =>
  endWith(
    await typescriptWorker(
      { url: urlOf(user), codec: 'pickle', name: user },
      { pollDelayMs: 600_000, recorder: { intervalMs: 200 } },
    ),
  )

function command(user: string, ...args: string[]) {
  const env = {
    ...process.env,
    NO_COLOR: '1',
    ARQ_TS_TASK_QUEUE__REDIS_URL: urlOf(user),
    ARQ_TS_TASK_QUEUE__REDIS_DATABASE: '0',
    ARQ_TS_TASK_QUEUE__QUEUE_NAME: 'arq:queue',
  }
  return spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8', env })
}

beforeAll(async () => {
  server = await RedisServer.start({ args: ['--notify-keyspace-events', 'Kz'] })
  admin = new Redis(server.url)
  await applyRecipe()
})
afterAll(async () => {
  admin.disconnect()
  await server.stop()
})
beforeEach(async () => {
  await admin.flushall()
  await admin.call('ACL', 'LOG', 'RESET')
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

describe('the Redis users of deploy/redis.acl', () => {
  test('let a producer enqueue, wait, look and abort, and a worker do all its work', async () => {
    await asWorker('worker')
    const producer = await endWith(await typescriptProducer(urlOf('producer'), 'msgpack'))
    const done = await producer.enqueue(echo)
    const retried = await producer.enqueue({ function: 'tries', args: [{ py: '2', ts: 2 }] })
    const failed = await producer.enqueue({ function: 'fail', args: [{ py: "'value'", ts: 'value' }] })
    const slow = await producer.enqueue({ function: 'sleep', args: [{ py: '60', ts: 60 }] })
    expect(await producer.result(done!)).toMatchObject({ repr: '1' })
    expect(await producer.result(retried!)).toMatchObject({ repr: '2' })
    expect(await producer.result(failed!)).toMatchObject({ error: 'builtins.ValueError' })
    expect(await producer.abort(slow!)).toBe(true)
    expect(await producer.status(done!)).toBe('complete')
    expect(await producer.info(done!)).toMatchObject({ function: 'echo', success: true })
    expect(await refusals()).toEqual([])
  })

  test.each([
    ['read a dead letter', (redis: Redis) => redis.hgetall('arq:dead:x')],
    ['read what operators did', (redis: Redis) => redis.xrange('arq:obs:audit', '-', '+')],
    ['pause a queue', (redis: Redis) => redis.sadd('arq:paused', 'arq:queue')],
    ['read a key that is not of the queue', (redis: Redis) => redis.get('session:1')],
    ['list keys', (redis: Redis) => redis.keys('*')],
    ['empty the database', (redis: Redis) => redis.flushdb()],
    ['read the configuration', (redis: Redis) => redis.config('GET', '*')],
    [
      'reach by a script what it may not reach itself',
      (redis: Redis) => redis.eval("return redis.call('DEL', KEYS[1])", 1, 'arq:dead'),
    ],
  ])('do not let a producer %s', async (_, act) => {
    const redis = new Redis(urlOf('producer'))
    ends.push(async () => redis.disconnect())
    await expect(act(redis)).rejects.toThrow(/NOPERM|No permissions|ACL failure/)
  })

  test('do not let a monitor wake workers or forge events', async () => {
    const redis = new Redis(urlOf('monitor'))
    ends.push(async () => redis.disconnect())
    await expect(redis.publish('arq:events@0', '{}')).rejects.toThrow(/NOPERM|No permissions/)
  })

  test('let a monitor see everything and change nothing', async () => {
    const worker = await asWorker('worker')
    const client = new Client({ redis: urlOf('producer'), logger: silent })
    const failed = await client.enqueue('fail', ['value'])
    await failed!.result({ timeoutMs: 10_000 }).catch(() => {})
    await client.close()
    await worker.stop()
    for (const args of [['queue', 'ls'], ['dead', 'ls'], ['doctor'], ['job', 'explain', failed!.jobId]]) {
      const { stderr, status } = command('monitor', ...args)
      expect.soft(stderr, args.join(' ')).not.toMatch(/NOPERM|permission/i)
      expect.soft(status, args.join(' ')).toBeLessThan(2)
    }
    expect(await refusals()).toEqual([])
    for (const args of [
      ['queue', 'pause', 'arq:queue'],
      ['dead', 'purge', '--all', '--yes'],
    ]) {
      const { stderr, status } = command('monitor', ...args)
      expect.soft(status, args.join(' ')).toBe(2)
      expect.soft(stderr, args.join(' ')).toMatch(/NOPERM|permission/i)
      expect.soft(stderr, args.join(' ')).not.toMatch(/\n {4}at /)
    }
    expect(await admin.zcard('arq:dead')).toBe(1)
  })

  test('let an operator pause, retry and purge', async () => {
    const client = new Client({ redis: urlOf('producer'), logger: silent })
    await client.enqueue('echo', [1], { jobId: 'one' })
    await client.close()
    for (const args of [
      ['queue', 'pause', 'arq:queue'],
      ['job', 'rm', 'one', '--yes'],
    ]) {
      const { stderr, status } = command('operator', ...args)
      expect.soft({ stderr, status }, args.join(' ')).toMatchObject({ status: 0 })
    }
    // In no queue: its keys are looked for under a queue that the user may use.
    const operator = new Client({ redis: urlOf('operator'), logger: silent })
    expect(await operator.jobs.remove('one')).toBe('absent')
    await operator.close()
    expect(await refusals()).toEqual([])
  })

  test.skipIf(noPython)('let Python produce for us and work for us', async () => {
    const python = pythonOf('0.28.0')!
    await admin.call('ACL', 'SETUSER', 'python', '~ran:*')
    const fromPython = await endWith(await pythonProducer(python, urlOf('python'), 'pickle'))
    const ours = await asWorker('worker')
    const job = await fromPython.enqueue(echo)
    expect(await fromPython.result(job!)).toMatchObject({ repr: '1' })
    await ours.stop()
    await endWith(await pythonWorker(python, { url: urlOf('python'), codec: 'pickle', name: 'python' }))
    const fromUs = await endWith(await typescriptProducer(urlOf('producer'), 'pickle'))
    const other = await fromUs.enqueue({ function: 'record', args: [{ py: "'k'", ts: 'k' }] })
    expect(await fromUs.result(other!)).toMatchObject({ repr: '"python"' })
    expect(await refusals()).toEqual([])
  })
})
