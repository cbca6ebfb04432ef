import { Keys } from '@arq-ts/protocol/jobs'
import { CuttingProxy, eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineTask, Retry } from '../../src/index.ts'
import type { Counts } from '../../src/index.ts'
import { mergeHistograms, packHistogram, unpackHistogram } from '../../src/recorder/histogram.ts'
import { mergeMeasures, packMeasures, unpackMeasures } from '../../src/recorder/measures.ts'
import { planCounts } from '../../src/recorder/plan.ts'
import { seriesId } from '../../src/recorder/series-name.ts'
import type { SeriesName } from '../../src/recorder/series-name.ts'
import { RESOLUTIONS, SLOTS_PER_BLOCK } from '../../src/recorder/slots.ts'
import { OUTCOME, Tally } from '../../src/recorder/tally.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent, useHarness } from './support.ts'

const NONE: Counts = { complete: 0, failed: 0, aborted: 0, retried: 0, released: 0, lost: 0 }
const bench = useHarness()
let redis: Redis
let link: RedisContext

beforeEach(() => {
  redis = new Redis(bench.database().url)
  link = linkTo(bench.database().url)
})
afterEach(async () => {
  await link.close()
  redis.disconnect()
})

function linkTo(url: string): RedisContext {
  return new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const tasks = [
  defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
  defineTask({ name: 'bad', handler: () => Promise.reject(new Error('bad')) }),
  defineTask({
    name: 'again',
    handler: (ctx) => {
      if (ctx.jobTry <= 2) throw new Retry({ deferMs: 1 })
      return ctx.jobTry
    },
  }),
]

/** Enqueues a mix of jobs that is the same for one seed; returns what is to be counted, by queue and function. */
async function enqueueMix(client: ReturnType<typeof bench.client>, count: number, seed: number) {
  const random = seeded(seed)
  const expected = new Map<string, Counts>()
  const jobs = Array.from({ length: count }, () => {
    const queueName = random() < 0.5 ? 'high' : 'low'
    const name = ['echo', 'echo', 'bad', 'again', 'nobody has this'][Math.floor(random() * 5)]!
    const key = `${queueName} ${name === 'nobody has this' ? '*' : name}`
    const counts = expected.get(key) ?? { ...NONE }
    if (name === 'echo' || name === 'again') counts.complete++
    else counts.failed++
    if (name === 'again') counts.retried += 2
    expected.set(key, counts)
    return [name, name === 'echo' ? [1] : [], { queueName }] as const
  })
  const outcomes = await client.enqueueMany(jobs)
  expect(outcomes.every(({ status }) => status === 'queued')).toBe(true)
  return { expected, jobs: outcomes.flatMap((outcome) => (outcome.status === 'queued' ? [outcome.job] : [])) }
}

async function recorded(client: ReturnType<typeof bench.client>): Promise<Map<string, Counts>> {
  const totals = await client.history.totals({ by: ['queue', 'function'] })
  return new Map(totals.map(({ key, counts }) => [`${key.queue} ${key.function}`, counts]))
}

describe('the merge script', () => {
  test('merges as the reader does, whatever the values', async () => {
    const random = seeded(5)
    const values = Array.from({ length: 60 }, () => {
      const tally = new Tally()
      for (let i = 0; i < random() * 300; i++) {
        tally.count(Math.floor(random() * 6))
        tally.run.add(Math.floor(2 ** (random() * 30)))
      }
      return { measures: packMeasures(tally.measures()), run: tally.run.histogram() }
    })
    for (const [i, { measures, run }] of values.entries()) {
      const operations = [
        'merge',
        'v',
        measures,
        1,
        2,
        'c',
        ...(run ? ['merge', 'h', packHistogram(run), 1, 2, 'r'] : []),
      ]
      await link.recordings.write('w', i + 1, { keys: ['numbers'], operations })
    }
    const [fields] = await link.recordings.fields([{ key: 'numbers', fields: ['c', 'r'] }])
    expect(unpackMeasures(fields![0])).toEqual(
      values.map(({ measures }) => unpackMeasures(measures)).reduce(mergeMeasures),
    )
    const merged = values
      .flatMap(({ run }) => (run ? [unpackHistogram(packHistogram(run))] : []))
      .reduce(mergeHistograms)
    expect(fields![1]).toEqual(packHistogram(merged))
  })

  test('counts a call once, wherever its connection is cut', async () => {
    const { url } = bench.database()
    const proxy = await CuttingProxy.open(Number(new URL(url).port))
    const through = linkTo(url.replace(/:\d+\//, `:${proxy.port}/`))
    const call = { keys: ['numbers'], operations: ['merge', 'v', packMeasures({ sums: [1], maxima: [] }), 1, 2, 'c'] }
    let calls = 0
    try {
      for (let command = 0; command < 8; command++) {
        for (const at of ['command', 'reply'] as const) {
          proxy.cutNext({ command, at }, 1)
          proxy.cutAll()
          await through.recordings.write('w', ++calls, call)
        }
      }
      expect(proxy.cuts).toBeGreaterThan(4)
    } finally {
      await through.close()
      await proxy.close()
    }
    expect(unpackMeasures(await redis.hgetBuffer('numbers', 'c')).sums).toEqual([calls])
  })

  test('writes the other keys of a call where one holds something else', async () => {
    const faults: string[] = []
    link.broker.faults.listen(({ key }) => faults.push(key))
    await redis.set('wrong', 'x')
    const value = packMeasures({ sums: [1], maxima: [] })
    await link.recordings.write('w', 1, {
      keys: ['wrong', 'right'],
      operations: ['merge', 'v', value, 2, 2, 'c', 3, 'c'],
    })
    expect(await redis.hgetBuffer('right', 'c')).toEqual(value)
    expect(faults).toEqual(['wrong'])
  })
})

describe('a worker records', () => {
  test('exactly how its jobs ended, by queue and function', async () => {
    const client = bench.client()
    const { expected, jobs } = await enqueueMix(client, 400, 11)
    const worker = await bench.worker({ tasks, queues: ['high', 'low'], maxJobs: 50, recorder: { intervalMs: 100 } })
    await Promise.all(jobs.map((job) => job.result({ timeoutMs: 20_000 }).catch(() => {})))
    await worker.stop()
    expect(await recorded(client)).toEqual(expected)
    const [all] = await client.history.totals()
    const runs = [...expected]
      .filter(([key]) => !key.endsWith('*'))
      .flatMap(([, c]) => [c.complete, c.failed, c.retried])
    expect(all!.run.count).toBe(runs.reduce((sum, count) => sum + count, 0))
    const { lines } = await client.history.series({ metric: 'ended', by: 'queue' })
    const sums = lines.map(({ points }) => points.reduce<number>((sum, point) => sum + (point ?? 0), 0))
    expect(sums.reduce((sum, count) => sum + count, 0)).toBe(400)
  })

  test('the same where its connections are cut all the while', async () => {
    const client = bench.client()
    const { url } = bench.database()
    const proxy = await CuttingProxy.open(Number(new URL(url).port))
    const { expected, jobs } = await enqueueMix(client, 200, 12)
    const worker = await bench.worker({
      redis: url.replace(/:\d+\//, `:${proxy.port}/`),
      tasks,
      queues: ['high', 'low'],
      maxJobs: 5,
      recorder: { intervalMs: 100 },
    })
    let isDone = false
    const cutting = (async () => {
      for (let command = 8; !isDone; command = 8 + ((command + 1) % 12)) {
        proxy.cutNext({ command, at: 'reply' }, 1)
        const before = proxy.cuts
        await eventually(() => isDone || proxy.cuts > before, { timeoutMs: 20_000 })
      }
    })()
    await Promise.all(jobs.map((job) => job.result({ timeoutMs: 20_000 }).catch(() => {})))
    isDone = true
    await cutting
    proxy.cutNext({ command: 0, at: 'reply' }, 0)
    await eventually(() => worker.describe().running.length === 0)
    await worker.stop()
    await proxy.close()
    expect(await recorded(client)).toEqual(expected)
  })

  test('the length, the age and the slots of its queues', async () => {
    const client = bench.client()
    await client.enqueue('echo', [1], { deferByMs: 3_600_000 })
    const worker = await bench.worker({ tasks, maxJobs: 7, recorder: { intervalMs: 100 } })
    const gauge = async (metric: 'depth' | 'due' | 'capacity' | 'oldest') => {
      const { lines } = await client.history.series({ metric })
      return lines.map(({ key, points }) => [key.queue, points.findLast((point) => point !== null)])
    }
    await eventually(async () => (await gauge('depth')).length > 0)
    expect(await gauge('depth')).toEqual([['arq:queue', 1]])
    expect(await gauge('due')).toEqual([['arq:queue', 0]])
    expect(await gauge('capacity')).toEqual([['arq:queue', 7]])
    expect(await gauge('oldest')).toEqual([['arq:queue', 0]])
    await worker.stop()
  })

  test('nothing where it is switched off', async () => {
    const client = bench.client()
    const worker = await bench.worker({ tasks, recorder: false })
    await (await client.enqueue('echo', [1]))!.result({ timeoutMs: 10_000 })
    await worker.stop()
    // The producer's note of its queue is no record.
    expect((await redis.keys('arq:obs:*')).filter((key) => key !== 'arq:obs:noted')).toEqual([])
    expect(await client.history.totals({ by: 'function' })).toEqual([])
  })

  test('nothing in sorted sets, nothing that queues or doctor see, and nothing without a bound or an expiry', async () => {
    const client = bench.client()
    const { jobs } = await enqueueMix(client, 20, 13)
    const worker = await bench.worker({ tasks, queues: ['high', 'low'], recorder: { intervalMs: 100 } })
    await Promise.all(jobs.map((job) => job.result({ timeoutMs: 20_000 }).catch(() => {})))
    await worker.stop()
    const found = await redis.keys('arq:obs:*')
    expect(found.length).toBeGreaterThan(6)
    for (const key of found) expect(await redis.type(key)).not.toBe('zset')
    const lasting = ['series', 'events', 'recent'].map((name) => `arq:obs:${name}`)
    // -1: without an end. One that ended meanwhile had one.
    for (const key of found) expect([key, (await redis.pttl(key)) === -1]).toEqual([key, lasting.includes(key)])
    expect(await client.queues.names()).not.toContainEqual(expect.stringContaining('obs'))
    const { findings } = await client.doctor.examine({ queues: ['high', 'low'] })
    expect(findings.filter((finding) => JSON.stringify(finding).includes('obs'))).toEqual([])
  })
})

describe('the table of series', () => {
  const name = (i: number): SeriesName => ({ queue: 'q', function: `f${i}`, language: 'typescript' })

  test('folds what comes after 128 series, and lets a new one in once an old one is stale', async () => {
    const entries = Array.from({ length: 130 }, (_, i) => ({ field: `f${i}`, id: String(i) }))
    const rules = { most: 128, nowMs: 1_000_000, staleMs: 1_000 }
    expect((await link.recordings.admit(entries, rules)).filter(Boolean)).toHaveLength(128)
    expect(await link.recordings.admit(entries.slice(126), rules)).toEqual([true, true, false, false])
    await redis.hset('arq:obs:series', 'f7', '7 10')
    expect(await link.recordings.admit(entries.slice(128), rules)).toEqual([true, false])
    expect(await redis.hexists('arq:obs:series', 'f7')).toBe(0)
  })

  test('admits nothing where its key holds something else', async () => {
    await redis.set('arq:obs:series', 'x')
    const rules = { most: 128, nowMs: 1, staleMs: 1 }
    expect(await link.recordings.admit([{ field: 'f', id: 'i' }], rules)).toEqual([false])
  })

  test('takes no more than 24 MiB with 128 busy series of the longest history', async () => {
    const keys = new Keys()
    const random = seeded(6)
    const series = Array.from({ length: 3 }, (_, i) => ({ id: seriesId(name(i)), name: name(i) }))
    const HOUR = 3_600_000
    const end = Math.floor(Date.now() / HOUR) * HOUR
    // Every slot of every resolution that is alive at once: the last 3 h 40 min, 3 d 6 h and 36 d.
    const times = [
      ...Array.from({ length: 220 }, (_, i) => end - i * 60_000),
      ...Array.from({ length: 470 }, (_, i) => end - i * 600_000),
      ...Array.from({ length: 880 }, (_, i) => end - i * HOUR),
    ]
    const sent: Promise<boolean>[] = []
    let number = 0
    for (const atMs of times) {
      const planned = series.map(({ id, name }) => {
        const tally = new Tally()
        for (let i = 0; i < 100; i++) {
          tally.count(random() < 0.95 ? OUTCOME.complete : OUTCOME.failed)
          tally.run.add(Math.floor(2 ** (4 + random() * 8)))
          tally.wait.add(Math.floor(2 ** (random() * 12)))
        }
        return { id, name, tallies: [tally] }
      })
      for (const call of planCounts(keys, planned, atMs, end)) {
        expect(call.keys.length + 1).toBeLessThanOrEqual(12)
        sent.push(link.recordings.write('w', ++number, call))
      }
    }
    await Promise.all(sent)
    const isAlive = (key: string) => {
      const [, , resolution, , block] = key.split(':')
      const { slotMs, ttlMs } = RESOLUTIONS.find((each) => each.name === resolution)!
      return (Number(block) + 1) * SLOTS_PER_BLOCK * slotMs + ttlMs >= end
    }
    const stored = (await redis.keys('arq:obs:1*')).filter(isAlive)
    let bytes = 0
    for (const key of stored) {
      expect(await redis.object('ENCODING', key)).toMatch(/^(listpack|ziplist)$/)
      bytes += Number(await redis.memory('USAGE', key, 'SAMPLES', 0))
    }
    const mebibytes = ((bytes / series.length) * 128) / 2 ** 20
    console.log(`128 busy series: ${mebibytes.toFixed(1)} MiB`)
    expect(mebibytes).toBeLessThan(24)
  })
})
