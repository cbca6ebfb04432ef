import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@arq-ts/test-support'
import { createLogger } from '@arq-ts/core'
import { encodeValue } from '@arq-ts/protocol'
import type { Worker } from '@arq-ts/core'
import { describe, expect, test } from 'vitest'
import { hostileThrown } from '../../../protocol/test/support/hostile-thrown.ts'
import { jsonOf } from '../../src/persisters/json.ts'
import { persistKey } from '../../src/persist.ts'
import { Store } from '../../src/store.ts'
import { recorder, useHarness } from '../support/harness.ts'

const bench = useHarness()
const options = { persister: 'app.db:save', delayMs: 0 }
const away = () => recorder(() => Promise.reject(new Error('database is away')))
const death = (worker: Worker) => new Promise<{ jobId: string }>((resolve) => worker.once('deadLettered', resolve))
/** A call of Python's: its value is in the job. */
const theirs = (key: string, value: unknown) => ({
  kwargs: { key, value, persist_func_module: 'app.db', persist_func_name: 'save', delay: 0 },
})

describe('a failed persister', () => {
  test('is tried again, and leaves a dead letter with the value when it fails for good; a replay persists it', async () => {
    const { saved, persisters } = away()
    const worker = bench.worker({ persisters, maxTries: 2 })
    const cache = bench.cache()
    const died = death(worker)
    const { version } = await cache.writeBehind('k', { precious: true }, options)
    const { jobId } = await died
    expect(saved).toHaveLength(2)
    const client = bench.client()
    expect(await client.deadLetters.get(jobId)).toMatchObject({
      functionName: 'persist_cache',
      error: expect.stringContaining(
        `'k', version ${version}, could not be persisted: database is away; its newest value is kept`,
      ) as string,
      job: {
        kwargs: { key: 'k', value: { precious: true }, persist_func_module: 'app.db', persist_func_name: 'save' },
      },
    })
    expect(await cache.dirtyKeys()).toEqual(['k'])
    await worker.stop()
    const repaired = recorder()
    bench.worker({ persisters: repaired.persisters })
    await client.jobs.retry(jobId)
    await eventually(() => repaired.saved.length === 1)
    expect(repaired.saved[0]).toMatchObject({ value: { precious: true } })
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
  })

  test('leaves a dead letter, whatever it throws', async () => {
    const kinds = Object.keys(hostileThrown)
    const { persisters } = recorder((kind) => {
      throw hostileThrown[kind as string]!()
    })
    bench.worker({ persisters, maxTries: 1 })
    const cache = bench.cache()
    for (const kind of kinds) await cache.writeBehind(kind, kind, options)
    const { deadLetters } = bench.client()
    await eventually(async () => (await deadLetters.list({ limit: 1_000 })).length === kinds.length)
    for (const { error } of await deadLetters.list({ limit: 1_000 })) expect(error).toContain('could not be persisted')
  })

  test('leaves a dead letter with the newest of several values, which is listed as failed', async () => {
    const { saved, persisters } = away()
    const cache = bench.cache()
    let version = 0
    for (let i = 1; i <= 5; i++) version = (await cache.writeBehind('k', i, options)).version
    const worker = bench.worker({ persisters, maxTries: 2 })
    const { jobId } = await death(worker)
    expect(saved.map(({ value }) => value)).toEqual([5, 5, 5, 5])
    const client = bench.client()
    const [letter, ...others] = await client.deadLetters.list()
    expect(letter).toMatchObject({ jobId, job: { kwargs: { value: 5, persist_func_name: 'save' } } })
    expect(others).toEqual([])
    expect(await cache.failed()).toEqual([
      {
        key: 'k',
        value: 5,
        version,
        persister: 'app.db:save',
        error: 'Error: database is away',
        failedAt: expect.any(Date) as Date,
      },
    ])
  })

  test('is not asked for again by the sweep once it failed for good', async () => {
    const { saved, persisters } = away()
    const worker = bench.worker({ persisters, maxTries: 1 }, { cron: [] })
    const died = death(worker)
    const cache = bench.cache()
    await cache.writeBehind('k', 1, options)
    await died
    const client = bench.client()
    await client.enqueue('cron:write-behind-sweep')
    await eventually(async () => (await client.queues.stats('arq:queue')).complete === 1)
    expect(await client.queuedJobs()).toEqual([])
    expect(saved).toHaveLength(1)
    expect(await client.deadLetters.count()).toBe(1)
    expect(await cache.failed()).toMatchObject([{ key: 'k', value: 1 }])
  })

  test('is tried again by a later write, though its job is dead', async () => {
    let isAway = true
    const { saved, persisters } = recorder(() => (isAway ? Promise.reject(new Error('away')) : undefined))
    const worker = bench.worker({ persisters, maxTries: 1 })
    const died = death(worker)
    const cache = bench.cache()
    await cache.writeBehind('k', 1, options)
    await died
    isAway = false
    await cache.writeBehind('k', 2, options)
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
    expect(saved.at(-1)).toMatchObject({ value: 2 })
    expect(await cache.failed()).toEqual([])
  })

  test('that is not allowed fails at once, and the value waits for a flush', async () => {
    const worker = bench.worker({ persisters: recorder().persisters })
    const died = new Promise<{ jobTry: number; error: unknown }>((resolve) => worker.once('deadLettered', resolve))
    const { saved, persisters } = recorder()
    const cache = bench.cache({ persisters: { os: { system: persisters['app.db'].save } } })
    await cache.writeBehind('k', 1, { ...options, persister: 'os:system' })
    expect(await died).toMatchObject({
      jobTry: 1,
      error: expect.objectContaining({ message: expect.stringContaining('known are app.db:save') as string }) as Error,
    })
    expect(await cache.failed()).toMatchObject([{ key: 'k', persister: 'os:system' }])
    await cache.flush('k')
    expect(saved).toMatchObject([{ value: 1 }])
    expect(await cache.failed()).toEqual([])
  })

  test("of a value that the worker's codec cannot carry keeps it all the same", async () => {
    const { persisters } = away()
    const python = bench.client({ codec: 'pickle' })
    await python.enqueue('persist_cache', [], { ...theirs('k', new Set(['old'])), jobId: 'older' })
    const { enqueueTime } = (await python.job('older').info())!
    await eventually(() => Date.now() > enqueueTime.getTime() + 1)
    await python.enqueue('persist_cache', [], { ...theirs('k', new Set(['new'])), deferByMs: 1, jobId: 'newer' })
    bench.worker({ persisters, maxTries: 1 })
    const cache = bench.cache()
    await eventually(async () => (await cache.failed()).length === 1 && (await python.queuedJobs()).length === 0)
    expect(await cache.failed()).toMatchObject([{ key: 'k', value: new Set(['new']) }])
  })
})

