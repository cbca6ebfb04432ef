import { appendFileSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { eventually, freePort } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

/** The packages as an application has them that has installed them. */
const installed = fileURLToPath(new URL('../../../../examples/node_modules', import.meta.url))
const bench = useCommand()
let client: Client

beforeEach(() => {
  client = new Client({ redis: bench.database().url, queueName: 'default', logger: createLogger({ level: 'silent' }) })
})
afterEach(() => client.close())

function install(): void {
  symlinkSync(installed, join(bench.folder(), 'node_modules'))
}

/** A configuration with a worker whose persister fails for the value 'bad'. */
function configure(): void {
  install()
  writeFileSync(
    join(bench.folder(), 'persisters.mjs'),
    `export const save = (key, value) => { if (value === 'bad') throw new Error('no room for ' + key) }`,
  )
  writeFileSync(
    join(bench.folder(), 'arq-ts.yaml'),
    `task_queue:
  worker_pool_size: 1
  tasks:
    - use: '@arq-ts/write-behind'
      with: { persisters: { app: ./persisters.mjs }, maxTries: 1 }
`,
  )
}

async function write(values: Record<string, unknown>, delayMs: number): Promise<void> {
  const file = pathToFileURL(join(installed, '@arq-ts/write-behind/dist/index.js')).href
  const { WriteBehind } = (await import(/* @vite-ignore */ file)) as {
    WriteBehind: new (options: object) => {
      writeBehind(key: string, value: unknown, options: object): Promise<unknown>
      close(): Promise<void>
    }
  }
  const cache = new WriteBehind({ client, redis: bench.database().url })
  for (const [key, value] of Object.entries(values))
    await cache.writeBehind(key, value, { persister: 'app:save', delayMs })
  await cache.close()
}

describe('arq-ts cache', () => {
  test('lists what waits, shows a key, and has workers persist it', async () => {
    configure()
    await write({ a: { n: 1 }, b: 'bad' }, 60_000)
    const before = await bench.json<{ dirty: number; entries: object[] }>(['cache', 'ls'])
    expect(before).toMatchObject({ dirty: 2, dead: 0, writes: 2, persisted: 0, failures: 0 })
    expect(before.entries).toMatchObject([
      { key: 'a', status: 'waiting', persister: 'app:save', error: null },
      { key: 'b', status: 'waiting' },
    ])
    const table = await bench.run(['cache', 'ls'])
    expect(table.stdout).toMatch(/a\s+.*waiting\s+.*app:save/)
    expect(table.stderr).toContain('2 dirty keys, 0 of them dead')
    expect(await bench.json(['cache', 'show', 'a'])).toMatchObject({
      key: 'a',
      value: { n: 1 },
      waiting: { status: 'waiting', persister: 'app:save' },
    })
    expect((await bench.run(['cache', 'show', 'nothing'])).code).toBe(1)
    expect(Object.keys(before).sort()).toEqual(
      [
        'complete',
        'dead',
        'dirty',
        'entries',
        'failures',
        'incomplete',
        'oldestMs',
        'overdueMs',
        'persisted',
        'writes',
      ].sort(),
    )
    expect(Object.keys(before.entries[0]!).sort()).toEqual(
      ['bytes', 'dueAt', 'error', 'key', 'persister', 'since', 'status', 'version'].sort(),
    )

    const dry = await bench.run(['cache', 'flush', '--all', '--dry-run'])
    expect(dry.stderr).toContain('would have 2 keys persisted now')
    expect((await bench.run(['cache', 'flush'])).stderr).toContain('name the keys, or give --all')
    expect((await bench.run(['cache', 'flush', '--all'])).code).toBe(2)

    const alone = await bench.run(['cache', 'flush', 'a', '--queue', 'other', '--timeout', '200ms'])
    expect(alone.code).toBe(1)
    expect(alone.stderr).toContain('no live worker serves other')
    expect(alone.stderr).toContain("its value keeps waiting for a worker with the persister 'app:save'")

    bench.start(['worker', '--quiet'])
    expect(await bench.json(['cache', 'flush', 'a'])).toMatchObject({ matching: 1, flushed: 1, failed: [] })
    const flushed = await bench.run(['cache', 'flush', '--all', '--yes', '--json'])
    expect(flushed.code).toBe(1)
    expect(JSON.parse(flushed.stdout)).toMatchObject({
      matching: 1,
      flushed: 0,
      failed: [{ key: 'b', error: expect.stringContaining('no room for b') as string }],
    })
    const after = await bench.json(['cache', 'ls', '--status', 'dead'])
    expect(after).toMatchObject({ dirty: 1, dead: 1, persisted: 1, entries: [{ key: 'b', status: 'dead' }] })
  })

  test('has metrics in addition to those of the pool', async () => {
    configure()
    await write({ a: 1 }, 60_000)
    const port = await freePort()
    const pool = bench.start(['worker', '--metrics-port', String(port)])
    await pool.line(/metrics on/)
    const scrape = async () => (await fetch(`http://localhost:${port}/metrics`)).text()
    await eventually(async () => /^arq_pool_processes 1$/m.test(await scrape()), { timeoutMs: 30_000 })
    const text = await scrape()
    expect(text).toContain('# TYPE arq_cache_dirty_keys gauge\narq_cache_dirty_keys 1\n')
    expect(text).toContain('# TYPE arq_cache_writes_total counter\narq_cache_writes_total 1\n')
    expect(text).toMatch(/^arq_cache_oldest_wait_seconds \d/m)
    for (const name of ['dead_keys', 'overdue_seconds', 'persisted_total', 'failures_total'])
      expect(text).toContain(`\narq_cache_${name} 0\n`)
  })
})

describe('dashboards and alert rules', () => {
  const deploy = (file: string) => readFileSync(new URL(`../../../../deploy/${file}`, import.meta.url), 'utf8')
  const dashboards = readdirSync(new URL('../../../../deploy/', import.meta.url)).filter((name) =>
    /^grafana-.*\.json$/.test(name),
  )

  test('ask for metrics that a pool serves, each of them', async () => {
    configure()
    appendFileSync(join(bench.folder(), 'arq-ts.yaml'), `    - use: '@arq-ts/canary'\n`)
    const port = await freePort()
    const pool = bench.start(['worker', '--metrics-port', String(port)])
    await pool.line(/metrics on/)
    const scrape = async () => (await fetch(`http://localhost:${port}/metrics`)).text()
    await eventually(async () => /^# TYPE arq_jobs_finished_total /m.test(await scrape()), { timeoutMs: 30_000 })
    const served = new Set([...(await scrape()).matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name!))
    const asked = [deploy('alerts.yml'), ...dashboards.map(deploy)].flatMap((text) => {
      const queries = text.split('\n').filter((line) => !/summary:|runbook:|"uid"|uid:/.test(line))
      return queries.flatMap((line) => line.match(/\barq_[a-z0-9_]+/g) ?? [])
    })
    expect(new Set(asked).size).toBeGreaterThan(25)
    const histogram = (name: string) => name.replace(/_(bucket|sum|count)$/, '')
    expect([...new Set(asked)].filter((name) => !served.has(name) && !served.has(histogram(name)))).toEqual([])
  })

  test.each(dashboards)('%s is a dashboard: panels with ids and places of their own, and a query each', (file) => {
    const { panels, schemaVersion, title, uid } = JSON.parse(deploy(file)) as {
      panels: { id: number; title: string; gridPos: object; targets: { refId: string; expr: string }[] }[]
      schemaVersion: number
      title: string
      uid: string
    }
    expect([typeof title, typeof uid, schemaVersion]).toEqual(['string', 'string', 39])
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    expect(new Set(panels.map(({ gridPos }) => JSON.stringify(gridPos))).size).toBe(panels.length)
    for (const { targets, title: of } of panels) {
      expect(targets.length, of).toBeGreaterThan(0)
      expect(new Set(targets.map(({ refId }) => refId)).size, of).toBe(targets.length)
      for (const { expr } of targets) expect(expr.split('(').length, expr).toBe(expr.split(')').length)
    }
  })
})

describe('arq-ts collections', () => {
  const schedule = (collection: string) =>
    client.enqueue('delete_collection', [collection, 60], { deferByMs: 3_600_000, jobId: `of-${collection}` })

  test('lists scheduled deletions, and takes one back', async () => {
    install()
    for (const collection of ['products-v1', 'products-v2']) await schedule(collection)
    expect(await bench.json(['collections', 'ls'])).toMatchObject({
      deletions: [
        { collection: 'products-v1', jobId: 'of-products-v1', gracePeriodMinutes: 60 },
        { collection: 'products-v2' },
      ],
    })
    expect((await bench.run(['collections', 'ls'])).stdout).toMatch(/products-v1\s+.*in (59|60) min|products-v1/)
    const kept = await bench.run(['collections', 'keep', 'products-v1'])
    expect(kept).toMatchObject({ code: 0, stdout: "'products-v1' is kept: 1 deletion cancelled\n" })
    expect(await bench.json(['collections', 'ls'])).toMatchObject({ deletions: [{ collection: 'products-v2' }] })
    expect((await bench.run(['collections', 'keep', 'products-v1'])).code).toBe(1)
  })

  test('ends a grace period only when that is confirmed', async () => {
    install()
    await schedule('old')
    expect((await bench.run(['collections', 'delete-now', 'old'])).stderr).toContain('add --yes to do it')
    expect(await bench.json(['collections', 'ls'])).toMatchObject({ deletions: [{ jobId: 'of-old' }] })
    const { jobId } = await bench.json<{ jobId: string }>(['collections', 'delete-now', 'old', '--yes'])
    expect(await bench.json(['collections', 'ls'])).toMatchObject({ deletions: [{ jobId, gracePeriodMinutes: 0 }] })
    expect((await bench.run(['collections', 'delete-now', 'other', '--yes'])).code).toBe(1)
  })
})
