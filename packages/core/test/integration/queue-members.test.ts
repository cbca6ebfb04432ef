import { showId } from '@arq-ts/protocol/jobs'
import { describe, expect, test } from 'vitest'
import { RedisContext } from '../../src/redis/context.ts'
import { silent, useHarness } from './support.ts'

describe('the members of a queue', () => {
  const bench = useHarness()

  async function read(link: RedisContext, onMember: (jobId: string, n: number) => Promise<void> = async () => {}) {
    const ids: string[] = []
    for await (const page of link.queues.members('arq:queue')) {
      for (const { jobId } of page) {
        ids.push(jobId)
        await onMember(jobId, ids.length)
      }
    }
    return ids
  }

  const open = (url: string) => new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 1_000, log: silent })
  const id = (i: number) => `job-${String(i).padStart(5, '0')}`

  test.each([
    ['different scores', (i: number) => i],
    ['one score', () => 5],
    ['a few scores, infinite ones included', (i: number) => [-Infinity, 1, 2.5, Infinity][i % 4]!],
  ])('are each read once when they have %s', async (_, scoreOf) => {
    const { url, redis } = bench.database()
    const link = open(url)
    const ids = Array.from({ length: 1_701 }, (_, i) => id(i))
    await redis.zadd('arq:queue', ...ids.flatMap((each, i) => [score(scoreOf(i)), each]))
    expect((await read(link)).sort()).toEqual(ids)
    await link.close()
  })

  test.each([
    ['different scores', (i: number) => i],
    ['one score', () => 5],
  ])('that stay are all read while those before them leave, with %s', async (_, scoreOf) => {
    const { url, redis } = bench.database()
    const link = open(url)
    const ids = Array.from({ length: 2_400 }, (_, i) => id(i))
    await redis.zadd('arq:queue', ...ids.flatMap((each, i) => [scoreOf(i), each]))
    const found = await read(link, async (_jobId, n) => {
      if (n === 400) await redis.zrem('arq:queue', ...ids.slice(0, 450))
      if (n === 1_100) await redis.zrem('arq:queue', ...ids.slice(450, 800))
    })
    expect(new Set(found)).toEqual(new Set(ids))
    expect(found.length).toBe(ids.length)
    await link.close()
  })

  test('are read between two scores, with ids that are not UTF-8', async () => {
    const { url, redis } = bench.database()
    const link = open(url)
    const odd = Buffer.from([0x61, 0xff])
    await redis.zadd('arq:queue', 1, 'a', 2, odd, 3, 'c', 4, 'd')
    const pages: string[][] = []
    for await (const page of link.queues.members('arq:queue', { min: '(1', max: '3' }))
      pages.push(page.map(({ jobId }) => showId(jobId)))
    expect(pages).toEqual([['a\\xff', 'c']])
    await link.close()
  })
})

function score(value: number): string | number {
  if (value === Infinity) return '+inf'
  return value === -Infinity ? '-inf' : value
}
