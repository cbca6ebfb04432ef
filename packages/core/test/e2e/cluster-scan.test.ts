import { RedisCluster } from '@arq-ts/test-support'
import type { ClusterNode } from '@arq-ts/test-support'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'
import { Calls } from '../../src/redis/calls.ts'
import { Connection } from '../../src/redis/connection.ts'
import { keySlot } from '../../src/redis/key-kinds.ts'

const PREFIX = '{orders}:'
const SLOT = String(keySlot(PREFIX))
const logger = createLogger({ level: 'silent' })

let cluster: RedisCluster
let owner: ClusterNode
let others: ClusterNode[]

beforeAll(async () => {
  cluster = await RedisCluster.start({ primaries: 3 })
  owner = cluster.ownerOf(Number(SLOT))
  others = cluster.primaries.filter((node) => node !== owner)
}, 90_000)
afterAll(() => cluster?.stop())

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const target = () => ({ cluster: cluster.urls })

function openCalls(timeoutMs = 10_000): Calls {
  const connection = new Connection(target(), logger)
  closing.push(() => connection.close())
  return new Calls(connection, timeoutMs)
}

const scansOf = async ({ admin }: ClusterNode) =>
  Number(/cmdstat_scan:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0)

async function scanned(calls: Calls, prefix: string): Promise<string[]> {
  const keys = new Set<string>()
  for await (const page of calls.scan(prefix)) for (const key of page) keys.add(key)
  return [...keys].sort()
}

/** The same, a step at a time, as the pages of the dashboard do. */
async function stepped(calls: Calls, prefix: string): Promise<string[]> {
  const keys = new Set<string>()
  let cursor: string | null = null
  do {
    const step: { keys: string[]; cursor: string | null } = await calls.scanStep(prefix, cursor)
    for (const key of step.keys) keys.add(key)
    cursor = step.cursor
  } while (cursor !== null)
  return [...keys].sort()
}

test('a prefix with a hash tag is looked for at the node of its slot alone', async () => {
  const calls = openCalls()
  const keys = Array.from({ length: 20 }, (_, i) => `${PREFIX}scan:${i}`).sort()
  await calls.pipeline(keys.map((key) => ['set', key, '']))
  const before = await Promise.all(others.map(scansOf))
  expect(await scanned(calls, `${PREFIX}scan:`)).toEqual(keys)
  expect(await stepped(calls, `${PREFIX}scan:`)).toEqual(keys)
  expect(await Promise.all(others.map(scansOf))).toEqual(before)
  await calls.pipeline([['del', ...keys]])
})

test('a prefix without one is looked for at every primary', async () => {
  const calls = openCalls()
  const keys = Array.from({ length: 60 }, (_, i) => `spread:${i}`).sort()
  for (const key of keys) await calls.pipeline([['set', key, '']])
  expect(await scanned(calls, 'spread:')).toEqual(keys)
  expect(await stepped(calls, 'spread:')).toEqual(keys)
})

test('while its slot moves, keys that have moved are found too', async () => {
  const calls = openCalls()
  const keys = Array.from({ length: 20 }, (_, i) => `${PREFIX}moves:${i}`).sort()
  await calls.pipeline(keys.map((key) => ['set', key, '']))
  const to = others[0]!
  await to.admin.call('CLUSTER', 'SETSLOT', SLOT, 'IMPORTING', owner.id)
  await owner.admin.call('CLUSTER', 'SETSLOT', SLOT, 'MIGRATING', to.id)
  try {
    for (const key of keys.slice(0, 10))
      await owner.admin.call('MIGRATE', '127.0.0.1', String(to.server.port), key, '0', '5000')
    expect(await scanned(calls, `${PREFIX}moves:`)).toEqual(keys)
    expect(await stepped(calls, `${PREFIX}moves:`)).toEqual(keys)
  } finally {
    for (const key of keys.slice(0, 10)) {
      await to.admin.call('ASKING')
      await to.admin.call('DEL', key)
    }
    for (const { admin } of [owner, to]) await admin.call('CLUSTER', 'SETSLOT', SLOT, 'STABLE')
  }
})

test('a slot that has moved since the cluster was looked at is found where it is now', async () => {
  const calls = openCalls()
  const keys = Array.from({ length: 5 }, (_, i) => `${PREFIX}moved:${i}`).sort()
  await calls.pipeline(keys.map((key) => ['set', key, '']))
  const to = others[0]!
  const move = async (from: ClusterNode, into: ClusterNode) => {
    await into.admin.call('CLUSTER', 'SETSLOT', SLOT, 'IMPORTING', from.id)
    await from.admin.call('CLUSTER', 'SETSLOT', SLOT, 'MIGRATING', into.id)
    const held = (await from.admin.call('CLUSTER', 'GETKEYSINSLOT', SLOT, '1000')) as string[]
    for (const key of held) await from.admin.call('MIGRATE', '127.0.0.1', String(into.server.port), key, '0', '5000')
    for (const { admin } of [into, from]) await admin.call('CLUSTER', 'SETSLOT', SLOT, 'NODE', into.id)
  }
  await move(owner, to)
  try {
    expect(await scanned(calls, `${PREFIX}moved:`)).toEqual(keys)
    expect(await stepped(calls, `${PREFIX}moved:`)).toEqual(keys)
  } finally {
    await move(to, owner)
  }
})

test('a namespace is seen whole while a shard that has none of its keys is down', async () => {
  const client = new Client({ redis: target(), keyPrefix: PREFIX, logger, commandTimeoutMs: 10_000 })
  closing.push(() => client.close())
  await client.enqueue('f', [], { queueName: 'mail', jobId: 'a' })
  await others[1]!.server.kill()
  expect(await client.queues.names()).toMatchObject({
    complete: true,
    names: expect.arrayContaining(['mail']) as unknown,
  })
  const { findings, incomplete, jobs } = await client.doctor.examine()
  expect([incomplete, jobs]).toEqual([[], 1])
  expect(findings.map(({ check }) => check)).toContain('no-workers')
})

test('keys whose node is down are not looked for at the others, which have none', async () => {
  const calls = openCalls(2_000)
  await calls.pipeline([['set', `${PREFIX}there`, '']])
  await owner.server.kill()
  const port = new RegExp(`no connection to its node 127\\.0\\.0\\.1:.*${owner.server.port}`)
  await expect(scanned(calls, PREFIX)).rejects.toThrow(port)
  await expect(stepped(calls, PREFIX)).rejects.toThrow(port)
})
