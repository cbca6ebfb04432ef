import { fileURLToPath } from 'node:url'
import { Child, eventually, RedisCluster } from '@arq-ts/test-support'
import type { ClusterNode } from '@arq-ts/test-support'
import { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Client, createLogger, defineTask, flow, Worker } from '../../src/index.ts'
import { keySlot, Placement } from '../../src/partitions/placement.ts'

/** On a Redis Cluster of three primaries, of which the first has a replica. */
const PARTITIONS = 6
const namespace = { keyPrefix: '{orders}:', partitions: PARTITIONS }
const placement = new Placement(namespace.keyPrefix, PARTITIONS)
const script = fileURLToPath(new URL('fixtures/partitioned-worker.mjs', import.meta.url))
const logger = createLogger({ level: 'silent' })

let cluster: RedisCluster
const closing: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await RedisCluster.start({ primaries: 3, replicas: 1 })
}, 90_000)
afterAll(() => cluster?.stop())
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const redis = () => new Cluster(cluster.urls, { lazyConnect: true })
const ids = (count: number, prefix: string) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
const nodeOf = (jobId: string): ClusterNode => cluster.ownerOf(keySlot(placement.prefixes[placement.of(jobId)]!))

function connect(): Client {
  const client = new Client({ redis: redis(), logger, commandTimeoutMs: 30_000, ...namespace })
  closing.push(() => client.close())
  return client
}

async function work(tasks: ReturnType<typeof defineTask>[]): Promise<Worker> {
  const worker = new Worker({
    redis: redis(),
    logger,
    tasks,
    handleSignals: false,
    pollDelayMs: 100,
    maxJobs: 50,
    ...namespace,
  })
  const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
  const running = worker.run()
  closing.push(() => worker.stop().then(() => running))
  await started
  return worker
}

test('jobs, batches, unique keys and flows work on all nodes, and every node has its share', async () => {
  const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })
  const client = connect()
  const outcomes = await client.enqueueMany(ids(300, 'all').map((jobId) => ['echo', [jobId], { jobId }] as const))
  expect(outcomes.filter(({ status }) => status === 'queued').length).toBe(300)
  const keys = await Promise.all(cluster.primaries.map(({ admin }) => admin.dbsize()))
  for (const count of keys) expect(count).toBeGreaterThan(60)
  expect(await client.queues.stats('arq:queue')).toMatchObject({ pending: 300 })
  await work([echo as never])
  for (const jobId of ids(300, 'all')) expect(await client.job(jobId).result({ timeoutMs: 30_000 })).toBe(jobId)
  for (const key of ids(6, 'customer')) {
    const job = await client.enqueue('echo', [key], { unique: { key } })
    expect(await job!.result({ timeoutMs: 30_000 })).toBe(key)
  }
  for (const flowId of ids(4, 'run')) {
    const chain = flow('chain', { onUnknown: 'fail' })
    const first = chain.call('echo', [flowId])
    chain.call('echo', [first], { name: 'second' })
    expect(await (await client.start(chain, { flowId: `{${flowId}}` })).result({ timeoutMs: 30_000 })).toBe(flowId)
  }
  expect((await client.queues.names()).names).toContain('arq:queue')
})

test('jobs of a worker that is killed run again on another, in every partition', async () => {
  const client = connect()
  const options = { leaseMs: 2_000, pollDelayMs: 100, maxJobs: 24, ...namespace }
  const start = async () => {
    const child = new Child(process.execPath, [script, JSON.stringify({ nodes: cluster.urls, options })])
    closing.push(async () => {
      child.kill('SIGKILL')
      await child.exited
    })
    await child.line(/^started/)
    return child
  }
  const doomed = await start()
  // Two for each partition.
  const jobIds = placement.prefixes.flatMap((_, at) =>
    ids(200, 'killed')
      .filter((id) => placement.of(id) === at)
      .slice(0, 2),
  )
  await client.enqueueMany(jobIds.map((jobId) => ['hold', [], { jobId }] as const))
  await eventually(() => doomed.lines.filter((line) => line.startsWith('holding')).length === jobIds.length, {
    timeoutMs: 30_000,
  })
  expect(new Set(jobIds.map((jobId) => placement.of(jobId))).size).toBe(PARTITIONS)
  doomed.kill('SIGKILL')
  await doomed.exited
  await start()
  // One at a time at first: a job whose worker died may have killed it.
  for (const jobId of jobIds) expect(await client.job(jobId).result({ timeoutMs: 60_000 })).toBe(2)
}, 120_000)

test('a primary that dies is waited for, and what lies on the other nodes continues meanwhile', async () => {
  const running = new Set<string>()
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const hold = defineTask({
    name: 'hold',
    handler: async (ctx) => {
      running.add(ctx.jobId)
      await released
      return ctx.jobId
    },
  })
  const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })
  const client = connect()
  await work([hold as never, echo as never])
  const victim = cluster.primaries[0]!
  const held = ids(12, 'held')
  for (const jobId of held) await client.enqueue('hold', [], { jobId })
  await eventually(() => running.size === held.length, { timeoutMs: 30_000 })
  await victim.admin.wait(1, 5_000)
  await victim.server.kill()
  const [there, elsewhere] = [true, false].map((isThere) =>
    ids(40, 'during').filter((jobId) => (nodeOf(jobId) === victim) === isThere),
  ) as [string[], string[]]
  const waiting = there.slice(0, 3).map((jobId) => client.enqueue('echo', [jobId], { jobId }))
  // The replica is no primary before the cluster has noticed the death, which takes a second at least.
  for (const jobId of elsewhere.slice(0, 6)) {
    await client.enqueue('echo', [jobId], { jobId })
    expect(await client.job(jobId).result({ timeoutMs: 40_000 })).toBe(jobId)
  }
  release()
  expect((await Promise.all(waiting)).map((job) => job?.jobId)).toEqual(there.slice(0, 3))
  for (const jobId of [...held, ...there.slice(0, 3)])
    expect(await client.job(jobId).result({ timeoutMs: 60_000 })).toBe(jobId)
}, 120_000)
