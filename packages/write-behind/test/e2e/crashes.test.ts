import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { Child, eventually, RedisServer } from '@arq-ts/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileOf } from '../../src/persisters/file.ts'
import { WriteBehind } from '../../src/index.ts'

const KEYS = 200
const script = (name: string) => fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url))

let server: RedisServer
let folder: string
const children: Child[] = []

beforeEach(async () => {
  server = await RedisServer.start({ persistent: true })
  folder = mkdtempSync(join(tmpdir(), 'arq-ts-crashes-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    await child.exited
  }
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

function start(name: string, config: object): Child {
  const child = new Child(process.execPath, [script(name), JSON.stringify({ url: server.url, ...config })])
  children.push(child)
  return child
}

const entry = (key: string) =>
  JSON.parse(readFileSync(fileOf(folder, key), 'utf8')) as { value: string; version: number }

test('two hundred keys, four producers: no last write is lost while workers are killed and Redis is restarted', async () => {
  const workers = [start('worker', { folder }), start('worker', { folder })]
  await Promise.all(workers.map((worker) => worker.line(/^started/)))
  const producers = ['a', 'b', 'c', 'd'].map((name) => start('producer', { keys: KEYS, writes: 300, name }))
  const done = Promise.all(producers.map((producer) => producer.exited))
  for (let round = 0; round < 4; round++) {
    const writes = () => producers.reduce((sum, producer) => sum + producer.lines.length, 0)
    const before = writes()
    await eventually(() => writes() > before + 100 || producers.every((producer) => producer.hasEnded), {
      timeoutMs: 30_000,
    })
    if (round === 2) await server.restart()
    const victim = workers[round % 2]!
    victim.kill('SIGKILL')
    await victim.exited
    workers[round % 2] = start('worker', { folder })
  }
  expect(await done).toEqual([0, 0, 0, 0])

  const last = new Map<string, { value: string; version: number }>()
  for (const line of producers.flatMap((producer) => producer.lines)) {
    const write = JSON.parse(line) as { key: string; value: string; version: number }
    if (write.version > (last.get(write.key)?.version ?? 0)) last.set(write.key, write)
  }
  expect(last.size).toBeGreaterThan(KEYS / 2)
  const client = new Client({ redis: server.url, logger: createLogger({ level: 'silent' }) })
  const cache = new WriteBehind({ client, redis: server.url })
  await eventually(async () => (await cache.dirtyKeys()).length === 0, { timeoutMs: 45_000 })
  for (const [key, { value, version }] of last) expect(entry(key)).toMatchObject({ value, version })
  await cache.close()
  await client.close()
})
