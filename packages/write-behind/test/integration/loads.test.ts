import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
const options = { persister: 'app.db:save', delayMs: 60_000 }

/** A load that lasts until the test ends it. */
function heldLoad() {
  let release: (value: unknown) => void = () => {}
  const held = new Promise<unknown>((resolve) => (release = resolve))
  const calls: unknown[] = []
  const load = (context: unknown) => {
    calls.push(context)
    return held
  }
  return { load, release, calls }
}

describe('getOrLoad', () => {
  test('loads what is not there, keeps it for its time, and loads it once', async () => {
    const cache = bench.cache()
    let loads = 0
    const load = () => ({ n: ++loads })
    expect(await cache.getOrLoad('k', load, { ttlMs: 60_000 })).toEqual({ n: 1 })
    expect(await cache.getOrLoad('k', load)).toEqual({ n: 1 })
    expect(await cache.ttl('k')).toBeGreaterThan(50_000)
    expect(await cache.get('k')).toEqual({ n: 1 })
  })

  test('is called once for all who ask in one process, and once for two that share a Redis', async () => {
    const [one, two] = [bench.cache(), bench.cache()]
    const { calls, load, release } = heldLoad()
    const all = Promise.all([one, one, two, two, one].map((cache) => cache.getOrLoad('k', load)))
    await eventually(() => calls.length > 0)
    release('loaded')
    expect(await all).toEqual(Array.from({ length: 5 }, () => 'loaded'))
    expect(calls).toHaveLength(1)
  })

  test('gives a write that waits, without a load', async () => {
    const cache = bench.cache()
    await cache.writeBehind('k', 'written', { ...options, ttlMs: 1 })
    await eventually(async () => (await cache.ttl('k')) === undefined)
    expect(await cache.getOrLoad('k', () => Promise.reject(new Error('not to be called')))).toBe('written')
  })

  test('caches null and false, and not undefined', async () => {
    const cache = bench.cache()
    for (const value of [null, false, 0, '']) {
      await cache.getOrLoad(`k${String(value)}`, () => value)
      expect(await cache.get(`k${String(value)}`)).toBe(value)
    }
    expect(await cache.getOrLoad('none', () => undefined)).toBeUndefined()
    expect(await cache.getOrLoad('none', () => 'now there is one')).toBe('now there is one')
  })

  test('throws what the loader throws, to all who asked here, and the next call loads again at once', async () => {
    const cache = bench.cache()
    const load = () => Promise.reject(new Error('database is away'))
    const both = await Promise.allSettled([cache.getOrLoad('k', load), cache.getOrLoad('k', load)])
    for (const each of both) expect(each).toMatchObject({ reason: { message: 'database is away' } })
    expect(await cache.getOrLoad('k', () => 'back', { leaseMs: 60_000, timeoutMs: 1_000 })).toBe('back')
  })

  test.each<[string, (cache: ReturnType<typeof bench.cache>) => Promise<unknown>, expected: unknown]>([
    ['a set', (cache) => cache.set('k', 'newer'), 'newer'],
    [
      'a set that has expired already',
      async (cache) => {
        await cache.set('k', 'newer', { ttlMs: 1 })
        await eventually(async () => (await cache.get('k')) === undefined)
      },
      undefined,
    ],
    ['a write', (cache) => cache.writeBehind('k', 'newer', options), 'newer'],
    ['a deletion', (cache) => cache.delete('k'), undefined],
    [
      'a write and its deletion',
      async (cache) => {
        await cache.writeBehind('k', 'newer', options)
        await cache.delete('k')
      },
      undefined,
    ],
  ])('never caches what it read before %s', async (_name, change, expected) => {
    const cache = bench.cache()
    const { calls, load, release } = heldLoad()
    const loading = cache.getOrLoad('k', load)
    await eventually(() => calls.length === 1)
    await change(cache)
    release('older')
    expect(await loading).toBe(expected ?? 'older')
    expect(await cache.get('k')).toBe(expected)
  })

  test('does not cache what may be older than a deleted write that is about to be persisted', async () => {
    const cache = bench.cache({ persisters: { 'app.db': { save: () => {} } } })
    await cache.writeBehind('k', 'newer', options)
    await cache.delete('k')
    const { calls, load, release } = heldLoad()
    const loading = cache.getOrLoad('k', load)
    await eventually(() => calls.length === 1)
    expect(calls).toMatchObject([{ key: 'k', token: null }])
    await cache.flush('k')
    release('older')
    expect(await loading).toBe('older')
    expect(await cache.get('k')).toBeUndefined()
  })

  test('gives up a loader that hangs, fires its signal, and lets the next one load', async () => {
    const cache = bench.cache()
    let signal: AbortSignal | undefined
    const hanging = cache.getOrLoad(
      'k',
      (context) => {
        signal = context.signal
        return new Promise<string>(() => {})
      },
      { timeoutMs: 50, leaseMs: 60_000 },
    )
    await expect(hanging).rejects.toThrow("getOrLoad('k'): not loaded within 50 ms")
    expect(signal?.aborted).toBe(true)
    expect(await cache.getOrLoad('k', () => 'loaded', { timeoutMs: 1_000 })).toBe('loaded')
  })

  test('waits for another no longer than its time', async () => {
    const { calls, load, release } = heldLoad()
    const first = bench.cache().getOrLoad('k', load)
    await eventually(() => calls.length === 1)
    await expect(bench.cache().getOrLoad('k', () => 1, { timeoutMs: 50 })).rejects.toThrow(
      "getOrLoad('k'): another process has loaded it for 50 ms",
    )
    release('done')
    await first
  })

  test('keeps its lease while its loader takes longer than that', async () => {
    const { calls, load, release } = heldLoad()
    const first = bench.cache().getOrLoad('k', load, { leaseMs: 500 })
    await eventually(() => calls.length === 1)
    const second = bench.cache()
    for (let i = 0; i < 3; i++) {
      await expect(second.getOrLoad('k', () => 'too early', { timeoutMs: 300 })).rejects.toThrow('another process')
    }
    release('done')
    expect(await first).toBe('done')
  })

  test.each<[string, unknown, unknown, RegExp]>([
    ['', () => 1, {}, /getOrLoad: Expected `key` to be a string that is not empty/],
    ['k', 'value', {}, /getOrLoad: Expected `load` to be a function, got `"value"`/],
    ['k', () => 1, { leaseMs: 5 }, /`leaseMs`/],
    ['k', () => 1, { lease: 5 }, /Unknown option `lease`, did you mean `leaseMs`/],
  ])('refuses %j %j %j', async (key, load, given, message) => {
    expect(() => bench.cache().getOrLoad(key, load as never, given as never)).toThrow(message)
  })
})
