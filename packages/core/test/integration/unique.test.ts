import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/index.ts'
import type { Client, Unique } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()
const FAR = { deferByMs: 3_600_000 }

/** A task that records its data, and runs until it is let go where that is asked for. */
function recording() {
  const seen: number[] = []
  const waiting: (() => void)[] = []
  let active = 0
  let highest = 0
  const task = defineTask({
    name: 'sync',
    params: z.object({ version: z.number(), waits: z.boolean().default(false) }),
    handler: async (_ctx, { version, waits }) => {
      highest = Math.max(highest, ++active)
      seen.push(version)
      if (waits) await new Promise<void>((resolve) => waiting.push(resolve))
      active--
      return version
    },
  })
  return { task, seen, letGo: () => waiting.shift()!(), highest: () => highest }
}

const scoreOf = async (id: string) => Number(await bench.database().redis.zscore('arq:queue', id))

describe('a call whose key is taken', () => {
  const enqueue = (client: Client, version: number, unique: Partial<Unique> = {}, options: object = FAR) =>
    client.enqueue(recording().task, { version }, { ...options, unique: { key: 'k', ...unique } })
  const versionOf = async (client: Client, id: string) =>
    ((await client.job(id).info())!.kwargs as { version: number }).version

  test('is rejected, with the job that has the key', async () => {
    const client = bench.client()
    const first = (await enqueue(client, 1))!
    expect(await enqueue(client, 2)).toBeNull()
    const [outcome] = await client.enqueueMany([[recording().task, { version: 3 }, { unique: { key: 'k' } }]])
    expect(outcome).toMatchObject({ status: 'duplicate', job: { jobId: first.jobId } })
    expect(await versionOf(client, first.jobId)).toBe(1)
  })

  test('replaces the data and the due time', async () => {
    const client = bench.client()
    const first = (await enqueue(client, 1))!
    const second = await enqueue(client, 2, { onConflict: 'replace' }, { deferByMs: 60_000 })
    expect(second?.jobId).toBe(first.jobId)
    expect(await versionOf(client, first.jobId)).toBe(2)
    expect(await scoreOf(first.jobId)).toBeLessThan(Date.now() + 61_000)
    expect(await bench.database().redis.zcard('arq:queue')).toBe(1)
  })

  test('puts a debounced job off, and never past the longest wait', async () => {
    const client = bench.client()
    const rules = { onConflict: 'debounce', quietMs: 60_000, maxWaitMs: 90_000 } as const
    const first = (await enqueue(client, 1, rules, {}))!
    const due = await scoreOf(first.jobId)
    // The first call lies 50 s back.
    await bench.database().redis.hincrby('arq:unique:k', 'first', -50_000)
    await enqueue(client, 2, rules, {})
    expect(Math.abs((await scoreOf(first.jobId)) - (due - 20_000))).toBeLessThan(5)
    expect(await versionOf(client, first.jobId)).toBe(2)
    await bench.database().redis.hincrby('arq:unique:k', 'first', -50_000)
    await enqueue(client, 3, rules, {})
    expect(await scoreOf(first.jobId)).toBeLessThanOrEqual(due)
    expect(await versionOf(client, first.jobId)).toBe(3)
  })

  test('leaves a throttled job its time, and keeps jobs of the key apart', async () => {
    const client = bench.client()
    const { task, seen } = recording()
    await bench.worker({ tasks: [task] })
    const rules = { key: 'k', onConflict: 'throttle', quietMs: 3_600_000 } as const
    const first = (await client.enqueue(task, { version: 1 }, { unique: rules }))!
    await first.result({ timeoutMs: 5_000 })
    const second = (await client.enqueue(task, { version: 2 }, { unique: rules }))!
    const due = await scoreOf(second.jobId)
    expect(due).toBeGreaterThan(Date.now() + 3_500_000)
    const third = await client.enqueue(task, { version: 3 }, { unique: rules })
    expect(third?.jobId).toBe(second.jobId)
    expect(await scoreOf(second.jobId)).toBe(due)
    expect(await versionOf(client, second.jobId)).toBe(3)
    expect(seen).toEqual([1])
  })

  test('has the newest data last when many are enqueued at once', async () => {
    const client = bench.client()
    const items = Array.from({ length: 20 }, (_, version) => [
      recording().task,
      { version },
      { ...FAR, unique: { key: 'k', onConflict: 'replace' } },
    ])
    const outcomes = (await client.enqueueMany(items as never)) as unknown as {
      status: string
      job: { jobId: string }
    }[]
    expect(new Set(outcomes.map(({ job }) => job.jobId)).size).toBe(1)
    expect(await versionOf(client, outcomes[0]!.job.jobId)).toBe(19)
  })
})

