import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { healthLine, parseHealthLine, retryDelayMs, statusOf } from '@arq-ts/protocol'
import { RedisClock } from '../../src/redis/clock.ts'
import { QueueNotes } from '../../src/redis/queue-notes.ts'
import { isTransient, replyOf } from '../../src/redis/transient.ts'
import { VERSION } from '../../src/version.ts'
import { StartRate } from '../../src/worker/claiming/start-rate.ts'
import { queueOrder } from '../../src/worker/claiming/queue-order.ts'
import { Wake } from '../../src/worker/claiming/wake.ts'
import manifest from '../../package.json' with { type: 'json' }

describe('a retry delay', () => {
  const policy = { delayMs: 60_000 }

  test('doubles with each try, up to a bound', () => {
    expect([1, 2, 3].map((failed) => retryDelayMs(policy, failed, null, 0))).toEqual([60_000, 120_000, 240_000])
    expect(retryDelayMs(policy, 99, null, 0)).toBe(86_400_000)
    expect(retryDelayMs({ ...policy, maxDelayMs: 90_000 }, 2, null, 0)).toBe(90_000)
  })

  test("can be fixed, or the user's own, whose faults do not lose the job", () => {
    expect(retryDelayMs({ ...policy, backoff: 'fixed' }, 7, null, 0)).toBe(60_000)
    expect(retryDelayMs({ ...policy, backoff: (failed) => failed * 10 }, 3, null, 0)).toBe(30)
    for (const backoff of [
      () => Number.NaN,
      () => -1,
      () => Infinity,
      () => {
        throw new Error('no')
      },
    ]) {
      expect(retryDelayMs({ ...policy, backoff }, 3, null, 0)).toBe(60_000)
    }
  })

  test('is a whole number within its bounds, whatever the policy', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e12, noNaN: true }),
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (delayMs, failed, jitter, random) => {
          const delay = retryDelayMs({ delayMs, jitter }, failed, null, random)
          return Number.isInteger(delay) && delay >= 0 && delay <= 86_400_000
        },
      ),
    )
  })

  test('takes its share of chance downwards', () => {
    expect(retryDelayMs({ delayMs: 100, jitter: 1 }, 1, null, 0.25)).toBe(75)
    expect(retryDelayMs({ delayMs: 100, jitter: true }, 1, null, 0.5)).toBe(75)
  })
})

describe('a status', () => {
  test.each([
    [{ hasResult: true, inProgress: true, score: 1 }, 'complete'],
    [{ hasResult: false, inProgress: true, score: 1 }, 'in_progress'],
    [{ hasResult: false, inProgress: false, score: 101 }, 'deferred'],
    [{ hasResult: false, inProgress: false, score: 100 }, 'queued'],
    [{ hasResult: false, inProgress: false, score: null }, 'not_found'],
  ])('%j is %s', (job, status) => {
    expect(statusOf(job, 100)).toBe(status)
  })
})

describe('a health line', () => {
  test("is arq's, and reads back", () => {
    const counts = { complete: 1, failed: 2, retried: 3, ongoing: 4, queued: 5 }
    const line = healthLine(new Date(2026, 10, 4, 4, 5, 8), counts)
    expect(line).toBe('Nov-04 04:05:08 j_complete=1 j_failed=2 j_retried=3 j_ongoing=4 queued=5')
    expect(parseHealthLine(line)).toEqual(counts)
    expect(parseHealthLine('nonsense')).toBeUndefined()
  })
})

describe('the clock of Redis', () => {
  test('is found within the round trip, and does not jitter inside it', () => {
    let local = 1_000
    const clock = new RedisClock(() => local)
    local = 1_010 // the report took 10 ms
    clock.observe(601_005, 1_000)
    const offset = clock.offsetMs
    expect(Math.abs(clock.now() - 601_010)).toBeLessThanOrEqual(10)
    local = 1_030
    clock.observe(601_022, 1_012)
    expect(clock.offsetMs).toBe(offset)
  })

  test('follows a clock that jumps', () => {
    let local = 5_000
    const clock = new RedisClock(() => local)
    clock.observe(5_000, 5_000)
    local = 605_000
    clock.observe(6_000, 605_000)
    expect(Math.abs(clock.now() - 6_000)).toBeLessThanOrEqual(1)
  })
})

