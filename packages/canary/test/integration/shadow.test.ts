import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { compareRankings } from '../../src/index.ts'
import type { Decision } from '../../src/index.ts'
import { RequestCounts } from '../../src/requests.ts'
import { keys } from '../../src/keys.ts'
import { addTally, emptyTally } from '../../src/judging/tally.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
const route = {
  deployment_id: 'canary_1',
  alias: 'products',
  old_collection: 'v1',
  new_collection: 'v2',
  percentage: 0,
  shadow: 100,
  status: 'running',
  updated_at: 1,
}
const setRoute = (changes: object = {}) =>
  bench.redis().set('canary:routes:products', JSON.stringify({ ...route, ...changes }))
const tallyOf = async (collection: string) => {
  const minutes = await new RequestCounts(bench.redis(), keys('')).read(
    'canary_1',
    collection,
    Date.now() - 60_000,
    Date.now() + 60_000,
  )
  const tally = emptyTally()
  for (const minute of minutes) addTally(tally, minute.tally)
  return { requests: tally.requests, tally }
}

describe('shadow traffic', () => {
  test('asks both collections, and the user gets the old answer', async () => {
    await setRoute()
    const router = bench.router()
    const asked: string[] = []
    const answers: Record<string, number[]> = { v1: [1, 2, 3, 4], v2: [2, 1, 3, 9] }
    const call = async (collection: string) => {
      asked.push(collection)
      return answers[collection]!
    }
    expect(await router.shadow('products', { userId: 'u' }, call)).toEqual([1, 2, 3, 4])
    await eventually(async () => (await tallyOf('v2')).requests === 1)
    expect(asked.sort()).toEqual(['v1', 'v2'])
    expect((await tallyOf('v1')).requests).toBe(1)
    expect((await tallyOf('v2')).tally).toMatchObject({
      shadowed: 1,
      errors: 0,
      values: { overlap: { count: 1, sum: 0.75 }, rankCorrelation: { count: 1, sum: 1 / 3 } },
    })
  })

  test('that never ends counts as failed when its time is over, and holds up neither others nor the end', async () => {
    await setRoute()
    const router = bench.router()
    const options = { maxInFlight: 2, shadowTimeoutMs: 50 }
    const never = (collection: string) => (collection === 'v1' ? Promise.resolve('old') : new Promise<string>(() => {}))
    for (let requests = 1; requests <= 3; requests++) {
      expect(await router.shadow('products', { requestId: `r${requests}` }, never, options)).toBe('old')
      await eventually(async () => (await tallyOf('v2')).requests === requests)
    }
    expect((await tallyOf('v2')).tally).toMatchObject({ errors: 3, shadowed: 3 })
    expect((await tallyOf('v2')).tally.latency.maxMs).toBeGreaterThanOrEqual(49)
    void router.shadow('products', { requestId: 'last' }, () => new Promise<string>(() => {}), options)
    await router.close()
  })

  test('is counted where a name of a number cannot be: that number is left out, and Redis is asked for the next', async () => {
    await setRoute({ percentage: 100, shadow: 0 })
    const router = bench.router()
    const bad = JSON.parse('{ "zero hits": 1, "constructor": 1, "__proto__": 1, "ctr": 0.5, "nan": "x" }') as object
    const values = () => bad as Record<string, number>
    for (const requestId of ['a', 'b']) {
      const collection = await router.handle('products', { requestId }, async (asked) => asked, { values })
      expect(collection).toBe('v2')
      await eventually(async () => (await tallyOf('v2')).requests === (requestId === 'a' ? 1 : 2))
    }
    expect(Object.keys((await tallyOf('v2')).tally.values)).toEqual(['ctr'])
  })

  test('that fails or hangs does no harm to the user', async () => {
    await setRoute()
    const router = bench.router()
    let release: (value: string) => void = () => {}
    const call = (collection: string) =>
      collection === 'v1' ? Promise.resolve('old') : new Promise<string>((resolve) => (release = resolve))
    expect(await router.shadow('products', { requestId: 'a' }, call)).toBe('old')
    release('late')
    const failing = (collection: string) =>
      collection === 'v1' ? Promise.resolve('old') : Promise.reject(new Error('broken'))
    expect(await router.shadow('products', { requestId: 'b' }, failing)).toBe('old')
    const throwing = (collection: string) => {
      if (collection === 'v2') throw new Error('broken at once')
      return Promise.resolve('old')
    }
    expect(
      await router.shadow('products', { requestId: 'c' }, throwing, {
        compare: () => {
          throw new Error('no')
        },
      }),
    ).toBe('old')
    await eventually(async () => (await tallyOf('v2')).requests === 3)
    expect((await tallyOf('v2')).tally.errors).toBe(2)
  })

  test('is a share of the requests, capped by the service and by what is under way', async () => {
    await setRoute({ shadow: 100 })
    const router = bench.router()
    const asked: Decision[] = []
    const call = async (_: string, decision: Decision) => void asked.push(decision)
    for (let i = 0; i < 20; i++) await router.shadow('products', { requestId: `r${i}` }, call, { share: 0 })
    expect(asked.every(({ isCanary }) => !isCanary)).toBe(true)
    const pending: (() => void)[] = []
    const slow = (collection: string) =>
      collection === 'v1' ? Promise.resolve() : new Promise<void>((resolve) => pending.push(resolve))
    for (let i = 0; i < 20; i++) await router.shadow('products', { requestId: `r${i}` }, slow, { maxInFlight: 3 })
    expect(pending).toHaveLength(3)
    for (const resolve of pending) resolve()
    await eventually(async () => (await tallyOf('v2')).requests === 3)
  })

  test('is none for users of the new collection, and without a deployment', async () => {
    const router = bench.router()
    const asked: string[] = []
    const call = async (collection: string) => void asked.push(collection)
    await router.shadow('products', { requestId: 'a' }, call)
    await setRoute({ percentage: 100 })
    await router.shadow('products', { requestId: 'a' }, call)
    expect(asked).toEqual(['products', 'v2'])
  })

  test.each<[object, string]>([
    [{ share: 101 }, '`share` to be at most 100'],
    [{ compare: 5 }, '`compare` to be a function'],
    [{ maxInFlght: 5 }, 'did you mean `maxInFlight`?'],
  ])('refuses the options %j', async (options, message) => {
    const call = () => Promise.resolve('hits')
    await expect(bench.router().shadow('products', { requestId: 'a' }, call, options as never)).rejects.toThrow(message)
  })
})

