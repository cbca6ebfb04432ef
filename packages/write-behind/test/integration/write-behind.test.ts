import { eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { WriteBehind } from '../../src/index.ts'
import { recorder, useHarness } from '../support/harness.ts'

const bench = useHarness()
const options = { persister: 'app.db:save', delayMs: 100 }

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

  test('takes the settings of an ioredis client, or of its options', async () => {
    await bench.cache().set('k', 1)
    const { redis } = bench.database()
    const { db, host, port } = redis.options
    expect(await bench.cache({ redis }).get('k')).toBe(1)
    expect(await bench.cache({ redis: { db: db!, host: host!, port: port! } }).get('k')).toBe(1)
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

  test('that is due before the one that waits does not wait for it', async () => {
    const { saved, persisters } = recorder()
    bench.worker({ persisters })
    const cache = bench.cache()
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000 })
    await cache.writeBehind('k', 2, { ...options, delayMs: 50 })
    await eventually(() => saved.length === 1)
    expect(saved).toMatchObject([{ value: 2 }])
  })

  test('that the job cannot carry is refused before anything is written', async () => {
    const cache = bench.cache({ codec: 'pickle' })
    await expect(cache.writeBehind('k', new Set([1]), options)).rejects.toThrow(/msgpack cannot carry Set objects/)
    expect(await cache.dirtyKeys()).toEqual([])
    expect(await cache.get('k')).toBeUndefined()
  })

  test('of a producer that died before it asked for a job is found by the sweep', async () => {
    const { saved, persisters } = recorder()
    const cache = bench.cache()
    await cache.writeBehind('k', 'orphan', { ...options, delayMs: 0 })
    const redis = new Redis(bench.database().url)
    await redis.del('arq:queue', ...(await redis.keys('arq:job:*')))
    // Behind more keys than one command reads.
    const others = Array.from({ length: 1_100 }, (_, i) => [1, `settled meanwhile ${i}`]).flat()
    await redis.zadd('write-behind:dirty', ...others, 2, 'k', '+inf', 'dead')
    const worker = bench.worker({ persisters }, { cron: [] })
    const sweep = await bench.client().enqueue('cron:write-behind-sweep')
    await sweep!.result({ timeoutMs: 5_000 }).catch(() => {})
    await eventually(() => saved.length === 1)
    expect(saved[0]).toMatchObject({ key: 'k', value: 'orphan' })
    await worker.stop()
    redis.disconnect()
  })
})

describe('a deletion', () => {
  test('is not undone by a write that waits, which is persisted all the same', async () => {
    const { saved, persisters } = recorder()
    const cache = bench.cache({ persisters })
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000 })
    expect(await cache.delete('k')).toBe(true)
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.delete('k')).toBe(false)
    await cache.flush('k')
    expect(saved).toMatchObject([{ value: 1 }])
    await cache.writeBehind('k', 2, { ...options, delayMs: 60_000 })
    expect(await cache.get('k')).toBe(2)
  })

  test('takes a value that had left the cache before it was persisted', async () => {
    const cache = bench.cache()
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000, ttlMs: 1 })
    await eventually(async () => (await cache.ttl('k')) === undefined)
    expect(await cache.delete('k')).toBe(true)
    expect(await cache.get('k')).toBeUndefined()
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

  test('is left to a worker where only other persisters are known here', async () => {
    const here = recorder()
    const { saved, persisters } = recorder()
    bench.worker({ persisters })
    const cache = bench.cache({ persisters: { other: here.persisters['app.db'] } })
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000 })
    await cache.flush('k')
    expect(saved).toMatchObject([{ value: 1 }])
    expect(here.saved).toEqual([])
  })

  test('ends in time though the key is written to all the while', async () => {
    const cache: WriteBehind = bench.cache({
      persisters: {
        'app.db': { save: async (_key, value) => cache.writeBehind('k', (value as number) + 1, options) },
      },
    })
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000 })
    await cache.flush('k')
    expect(await cache.dirtyKeys()).toEqual(['k'])
  })

  test('gives up a persister that hangs, and lets others have the key', async () => {
    const cache = bench.cache({ persisters: { 'app.db': { save: () => new Promise(() => {}) } } })
    await cache.writeBehind('k', 1, { ...options, delayMs: 60_000 })
    await expect(cache.flush('k', { timeoutMs: 50 })).rejects.toThrow("flush('k'): not persisted within 50 ms")
    const { saved, persisters } = recorder()
    await bench.cache({ persisters }).flush('k', { timeoutMs: 1_000 })
    expect(saved).toMatchObject([{ value: 1 }])
  })

  test('of all takes every key, and reports those that failed', async () => {
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
