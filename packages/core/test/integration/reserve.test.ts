import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { defineTask } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent, useHarness } from './support.ts'

/** Due jobs that a worker sets aside for itself, while others have set theirs aside. */
describe('setting aside', () => {
  let database: Database
  let links: RedisContext[]

  beforeEach(async () => {
    database = await takeDatabase()
    const options = { redis: database.url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent }
    links = [new RedisContext(options), new RedisContext(options), new RedisContext(options)]
  })
  afterEach(async () => {
    await Promise.all(links.map((link) => link.close()))
    await database.release()
  })

  const names = (prefix: string, count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => `${prefix}${String(from + i).padStart(4, '0')}`)

  /** Due in this order, from a second ago. */
  async function queue(ids: readonly string[], dueMs = Date.now() - 1_000): Promise<void> {
    await database.redis.zadd('q', ...ids.flatMap((id) => [dueMs, id]))
  }

  async function reserve(worker: number, want: number, passOver: string[] = []): Promise<string[]> {
    return (await links[worker]!.broker.reserve('q', want, passOver)).jobIds
  }

  test('gives each worker jobs of its own, in order, until none is left', async () => {
    const ids = names('job-', 500)
    await queue(ids)
    const got: string[] = []
    for (let i = 0; got.length < 500; i++) got.push(...(await reserve(i % 3, 30)))
    expect(got).toEqual(ids)
    expect(await reserve(0, 1)).toEqual([])
  })

  test('finds at once a job that stands before all that is set aside', async () => {
    await queue(names('job-', 200))
    await reserve(0, 1)
    await reserve(0, 99)
    await queue(['early'], Date.now() - 60_000)
    expect(await reserve(0, 1)).toEqual(['early'])
  })

  test('finds soon what stands behind jobs that are set aside and gone', async () => {
    await queue(names('job-', 200))
    const gone = await reserve(0, 20)
    await database.redis.zrem('q', ...gone)
    const got: string[] = []
    for (let i = 0; i < 16; i++) got.push(...(await reserve(0, 1)))
    expect(got).toContain('job-0020')
  })

  test('passes over everything it is asked to, however much of it there is', async () => {
    await queue([...names('theirs-', 100), ...names('zours-', 300)])
    const theirs = names('theirs-', 100)
    const got: string[] = []
    for (let i = 0; got.length < 300; i++) {
      const more = await reserve(i % 2, 50, theirs)
      expect(more).not.toEqual([])
      got.push(...more)
    }
    expect(got.sort()).toEqual(names('zours-', 300))
    expect(await reserve(2, 200)).toEqual(theirs)
  })

  test('reports when the next job is due where it finds fewer than it was asked for', async () => {
    const later = Date.now() + 60_000
    await queue(names('job-', 60))
    await queue(['later'], later)
    await reserve(0, 50)
    expect(await links[0]!.broker.reserve('q', 20, [])).toMatchObject({
      jobIds: names('job-', 10, 50),
      nextDueMs: later,
    })
  })
})

describe('a worker', () => {
  const bench = useHarness()

  /** Returns the messages that notify other workers of released jobs. */
  async function hearGivenBack(queueName: string): Promise<string[]> {
    const { redis } = bench.database()
    const heard: string[] = []
    const listener = redis.duplicate()
    onTestFinished(() => listener.disconnect())
    listener.on('message', (_channel, message: string) => heard.push(message))
    await listener.subscribe(`arq:wake@${redis.options.db}:${queueName}`)
    return heard
  }

  test('keeps what it has set aside until it reaches it', async () => {
    const jobs = 3_000
    await bench.client({ queueName: 'q' }).enqueueMany(Array.from({ length: jobs }, () => ['quick', []] as const))
    const heard = await hearGivenBack('q')
    let done = 0
    await new Promise<void>((resolve) => {
      const quick = defineTask({ name: 'quick', handler: () => void (++done === jobs && resolve()) })
      void bench.worker({ queueName: 'q', tasks: [quick], maxJobs: 50 })
    })
    expect(heard.length).toBeLessThan(5) // a worker that the machine holds up for a while may
  })

  test('gives it back when no slot comes free', async () => {
    const client = bench.client({ queueName: 'q' })
    const heard = await hearGivenBack('q')
    const quick = defineTask({ name: 'quick', handler: () => {} })
    const hold = defineTask({
      name: 'hold',
      handler: ({ signal }) => new Promise((end) => signal.addEventListener('abort', end)),
    })
    await client.enqueueMany(Array.from({ length: 200 }, () => ['quick', []] as const))
    await client.enqueueMany(Array.from({ length: 100 }, () => ['hold', []] as const))
    heard.length = 0
    await bench.worker({ queueName: 'q', tasks: [quick, hold], maxJobs: 20 })
    await expect.poll(() => heard.length).toBeGreaterThan(0)
    await expect.poll(() => bench.database().redis.zcard('q:reserved')).toBe(0)
  })
})
