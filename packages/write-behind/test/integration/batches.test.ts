import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { batchPersister } from '../../src/index.ts'
import type { BatchPersister, BatchWrite, Persister, WriteBehind } from '../../src/index.ts'
import { Store } from '../../src/store.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
const options = { persister: 'app.db:save', delayMs: 0 }

/** A store of rows that newer versions replace, and the batches and single calls that it got. */
function recorder(behave: (writes: readonly BatchWrite[], call: number) => unknown = () => {}) {
  const rows = new Map<string, BatchWrite>()
  const batches: string[][] = []
  const persistMany: BatchPersister = async (writes) => {
    const call = batches.push(writes.map(({ key }) => key))
    const failures = await behave(writes, call)
    for (const write of writes) if (write.version > (rows.get(write.key)?.version ?? 0)) rows.set(write.key, write)
    return failures as never
  }
  return { rows, batches, persisters: { 'app.db': { save: batchPersister(persistMany) } } }
}

async function fill(cache: WriteBehind, count: number, value: (i: number) => unknown = (i) => i): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => cache.writeBehind(`k${i}`, value(i), options)))
}
const clean = (cache: WriteBehind) =>
  eventually(async () => (await cache.dirtyKeys()).length === 0, { timeoutMs: 20_000 })

describe('keys that are due together', () => {
  test('are persisted in few batches, whichever job came first, and their jobs go', async () => {
    const { batches, persisters, rows } = recorder()
    const cache = bench.cache()
    await fill(cache, 300)
    bench.worker({ persisters, batchSize: 100 })
    await clean(cache)
    expect(new Map([...rows].map(([key, { value }]) => [key, value]))).toEqual(
      new Map(Array.from({ length: 300 }, (_, i) => [`k${i}`, i])),
    )
    expect(Math.max(...batches.map((keys) => keys.length))).toBe(100)
    expect(batches.length).toBeLessThan(20)
    expect(new Set(batches.flat()).size).toBe(batches.flat().length)
    const client = bench.client()
    await eventually(async () => {
      const { pending, running } = await client.queues.stats('arq:queue')
      return pending + running === 0
    })
    // Jobs that a batch made needless are removed, not run one by one.
    expect((await client.queues.stats('arq:queue')).complete).toBeLessThan(200)
    expect(await client.deadLetters.count()).toBe(0)
  })

  test('are left alone until they are due', async () => {
    const { batches, persisters } = recorder()
    const cache = bench.cache()
    await fill(cache, 10)
    await cache.writeBehind('later', 1, { ...options, delayMs: 60_000 })
    bench.worker({ persisters })
    await eventually(async () => (await cache.dirtyKeys()).length === 1)
    expect(batches.flat()).not.toContain('later')
    expect(await cache.dirtyKeys()).toEqual(['later'])
  })

  test('of several persisters go to their own, and one without batches gets its keys singly', async () => {
    const [a, b] = [recorder(), recorder()]
    const singles: string[] = []
    const single: Persister = (key) => void singles.push(key)
    const persisters = { a: a.persisters['app.db'], b: b.persisters['app.db'], c: { save: single } }
    const cache = bench.cache()
    for (let i = 0; i < 60; i++) await cache.writeBehind(`k${i}`, i, { persister: `${'abc'[i % 3]!}:save`, delayMs: 0 })
    bench.worker({ persisters })
    await clean(cache)
    const keys = (rest: number) => Array.from({ length: 20 }, (_, i) => `k${3 * i + rest}`).sort()
    expect([...a.rows.keys()].sort()).toEqual(keys(0))
    expect([...b.rows.keys()].sort()).toEqual(keys(1))
    expect(singles.sort()).toEqual(keys(2))
  })

  test('are shared by two workers without one being persisted twice', async () => {
    const { batches, persisters, rows } = recorder()
    const cache = bench.cache()
    await fill(cache, 400)
    for (let i = 0; i < 2; i++) bench.worker({ persisters, batchSize: 50 })
    await clean(cache)
    expect(rows.size).toBe(400)
    expect(batches.flat().length).toBe(400)
  })

  test('are not kept from it by a key of theirs that Redis holds something else under', async () => {
    const { persisters, rows } = recorder()
    const cache = bench.cache()
    await fill(cache, 50)
    const { redis } = bench.database()
    await redis.del('write-behind:state:k7')
    await redis.set('write-behind:state:k7', 'not a state')
    await redis.hset('write-behind:state:k8', 'state', '{')
    bench.worker({ persisters, maxTries: 1 })
    await eventually(() => rows.size === 48)
    await eventually(async () => (await cache.dirtyKeys()).length === 2)
    expect((await cache.dirtyKeys()).sort()).toEqual(['k7', 'k8'])
  })
})

