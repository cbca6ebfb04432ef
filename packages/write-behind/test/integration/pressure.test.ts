import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { CacheFullError } from '../../src/index.ts'
import { recorder, useHarness } from '../support/harness.ts'

const bench = useHarness()
const options = { persister: 'app.db:save', delayMs: 0 }

describe('a cache with as many dirty keys as may be', () => {
  test('refuses a write of one more, names the bound, and has written nothing', async () => {
    const cache = bench.cache({ maxPending: 3, pendingWaitMs: 0 })
    for (let i = 0; i < 3; i++) await cache.writeBehind(`k${i}`, i, options)
    const refused = await cache.writeBehind('one more', 1, options).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(CacheFullError)
    expect(refused).toMatchObject({ code: 'ARQ_CACHE_FULL', maxPending: 3 })
    expect((refused as Error).message).toContain("'one more' was not written: 3 keys wait to be persisted")
    expect(await cache.get('one more')).toBeUndefined()
    expect(await cache.dirtyKeys()).toHaveLength(3)
  })

  test('takes a write of a key that waits already', async () => {
    const cache = bench.cache({ maxPending: 1, pendingWaitMs: 0 })
    await cache.writeBehind('k', 1, options)
    await cache.writeBehind('k', 2, options)
    expect(await cache.get('k')).toBe(2)
  })

  test('never exceeds the bound, however many write at once', async () => {
    const caches = Array.from({ length: 4 }, () => bench.cache({ maxPending: 10, pendingWaitMs: 0 }))
    const writes = Array.from({ length: 60 }, (_, i) => caches[i % 4]!.writeBehind(`k${i}`, i, options))
    const outcomes = await Promise.allSettled(writes)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect(await caches[0]!.dirtyKeys()).toHaveLength(10)
  })

  test('slows a producer down to the pace of the workers, and loses nothing', async () => {
    const { persisters, saved } = recorder()
    bench.worker({ persisters })
    const cache = bench.cache({ maxPending: 5, pendingWaitMs: 60_000 })
    await Promise.all(Array.from({ length: 100 }, (_, i) => cache.writeBehind(`k${i}`, i, options)))
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
    expect(saved.map(({ value }) => value as number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    )
  })

  test.each([0, 1.5, -1, 'many'])('refuses a bound of %j', (maxPending) => {
    expect(() => bench.cache({ maxPending: maxPending as never })).toThrow(
      /Expected `maxPending` to be (a whole number of keys from 1, or Infinity|at least 1|an int)/,
    )
  })
})

describe('the numbers of a cache', () => {
  test('report what waits, since when, and what has become of it', async () => {
    const { persisters, saved } = recorder((value) => (value === 'bad' ? Promise.reject(new Error('no')) : undefined))
    const cache = bench.cache()
    expect(await cache.stats()).toEqual({
      dirty: 0,
      dead: 0,
      oldestMs: 0,
      overdueMs: 0,
      writes: 0,
      persisted: 0,
      failures: 0,
    })
    await cache.writeBehind('a', 1, options)
    await cache.writeBehind('a', 2, options)
    await cache.writeBehind('b', 'bad', options)
    await cache.writeBehind('later', 3, { ...options, delayMs: 60_000 })
    await eventually(async () => (await cache.stats()).oldestMs > 20)
    expect(await cache.stats()).toMatchObject({ dirty: 3, dead: 0, writes: 4, persisted: 0 })
    expect((await cache.stats()).overdueMs).toBeGreaterThan(20)

    bench.worker({ persisters, maxTries: 2 })
    await eventually(async () => (await cache.stats()).dead === 1)
    await eventually(() => saved.some(({ value }) => value === 2))
    await eventually(async () => (await cache.stats()).persisted === 1)
    expect(await cache.stats()).toMatchObject({ dirty: 2, dead: 1, overdueMs: 0, failures: 2 })
    // A value that failed for good waits for a person: it does not count as old.
    expect((await cache.stats()).oldestMs).toBeLessThan(60_000)
    await cache.writeBehind('b', 'good', { ...options, delayMs: 60_000 })
    expect(await cache.stats()).toMatchObject({ dirty: 2, dead: 0 })
  })
})