test('handle records numbers that are read off the answer', async () => {
  await setRoute({ percentage: 100 })
  const router = bench.router()
  const values = (hits: string[]) => ({ zeroHits: hits.length === 0 ? 1 : 0, bad: Number.NaN })
  await router.handle('products', { requestId: 'a' }, async () => [] as string[], { values })
  await eventually(async () => (await tallyOf('v2')).tally.values.zeroHits?.sum === 1)
  expect((await tallyOf('v2')).tally.values).toEqual({ zeroHits: { count: 1, sum: 1, squares: 1, min: 1, max: 1 } })
})

describe('two rankings', () => {
  test.each<[string, unknown, unknown, Record<string, number>]>([
    ['that are equal', [1, 2, 3], [1, 2, 3], { overlap: 1, rankCorrelation: 1 }],
    ['that are reversed', [1, 2, 3], [3, 2, 1], { overlap: 1, rankCorrelation: -1 }],
    ['that share nothing', [1, 2], [3, 4], { overlap: 0 }],
    ['that share one', [1, 2], [1, 4], { overlap: 0.5 }],
    [
      'of points',
      { points: [{ id: 'a' }, { id: 'b' }] },
      { points: [{ id: 'a' }, { id: 'b' }] },
      { overlap: 1, rankCorrelation: 1 },
    ],
    [
      'in an answer of Qdrant',
      { result: { points: [{ id: 1 }] } },
      { result: { points: [{ id: 1 }] } },
      { overlap: 1 },
    ],
    ['that are empty', [], [], { overlap: 1 }],
    ['of which one is empty', [1], [], { overlap: 0 }],
    ['that are no rankings', 'text', null, { overlap: 1 }],
  ])('%s', (_, old, fresh, expected) => expect(compareRankings(old, fresh)).toEqual(expected))
})
