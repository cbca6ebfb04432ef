import { fileURLToPath } from 'node:url'
import { Child, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

const script = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))

describe('the records of a worker process', () => {
  let database: Database
  let client: Client
  let child: Child

  beforeEach(async () => {
    database = await takeDatabase()
    client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
  })
  afterEach(async () => {
    child.kill('SIGKILL')
    await child.exited
    await client.close()
    await database.release()
  })

  async function start(intervalMs: number): Promise<void> {
    const options = { logLevel: 'warn', recorder: { intervalMs } }
    child = new Child(process.execPath, [script, JSON.stringify({ url: database.url, options })])
    await child.line(/^event started/)
  }

  async function run(count: number): Promise<void> {
    const jobs = await client.enqueueMany(Array.from({ length: count }, (_, i) => ['echo', [i]] as const))
    await Promise.all(
      jobs.map(async (outcome) => outcome.status === 'queued' && outcome.job.result({ timeoutMs: 20_000 })),
    )
  }

  const complete = async () => (await client.history.totals())[0]!.counts.complete

  test('is written as a SIGTERM stops it', async () => {
    await start(3_600_000)
    await run(50)
    expect(await complete()).toBe(0)
    expect(await child.stop()).toBe(0)
    expect(await complete()).toBe(50)
  })

  test('is lost by a SIGKILL no further back than its last flush', async () => {
    await start(200)
    await run(50)
    await eventually(async () => (await complete()) === 50)
    await run(50)
    child.kill('SIGKILL')
    await child.exited
    const counted = await complete()
    expect(counted).toBeGreaterThanOrEqual(50)
    expect(counted).toBeLessThanOrEqual(100)
  })
})
