import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client, createLogger, Worker } from '@arq-ts/core'
import { Child, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { filePersister, persistCache, WriteBehind } from '../../src/index.ts'

const script = (name: string) => fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url))
const command = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url))
/** A folder in which the packages are installed. */
const application = fileURLToPath(new URL('../../../../examples/', import.meta.url))
const logger = createLogger({ level: 'silent' })
const children: Child[] = []
let database: Database
let client: Client
let cache: WriteBehind

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger })
  cache = new WriteBehind({ client, redis: database.url })
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    await child.exited
  }
  await cache.close()
  await client.close()
  await database.release()
})

function start(name: string, config: object): Child {
  const child = new Child(process.execPath, [script(name), JSON.stringify({ url: database.url, ...config })], {
    stdin: true,
  })
  children.push(child)
  return child
}

test('processes that write in one burst, one of them killed, never exceed maxPending', async () => {
  const maxPending = 40
  const all = ['a', 'b', 'c'].map((name) => start('burst', { name, writes: 60, maxPending }))
  await Promise.all(all.map((child) => child.line(/^ready/)))
  for (const child of all) child.write('go')
  const [doomed, ...others] = all
  await eventually(() => doomed!.lines.includes('accepted') || doomed!.hasEnded)
  doomed!.kill('SIGKILL')
  const ended = await Promise.all(
    others.map(async (child) => JSON.parse((await child.line(/^ended/)).slice('ended '.length)) as object),
  )
  for (const each of ended) expect(each).toMatchObject({ refused: expect.any(Number) as number })
  // Together they wrote more than there was room for, and the survivors have taken all the room.
  expect(await cache.dirtyKeys()).toHaveLength(maxPending)
})

test('a persister that hangs and ignores its signal holds up neither other keys nor the stop of its worker', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'arq-ts-hanging-'))
  const worker = start('worker', { folder, hangsOn: 'stuck' })
  await worker.line(/^started/)
  const options = { persister: 'app:save', delayMs: 0 }
  for (const key of ['stuck', ...Array.from({ length: 20 }, (_, i) => `k${i}`)])
    await cache.writeBehind(key, `of ${key}`, options)
  await eventually(async () => (await cache.dirtyKeys()).length === 1)
  const list = [command, 'cache', 'ls', '--json', '--redis', database.url]
  const { stdout } = await promisify(execFile)(process.execPath, list, { cwd: application })
  expect(JSON.parse(stdout)).toMatchObject({ dirty: 1, dead: 0, entries: [{ key: 'stuck', status: 'running' }] })
  expect(await worker.stop()).toBe(0)

  const next = new Worker({
    redis: database.url,
    logger,
    handleSignals: false,
    pollDelayMs: 50,
    ...persistCache({ redis: database.url, persisters: { app: { save: filePersister({ folder }) } }, lockMs: 1_000 }),
    cron: [],
  })
  void next.run()
  await eventually(async () => (await cache.dirtyKeys()).length === 0, { timeoutMs: 30_000 })
  expect(await client.deadLetters.count()).toBe(0)
  await next.stop()
  rmSync(folder, { recursive: true, force: true })
})
