import pg from 'pg'
import { eventually } from '@arq-ts/test-support'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresPersister } from '../../src/index.ts'
import { useHarness } from '../support/harness.ts'
import { startPostgres, whyNoPostgres } from '../support/postgres.ts'
import type { Postgres } from '../support/postgres.ts'

const why = whyNoPostgres()

describe.skipIf(why)(`PostgreSQL${why ? ` (left out: ${why})` : ''}`, () => {
  const bench = useHarness()
  let postgres: Postgres
  let pool: pg.Pool

  beforeAll(async () => {
    postgres = await startPostgres()
    pool = new pg.Pool({ connectionString: postgres.url })
    pool.on('error', () => {})
  }, 300_000)
  afterAll(async () => {
    await pool?.end()
    await postgres?.stop()
  })
  beforeEach(async () => {
    await pool.query('drop schema if exists app cascade')
    await pool.query('create schema app')
    await pool.query('create table app.entries (key text primary key, value jsonb not null, version bigint not null)')
  })

  const rows = async () =>
    (await pool.query<{ key: string; value: unknown }>('select key, value from app.entries order by key')).rows

  test('has every value in the end, whatever failed on the way', async () => {
    let calls = 0
    const insert = postgresPersister({ client: pool, table: 'app.entries' })
    const save: typeof insert = (key, value, write) => {
      if (++calls % 3 === 0) throw new Error('one call in three fails')
      return insert(key, value, write)
    }
    bench.worker({ persisters: { app: { save } }, maxTries: 50 })
    const cache = bench.cache()
    for (let i = 0; i < 50; i++)
      await cache.writeBehind(`k${i % 10}`, { i, name: `ä"'\\` }, { persister: 'app:save', delayMs: 10 })
    await eventually(async () => (await cache.dirtyKeys()).length === 0, { timeoutMs: 30_000 })
    expect(await rows()).toEqual(
      Array.from({ length: 10 }, (_, i) => ({ key: `k${i}`, value: { i: 40 + i, name: `ä"'\\` } })),
    )
  })

  test('keeps what Python has and JSON has not, and every digit', async () => {
    const save = postgresPersister({ client: pool, table: 'app.entries' })
    const value = { tags: new Set(['a']), count: 2n ** 70n, days: new Map([[1, 'mon']]) }
    await save('k', value, { version: 1, signal: AbortSignal.timeout(5_000) })
    const { rows } = await pool.query<{ text: string }>('select value::text as text from app.entries')
    expect(rows).toEqual([{ text: '{"days": {"1": "mon"}, "tags": ["a"], "count": 1180591620717411303424}' }])
  })

  test('never goes back to an older version, and takes one twice', async () => {
    const save = postgresPersister({ client: pool, table: 'app.entries' })
    const write = (version: number) => ({ version, signal: AbortSignal.timeout(5_000) })
    await save('k', 'new', write(2_000_000_000_000_000))
    await save('k', 'old', write(1))
    await save('k', 'new', write(2_000_000_000_000_000))
    expect(await rows()).toEqual([{ key: 'k', value: 'new' }])
  })
})
