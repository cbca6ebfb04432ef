import { fileURLToPath } from 'node:url'
import { Child, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Random } from '@arq-ts/test-support/fleet'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'
import type { Job } from '../../src/index.ts'

/** The long form: CHUNKS_SEEDS=30. */
const SEEDS = Array.from({ length: Number(process.env.CHUNKS_SEEDS ?? 2) }, (_, i) => i + 1)
const KILLS = 2
const script = fileURLToPath(new URL('fixtures/chunk-worker.mjs', import.meta.url))

/** The acts of `fixtures/chunk-worker.mjs`. */
const ACTS = ['rest', 'rest', 'early', 'early', 'fail', 'retry', 'hang', 'throw'] as const
interface Call {
  n: number
  act: (typeof ACTS)[number]
}

/** The end of each job, by the last chunk that it was in: what is pure of the whole. */
function planOf(calls: readonly Call[], chunks: readonly (readonly Call[])[]): unknown[] {
  return calls.map(({ act, n }) => {
    if (act === 'early' || act === 'retry') return n
    if (act === 'fail') return `RuntimeError: failed ${n}`
    if (act === 'hang') return 'aborted'
    const last = chunks.findLast((chunk) => chunk.some((call) => call.n === n))!
    return last.some((call) => call.act === 'throw') ? 'RuntimeError: the chunk threw' : n
  })
}

let database: Database
let client: Client
let child: Child | undefined

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
})
afterEach(async () => {
  child?.kill()
  await child?.exited
  await client.close()
  await database.release()
})

test.each(SEEDS)(
  'ends each job as its act and its last chunk say, with workers that are killed: seed %i',
  async (seed) => {
    const { redis } = database
    const random = new Random(seed)
    const bounds = [random.integer(1, 12), random.integer(0, 40), random.integer(1, 20)].map(String)
    const calls = Array.from({ length: random.integer(20, 80) }, (_, n): Call => ({ n, act: random.pick(ACTS) }))
    const start = async () => {
      child = new Child(process.execPath, [script, database.url, ...bounds])
      await child.line(/^ready/)
    }
    const chunks = async () => (await redis.lrange('chunks', 0, -1)).map((text) => JSON.parse(text) as Call[])

    const outcomes = await client.enqueueMany(calls.map((call) => ['act', [], { kwargs: call }]) as never)
    const jobs = (outcomes as unknown as { job: Job }[]).map(({ job }) => job)
    await start()
    const aborts = calls
      .filter(({ act }) => act === 'hang')
      .map(async ({ n }) => {
        // Some are asked to end while they run, some before.
        if (n % 2 === 0)
          await eventually(async () => (await chunks()).flat().some((call) => call.n === n), { timeoutMs: 60_000 })
        await jobs[n]!.abort({ timeoutMs: 60_000 })
      })
    for (let kills = 1; kills <= KILLS; kills++) {
      await eventually(async () => (await redis.llen('chunks')) >= kills * 2 || (await redis.zcard('arq:queue')) === 0)
      child!.kill()
      await child!.exited
      await start()
    }
    await Promise.all(aborts)
    const ends = await Promise.all(
      jobs.map((job) =>
        job
          .result({ timeoutMs: 60_000 })
          .catch((error: Error & { code?: string }) => (error.code === 'ARQ_JOB_ABORTED' ? 'aborted' : error.message)),
      ),
    )
    const ran = await chunks()
    expect(ends).toEqual(planOf(calls, ran))
    for (const chunk of ran) {
      expect(chunk.length).toBeLessThanOrEqual(Math.min(Number(bounds[0]), Number(bounds[2])))
      expect(new Set(chunk.map(({ n }) => n)).size).toBe(chunk.length)
    }
    expect(await redis.zcard('arq:queue')).toBe(0)
  },
  180_000,
)
