import { fileURLToPath } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { Child, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WriteBehind } from '../../src/index.ts'

const script = fileURLToPath(new URL('fixtures/loader.mjs', import.meta.url))
const KEYS = 20
let database: Database
let client: Client
let cache: WriteBehind
const children: Child[] = []

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
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

function start(config: object): Child {
  const settings = { url: database.url, keys: KEYS, leaseMs: 1_000, slowMs: 100, ...config }
  const child = new Child(process.execPath, [script, JSON.stringify(settings)])
  children.push(child)
  return child
}
const valuesOf = async (child: Child) =>
  JSON.parse((await child.line(/^values/, { timeoutMs: 60_000 })).slice('values '.length)) as string[]
const loads = async () =>
  (await database.redis.lrange('loads', 0, -1)).map(
    (load) => JSON.parse(load) as { key: number; name: string; token: number },
  )

test('six processes that miss twenty keys at once load each once, and all get the same', async () => {
  const values = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => valuesOf(start({ name }))))
  const each = await loads()
  expect(each.map(({ key }) => key).sort((a, b) => a - b)).toEqual(Array.from({ length: KEYS }, (_, i) => i))
  for (const some of values) expect(some).toEqual(values[0])
}, 90_000)

test('a loader whose process is killed does not block the others, and later tokens are larger', async () => {
  const doomed = start({ name: 'doomed', waits: true })
  await eventually(async () => (await loads()).length === KEYS)
  const next = start({ name: 'next' })
  await next.line(/^ready/)
  doomed.kill('SIGKILL')
  expect(await valuesOf(next)).toEqual(Array.from({ length: KEYS }, (_, i) => `${i} by next`))
  const each = await loads()
  const tokens = (name: string) => each.filter((load) => load.name === name).map(({ token }) => token)
  expect(Math.min(...tokens('next'))).toBeGreaterThan(Math.max(...tokens('doomed')))
}, 90_000)

test('a loader that stood still past its lease does not overwrite what another has loaded since', async () => {
  const frozen = start({ name: 'frozen', keys: 1, slowMs: 50 })
  await frozen.line(/^loading/)
  process.kill(frozen.pid, 'SIGSTOP')
  const other = start({ name: 'other', keys: 1 })
  expect(await valuesOf(other)).toEqual(['0 by other'])
  process.kill(frozen.pid, 'SIGCONT')
  // It finds that it was overtaken, and gives what is newer.
  expect(await valuesOf(frozen)).toEqual(['0 by other'])
  expect(await cache.get('key0')).toBe('0 by other')
}, 90_000)