describe('a failure in a batch', () => {
  test('of one value is settled singly: its job tries it alone and dies, all others are durable', async () => {
    const { persisters, rows } = recorder((writes) => {
      if (writes.some(({ key }) => key === 'k13')) throw new Error('k13 is not wanted')
    })
    const cache = bench.cache()
    await fill(cache, 100)
    bench.worker({ persisters, maxTries: 2 })
    await eventually(async () => (await cache.failed()).length === 1, { timeoutMs: 20_000 })
    await eventually(() => rows.size === 99)
    expect(await cache.failed()).toMatchObject([{ key: 'k13', value: 13, error: 'Error: k13 is not wanted' }])
    const [letter, ...others] = await bench.client().deadLetters.list()
    expect(letter).toMatchObject({ jobTry: 2, job: { kwargs: { key: 'k13', value: 13 } } })
    expect(others).toEqual([])
    expect(await cache.dirtyKeys()).toEqual(['k13'])
  })

  test('that the persister names is settled singly too', async () => {
    const { batches, persisters } = recorder((writes) =>
      writes.filter(({ key }) => key === 'k3').map(({ key }) => ({ key, error: new Error('no room') })),
    )
    const cache = bench.cache()
    await fill(cache, 20)
    bench.worker({ persisters, maxTries: 1 })
    await eventually(async () => (await cache.failed()).length === 1)
    await eventually(async () => (await cache.dirtyKeys()).length === 1)
    expect(await cache.failed()).toMatchObject([{ key: 'k3', error: 'Error: no room' }])
    expect(batches.filter((keys) => keys.includes('k3')).at(-1)).toEqual(['k3'])
  })

  test('that names an unknown key never marks a lost value as durable: the failed key is found singly', async () => {
    // A store that folds case refuses k3, and calls it K3.
    const { persisters } = recorder((writes) =>
      writes.filter(({ key }) => key === 'k3').map(() => ({ key: 'K3', error: new Error('no room') })),
    )
    const cache = bench.cache()
    await fill(cache, 20)
    bench.worker({ persisters, maxTries: 1 })
    await eventually(async () => (await cache.failed()).length === 1, { timeoutMs: 20_000 })
    await eventually(async () => (await cache.dirtyKeys()).length === 1)
    expect(await cache.failed()).toMatchObject([
      { key: 'k3', error: "Error: persistMany returned a failure of 'K3', which is none of the 1 keys it was given" },
    ])
  })

  test('that is named twice is settled once', async () => {
    const { persisters } = recorder((writes) =>
      writes.flatMap(({ key }) => (key === 'k3' ? [1, 2].map((n) => ({ key, error: new Error(`no room ${n}`) })) : [])),
    )
    const cache = bench.cache()
    await fill(cache, 10)
    bench.worker({ persisters, maxTries: 1 })
    await eventually(async () => (await cache.failed()).length === 1)
    await eventually(async () => (await cache.dirtyKeys()).length === 1)
    expect(await bench.client().deadLetters.count()).toBe(1)
  })

  test('of one row on which the store hangs holds up no other, is listed as running, and is tried again', async () => {
    let isHanging = true
    const { persisters, rows } = recorder((writes) =>
      isHanging && writes.some(({ key }) => key === 'k3') ? new Promise(() => {}) : undefined,
    )
    const cache = bench.cache()
    await fill(cache, 20)
    bench.worker({ persisters, batchTimeoutMs: 50, maxTries: 1_000 }, { jobTimeoutMs: 200 })
    await eventually(() => rows.size === 19, { timeoutMs: 20_000 })
    await eventually(async () =>
      (await cache.entries()).some(({ key, status }) => key === 'k3' && status === 'running'),
    )
    isHanging = false
    await clean(cache)
    expect(rows.get('k3')).toMatchObject({ value: 3 })
    expect(await bench.client().deadLetters.count()).toBe(0)
  })

  test('of the whole store costs no key more tries than it has, and all are persisted when it is back', async () => {
    let isAway = true
    const { persisters, rows } = recorder(() => {
      if (isAway) throw new Error('the database is away')
    })
    const cache = bench.cache()
    await fill(cache, 50)
    bench.worker({ persisters, maxTries: 1_000, retryDelayMs: 50 })
    await eventually(async () => (await cache.stats()).failures >= 50)
    isAway = false
    await clean(cache)
    expect(rows.size).toBe(50)
    expect(await bench.client().deadLetters.count()).toBe(0)
  })

  test('that is a batch that hangs leaves every key to its own job', async () => {
    const { persisters, rows } = recorder((writes) => (writes.length > 1 ? new Promise(() => {}) : undefined))
    const cache = bench.cache()
    await fill(cache, 20)
    bench.worker({ persisters, batchTimeoutMs: 50 })
    await clean(cache)
    expect(rows.size).toBe(20)
  })
})

describe('a write that lands while a batch persists its key', () => {
  test('is persisted after it, and is the value that stays', async () => {
    const cache = bench.cache()
    const { persisters, rows } = recorder(async (writes, call) => {
      if (call > 1) return
      for (const { key } of writes) await cache.writeBehind(key, `newer ${key}`, options)
    })
    await fill(cache, 30, (i) => `older k${i}`)
    bench.worker({ persisters })
    await eventually(async () => (await cache.dirtyKeys()).length === 0 && rows.size === 30)
    for (const [key, { value }] of rows) expect(value).toBe(`newer ${key}`)
  })
})

describe('a worker that stops', () => {
  test('while a batch runs hands its keys to the next', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const first = recorder(() => held)
    const cache = bench.cache()
    await fill(cache, 30)
    const worker = bench.worker({ persisters: first.persisters })
    await eventually(() => first.batches.length === 1)
    const stopped = worker.stop()
    const next = recorder()
    bench.worker({ persisters: next.persisters })
    await stopped
    release()
    await clean(cache)
    expect(new Set([...next.rows.keys(), ...first.rows.keys()]).size).toBe(30)
  })
})

test('a flush of a process that died is taken over by the job of the key, without the sweep', async () => {
  const cache = bench.cache()
  await cache.writeBehind('k', 'kept', { ...options, delayMs: 0 })
  // As a flush or a batch leaves it whose process was killed: held, for no job, until the lock lapses.
  const store = new Store(bench.database().url, '')
  await store.apply('k', { kind: 'begin', token: 'of the dead', jobId: null, lockMs: 1_000 })
  const { persisters, rows } = recorder()
  bench.worker({ persisters, lockMs: 1_000 })
  await clean(cache)
  expect(rows.get('k')).toMatchObject({ value: 'kept' })
  await store.close()
})