describe('an error of Redis', () => {
  test.each([
    "READONLY You can't write against a read only replica.",
    'LOADING Redis is loading',
    'MASTERDOWN RedisContext with MASTER is down',
    'BUSY Redis is busy',
    'OOM command not allowed',
  ])('%s is waited out', (message) => {
    expect(isTransient(new Error(message))).toBe(true)
  })

  test.each(['WRONGTYPE Operation against a key', 'ERR unknown command', 'NOPERM no permission', 'WRONGPASS invalid'])(
    '%s is reported',
    (message) => {
      expect(isTransient(new Error(message))).toBe(false)
    },
  )
})

describe('the order of queues', () => {
  const queues = [
    { name: 'a', weight: 1 },
    { name: 'b', weight: 9 },
  ]
  const order = (kind: 'strict' | 'weighted', random: () => number) =>
    queueOrder(queues, kind, random).map(({ name }) => name)

  test('is as given when strict', () => {
    expect(order('strict', () => 0.99)).toEqual(['a', 'b'])
  })

  test('is drawn by weight, and leaves none out', () => {
    expect(order('weighted', () => 0.05)).toEqual(['a', 'b'])
    expect(order('weighted', () => 0.5)).toEqual(['b', 'a'])
    const first = Array.from({ length: 1_000 }, (_, i) => order('weighted', () => (i % 100) / 100)[0])
    expect(first.filter((name) => name === 'b')).toHaveLength(900)
  })
})

describe('the pace of a worker', () => {
  test('is what it started in the last turn, and nothing once it starts nothing', () => {
    const pace = new StartRate()
    pace.add(5, 10)
    pace.add(5, 40)
    expect(pace.perTurn(45)).toBe(10)
    expect(pace.perTurn(60)).toBe(10)
    pace.add(3, 60)
    expect(pace.perTurn(99)).toBe(10)
    expect(pace.perTurn(149)).toBe(3)
    expect(pace.perTurn(500)).toBe(0)
  })
})

describe('a wake-up', () => {
  test('is not missed when it comes before the wait', async () => {
    const wake = new Wake()
    wake.notify()
    wake.notify()
    await wake.wait()
    let woken = false
    const waiting = wake.wait().then(() => (woken = true))
    await Promise.resolve()
    expect(woken).toBe(false)
    wake.notify()
    await waiting
  })
})

test("the version in the registry is the package's", () => {
  expect(VERSION).toBe(manifest.version)
})

describe('the reply in an error of ioredis', () => {
  test.each([
    ['NOSCRIPT No matching script.', 'NOSCRIPT No matching script.'],
    [
      'Too many Cluster redirections. Last error: ReplyError: NOSCRIPT No matching script.',
      'NOSCRIPT No matching script.',
    ],
    ['Too many Cluster redirections. Last error: Error: Connection is closed.', 'Connection is closed.'],
  ])('of %j is the last one that the server gave', (message, reply) => {
    expect(replyOf(new Error(message))).toBe(reply)
  })
})

test('a producer notes each queue once an hour, and no more of them than Redis remembers', () => {
  const noted: string[] = []
  const notes = new QueueNotes({ note: async (name) => void noted.push(name) })
  const names = Array.from({ length: 12_000 }, (_, i) => `q${i}`)
  const startMs = Date.now()
  for (let round = 0; round < 3; round++) for (const name of names) notes.note(name, startMs + round)
  expect(noted).toEqual(names.slice(0, 10_000))
  notes.note('q5', startMs + 3_600_000)
  notes.note('q5', startMs + 3_600_001)
  expect(noted.slice(10_000)).toEqual(['q5'])
})
