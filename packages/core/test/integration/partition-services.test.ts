import { eventually, RedisServer } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { Client, defineTask, Worker } from '../../src/index.ts'
import { openLinkTo } from '../../src/partitions/partitioned-context.ts'
import { Placement } from '../../src/partitions/placement.ts'
import { silent, useHarness } from './support.ts'

const PARTITIONS = 4
const options = { keyPrefix: '{orders}:', partitions: PARTITIONS }
const placement = new Placement(options.keyPrefix, PARTITIONS)
const bench = useHarness()

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

/** One name for each partition. */
const oneEach = (prefix: string) =>
  placement.prefixes.map((_, at) => {
    const names = Array.from({ length: 100 }, (__, i) => `${prefix}-${i}`)
    return names.find((name) => placement.of(name) === at)!
  })

test('jobs under a unique key run by whatever rules they have, in every partition', async () => {
  await bench.worker({ ...options, tasks: [echo] })
  const producer = bench.client(options)
  const rules = (['reject', 'replace', 'debounce', 'throttle'] as const).flatMap((onConflict) =>
    (['start', 'end', 60_000] as const).map((until) => ({
      onConflict,
      until,
      ...(onConflict === 'debounce' || onConflict === 'throttle' ? { quietMs: 20 } : {}),
    })),
  )
  const calls = rules.flatMap((each) =>
    oneEach(`${each.onConflict}:${each.until}`).map((key) => ['echo', [key], { unique: { key, ...each } }] as const),
  )
  for (const [i, outcome] of (await producer.enqueueMany(calls)).entries()) {
    if (outcome.status === 'failed') throw outcome.error
    expect(outcome.status).toBe('queued')
    expect(await outcome.job.result({ timeoutMs: 20_000 })).toBe(calls[i]![1][0])
  }
  expect(await producer.deadLetters.count()).toBe(0)
})

test('jobs under a unique key wait for the one that runs, in every partition, and have the newest data', async () => {
  const seen: unknown[] = []
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const sync = defineTask({
    name: 'sync',
    handler: async (_ctx, key: string, version: number) => {
      seen.push(`${key} ${version}`)
      if (version === 1) await released
    },
  })
  await bench.worker({ ...options, tasks: [sync] })
  const producer = bench.client(options)
  const keys = oneEach('customer')
  const enqueue = (key: string, version: number) =>
    producer.enqueue('sync', [key, version], { unique: { key, onConflict: 'replace' } })
  for (const key of keys) await enqueue(key, 1)
  await eventually(() => seen.length === PARTITIONS)
  for (const key of keys) {
    const next = (await enqueue(key, 2))!
    await eventually(async () => (await next.status()) === 'deferred')
    expect((await enqueue(key, 3))!.jobId).toBe(next.jobId)
  }
  const ofKeys = keys.map((key) => `@unique:${key}`).sort()
  const listed = await producer.limits.list()
  expect(listed.map(({ key, name }) => `${name}:${key}`)).toEqual(ofKeys)
  for (const each of listed) expect(each).toMatchObject({ running: 1, waiting: 1, concurrency: 1 })
  expect(await producer.limits.jobs('@unique', { key: keys[2]! })).toHaveLength(2)
  const link = openLinkTo({ ...options, redis: bench.database().url, expiresExtraMs: 60_000, log: silent })
  try {
    // Where the worker dies, another finds what waits.
    expect((await link.limitRecords.due((await producer.now()) + 3_600_000)).sort()).toEqual(ofKeys)
  } finally {
    await link.close()
  }
  expect(seen).toEqual(expect.arrayContaining(keys.map((key) => `${key} 1`)))
  expect(seen).toHaveLength(PARTITIONS)
  release()
  await eventually(() => seen.length === 2 * PARTITIONS)
  expect(seen.slice(PARTITIONS).sort()).toEqual(keys.map((key) => `${key} 3`).sort())
  expect(await producer.deadLetters.count()).toBe(0)
})

test('schedules keep their times over an outage, however long', async () => {
  const server = await RedisServer.start()
  const producer = new Client({ ...options, redis: server.url, logger: silent })
  const worker = new Worker({
    ...options,
    redis: server.url,
    logger: silent,
    tasks: [echo],
    handleSignals: false,
    pollDelayMs: 100,
  })
  const running = worker.run()
  try {
    const [weekly, ...each] = oneEach('every')
    const weekMs = 604_800_000
    await producer.schedules.put(weekly!, { task: 'echo', input: [1], everyMs: weekMs, missed: 'all' })
    for (const name of each) await producer.schedules.put(name, { task: 'echo', input: [1], everyMs: 1_000 })
    const before = (await producer.schedules.get(weekly!))!.next!.getTime()
    const haveTicked = (afterMs: number) =>
      eventually(
        async () => {
          const found = await Promise.all(each.map((name) => producer.schedules.get(name)))
          return found.every((schedule) => schedule!.last && schedule!.last.at.getTime() > afterMs)
        },
        { timeoutMs: 20_000 },
      )
    await haveTicked(0)
    // Longer than a tick, and the time that a partition is waited for after it.
    server.pause()
    const resumeMs = performance.now() + 3_000
    await eventually(() => performance.now() > resumeMs)
    server.resume()
    await haveTicked((await producer.now()) + 1_000)
    const after = (await producer.schedules.get(weekly!))!
    expect(after.last).toBeNull()
    expect(after.next!.getTime()).toBe(before)
  } finally {
    await worker.stop()
    await running
    await producer.close()
    await server.stop()
  }
}, 60_000)
