import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { Client, createLogger, Worker } from '@arq-ts/core'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { filePersister, persistCache, postgresPersister, WriteBehind } from '../../src/index.ts'
import type { Persister } from '../../src/index.ts'
import { fileOf } from '../../src/persisters/file.ts'
import { startPostgres, whyNoPostgres } from '../support/postgres.ts'
import type { Postgres } from '../support/postgres.ts'

const KEYS = 200
const script = (name: string) => fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url))

let server: RedisServer
let folder: string
const children: Child[] = []
const workers: Worker[] = []
const logger = createLogger({ level: 'silent' })

beforeAll(async () => {
  server = await RedisServer.start({ persistent: true })
})
afterAll(() => server.stop())
beforeEach(async () => {
  await flush()
  folder = mkdtempSync(join(tmpdir(), 'arq-ts-crashes-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    await child.exited
  }
  await Promise.all(workers.splice(0).map((worker) => worker.stop()))
  rmSync(folder, { recursive: true, force: true })
})

function start(name: string, config: object): Child {
  const given = JSON.stringify({ url: server.url, ...config })
  const child = new Child(process.execPath, [script(name), given], { stdin: true })
  children.push(child)
  return child
}

/** A worker of this process, as quick as those that die: it takes over what they leave. */
function takeOver(save: Persister): void {
  const worker = new Worker({
    redis: server.url,
    logger,
    handleSignals: false,
    leaseMs: 1_000,
    pollDelayMs: 50,
    ...persistCache({
      redis: server.url,
      persisters: { app: { save } },
      lockMs: 1_000,
      maxTries: 100,
      retryDelayMs: 20,
    }),
  })
  void worker.run()
  workers.push(worker)
}

async function flush(): Promise<void> {
  const redis = new Redis(server.url)
  await redis.flushall()
  redis.disconnect()
}

const entry = (key: string) =>
  JSON.parse(readFileSync(fileOf(folder, key), 'utf8')) as { value: string; version: number }

test.each([
  ['one by one', false],
  ['in batches', true],
])(
  'two hundred keys, four producers, %s: no last write is lost while workers are killed and Redis is restarted',
  async (_name, batches) => {
    const running = [start('worker', { folder, batches }), start('worker', { folder, batches })]
    await Promise.all(running.map((worker) => worker.line(/^started/)))
    const next = () => start('worker', { folder, batches, isStandby: true })
    let standby = next()
    const producer = start('producer', { keys: KEYS, writes: 200, names: ['a', 'b', 'c', 'd'] })
    for (let round = 0; round < 4; round++) {
      const before = producer.lines.length
      await eventually(() => producer.lines.length > before + 100 || producer.hasEnded, { timeoutMs: 30_000 })
      if (round === 2) await server.restart()
      const victim = running[round % 2]!
      victim.kill('SIGKILL')
      await victim.exited
      standby.write('begin')
      running[round % 2] = standby
      if (round < 3) standby = next()
    }
    expect(await producer.exited).toBe(0)

    const last = new Map<string, { value: string; version: number }>()
    for (const line of producer.lines) {
      const write = JSON.parse(line) as { key: string; value: string; version: number }
      if (write.version > (last.get(write.key)?.version ?? 0)) last.set(write.key, write)
    }
    expect(last.size).toBeGreaterThan(KEYS / 2)
    const client = new Client({ redis: server.url, logger })
    const cache = new WriteBehind({ client, redis: server.url })
    await eventually(async () => (await cache.dirtyKeys()).length === 0, { timeoutMs: 45_000 })
    for (const [key, { value, version }] of last) expect(entry(key)).toMatchObject({ value, version })
    await cache.close()
    await client.close()
  },
)

describe('a worker that is killed', () => {
  const python = {
    key: 'k',
    value: 'precious',
    persist_func_module: 'app',
    persist_func_name: 'save',
    delay: 0,
  }

  test.each<[string, dieAt: string, isTheirs: boolean]>([
    ['when it has taken in the value of a job of Python', 'write', true],
    ['when it has begun', 'begin', false],
    ['when it has begun, for a job of Python', 'begin', true],
    ['inside the persister', 'inside', false],
    ['inside the persister, for a job of Python', 'inside', true],
    ['between the persister and the note of it', 'returned', false],
    ['between the persister and the note of it, for a job of Python', 'returned', true],
    ['between the note and the settling of the job', 'persisted', false],
    ['between the note and the settling of the job of Python', 'persisted', true],
  ])('%s loses nothing: the next run of the job does what is left', async (_name, dieAt, isTheirs) => {
    // A lock that outlives the test: nobody waits for it, nor for the sweep.
    const victim = start('worker', { folder, dieAt, lockMs: 600_000 })
    const client = new Client({ redis: server.url, logger })
    const cache = new WriteBehind({ client, redis: server.url })
    if (isTheirs) await client.enqueue('persist_cache', [], { kwargs: python })
    else await cache.writeBehind('k', 'precious', { persister: 'app:save', delayMs: 0 })
    expect(await victim.exited).toBe('SIGKILL')
    // The sweep may be queued as well: what is looked for is the job of the key.
    const left = (await client.queuedJobs()).find((job) => job.functionName === 'persist_cache')

    takeOver(filePersister({ folder }))
    const result = await client.job(left!.jobId).result({ timeoutMs: 20_000 })
    expect(result).toMatchObject({ status: 'success', key: 'k' })
    expect(await cache.dirtyKeys()).toEqual([])
    expect(entry('k')).toMatchObject({ key: 'k', value: 'precious' })
    expect(await client.deadLetters.count()).toBe(0)
    await cache.close()
    await client.close()
  })
})

const whyNot = whyNoPostgres()

describe('a worker that is killed with a batch', () => {
  const places = ['before the batch', 'after the batch', 'after the note of the batch']
  const stores = [
    ['files', undefined] as const,
    [`PostgreSQL${whyNot ? ` (left out: ${whyNot})` : ''}`, whyNot] as const,
  ]

  describe.each(stores)('in %s', (store, why) => {
    const isPostgres = store !== 'files'
    let postgres: Postgres | undefined
    let pool: pg.Pool
    beforeAll(async () => {
      if (!isPostgres || why) return
      postgres = await startPostgres()
      pool = new pg.Pool({ connectionString: postgres.url })
    }, 300_000)
    beforeEach(async () => {
      if (!postgres) return
      await pool.query('drop table if exists entries')
      await pool.query('create table entries (key text primary key, value jsonb not null, version bigint not null)')
    })
    afterAll(async () => {
      if (!postgres) return
      await pool.end()
      await postgres.stop()
      postgres = undefined
    })
    const stored = async (key: string) =>
      isPostgres
        ? (await pool.query<{ value: string }>('select value from entries where key = $1', [key])).rows[0]?.value
        : entry(key).value

    test.skipIf(why).each(places)('%s loses no key, and the newest value of each wins', async (dieAt) => {
      const client = new Client({ redis: server.url, logger })
      const cache = new WriteBehind({ client, redis: server.url })
      const write = (i: number, value: string) =>
        cache.writeBehind(`k${i}`, value, { persister: 'app:save', delayMs: 0 })
      const config = { folder, batches: true, ...(postgres ? { postgres: postgres.url } : {}) }
      const victim = start('worker', { ...config, dieAt, isStandby: true })
      const all = Array.from({ length: 200 }, (_, i) => i)
      await Promise.all(all.map((i) => write(i, `old ${i}`)))
      victim.write('begin')
      expect(await victim.exited).toBe('SIGKILL')
      await Promise.all(all.filter((i) => i % 2 === 0).map((i) => write(i, `new ${i}`)))

      takeOver(postgres ? postgresPersister({ client: pool, table: 'entries' }) : filePersister({ folder }))
      await eventually(async () => (await cache.dirtyKeys()).length === 0, { timeoutMs: 50_000 })
      for (let i = 0; i < 200; i++) expect(await stored(`k${i}`)).toBe(i % 2 === 0 ? `new ${i}` : `old ${i}`)
      expect(await client.deadLetters.count()).toBe(0)
      await cache.close()
      await client.close()
    })
  })
})