test('runs the newest data after the job that runs, and never at the same time', async () => {
  const { task, seen, letGo, highest } = recording()
  await Promise.all([bench.worker({ tasks: [task] }), bench.worker({ tasks: [task] })])
  const client = bench.client()
  const unique = { key: 'k', onConflict: 'replace' } as const
  await client.enqueue(task, { version: 1, waits: true }, { unique })
  await eventually(() => seen.length === 1)
  const next = (await client.enqueue(task, { version: 2 }, { unique }))!
  await eventually(async () => (await next.status()) === 'deferred')
  expect((await client.enqueue(task, { version: 3 }, { unique }))?.jobId).toBe(next.jobId)
  expect((await client.jobs.details(next.jobId)).hold).toMatchObject({ by: 'unique', about: 'k' })
  letGo()
  expect(await next.result({ timeoutMs: 5_000 })).toBe(3)
  expect(seen).toEqual([1, 3])
  expect(highest()).toBe(1)
})

test('gives the key back at the start where it is kept until then', async () => {
  const { task, seen, letGo } = recording()
  await bench.worker({ tasks: [task] })
  const client = bench.client()
  const unique = { key: 'k', until: 'start' } as const
  await client.enqueue(task, { version: 1, waits: true }, { unique })
  await eventually(() => seen.length === 1)
  expect(await client.enqueue(task, { version: 2 }, { unique })).not.toBeNull()
  await eventually(() => seen.length === 2)
  letGo()
})

test('keeps the key for a time past a good end, and not past a failure', async () => {
  const task = defineTask({
    name: 'sync',
    handler: (_ctx, fails: boolean) => {
      if (fails) throw new Error('failed')
    },
  })
  await bench.worker({ tasks: [task] })
  const client = bench.client()
  const unique = (key: string) => ({ unique: { key, until: 3_600_000 } })
  await (await client.enqueue(task, [false], unique('good')))?.result({ timeoutMs: 5_000 })
  expect(await client.enqueue(task, [false], unique('good'))).toBeNull()
  await (await client.enqueue(task, [true], unique('bad')))?.result({ timeoutMs: 5_000 }).catch(() => {})
  expect(await client.enqueue(task, [false], unique('bad'))).not.toBeNull()
})

test.each([
  [{ unique: { key: 'k', onConflict: 'debounce' } }, "needs 'quietMs'"],
  [{ unique: { key: 'k', quietMs: 5 } }, "is for 'debounce' and 'throttle'"],
  [{ unique: { key: 'k' }, jobId: 'j' }, "'unique' excludes 'jobId'"],
  [{ headStartMs: 5, deferByMs: 5 }, "'headStartMs' excludes"],
] as const)('refuses the options %j', async (options, message) => {
  await expect(bench.client().enqueue('f', [], options as never)).rejects.toThrow(message)
})

/** One job as the model sees it: what its keys say, whoever changed them. */
interface Modelled {
  state: 'waits' | 'runs' | 'gone'
  wasStarted: boolean
  data: number
}

/** Numbers of mulberry32, so that a failure can be drawn again by its seed. */
function numbersOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

test.each([1, 2, 3, 4, 5, 6])(
  'agrees with a model of keys and owners, whatever happens to owners (seed %i)',
  async (seed) => {
    const { redis } = bench.database()
    const client = bench.client()
    const draw = numbersOf(seed)
    const jobs = new Map<string, Modelled>()
    const owners = new Map<string, string>()
    const rules = { a: { until: 'end' }, b: { until: 'start' } } as const
    const drop = (id: string) =>
      redis.multi().zrem('arq:queue', id).del(`arq:job:${id}`, `arq:in-progress:${id}`, `arq:retry:${id}`).exec()

    for (let step = 0; step < 80; step++) {
      const key = draw(2) === 0 ? 'a' : 'b'
      const live = [...jobs].filter(([, job]) => job.state !== 'gone')
      const [id, job] = live[draw(live.length || 1)] ?? []
      const about = `step ${step}`
      switch (id && job ? draw(7) : 0) {
        case 0:
        case 1: {
          const onConflict = draw(2) === 0 ? 'reject' : 'replace'
          const owner = jobs.get(owners.get(key) ?? '')
          const isTaken =
            owner !== undefined &&
            owner.state !== 'gone' &&
            (key === 'a' || (owner.state === 'waits' && !owner.wasStarted))
          const queued = await client.enqueue('f', [step], { ...FAR, unique: { key, ...rules[key], onConflict } })
          if (isTaken && onConflict === 'reject') expect(queued, about).toBeNull()
          else if (isTaken && owner.state === 'waits') {
            expect(queued?.jobId, about).toBe(owners.get(key))
            owner.data = step
          } else {
            expect(jobs.has(queued!.jobId), about).toBe(false)
            jobs.set(queued!.jobId, { state: 'waits', wasStarted: false, data: step })
            owners.set(key, queued!.jobId)
          }
          break
        }
        case 2: // a worker of either language takes it
          await redis.multi().set(`arq:in-progress:${id}`, '1').incr(`arq:retry:${id}`).exec()
          Object.assign(job!, { state: 'runs', wasStarted: true })
          break
        case 3: // it goes back for another try, or its worker died
          await redis.del(`arq:in-progress:${id}`)
          job!.state = 'waits'
          break
        case 4: // it ends, whatever the outcome
          await drop(id!)
          job!.state = 'gone'
          break
        case 5: // an operator removes it, running or not
          await client.job(id!).info()
          await drop(id!)
          job!.state = 'gone'
          break
        case 6: // its payload expires
          await redis.del(`arq:job:${id}`)
          job!.state = 'gone'
          break
      }
      for (const [each, { state, data }] of jobs) {
        if (state === 'gone') continue
        expect((await client.job(each).info())?.args, about).toEqual([data])
      }
    }
    expect(jobs.size).toBeGreaterThan(5)
  },
)

