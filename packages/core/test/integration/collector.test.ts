import { encodeValue } from '@arq-ts/protocol'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, createLogger, defineTask, Worker } from '../../src/index.ts'

const logger = createLogger({ level: 'silent' })
const task = defineTask({ name: 'ours', handler: () => 1 })
let database: Database
let client: Client
let worker: Worker

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger })
})
afterEach(async () => {
  await worker.stop()
  await client.close()
  await database.release()
})

/** A result as a Python worker with msgpack writes it: without the mark. */
async function leave(jobId: string, { success = true, finishedMs = Date.now(), f = 'py' } = {}): Promise<void> {
  const st = finishedMs - 40
  const r = success ? 1 : 'unable to serialize result'
  const fields = { t: 1, f, a: [], k: {}, et: st, s: success, r, st, ft: finishedMs, q: 'mail', id: jobId }
  await database.redis.set(`arq:result:${jobId}`, encodeValue(fields, 'msgpack'), 'PX', 600_000)
}

function start(): void {
  worker = new Worker({
    redis: database.url,
    logger,
    tasks: [task],
    handleSignals: false,
    recorder: { intervalMs: 100 },
  })
  void worker.run()
}

const counted = async (name = 'py') =>
  (await client.history.totals({ by: ['function', 'language'] })).find(
    ({ key }) => key.function === name && key.language === 'python',
  )

describe('results that Python workers left', () => {
  test('are counted by queue and function with their run times, and their failures are grouped', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, i) => leave(`job-${i}`, { success: i % 3 > 0 })))
    start()
    await eventually(async () => (await counted())?.counts.complete === 20)
    expect(await counted()).toMatchObject({ counts: { failed: 10 }, run: { count: 30, maxMs: 40 }, wait: { count: 0 } })
    await eventually(async () => (await client.history.errors())[0]?.count === 10)
    const recent = await client.history.recent({ outcome: 'failed' })
    expect(recent).toHaveLength(10)
    expect(recent[0]).toMatchObject({ language: 'python', functionName: 'py', queueName: 'mail', runMs: 40 })
  })

  test('are recorded as ticks where they are those of a cron job', async () => {
    await leave('cron:py:1700000000000', { f: 'cron:py' })
    await leave('other:1700000000000', { f: 'py' })
    start()
    await eventually(async () => (await client.history.cron()).length > 0)
    expect(await client.history.cron()).toMatchObject([
      {
        name: 'cron:py',
        language: 'python',
        schedule: null,
        queues: ['mail'],
        ticks: [{ outcome: 'complete', tookMs: 40 }],
      },
    ])
  })

  test('count again where the same job ran again, and not where they ended long ago', async () => {
    await leave('again', { finishedMs: Date.now() - 5_000 })
    await leave('old', { f: 'old', finishedMs: Date.now() - 2 * 3_600_000 })
    start()
    await eventually(async () => (await counted())?.counts.complete === 1)
    await leave('again')
    await eventually(async () => (await counted())?.counts.complete === 2)
    expect(await counted('old')).toBeUndefined()
  })

  test('are counted although the lease is no lease, and while a result is no result', async () => {
    await database.redis.set('arq:result:broken', 'x')
    await database.redis.rpush('arq:result:list', 'x')
    await database.redis.rpush('arq:obs:collector', 'x')
    await leave('sound')
    start()
    await eventually(async () => (await counted())?.counts.complete === 1)
  })

  test('are distinguished from results of arq-ts by their mark, in each codec', async () => {
    start()
    const clients = (['pickle', 'msgpack', 'json'] as const).map(
      (codec) => new Client({ redis: database.url, logger, codec }),
    )
    for (const each of clients) await (await each.enqueue('ours', []))!.result({ timeoutMs: 20_000 })
    await Promise.all(clients.map((each) => each.close()))
    await leave('theirs')
    await eventually(async () => (await counted())?.counts.complete === 1)
    expect(await counted('ours')).toBeUndefined()
  })
})
