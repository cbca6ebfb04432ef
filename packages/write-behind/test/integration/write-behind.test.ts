import { eventually } from '@arq-ts/testkit'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { Persister, WriteBehindOptions, WriteOptions } from '../../src/index.ts'
import { useBench } from '../support/bench.ts'

const bench = useBench()
const options = { persister: 'app.db:save', delayMs: 100 }

/** A persister that remembers what it was given, in order. */
function recorder(behave: (value: unknown, call: number) => unknown = () => {}) {
  const saved: { key: string; value: unknown; version: number }[] = []
  const save: Persister = async (key, value, { version }) => {
    const call = saved.push({ key, value, version })
    await behave(value, call)
  }
  return { saved, persisters: { 'app.db': { save } } }
}

describe('the cache', () => {
  test('gives back what was put, with its time to live, and lets it be deleted', async () => {
    const cache = bench.cache()
    expect(await cache.get('k')).toBeUndefined()
    await cache.set('k', { a: [1, null] }, { ttlMs: 5_000 })
    expect(await cache.get('k')).toEqual({ a: [1, null] })
    expect(await cache.ttl('k')).toBeGreaterThan(4_000)
    await cache.set('k', 1, { ttlMs: 0 })
    expect(await cache.ttl('k')).toBeNull()
    expect(await cache.delete('k')).toBe(true)
    expect(await cache.delete('k')).toBe(false)
    expect(await cache.ttl('k')).toBeUndefined()
  })

  test('still knows a value that left it before it was persisted', async () => {
    const cache = bench.cache()
    await cache.writeBehind('k', 'precious', { ...options, delayMs: 60_000, ttlMs: 1 })
    await eventually(async () => (await cache.ttl('k')) === undefined)
    expect(await cache.get('k')).toBe('precious')
  })
})

describe('a write', () => {
  test('is persisted after its delay, with its key, and a version that grows', async () => {
    const { saved, persisters } = recorder()
    bench.worker({ persisters })
    const cache = bench.cache()
    const first = await cache.writeBehind('user:1', { name: 'John' }, options)
    await eventually(() => saved.length === 1)
    const second = await cache.writeBehind('user:1', { name: 'Jane' }, options)
    await eventually(() => saved.length === 2)
    expect(saved).toEqual([
      { key: 'user:1', value: { name: 'John' }, version: first.version },
      { key: 'user:1', value: { name: 'Jane' }, version: second.version },
    ])
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
  })

  test('joins those of its key within the delay: one persist, of the newest', async () => {
    const { saved, persisters } = recorder()
    const cache = bench.cache()
    for (let i = 1; i <= 20; i++) await cache.writeBehind('k', i, options)
    bench.worker({ persisters })
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
    expect(saved.map(({ value }) => value)).toEqual([20])
  })

  test('that comes while a persist runs is persisted too, and after it', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const { saved, persisters } = recorder((_value, call) => (call === 1 ? held : undefined))
    bench.worker({ persisters })
    const cache = bench.cache()
    await cache.writeBehind('k', 'old', { ...options, delayMs: 0 })
    await eventually(() => saved.length === 1)
    await cache.writeBehind('k', 'new', { ...options, delayMs: 0 })
    release()
    await eventually(() => saved.length === 2)
    expect(saved.map(({ value }) => value)).toEqual(['old', 'new'])
  })

  test('is not put off by constant writes', async () => {
    const { saved, persisters } = recorder()
    bench.worker({ persisters })
    const cache = bench.cache()
    let i = 0
    while (saved.length < 3) await cache.writeBehind('hot', ++i, { ...options, delayMs: 50 })
    expect(saved.length).toBeGreaterThanOrEqual(3)
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
    expect(saved.at(-1)!.value).toBe(i)
    expect(saved.length).toBeLessThan(i)
  })

  test('whose producer died before it asked for a job is found by the sweep', async () => {
    const { saved, persisters } = recorder()
    const cache = bench.cache()
    await cache.writeBehind('k', 'orphan', { ...options, delayMs: 0 })
    const redis = new Redis(bench.database().url)
    await redis.del('arq:queue', ...(await redis.keys('arq:job:*')))
    await redis.zadd('write-behind:dirty', 1, 'k')
    const worker = bench.worker({ persisters })
    const sweep = await bench.client().enqueue('cron:write-behind-sweep')
    await sweep!.result({ timeoutMs: 5_000 }).catch(() => {})
    await eventually(() => saved.length === 1)
    expect(saved[0]).toMatchObject({ key: 'k', value: 'orphan' })
    await worker.stop()
    redis.disconnect()
  })

  test('is tried again when its persister fails, and is a dead letter with its value when it fails for good', async () => {
    const { saved, persisters } = recorder(() => Promise.reject(new Error('database is away')))
    const worker = bench.worker({ persisters, maxTries: 2 })
    const cache = bench.cache()
    const died = new Promise<{ jobId: string }>((resolve) => worker.once('deadLettered', resolve))
    await cache.writeBehind('k', { precious: true }, { ...options, delayMs: 0 })
    const { jobId } = await died
    expect(saved).toHaveLength(2)
    const client = bench.client()
    expect(await client.inspector.deadLetter(jobId)).toMatchObject({
      functionName: 'persist_cache',
      error: 'Error: database is away',
      job: {
        kwargs: { key: 'k', value: { precious: true }, persist_func_module: 'app.db', persist_func_name: 'save' },
      },
    })
    expect(await cache.dirtyKeys()).toEqual(['k'])
    await worker.stop()
    const mended = recorder()
    bench.worker(mended)
    await client.inspector.retryJob(jobId)
    await eventually(() => mended.saved.length === 1)
    expect(mended.saved[0]).toMatchObject({ value: { precious: true } })
  })

  test('is tried again by a later write, though its job is dead', async () => {
    let isAway = true
    const { saved, persisters } = recorder(() => (isAway ? Promise.reject(new Error('away')) : undefined))
    const worker = bench.worker({ persisters, maxTries: 1 })
    const died = new Promise((resolve) => worker.once('deadLettered', resolve))
    const cache = bench.cache()
    await cache.writeBehind('k', 1, { ...options, delayMs: 0 })
    await died
    isAway = false
    await cache.writeBehind('k', 2, { ...options, delayMs: 0 })
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
    expect(saved.at(-1)).toMatchObject({ value: 2 })
  })

  test('to a function that is not allowed fails at once, and waits', async () => {
    const { persisters } = recorder()
    const worker = bench.worker({ persisters })
    const died = new Promise<{ jobTry: number; error: unknown }>((resolve) => worker.once('deadLettered', resolve))
    const cache = bench.cache()
    await cache.writeBehind('k', 1, { persister: 'os:system', delayMs: 0 })
    expect(await died).toMatchObject({
      jobTry: 1,
      error: expect.objectContaining({ message: expect.stringContaining('known are app.db:save') as string }) as Error,
    })
    expect(await cache.dirtyKeys()).toEqual(['k'])
  })
})