test('a value of few bytes and 2 to the power of 60 nodes is a dead letter at once', async () => {
  let value: unknown = null
  for (let i = 0; i < 60; i++) value = [value, value]
  const { persisters } = recorder((given) => jsonOf('k', given))
  const worker = bench.worker({ persisters })
  const died = death(worker)
  await bench.client({ codec: 'pickle' }).enqueue('persist_cache', [], theirs('k', value))
  const { jobId } = await died
  expect(await bench.client().deadLetters.get(jobId)).toMatchObject({
    jobTry: 1,
    error: expect.stringMatching(/shared at more than 100,000 places/) as string,
  })
})

describe("a persister that throws an error of another job's result on", () => {
  // The class in a msgpack or JSON result is a mere claim of whoever wrote it.
  test.each([
    ['msgpack', 1],
    ['msgpack', 2],
    ['json', 1],
  ] as const)('never has its class pickled as one that Python would call: %s, %i tries', async (codec, maxTries) => {
    const { redis } = bench.database()
    const claim = { __exception__: 'subprocess.Popen', args: ['id'], message: 'gotcha' }
    const record = {
      t: null,
      f: 'other',
      a: [],
      k: {},
      et: 1,
      s: false,
      r: claim,
      st: 1,
      ft: 2,
      q: 'arq:queue',
      id: 'other',
    }
    await redis.set('arq:result:other', Buffer.from(encodeValue(record, codec)))
    const client = bench.client({ codec: 'pickle' })
    const other = await client
      .job('other')
      .result({ timeoutMs: 1_000 })
      .catch((error: unknown) => error)
    expect(other).toMatchObject({ pythonType: 'subprocess.Popen' })
    const { persisters } = recorder(() => Promise.reject(other as Error))
    bench.worker({ persisters, maxTries })
    const job = await client.enqueue('persist_cache', [], theirs('k', 'kept'))
    await expect(job!.result({ timeoutMs: 10_000 })).rejects.toMatchObject({
      pythonType: 'builtins.RuntimeError',
      message: expect.stringContaining('gotcha') as string,
    })
  })
})

