import { fileURLToPath } from 'node:url'
import { Child, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

const script = fileURLToPath(new URL('fixtures/schedule-worker.mjs', import.meta.url))

let database: Database
let children: Child[]
let client: Client

beforeEach(async () => {
  database = await takeDatabase()
  children = []
  client = new Client({ redis: database.url, logger: createLogger({ level: 'error' }) })
})
afterEach(async () => {
  for (const child of children) child.kill()
  await Promise.all(children.map((child) => child.exited))
  await client.close()
  await database.release()
})

async function start(): Promise<void> {
  const child = new Child(process.execPath, [script, database.url])
  children.push(child)
  await child.line(/^ready/)
}

async function kill(): Promise<void> {
  const child = children.shift()!
  child.kill()
  await child.exited
}

test('a schedule loses no tick and runs none twice while its workers are killed and replaced', async () => {
  const { redis } = database
  const put = await client.schedules.put('t', { everyMs: 1_000, task: 'tick', missed: 'all' })
  await Promise.all([start(), start()])
  const ran = async () => (await redis.lrange('ticks', 0, -1)).map((id) => Number(id.split(':')[1]))
  await eventually(async () => (await ran()).length >= 2, { timeoutMs: 30_000 })
  await kill()
  await start()
  await eventually(async () => (await ran()).length >= 4, { timeoutMs: 30_000 })
  // Nobody is left, and whoever comes next knows all that was due meanwhile.
  await kill()
  await kill()
  const before = (await client.schedules.get('t'))!.next!.getTime()
  await eventually(async () => (await client.now()) > before + 1_000, { timeoutMs: 30_000 })
  await start()
  await eventually(async () => (await ran()).includes(before + 1_000), { timeoutMs: 30_000 })
  await client.schedules.pause('t')
  const ticks = [...new Set(await ran())].sort((a, b) => a - b)
  const first = put.next!.getTime()
  expect(ticks.slice(0, 3)).toEqual([first, first + 1_000, first + 2_000])
  expect(ticks).toEqual(ticks.map((_tick, i) => first + i * 1_000))
}, 120_000)