describe('a flush', () => {
  test('persists here and now where the persister is known here', async () => {
    const { saved, persisters } = recorder()
    const cache = bench.cache({ persisters })
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000 })
    await cache.flush('k')
    expect(saved).toMatchObject([{ value: 1 }])
    await cache.flush('k')
    expect(saved).toHaveLength(1)
  })

  test('is done by a worker where it is not', async () => {
    const { saved, persisters } = recorder()
    bench.worker({ persisters })
    const cache = bench.cache()
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000 })
    await cache.flush('k')
    expect(saved).toMatchObject([{ value: 1 }])
  })

  test('of all takes every key, and tells what could not be', async () => {
    const { saved, persisters } = recorder((value) =>
      value === 7 ? Promise.reject(new Error('not seven')) : undefined,
    )
    const cache = bench.cache({ persisters })
    for (let i = 0; i < 30; i++) await cache.writeBehind(`k${i}`, i, { ...options, delayMs: 60_000 })
    const { flushed, failed } = await cache.flushAll()
    expect(flushed).toBe(29)
    expect(failed).toMatchObject([{ key: 'k7', error: { message: 'not seven' } }])
    expect(new Set(saved.map(({ value }) => value)).size).toBe(30)
    expect(await cache.dirtyKeys()).toEqual(['k7'])
  })
})

describe('what is wrong is refused by name', () => {
  test.each<[string, Partial<WriteOptions>, RegExp]>([
    ['k', { persister: 'save' }, /`persister`: Expected module:name, such as app\.db:save_user, got "save"/],
    ['k', { delayMs: -1 }, /`delayMs`/],
    ['k', { ttl: 5 } as never, /unknown option `ttl`/],
    ['', {}, /Expected a text that is not empty, got ""/],
  ])('%j %j', async (key, given, message) => {
    await expect(bench.cache().writeBehind(key, 1, { ...options, ...given })).rejects.toThrow(message)
  })

  test.each<[Partial<WriteBehindOptions>, RegExp]>([
    [{ client: {} as never }, /`client`: Expected a Client/],
    [{ redis: 'http://x' }, /`redis`/],
    [{ persisters: { a: { b: 1 as never } } }, /`persisters\.a\.b`: Expected a function, got 1/],
    [{ lockMs: 10 }, /`lockMs`/],
  ])('%j', (given, message) => expect(() => bench.cache(given)).toThrow(message))
})
