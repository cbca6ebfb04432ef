import { OptionsError } from '@arq-ts/core'
import { describe, expect, test } from 'vitest'
import type { DirtyEntry, EntryPageRequest, WriteBehind } from '../../src/index.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
const write = (cache: WriteBehind, key: string, delayMs = 60_000) =>
  cache.writeBehind(key, 'x'.repeat(100), { persister: 'app.db:save', delayMs })
const pagesOf = async (cache: WriteBehind, request: EntryPageRequest) => {
  const pages: DirtyEntry[][] = []
  for (let cursor: string | null = null; ;) {
    const page = await cache.page({ ...request, cursor })
    pages.push(page.entries)
    cursor = page.cursor
    if (cursor === null) return pages
  }
}

describe('pages of dirty keys', () => {
  test('are together what the list is, in its order, whatever the size of a page', async () => {
    const cache = bench.cache()
    for (let i = 0; i < 23; i++) await write(cache, `k${i}`, 60_000 - i * 100)
    const all = await cache.entries()
    expect(all).toHaveLength(23)
    for (const limit of [1, 7, 23, 500]) {
      const pages = await pagesOf(cache, { limit })
      expect(pages.flat()).toEqual(all)
      for (const page of pages) expect(page.length).toBeLessThanOrEqual(limit)
    }
    expect(all[0]).toMatchObject({ key: 'k22', status: 'waiting', bytes: 108 })
  })

  test('miss no key where the last one of a page is persisted before the next is read', async () => {
    const cache = bench.cache({ persisters: { 'app.db': { save: () => {} } } })
    for (let i = 0; i < 6; i++) await write(cache, `k${i}`, 60_000 + i * 1_000)
    const first = await cache.page({ limit: 3 })
    await cache.flush('k2')
    const second = await cache.page({ limit: 3, cursor: first.cursor })
    expect(second.entries.map(({ key }) => key)).toEqual(['k3', 'k4', 'k5'])
  })

  test('of one status look at two thousand keys at most, and continue where they stopped', async () => {
    const cache = bench.cache()
    await write(cache, 'k', 120_000)
    const names = Array.from({ length: 2_100 }, (_, i) => [1_000, `settled meanwhile ${i}`]).flat()
    await bench.database().redis.zadd('write-behind:dirty', ...names)
    const first = await cache.page({ status: 'waiting', limit: 10 })
    expect(first.entries).toEqual([])
    expect(first.cursor).not.toBeNull()
    const second = await cache.page({ status: 'waiting', limit: 10, cursor: first.cursor })
    expect(second.entries).toMatchObject([{ key: 'k', status: 'waiting' }])
    expect(await cache.page({ status: 'dead' })).toEqual({ entries: [], cursor: null })
  })

  test.each([{ cursor: 'nonsense' }, { cursor: 'e30' }, { limit: 0 }, { limit: 501 }, { status: 'clean' }])(
    'refuse %j',
    async (request) => {
      const cache = bench.cache()
      await expect(async () => cache.page(request as never)).rejects.toThrow(OptionsError)
    },
  )
})
