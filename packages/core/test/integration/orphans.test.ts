import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLogger, RedisReplyError } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { BETWEEN_PAGES_MS, Orphans } from '../../src/redis/orphans.ts'
import { OrphanWatch } from '../../src/worker/orphan-watch.ts'
import { silent } from './support.ts'

const QUEUE = 'arq:queue'
/** Part of a score: a lease is on the job, or was when its worker died. */
const LEASE = 1 / 128
const DEATH = 2 / 128

let database: Database
let link: RedisContext
let orphans: Orphans
let nowMs: number

beforeEach(async () => {
  database = await takeDatabase()
  link = new RedisContext({ redis: database.url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
  orphans = new Orphans(link.calls, link.keys)
  const [seconds] = await database.redis.time()
  nowMs = Number(seconds) * 1_000
})
afterEach(async () => {
  vi.useRealTimers()
  await link.close()
  await database.release()
})

async function add(scores: Record<string, number>): Promise<void> {
  const members = Object.entries(scores).flatMap(([id, score]) => [score.toFixed(7), id])
  await database.redis.zadd(QUEUE, ...members)
}
const scoreOf = async (id: string) => Number(await database.redis.zscore(QUEUE, id))
test('jobs whose lease ended unsettled go to the head of a queue that is behind, with their deaths; others stay', async () => {
  await add({
    oldest: nowMs - 60_000,
    returned: nowMs - 900 + DEATH,
    orphan: nowMs - 800 + LEASE,
    twice: nowMs - 700 + DEATH + LEASE,
    running: nowMs + 30_000 + LEASE,
    newest: nowMs - 500,
  })
  expect(await orphans.bringForward(QUEUE)).toEqual({ moved: 2, isBehind: true, isMore: false })
  expect(await database.redis.zrange(QUEUE, '0', '-1')).toEqual([
    'orphan',
    'twice',
    'oldest',
    'returned',
    'newest',
    'running',
  ])
  expect((await scoreOf('orphan')) % 1).toBe(LEASE)
  expect((await scoreOf('twice')) % 1).toBe(DEATH + LEASE)
  expect(await scoreOf('returned')).toBe(nowMs - 900 + DEATH)
  expect(await scoreOf('running')).toBe(nowMs + 30_000 + LEASE)
})

test('a job that stands at the head already stays there, however often a short queue is searched, and needs no key', async () => {
  await add({ oldest: nowMs - 60_000, orphan: nowMs - 800 + LEASE, newest: nowMs - 500 })
  expect(await orphans.bringForward(QUEUE)).toEqual({ moved: 1, isBehind: true, isMore: false })
  const before = await scoreOf('orphan')
  expect(await orphans.bringForward(QUEUE)).toEqual({ moved: 0, isBehind: true, isMore: false })
  expect(await scoreOf('orphan')).toBe(before)
  expect(await database.redis.keys('*')).toEqual([QUEUE])
})

test('a queue that is not behind is left as it is, and nothing is written', async () => {
  await add({ orphan: nowMs + LEASE })
  expect(await orphans.bringForward(QUEUE)).toEqual({ moved: 0, isBehind: false, isMore: false })
  expect(await orphans.bringForward('empty')).toEqual({ moved: 0, isBehind: false, isMore: false })
  expect(await database.redis.keys('*')).toEqual([QUEUE])
})

test('a fleet searches each score once, page by page, however many jobs have one score', async () => {
  const many = Array.from({ length: 2_500 }, (_, i) => i)
  await add(Object.fromEntries(many.map((i) => [`old-${i}`, nowMs - 60_000 + i])))
  await add(Object.fromEntries(many.map((i) => [`orphan-${i}`, nowMs - 2_000 + LEASE])))
  const pages: number[] = []
  const isContinued = [false, false]
  await eventually(
    async () => {
      for (const worker of [0, 1]) {
        const { isMore, moved } = await orphans.bringForward(QUEUE, isContinued[worker])
        isContinued[worker] = isMore
        pages.push(moved)
      }
      return pages.reduce((sum, moved) => sum + moved) === 2_500
    },
    { intervalMs: BETWEEN_PAGES_MS },
  )
  const atHead = await database.redis.zrange(QUEUE, '0', '2499')
  expect(atHead.every((id) => id.startsWith('orphan-'))).toBe(true)
  expect(Math.max(...pages)).toBeLessThanOrEqual(2_000)
})

test.each([
  ['of nonsense', 'nonsense'],
  ['of a clock that was ahead', `(${Date.now() + 3_600_000} 1`],
])('a mark %s is passed over: the search begins anew', async (_, mark) => {
  await database.redis.set(link.keys.orphans(QUEUE), mark)
  await add(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`old-${i}`, nowMs - 60_000])))
  await add({ orphan: nowMs - 800 + LEASE })
  expect(await orphans.bringForward(QUEUE)).toMatchObject({ moved: 1 })
  expect(await database.redis.pttl(link.keys.orphans(QUEUE))).toBeGreaterThan(0)
})

