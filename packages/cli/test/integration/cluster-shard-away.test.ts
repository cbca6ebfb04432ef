import { Client, createLogger } from '@arq-ts/core'
import { eventually, RedisCluster } from '@arq-ts/test-support'
import type { ClusterNode } from '@arq-ts/test-support'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'

const PREFIX = '{orders}:'
const env = { ARQ_TS_TASK_QUEUE__KEY_PREFIX: PREFIX, ARQ_TS_TASK_QUEUE__CLUSTER: 'true' }

let cluster: RedisCluster
/** The node of our slot, one that has none of our keys and goes, and one that stays. */
let owner: ClusterNode
let gone: ClusterNode
let stays: ClusterNode

beforeAll(async () => {
  cluster = await RedisCluster.start({ primaries: 3 })
  const slot = Number(await cluster.nodes[0]!.admin.call('CLUSTER', 'KEYSLOT', PREFIX))
  owner = cluster.ownerOf(slot)
  ;[gone, stays] = cluster.primaries.filter((node) => node !== owner) as [ClusterNode, ClusterNode]
  const redis = { cluster: cluster.urls }
  const client = new Client({ redis, keyPrefix: PREFIX, logger: createLogger({ level: 'silent' }) })
  for (let i = 0; i < 10; i++) await client.enqueue('f', [i], { queueName: 'mail', jobId: `job-${i}` })
  await client.close()
  await gone.server.kill()
}, 90_000)
afterAll(() => cluster?.stop())

const run = (words: string) => runHere([...words.split(' '), '--redis', stays.server.url], { env })

test.each([
  ['queue ls', 'mail'],
  ['queue show mail', 'mail'],
  ['queue history', ''],
  ['top', '"pending":10'],
  ['job ls', 'job-9'],
  ['job ls --status running', ''],
  ['job ls --status failed', ''],
  ['job show job-3', 'job-3'],
  ['dead ls', ''],
  ['workers', ''],
  ['cron ls', ''],
  ['flow ls', ''],
  ['schedule ls', ''],
])('%s is whole while a shard without a key of ours is down', async (verb, text) => {
  const { code, stdout, stderr } = await run(`${verb} --json`)
  expect(code, stderr).toBe(0)
  expect(stdout).toContain(text)
  const { incomplete = [] } = JSON.parse(stdout) as { incomplete?: string[] }
  expect(incomplete.filter((why) => !why.startsWith('nothing is recorded'))).toEqual([])
})

test('health and the doctor find what is wrong, and do not stop at the shard that is down', async () => {
  const { stdout, code } = await run('doctor --json')
  const { findings, incomplete } = JSON.parse(stdout) as { findings: { check: string }[]; incomplete: string[] }
  expect([code, incomplete]).toEqual([0, []])
  expect(findings.map(({ check }) => check)).toContain('no-workers')
  expect((await run('health --deep')).stdout).toMatch(/✗ workers of mail +none: 10 due/)
})

test('a shard that has our keys is not passed over: no verb shows an empty namespace', async () => {
  await gone.server.restart()
  const isBack = async () =>
    /cluster_state:ok[^]*cluster_slots_fail:0/.test(String(await stays.admin.call('CLUSTER', 'INFO')))
  await eventually(isBack, { timeoutMs: 30_000 })
  await owner.server.kill()
  for (const verb of ['queue ls', 'job ls', 'doctor']) {
    const { code, stdout, stderr } = await run(verb)
    expect([code, stdout], verb).toEqual([2, ''])
    expect(stderr, verb).toMatch(new RegExp(`cluster .*127\\.0\\.0\\.1:${owner.server.port}`))
  }
})
