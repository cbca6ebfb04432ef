import { fileURLToPath } from 'node:url'
import { Child, eventually, RedisCluster } from '@arq-ts/test-support'
import type { ClusterNode } from '@arq-ts/test-support'
import { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Client, createLogger, defineTask, flow, Worker } from '../../src/index.ts'
import type { WorkerOptions } from '../../src/index.ts'
import { Placement } from '../../src/partitions/placement.ts'
import { keySlot } from '../../src/redis/key-kinds.ts'

/** On a Redis Cluster of three primaries, of which the first has a replica. */
const PARTITIONS = 6
const namespace = { keyPrefix: '{orders}:', partitions: PARTITIONS }
const placement = new Placement(namespace.keyPrefix, PARTITIONS)
const script = fileURLToPath(new URL('fixtures/partitioned-worker.mjs', import.meta.url))
const logger = createLogger({ level: 'silent' })

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

let cluster: RedisCluster
const closing: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await RedisCluster.start({ primaries: 3, replicas: 1 })
}, 90_000)
afterAll(() => cluster?.stop())
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Nodes by their URLs, as a configuration file names them, or a client of ioredis. */
const redis = (asClient = false) =>
  asClient ? new Cluster(cluster.urls, { lazyConnect: true }) : { cluster: cluster.urls }
const ids = (count: number, prefix: string) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
const nodeOf = (jobId: string): ClusterNode => cluster.ownerOf(keySlot(placement.prefixes[placement.of(jobId)]!))

function connect(): Client {
  const client = new Client({ redis: redis(true), logger, commandTimeoutMs: 30_000, ...namespace })
  closing.push(() => client.close())
  return client
}

async function work(tasks: ReturnType<typeof defineTask>[], more: WorkerOptions = {}): Promise<Worker> {
  const worker = new Worker({
    redis: redis(),
    logger,
    tasks,
    handleSignals: false,
    pollDelayMs: 100,
    maxJobs: 50,
    ...namespace,
    ...more,
  })
  const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
  const running = worker.run()
  closing.push(() => worker.stop().then(() => running))
  await started
  return worker
}

test('jobs, batches, unique keys and flows work on all nodes, and every node gets its share', async () => {
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
  // One at a time at first: the job may have killed its worker.
  for (const jobId of jobIds) expect(await client.job(jobId).result({ timeoutMs: 60_000 })).toBe(2)
}, 120_000)

/** A task whose runs wait until they are released or their signal fires, and the ids that wait. */
function holding() {
  const running = new Set<string>()
  const lost = new Set<string>()
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const task = defineTask({
    name: 'hold',
    handler: async (ctx) => {
      running.add(ctx.jobId)
      ctx.signal.addEventListener('abort', () => lost.add(ctx.jobId))
      await released
      return ctx.jobId
    },
  })
  return { task, running, lost, release: () => release() }
}

/** Ids that lie on a node, and ids that do not. */
function sorted(jobIds: readonly string[], node: ClusterNode): [there: string[], elsewhere: string[]] {
  return [jobIds.filter((id) => nodeOf(id) === node), jobIds.filter((id) => nodeOf(id) !== node)]
}

test('workers wait for a primary that dies, and its replica settles the jobs that ran', async () => {
  const hold = holding()
  const client = connect()
  await work([hold.task as never, echo as never])
  const victim = cluster.primaries[0]!
  const held = ids(12, 'held')
  for (const jobId of held) await client.enqueue('hold', [], { jobId })
  await eventually(() => hold.running.size === held.length, { timeoutMs: 30_000 })
  await victim.admin.wait(1, 5_000)
  await victim.server.kill()
  const [there] = sorted(ids(40, 'during'), victim)
  const waiting = there.slice(0, 3).map((jobId) => client.enqueue('echo', [jobId], { jobId }))
  hold.release()
  expect((await Promise.all(waiting)).map((job) => job?.jobId)).toEqual(there.slice(0, 3))
  for (const jobId of [...held, ...there.slice(0, 3)])
    expect(await client.job(jobId).result({ timeoutMs: 60_000 })).toBe(jobId)
}, 120_000)

test('a node that stays away does not hold up the others: jobs start, leases are renewed, ends are stored', async () => {
  const victim = cluster.primaries[1]!
  const hold = holding()
  const client = connect()
  const worker = await work([hold.task as never, echo as never], { leaseMs: 1_500 })
  const [there, elsewhere] = sorted(ids(60, 'away'), victim)
  for (const jobId of [...there.slice(0, 3), ...elsewhere.slice(0, 3)]) await client.enqueue('hold', [], { jobId })
  await eventually(() => hold.running.size === 6, { timeoutMs: 30_000 })
  await victim.server.kill()
  const stranded = client.enqueue('echo', ['stranded'], { jobId: there[3]! })
  // Work of longer than two leases, while the node is away.
  const until = performance.now() + 4_000
  for (const [i, jobId] of elsewhere.slice(3).entries()) {
    await client.enqueue('echo', [jobId], { jobId })
    expect(await client.job(jobId).result({ timeoutMs: 30_000 })).toBe(jobId)
    if (performance.now() > until && i >= 10) break
  }
  await eventually(() => performance.now() > until, { timeoutMs: 10_000 })
  expect(await client.job(elsewhere[0]!).status()).toBe('in_progress')
  const ended: string[] = []
  worker.on('jobFinished', ({ jobId }) => ended.push(jobId))
  hold.release()
  for (const jobId of elsewhere.slice(0, 3)) expect(await client.job(jobId).result({ timeoutMs: 30_000 })).toBe(jobId)
  await eventually(() => elsewhere.slice(0, 3).every((jobId) => ended.includes(jobId)))
  expect([...hold.lost].filter((jobId) => elsewhere.includes(jobId))).toEqual([])
  await victim.server.restart()
  expect((await stranded)?.jobId).toBe(there[3])
  expect(await client.job(there[3]!).result({ timeoutMs: 60_000 })).toBe('stranded')
}, 120_000)

test('a node that stays away holds up no flow and no schedule that lies on the others, on a worker that starts meanwhile', async () => {
  const victim = cluster.primaries[1]!
  const client = connect()
  const [flowThere, flows] = sorted(
    ids(40, 'outage').map((id) => `{${id}}`),
    victim,
  )
  const far = flow('far', { onUnknown: 'fail' })
  far.call('echo', [1], { delayMs: 3_600_000 })
  for (const flowId of flowThere.slice(0, 3)) await client.start(far, { flowId })
  const run = await client.start(far, { flowId: flows[0]! })
  // Its end is found by the conductor alone.
  expect(await client.jobs.remove(`${run.flowId}-0`)).toBe('removed')
  const [schedulesThere, schedules] = sorted(ids(40, 'every'), victim)
  for (const name of [schedulesThere[0]!, schedules[0]!])
    await client.schedules.put(name, { task: 'echo', input: [1], everyMs: 1_000 })
  await victim.server.kill()
  try {
    await work([echo as never])
    await expect(run.result({ timeoutMs: 30_000 })).rejects.toThrow('echo unknown')
    await eventually(async () => (await client.schedules.get(schedules[0]!))!.last !== null, { timeoutMs: 30_000 })
    const near = flow('near', { onUnknown: 'fail' })
    near.call('echo', [2])
    expect(await (await client.start(near, { flowId: flows[1]! })).result({ timeoutMs: 30_000 })).toBe(2)
  } finally {
    await victim.server.restart()
  }
}, 120_000)
