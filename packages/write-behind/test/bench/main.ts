/**
 * Measures how long 10,000 dirty keys take to reach PostgreSQL, one INSERT per key and in batches, in interleaved rounds
 * on one Redis and one PostgreSQL: `npm run bench:write-behind`. `--keys`, `--rounds` and
 * `--max-jobs` change the measurement.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Client, createLogger } from '@arq-ts/core'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { WriteBehind } from '@arq-ts/write-behind'
import pg from 'pg'
import { startPostgres, whyNoPostgres } from '../support/postgres.ts'

const { values: flags } = parseArgs({
  options: {
    keys: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
    'max-jobs': { type: 'string', default: '10' },
  },
})
const [keys, rounds, maxJobs] = [flags.keys, flags.rounds, flags['max-jobs']].map(Number) as [number, number, number]
const QUEUE = 'arq:queue'
const WARM_UP = 2_000
/** Each look at the table takes time from those who fill it. */
const WAIT = { timeoutMs: 300_000, intervalMs: 20 }
const WAYS = ['one by one', 'in batches'] as const
type Way = (typeof WAYS)[number]
const FIGURES = {
  durableMs: 'until all rows are in PostgreSQL',
  settledMs: 'until all jobs have ended',
  cpuMs: 'processor time of the worker',
}
type Result = Record<keyof typeof FIGURES, number>

const why = whyNoPostgres()
if (why) throw new Error(why)
const redis = await RedisServer.start()
const postgres = await startPostgres()
const pool = new pg.Pool({ connectionString: postgres.url })
const client = new Client({ redis: redis.url, logger: createLogger({ level: 'silent' }) })
const cache = new WriteBehind({ client, redis: redis.url })
const script = fileURLToPath(new URL('worker.mjs', import.meta.url))

/** Makes keys dirty, all due at one time. */
async function write(count: number, prefix: string, dueAt: number): Promise<void> {
  const lanes = Array.from({ length: 50 }, async (_, lane) => {
    for (let i = lane; i < count; i += 50) {
      const value = { id: i, name: `user ${i}`, tags: ['a', 'b'], visits: i * 7 }
      await cache.writeBehind(`${prefix}:${i}`, value, {
        persister: 'app:save',
        delayMs: Math.max(0, dueAt - Date.now()),
      })
    }
  })
  await Promise.all(lanes)
}

const untilStored = (count: number) =>
  eventually(async () => {
    const { rows } = await pool.query<{ n: string }>('select count(*) as n from entries')
    return Number(rows[0]!.n) === count
  }, WAIT)
const untilSettled = () =>
  eventually(async () => {
    const { deferred, pending, running } = await client.queues.stats(QUEUE)
    return deferred + pending + running === 0
  }, WAIT)

/** One way, on a worker process of its own that has persisted some keys already: nobody's code is cold. */
async function round(way: Way): Promise<Result> {
  await client.queues.purge(QUEUE, { all: true })
  await pool.query('drop table if exists entries')
  await pool.query('create table entries (key text primary key, value jsonb not null, version bigint not null)')
  const beganWriting = Date.now()
  await write(WARM_UP, 'warm', beganWriting)
  const perKeyMs = (Date.now() - beganWriting) / WARM_UP
  const config = { url: redis.url, postgres: postgres.url, maxJobs, batch: way === 'in batches' }
  const worker = new Child(process.execPath, [script, JSON.stringify(config)])
  await worker.line(/^started/)
  await untilStored(WARM_UP)
  await untilSettled()

  // All are written before the first is due, and the worker knows when that is.
  const dueAt = Date.now() + 2_000 + 3 * keys * perKeyMs
  await write(keys, 'user', dueAt)
  if (Date.now() > dueAt) throw new Error('the keys were due before they were all written; the machine is too busy')
  worker.kill('SIGUSR2') // counts its processor time from here
  await worker.line(/^counting/)
  await sleep(dueAt - Date.now())
  const began = performance.now()
  await untilStored(WARM_UP + keys)
  const durableMs = performance.now() - began
  await untilSettled()
  const settledMs = performance.now() - began
  const left = await cache.dirtyKeys()
  if (left.length > 0) throw new Error(`${left.length} keys are still dirty`)
  worker.kill('SIGTERM')
  const cpuMs = Number((await worker.line(/^cpu/)).slice(4))
  await worker.exited
  return { durableMs, settledMs, cpuMs }
}

const ms = (value: number) => `${Math.round(value)} ms`
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const spread = (values: readonly number[]) =>
  `${ms(median(values))} (${ms(Math.min(...values))} to ${ms(Math.max(...values))})`

const measured: Record<Way, Result[]> = { 'one by one': [], 'in batches': [] }
try {
  console.log(`${keys} keys, ${rounds} rounds of each, ${maxJobs} jobs at a time, one worker process`)
  for (let i = 1; i <= rounds; i++) {
    // Each way goes first in every second round.
    for (const way of i % 2 === 0 ? [...WAYS].reverse() : WAYS) {
      const result = await round(way)
      measured[way].push(result)
      console.log(
        `round ${i}, ${way}: durable after ${ms(result.durableMs)}, jobs settled after ${ms(result.settledMs)}`,
      )
    }
  }
  for (const name of Object.keys(FIGURES) as (keyof Result)[]) {
    const [single, batch] = WAYS.map((way) => measured[way].map((each) => each[name])) as [number[], number[]]
    console.log(`${FIGURES[name]}: median (least to most)`)
    console.log(`  one by one: ${spread(single)}`)
    console.log(`  in batches: ${spread(batch)}`)
    const ratio = median(single) / median(batch)
    const least = Math.min(...single) / Math.max(...batch)
    const sideBySide = single.map((each, i) => each / batch[i]!)
    console.log(
      `  ratio of the medians ${ratio.toFixed(1)}; side by side in one round ${Math.min(...sideBySide).toFixed(1)} ` +
        `at least; slowest batch to fastest single, of any rounds, ${least.toFixed(1)}`,
    )
  }
} finally {
  await cache.close()
  await client.close()
  await pool.end()
  await postgres.stop()
  await redis.stop()
}
