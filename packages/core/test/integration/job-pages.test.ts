import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, createLogger, measureCommands } from '../../src/index.ts'
import type { JobPageRequest, PagedJob } from '../../src/index.ts'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'

let database: Database
let client: Client
beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
})
afterEach(async () => {
  await client.close()
  await database.release()
})

const queueNames = ['a', 'b']

/** All pages of a search. */
async function everyPage(request: Partial<JobPageRequest>, between?: (page: PagedJob[]) => Promise<unknown>) {
  const pages: PagedJob[][] = []
  let cursor: string | null = null
  do {
    const page = await client.jobs.page({ queueNames, ...request, cursor })
    pages.push(page.jobs)
    cursor = page.cursor
    await between?.(page.jobs)
  } while (cursor !== null)
  return pages
}

async function fill(queueName: string, count: number, deferUntil = 1_900_000_000_000) {
  const items = Array.from(
    { length: count },
    (_, i) => ['f', [i], { queueName, jobId: `${queueName}-${i}`, deferUntil }] as const,
  )
  await client.enqueueMany(items)
}

describe('pages of jobs', () => {
  test('list each of many jobs of one score once, across queues', async () => {
    await fill('a', 730)
    await fill('b', 40)
    const pages = await everyPage({ limit: 50, budget: 200 })
    const ids = pages.flat().map(({ jobId }) => jobId)
    expect(new Set(ids).size).toBe(770)
    expect(ids.length).toBe(770)
    expect(pages.every((page) => page.length <= 50)).toBe(true)
  })

  test('skip no job that stays when those before it leave meanwhile', async () => {
    await fill('a', 300)
    const seen: string[] = []
    await everyPage({ limit: 30 }, async (page) => {
      seen.push(...page.map(({ jobId }) => jobId))
      await client.jobs.removeMany(
        'a',
        page.slice(0, 20).map(({ jobId }) => jobId),
      )
    })
    expect(new Set(seen).size).toBe(300)
  })

  test('continue among dead letters of one moment and kept results', async () => {
    for (let i = 0; i < 25; i++) {
      await database.redis.zadd('arq:dead', 1_700_000_000_000, `d${i}`)
      await database.redis.hset(`arq:dead:d${i}`, { queue: 'a', function: 'f', error: 'E', try: 1 })
    }
    await fill('a', 5)
    const pages = await everyPage({ statuses: ['dead', 'deferred', 'failed', 'complete', 'aborted'], limit: 7 })
    const states = pages.flat().map(({ status }) => status)
    expect(states.filter((state) => state === 'dead')).toHaveLength(25)
    expect(new Set(pages.flat().map(({ jobId }) => jobId)).size).toBe(30)
  })

  test('stop at the budget and report what was looked at', async () => {
    await fill('a', 900)
    const page = await client.jobs.page({ queueNames, budget: 300, fits: ({ jobId }) => jobId === 'nobody' })
    expect(page).toMatchObject({ jobs: [], scanned: 300 })
    expect(page.cursor).not.toBeNull()
  })

  test('cost the same at the end of a queue as at its head', async () => {
    await fill('a', 2_000)
    const commands: number[] = []
    let cursor: string | null = null
    do {
      const { value, commands: sent } = await measureCommands(() =>
        client.jobs.page({ queueNames, limit: 100, cursor }),
      )
      if (value.jobs.length === 100) commands.push(sent)
      cursor = value.cursor
    } while (cursor !== null)
    // The place within one score is found by halving: eleven looks among 2,000.
    expect(Math.max(...commands) - Math.min(...commands)).toBeLessThan(20)
  })

  test.each(['x', '', 'e30', Buffer.from('{"in":"ended","scan":"0 1"}').toString('base64url')])(
    'refuse the cursor %j, which no page has given',
    async (cursor) => {
      const page = client.jobs.page({ queueNames, cursor: cursor === '' ? 'bnVsbA' : cursor })
      await expect(page).rejects.toMatchObject({ code: 'ARQ_INVALID_OPTIONS' })
    },
  )
})
