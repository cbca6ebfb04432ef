import { fileURLToPath } from 'node:url'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

const script = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))
const logger = createLogger({ level: 'silent' })
const JOBS = 400

let server: RedisServer
let client: Client
const workers = new Set<Child>()

beforeEach(async () => {
  server = await RedisServer.start({ persistent: true })
  client = new Client({ redis: server.url, logger, commandTimeoutMs: 30_000 })
})
afterEach(async () => {
  for (const worker of workers) worker.kill('SIGKILL')
  await Promise.all([...workers].map((worker) => worker.exited))
  await client.close()
  await server.stop()
})

async function startWorker(): Promise<Child> {
  const options = { leaseMs: 1_000, maxJobs: 5, maxTries: 100, logLevel: 'warn' }
  const worker = new Child(process.execPath, [script, JSON.stringify({ url: server.url, options })])
  workers.add(worker)
  await worker.line(/^event started/)
  return worker
}

test('no job is lost while workers are killed and Redis is restarted under them', async () => {
  const outcomes = await client.enqueueMany(Array.from({ length: JOBS }, (_, i) => ['nap', [20, i]] as const) as never)
  const jobs = (outcomes as { job: { jobId: string; result(): Promise<unknown> } }[]).map(({ job }) => job)
  await Promise.all([startWorker(), startWorker(), startWorker()])
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  const done = async () => JOBS - (await redis.zcard('arq:queue'))

  // Each time some more are done, the oldest worker dies in the middle of its work, and a new one comes.
  for (const share of [0.1, 0.3, 0.5, 0.7]) {
    await eventually(async () => (await done()) >= share * JOBS, { timeoutMs: 30_000 })
    const [victim] = workers as unknown as Iterable<Child>
    victim?.kill('SIGKILL')
    if (victim) workers.delete(victim)
    if (share === 0.5) await server.restart()
    await startWorker()
  }

  await eventually(async () => (await done()) === JOBS, { timeoutMs: 40_000 })
  expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(jobs.map((_, i) => i))
  const left = (await redis.keys('*')).filter(
    (key) => !key.startsWith('arq:result:') && !/^arq:(workers?|stats|obs|orphans|health-line|queue:)/.test(key),
  )
  expect(left).toEqual([])
  redis.disconnect()
})
