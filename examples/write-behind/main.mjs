// Write-behind: a page counter that is written a thousand times, and saved a few times. Into PostgreSQL where
// POSTGRES_URL names one, else into files.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, createLogger, Worker } from '@arq-ts/core'
import { filePersister, persistCache, postgresPersister, WriteBehind } from '@arq-ts/write-behind'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const storage = process.env.POSTGRES_URL ? await inPostgres(process.env.POSTGRES_URL) : inFiles()
console.log(`saving into ${storage.what}`)

let saves = 0
const save = async (...args) => {
  saves++
  await storage.persist(...args)
}
const worker = new Worker({
  redis,
  logger,
  handleSignals: false,
  ...persistCache({ redis, persisters: { 'app.pages': { save } } }),
})
void worker.run()

const client = new Client({ redis, logger })
const cache = new WriteBehind({ client, redis })
const pages = ['home', 'prices', 'about']
for (let views = 1; views <= 400; views++) {
  for (const page of pages) {
    await cache.writeBehind(`page:${page}`, { views }, { persister: 'app.pages:save', delayMs: 100 })
  }
}
console.log(`read back at once: ${JSON.stringify(await cache.get('page:home'))}`)

await cache.flush('page:home')
while ((await cache.dirtyKeys()).length > 0) await new Promise((resolve) => setTimeout(resolve, 50))
for (const { key, value } of await storage.rows()) console.log(`saved ${key} ${JSON.stringify(value)}`)
console.log(saves < 600 ? 'twelve hundred writes, far fewer saves' : `${saves} saves`)

await cache.close()
await client.close()
await worker.stop()
await storage.close()

async function inPostgres(url) {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url })
  await pool.query('drop table if exists demo_pages')
  await pool.query('create table demo_pages (key text primary key, value jsonb not null, version bigint not null)')
  return {
    what: 'PostgreSQL',
    persist: postgresPersister({ client: pool, table: 'demo_pages' }),
    rows: async () => (await pool.query('select key, value from demo_pages order by key')).rows,
    close: async () => {
      await pool.query('drop table demo_pages')
      await pool.end()
    },
  }
}

function inFiles() {
  const folder = mkdtempSync(join(tmpdir(), 'arq-ts-pages-'))
  return {
    what: 'files (POSTGRES_URL names no PostgreSQL)',
    persist: filePersister({ folder }),
    rows: async () =>
      readdirSync(folder)
        .sort()
        .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8'))),
    close: async () => rmSync(folder, { recursive: true, force: true }),
  }
}