test.each([
  ['since', 'x'],
  ['since', 'nan'],
  ['first', '1e999'],
  ['next', 'x'],
])('runs the newest data where the %s of its key is %s', async (field, value) => {
  const { redis } = bench.database()
  const client = bench.client()
  const { task } = recording()
  const rules = [
    { until: 60_000, onConflict: 'throttle', quietMs: 10 },
    { until: 60_000, onConflict: 'debounce', quietMs: 10, maxWaitMs: 50 },
    { until: 'end', onConflict: 'replace' },
    { until: 'end', onConflict: 'replace' },
  ] as const
  for (const [i, rule] of rules.entries()) {
    const version = i + 1
    await client.enqueue(task, { version }, { unique: { key: 'k', ...rule } })
    await redis.hset('arq:unique:k', field, value)
    const [owner] = await redis.hmget('arq:unique:k', 'id')
    // A score that is no time is what others may write, too.
    if (version === 3) await redis.zadd('arq:queue', '+inf', owner!)
  }
  const [owner] = await redis.hmget('arq:unique:k', 'id')
  await bench.worker({ tasks: [task] })
  expect(await client.job(owner!).result({ timeoutMs: 5_000 })).toBe(4)
})

describe('a time that a clock wrote that was a year ahead', () => {
  const AHEAD = Date.now() + 365 * 86_400_000

  test('keeps no job of a throttled key away from its turn', async () => {
    const { redis } = bench.database()
    const client = bench.client()
    await redis.hset('arq:unique:k', { id: 'gone', queue: 'arq:queue', since: AHEAD, next: AHEAD + 60_000 })
    const job = await client.enqueue('f', [], { unique: { key: 'k', onConflict: 'throttle', quietMs: 60_000 } })
    const distanceMs = (await scoreOf(job!.jobId)) - Date.now()
    expect(distanceMs).toBeGreaterThan(50_000)
    expect(distanceMs).toBeLessThan(61_000)
  })

  test('does not let calls put a debounced job off for ever', async () => {
    const { redis } = bench.database()
    const client = bench.client()
    const unique = { key: 'k', onConflict: 'debounce', quietMs: 60_000, maxWaitMs: 90_000 } as const
    const job = await client.enqueue('f', [], { unique })
    await redis.hset('arq:unique:k', 'first', AHEAD)
    await client.enqueue('f', [], { unique })
    // That call was 80 s ago.
    await redis.hincrby('arq:unique:k', 'first', -80_000)
    await client.enqueue('f', [], { unique })
    expect((await scoreOf(job!.jobId)) - Date.now()).toBeLessThan(11_000)
  })

  test('does not keep the key of a job that runs', async () => {
    const { redis } = bench.database()
    const client = bench.client()
    const unique = { key: 'k', until: 60_000, onConflict: 'replace' } as const
    const job = await client.enqueue('f', [], { unique })
    await redis.set(`arq:in-progress:${job!.jobId}`, '1')
    await redis.hset('arq:unique:k', 'since', AHEAD)
    const newer = await client.enqueue('f', [], { unique })
    expect(newer!.jobId).not.toBe(job!.jobId)
    expect((await scoreOf(newer!.jobId)) - Date.now()).toBeLessThan(61_000)
  })
})

test.each([
  ['a megabyte of the parameters', `${'x'.repeat(1_048_576)}1`, `${'x'.repeat(1_048_576)}2`],
  ['strings that were cut within an emoji', 'user \ud83d', 'user \ud83c'],
])('%s make keys that differ, and that cost little', async (_, one, other) => {
  const { redis } = bench.database()
  const client = bench.client()
  const first = (await client.enqueue('f', [], { ...FAR, unique: { key: one, onConflict: 'replace' } }))!
  expect(await client.enqueue('f', [], { ...FAR, unique: { key: one } })).toBeNull()
  expect(await client.enqueue('f', [], { ...FAR, unique: { key: other } })).not.toBeNull()
  expect(await redis.strlen(`arq:job:${first.jobId}`)).toBeLessThan(1_000)
  expect((await client.jobs.details(first.jobId)).unique).toMatchObject({ isOwner: true })
  for (const key of await redis.keys('arq:unique:*')) expect(key.length).toBeLessThan(600)
})
