import { fileURLToPath } from 'node:url'
import { Child, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

/** The long form: LIMITS_PROCESSES=20 LIMITS_JOBS=10000. */
const PROCESSES = Number(process.env.LIMITS_PROCESSES ?? 3)
const JOBS = Number(process.env.LIMITS_JOBS ?? 120)
/** From this many jobs on, some second is free of kills and of the start of processes. */
const LONG = 5_000
const KILLS = Math.max(2, Math.round(JOBS / 250))
/** Twenty processes start at once in the long form. */
const START_MS = 20_000 + 20_000 * PROCESSES
/** A busy machine takes a multiple of the time that a quiet one does. */
const STEP_MS = Math.max(120_000, 30 * JOBS)
const TEST_MS = Math.max(600_000, 180 * JOBS)
const PLACES = 4
const SPACING_MS = 5
const BURST = 4
const script = fileURLToPath(new URL('fixtures/limited-worker.mjs', import.meta.url))

let database: Database
let children: Child[]

beforeEach(async () => {
  database = await takeDatabase()
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill()
  await Promise.all(children.map((child) => child.exited))
  await database.release()
})

async function start(): Promise<void> {
  const child = new Child(process.execPath, [script, database.url])
  children.push(child)
  await child.line(/^ready/, { timeoutMs: START_MS })
}

/** Removes the runs of a killed process from the ledger, long before its places do. */
async function kill(): Promise<void> {
  const child = children.splice(0, 1)[0]!
  const { pid } = child
  child.kill()
  await child.exited
  const runs = await database.redis.zrange('ledger:active', '0', '-1')
  const ended = runs.filter((run) => run.startsWith(`${pid} `))
  if (ended.length > 0) await database.redis.zrem('ledger:active', ...ended)
}

/** The most starts within a second, of their sorted times. */
function busiestSecond(starts: readonly number[]): number {
  let [most, from] = [0, 0]
  for (const [n, at] of starts.entries()) {
    while (starts[from]! <= at - 1_000) from++
    most = Math.max(most, n + 1 - from)
  }
  return most
}

test(
  'is never over its limits and reaches them, with workers that are killed throughout',
  async () => {
    const { redis } = database
    await Promise.all(Array.from({ length: PROCESSES }, start))
    const [seconds, micros] = await redis.time()
    const began = Number(seconds) * 1000 + Number(micros) / 1000
    const client = new Client({ redis: database.url, logger: createLogger({ level: 'error' }) })
    await client.enqueueMany(Array.from({ length: JOBS }, () => ['limited', []] as const) as never)
    for (let kills = 1; kills <= KILLS; kills++) {
      await eventually(async () => (await redis.scard('ledger:done')) >= (JOBS * kills) / (KILLS + 2), {
        timeoutMs: STEP_MS,
      })
      await kill()
      await start()
    }
    await eventually(async () => (await redis.scard('ledger:done')) === JOBS, { timeoutMs: STEP_MS })
    expect(Number(await redis.get('ledger:highest'))).toBe(PLACES)
    const starts = (await redis.lrange('ledger:starts', 0, -1)).map(Number).sort((a, b) => a - b)
    expect(starts.length).toBeGreaterThanOrEqual(JOBS)
    // A handler's start is no earlier than its admission, so this holds of each, however late it is.
    const early = starts.filter((at, n) => at - began < (n + 1 - BURST) * SPACING_MS)
    expect(early).toEqual([])
    if (JOBS >= LONG) expect(busiestSecond(starts)).toBeGreaterThanOrEqual((0.95 * 1_000) / SPACING_MS)
    await eventually(async () => {
      const left = await Promise.all(['places', 'starts'].map((name) => client.limits.get(name)))
      return left.every(({ running, waiting }) => running + waiting === 0)
    })
    await client.close()
  },
  TEST_MS,
)
