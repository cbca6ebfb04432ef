import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client, createLogger } from '@arq-ts/core'
import { eventually, takeDatabase } from '@arq-ts/testkit'
import type { Database } from '@arq-ts/testkit'
import type { CodecName } from '@arq-ts/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pythonProducer } from '../../src/producers.ts'
import { noPython, pythonOf } from '../../src/python.ts'
import { pythonWorker, typescriptWorker, typescriptWorkerProcess } from '../../src/workers.ts'

const run = promisify(execFile)
const python = () => pythonOf('0.28.0') as string

describe.skipIf(noPython !== undefined)(noPython ? `a mixed fleet (left out: ${noPython})` : 'a mixed fleet', () => {
  let database: Database
  const cleanups: (() => Promise<unknown>)[] = []

  beforeEach(async () => {
    database = await takeDatabase()
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    await database.release()
  })

  function client(codec: CodecName = 'pickle'): Client {
    const made = new Client({ redis: database.url, codec, logger: createLogger({ level: 'error' }) })
    cleanups.push(() => made.close())
    return made
  }

  test.each<CodecName>(['pickle', 'msgpack'])(
    'runs each of 2,000 jobs exactly once when workers of both languages race (%s)',
    async (codec) => {
      const { url, redis } = database
      const jobs = Array.from({ length: 2_000 }, (_, i) => ['record', [i], { jobId: `race-${i}` }] as const)
      const outcomes = await client(codec).enqueueMany(jobs as never)
      expect(outcomes.every((outcome) => (outcome as { status: string }).status === 'queued')).toBe(true)
      const workers = await Promise.all([
        pythonWorker(python(), { url, codec, name: 'python' }),
        // One at a time, and no faster than Python's, so that both get a share.
        typescriptWorker({ url, codec, name: 'typescript', maxJobs: 2 }, { queueReadLimit: 2 }),
      ])
      for (const worker of workers) cleanups.push(() => worker.stop())
      await eventually(async () => (await redis.zcard('arq:queue')) === 0, { timeoutMs: 50_000 })
      const runs = await Promise.all(jobs.map((_, i) => redis.lrange(`ran:race-${i}`, 0, -1)))
      expect(runs.filter((names) => names.length !== 1)).toEqual([])
      expect(new Set(runs.flat())).toEqual(new Set(['python', 'typescript']))
    },
  )

  test('finishes what a killed TypeScript worker left, on Python, within its lease', async () => {
    const { url, redis } = database
    const doomed = await typescriptWorkerProcess({ url, codec: 'pickle', name: 'typescript' }, { leaseMs: 1_500 })
    const job = await client().enqueue('hold', ['a'])
    await eventually(() => redis.llen('holding'))
    doomed.child.kill('SIGKILL')
    const heir = await pythonWorker(python(), { url, codec: 'pickle', name: 'python' })
    cleanups.push(() => heir.stop())
    expect(Array.from((await job?.result({ timeoutMs: 20_000 })) as unknown[])).toEqual(['python', 2])
  })

  test('finishes what a killed Python worker left, on TypeScript, when its in-progress key lapses', async () => {
    const { url, redis } = database
    // arq's key lives for the longest job timeout + 10 s.
    const doomed = await pythonWorker(python(), { url, codec: 'pickle', name: 'python' }, { job_timeout: 1 })
    const job = await client().enqueue('hold', ['b'])
    await eventually(() => redis.llen('holding'))
    doomed.child.kill('SIGKILL')
    const heir = await typescriptWorker({ url, codec: 'pickle', name: 'typescript' })
    cleanups.push(() => heir.stop())
    expect(await job?.result({ timeoutMs: 30_000 })).toEqual(['typescript', 2])
  })

  test('runs each cron tick once, under the ids Python gives', async () => {
    const { url, redis } = database
    const workers = await Promise.all([
      pythonWorker(python(), { url, codec: 'pickle', name: 'python', cron: true }),
      typescriptWorker({ url, codec: 'pickle', name: 'typescript', cron: true }),
      typescriptWorker({ url, codec: 'pickle', name: 'typescript-2', cron: true }),
    ])
    for (const worker of workers) cleanups.push(() => worker.stop())
    await eventually(async () => (await redis.llen('ticks')) >= 4, { timeoutMs: 20_000 })
    const ticks = await redis.lrange('ticks', 0, -1)
    expect(new Set(ticks).size).toBe(ticks.length)
    const times = ticks.map((id) => Number(/^cron:tick:(\d{10}123)$/.exec(id)?.[1])).sort()
    expect(times).toEqual(times.map((_, i) => (times[0] as number) + 1000 * i))
  })

  test("passes arq's own health check, and fails it once stopped", async () => {
    const { url } = database
    const script = fileURLToPath(new URL('../../python/check.py', import.meta.url))
    const worker = await typescriptWorker({ url, codec: 'pickle', name: 'typescript' })
    await expect(run(python(), [script, url])).resolves.toBeDefined()
    expect(await client().inspector.health('arq:queue')).toMatchObject({ ongoing: 0 })
    await worker.stop()
    await expect(run(python(), [script, url])).rejects.toMatchObject({ code: 1 })
  })

  test('answers a producer of each codec in its own, on one queue', async () => {
    const { url } = database
    const worker = await typescriptWorker({ url, codec: 'json', name: 'typescript' })
    cleanups.push(() => worker.stop())
    for (const codec of ['pickle', 'msgpack'] as const) {
      const producer = await pythonProducer(python(), url, codec)
      cleanups.push(() => producer.close())
      const id = (await producer.enqueue({ function: 'echo', args: [{ py: "{'a': [1]}", ts: null }] })) as string
      expect(await producer.result(id, { py: "{'a': [1]}", ts: null })).toMatchObject({ equal: true })
    }
  })

  test('runs the kept failed result of a Python worker again', async () => {
    const { url } = database
    const job = await client().enqueue('fail', ['value', 'once'])
    const theirs = await pythonWorker(python(), { url, codec: 'pickle', name: 'python' })
    await expect(job?.result({ timeoutMs: 15_000 })).rejects.toMatchObject({
      pythonType: 'builtins.ValueError',
      args: ['once'],
    })
    await theirs.stop()
    expect(await client().inspector.retryJob(job?.jobId as string)).toBe(true)
    const ours = await typescriptWorker({ url, codec: 'pickle', name: 'typescript' })
    cleanups.push(() => ours.stop())
    await expect(job?.result({ timeoutMs: 15_000 })).rejects.toMatchObject({
      pythonType: 'builtins.ValueError',
      args: ['once'],
    })
    expect(await job?.info()).toMatchObject({ jobTry: 1, args: ['value', 'once'] })
  })

  test('leaves functions of the other language to it where it is told to', async () => {
    const { url } = database
    const ours = new (await import('@arq-ts/core')).Worker({
      redis: url,
      tasks: [(await import('@arq-ts/core')).defineTask({ name: 'ours', handler: () => 'ours' })],
      unknownFunction: 'release',
      handleSignals: false,
      pollDelayMs: 50,
      logger: createLogger({ level: 'silent' }),
    })
    void ours.run()
    cleanups.push(() => ours.stop())
    const job = await client().enqueue('record', ['x'])
    await new Promise<void>((resolve) => ours.once('jobReleased', () => resolve()))
    const theirs = await pythonWorker(python(), { url, codec: 'pickle', name: 'python' })
    cleanups.push(() => theirs.stop())
    expect(await job?.result({ timeoutMs: 15_000 })).toBe('python')
    expect(await job?.resultInfo()).toMatchObject({ jobTry: 1 })
  })
})