test('scores that no job should have stop nothing', async () => {
  await add({ oldest: nowMs - 60_000, orphan: nowMs - 800 + LEASE })
  await database.redis.zadd(QUEUE, '-inf', 'least', '-1e300', 'low', '+inf', 'most', '-5.0078125', 'below')
  expect(await orphans.bringForward(QUEUE)).toMatchObject({ moved: 2 })
  expect(await scoreOf('orphan')).toBe(-1e12 + LEASE)
})

/** Looks `times` times with a pause of `ms` before each, by a clock that the test moves. */
async function lookOften(watch: OrphanWatch, times: number, ms: number): Promise<void> {
  if (!vi.isFakeTimers()) vi.useFakeTimers({ toFake: ['performance'] })
  for (let i = 0; i < times; i++) {
    vi.advanceTimersByTime(ms)
    await watch.look()
  }
}

const claimed = (score: number) => ({ score }) as Parameters<OrphanWatch['claimed']>[0]

test('a worker that gets its jobs late asks, one that gets them in time does not', async () => {
  let searches = 0
  const watch = new OrphanWatch({
    queues: [
      {
        queueName: QUEUE,
        key: link.keys.orphans(QUEUE),
        faults: { report: () => {} },
        bringForward: () => Promise.resolve({ moved: 0, isBehind: ++searches < 3, isMore: false }),
      },
    ],
    log: silent,
    now: () => 100_000,
    isFull: () => false,
  })
  watch.claimed(claimed(99_500))
  await watch.look()
  expect(searches).toBe(0)
  watch.claimed(claimed(90_000))
  await lookOften(watch, 5, 10_000)
  expect(searches).toBe(3) // until the queue is no longer behind
})

test('a queue that looks behind while no job comes late is searched ever less often, until one does or one is moved', async () => {
  let [searches, moved] = [0, 0]
  const watch = watchOver([() => Promise.resolve({ moved, isBehind: ++searches > 0, isMore: false })])
  const searchesIn = async (seconds: number) => {
    const before = searches
    await lookOften(watch, seconds * 4, 250)
    return searches - before
  }
  // After 0, 250, 750 ms and so on, up to every four seconds.
  expect(await searchesIn(60)).toBeLessThanOrEqual(6 + 15)
  expect(await searchesIn(40)).toBe(10)
  watch.claimed(claimed(90_000))
  expect(await searchesIn(1)).toBeGreaterThanOrEqual(2)
  moved = 1
  expect(await searchesIn(10)).toBeGreaterThanOrEqual(20)
})

test('a worker whose slots are all taken by long jobs looks at full pace: the next job it takes is the orphan', async () => {
  let searches = 0
  const watch = watchOver([() => Promise.resolve({ moved: 0, isBehind: ++searches > 0, isMore: false })], {
    isFull: true,
  })
  await lookOften(watch, 120, 250)
  expect(searches).toBe(120)
})

/** A watch over these searches, one for each queue, which all are behind. */
function watchOver(
  searches: readonly (() => ReturnType<Orphans['bringForward']>)[],
  { isFull = false, log = silent } = {},
): OrphanWatch {
  const queues = searches.map((bringForward, i) => {
    return { queueName: `q${i}`, key: link.keys.orphans(`q${i}`), faults: { report: () => {} }, bringForward }
  })
  const watch = new OrphanWatch({ queues, log, now: () => 100_000, isFull: () => isFull })
  watch.claimed(claimed(90_000))
  return watch
}

test('a queue that does not answer, in a partition whose node is away, holds up the search of no other', async () => {
  let [unanswered, searches] = [0, 0]
  const never = () => {
    unanswered++
    return new Promise<never>(() => {})
  }
  const watch = watchOver([never, () => Promise.resolve({ moved: 0, isBehind: ++searches > 0, isMore: false })])
  await eventually(() => {
    void watch.look()
    return searches > 1
  })
  expect(unanswered).toBe(1)
})

test('a search that is refused again and again is logged once a minute', async () => {
  const lines: string[] = []
  const destination = new Writable({ write: (chunk: Buffer, _, done) => done(void lines.push(String(chunk)) as never) })
  const refused = () => Promise.reject(new RedisReplyError('NOPERM this user has no permissions'))
  const watch = watchOver([refused], { log: createLogger({ destination, pretty: false }) })
  watch.start()
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    for (let i = 0; i < 5; i++) {
      await watch.look()
      vi.advanceTimersByTime(6_000)
    }
  } finally {
    vi.useRealTimers()
    watch.stop()
  }
  expect(lines).toHaveLength(1)
})
