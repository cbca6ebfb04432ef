import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

let database: Database
let client: Client
beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }), queueName: 'q' })
})
afterEach(async () => {
  await client.close()
  await database.release()
})

async function seen(jobId: string) {
  const [place] = await client.reversals.places('q', [jobId])
  return { jobId, place: place ?? null, isDead: false }
}

describe('a job that is taken out', () => {
  test('is put back once, with every byte and lifetime', async () => {
    await client.enqueue('f', ['x'], { jobId: 'a', deferByMs: 60_000 })
    await database.redis.set('arq:retry:a', '3')
    const payload = await database.redis.getBuffer('arq:job:a')
    const [taken] = await client.reversals.takeOut('q', [await seen('a')], { keep: true })
    expect(taken!.outcome).toBe('done')
    expect(await database.redis.exists('arq:job:a', 'arq:retry:a', 'q')).toBe(0)
    expect(await client.reversals.putBack('q', taken!.remains!)).toBe(true)
    expect(await client.reversals.putBack('q', taken!.remains!)).toBe(false)
    expect(await database.redis.getBuffer('arq:job:a')).toEqual(payload)
    expect(await database.redis.pttl('arq:job:a')).toBeGreaterThan(60_000)
    expect(await database.redis.get('arq:retry:a')).toBe('3')
  })

  test.each(['arq:job:a', 'arq:retry:a', 'arq:result:a', 'arq:dead:a'])(
    'is left alone, and its neighbor is not, while %s has a wrong type',
    async (key) => {
      for (const jobId of ['a', 'b']) await client.enqueue('f', [], { jobId, deferByMs: 60_000 })
      const jobs = [await seen('a'), await seen('b')]
      await database.redis.del(key)
      await database.redis.rpush(key, 'x')
      const outcomes = await client.reversals.takeOut('q', jobs, { keep: true })
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['changed', 'done'])
      expect(await database.redis.zrange('q', '0', '-1')).toEqual(['a'])
    },
  )

  test('is not held by the fence that its end has left', async () => {
    await database.redis.set('arq:in-progress:a', 'ended', 'PX', 60_000)
    await client.enqueue('f', [], { jobId: 'b', deferByMs: 60_000 })
    await database.redis.zadd('arq:dead', 1_700_000_000_000, 'a')
    await database.redis.hset('arq:dead:a', { queue: 'q', function: 'f', error: 'E', try: 1 })
    const job = { jobId: 'a', place: '1700000000000', isDead: true }
    const [taken] = await client.reversals.takeOut('q', [job], { keep: true })
    expect(taken!.outcome).toBe('done')
    expect(await client.reversals.putBack('q', taken!.remains!)).toBe(true)
  })

  test('stays where another time, a worker or another queue has it', async () => {
    for (const jobId of ['moved', 'held', 'gone']) await client.enqueue('f', [], { jobId, deferByMs: 60_000 })
    const jobs = [await seen('moved'), await seen('held'), await seen('gone')]
    await client.jobs.runNow('q', ['moved'])
    await database.redis.set('arq:in-progress:held', '1')
    await client.jobs.move('q', 'other', ['gone'])
    for (const act of [client.reversals.takeOut('q', jobs, { keep: false }), client.reversals.peek('q', jobs)]) {
      expect((await act).map(({ outcome }) => outcome)).toEqual(['changed', 'running', 'changed'])
    }
    const places = jobs.map(({ jobId, place }) => ({ jobId, from: place!, to: '1' }))
    expect(await client.reversals.reschedule('q', places)).toEqual(['changed', 'running', 'changed'])
    expect(await database.redis.zcard('q')).toBe(2)
  })
})

describe('the record under a token', () => {
  const limits = { ttlMs: 60_000, limitBytes: 1_000 }
  test('is got by one of many who take it at once', async () => {
    expect(await client.reversals.keep('plan', 't', 'text', limits)).toBe(true)
    const taken = await Promise.all(Array.from({ length: 10 }, () => client.reversals.take('plan', 't')))
    expect(taken.filter((text) => text !== null)).toEqual(['text'])
  })

  test('is bounded in all, and frees its room when it is taken', async () => {
    expect(await client.reversals.keep('plan', 'a', 'x'.repeat(600), limits)).toBe(true)
    expect(await client.reversals.keep('trash', 'b', 'ü'.repeat(300), limits)).toBe(false)
    await client.reversals.take('plan', 'a')
    expect(await client.reversals.keep('trash', 'b', 'ü'.repeat(300), limits)).toBe(true)
  })
})