describe('a persister that hangs', () => {
  test('loses its key with the timeout of its job, and the value is persisted by another run', async () => {
    const { saved, persisters } = recorder((_value, call) => (call === 1 ? new Promise(() => {}) : undefined))
    bench.worker({ persisters }, { jobTimeoutMs: 100 })
    const cache = bench.cache()
    await cache.writeBehind('k', 'kept', options)
    await eventually(() => saved.length === 2, { timeoutMs: 10_000 })
    expect(saved[1]).toMatchObject({ value: 'kept' })
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
  })

  test('in the last try too leaves its key dead, and not held', async () => {
    const { saved, persisters } = recorder((_value, call) => (call === 1 ? new Promise(() => {}) : undefined))
    bench.worker({ persisters, maxTries: 1 }, { jobTimeoutMs: 100 })
    const cache = bench.cache()
    await cache.writeBehind('k', 'kept', options)
    await eventually(async () => (await cache.failed()).length === 1, { timeoutMs: 10_000 })
    const [letter] = await bench.client().deadLetters.list()
    await bench.client().jobs.retry(letter!.jobId)
    await eventually(() => saved.length === 2)
    await eventually(async () => (await cache.dirtyKeys()).length === 0)
  })

  test('learns by its signal that another run has overtaken it', async () => {
    const cache = bench.cache()
    await cache.writeBehind('k', 'kept', { ...options, delayMs: 60_000 })
    const store = new Store(bench.database().url, '')
    const fails = () => Promise.reject(new Error('nothing is to be asked for'))
    const outcome = await persistKey(store, 'k', {
      lockMs: 300,
      graceMs: 0,
      jobId: 'mine',
      signal: new AbortController().signal,
      bring: fails,
      aftermath: () => ({ then: 'leave' }),
      persisters: {
        'app.db': {
          save: async (_key, _value, { signal }) => {
            const state = `write-behind:state:k`
            const text = (await bench.database().redis.hget(state, 'state'))!
            const other = { ...(JSON.parse(text) as object), lock: { token: 'other', jobId: 'theirs', untilUs: 9e15 } }
            await bench.database().redis.hset(state, 'state', JSON.stringify(other), 'stamp', 'theirs')
            await sleep(10_000, undefined, { signal })
          },
        },
      },
    })
    expect(outcome).toEqual({ kind: 'busy' })
    await store.close()
  })
})

describe("a job of Python's", () => {
  test('that is handed back at a shutdown persists its value when it runs again', async () => {
    const first = recorder((_value) => sleep(10_000))
    const worker = bench.worker({ persisters: first.persisters })
    const client = bench.client()
    const job = await client.enqueue<{ version: number | null }>('persist_cache', [], theirs('k', 'kept'))
    await eventually(() => first.saved.length === 1)
    await worker.stop()
    const second = recorder()
    bench.worker({ persisters: second.persisters })
    const result = await job!.result({ timeoutMs: 10_000 })
    expect(second.saved).toMatchObject([{ key: 'k', value: 'kept' }])
    expect(result).toMatchObject({ status: 'success', version: second.saved[0]!.version })
  })

  test('that is superseded persists what waits, which may have been left to it', async () => {
    const { saved, persisters } = recorder()
    const cache = bench.cache()
    const client = bench.client()
    const job = await client.enqueue<{ version: number }>('persist_cache', [], theirs('k', 'old'))
    await eventually(async () => (await job!.info())!.enqueueTime.getTime() < Date.now())
    const { version } = await cache.writeBehind('k', 'new', { ...options, delayMs: 60_000 })
    const destination = new PassThrough({ encoding: 'utf8' })
    bench.worker({ persisters }, { logger: createLogger({ level: 'warn', destination }) })
    expect(await job!.result({ timeoutMs: 10_000 })).toMatchObject({ version })
    expect(saved).toMatchObject([{ value: 'new' }])
    expect(destination.read()).toContain("'k': the value of this job, enqueued ")
  })
})
