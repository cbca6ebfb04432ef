import { eventually, freePort, RedisServer } from '@arq-ts/test-support'
import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ArqError, Client, createLogger, defineTask, Worker } from '../../src/index.ts'
import { Calls } from '../../src/redis/calls.ts'
import { Connection } from '../../src/redis/connection.ts'

const PREFIX = '{q}:'
/** Slots 0 to 16,383 on three primaries. */
const RANGES = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383],
] as const

interface Node {
  server: RedisServer
  admin: Redis
  id: string
}

let nodes: Node[]
/** Prefix of the keys of the tests. */
let slot: number

async function startNode(): Promise<Node> {
  const server = await RedisServer.start({
    // The cluster's own port is 10,000 higher by default, which may be none.
    args: [
      '--cluster-enabled',
      'yes',
      '--cluster-announce-ip',
      '127.0.0.1',
      '--cluster-node-timeout',
      '1000',
      '--cluster-require-full-coverage',
      'no',
      '--cluster-port',
      String(await freePort()),
    ],
  })
  const admin = new Redis(server.url, { maxRetriesPerRequest: null })
  admin.on('error', () => {})
  return { server, admin, id: String(await admin.call('CLUSTER', 'MYID')) }
}

const info = async ({ admin }: Node) => String(await admin.call('CLUSTER', 'INFO'))

/** Three primaries, and a replica of the one that has our slot. */
beforeAll(async () => {
  nodes = [await startNode(), await startNode(), await startNode(), await startNode()]
  const [first, ...others] = nodes as [Node, ...Node[]]
  for (const [i, [from, to]] of RANGES.entries())
    await nodes[i]!.admin.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
  const port = /cport=(\d+)|@(\d+)/.exec(String(await first.admin.call('CLUSTER', 'NODES')))!
  for (const { admin } of others) await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(first.server.port), port[2]!)
  await eventually(
    async () => {
      for (const node of nodes) expect(await info(node)).toMatch(/cluster_state:ok[^]*cluster_known_nodes:4/)
      return true
    },
    { timeoutMs: 30_000 },
  )
  slot = Number(await first.admin.call('CLUSTER', 'KEYSLOT', PREFIX))
  await nodes[3]!.admin.call('CLUSTER', 'REPLICATE', owner().id)
  await eventually(async () => (await nodes[3]!.admin.info('replication')).includes('master_link_status:up'), {
    timeoutMs: 30_000,
  })
}, 90_000)
afterAll(async () => {
  for (const { admin, server } of nodes ?? []) {
    admin.disconnect()
    await server.stop()
  }
})

const owner = () => nodes[RANGES.findIndex(([from, to]) => slot >= from && slot <= to)]!

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A client, a worker whose jobs wait to be released, and what its log said. */
async function fleet() {
  const lines: string[] = []
  const logger = createLogger({
    level: 'debug',
    destination: { write: (line: string) => void lines.push(line) },
  } as never)
  const redis = new Cluster(
    nodes.map(({ server }) => server.url),
    { lazyConnect: true },
  )
  const options = { redis, keyPrefix: PREFIX, logger }
  const client = new Client({ ...options, commandTimeoutMs: 30_000 })
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const runs = new Map<string, number>()
  const hold = defineTask({
    name: 'hold',
    handler: async (ctx) => {
      runs.set(ctx.jobId, (runs.get(ctx.jobId) ?? 0) + 1)
      await released
      return ctx.jobId
    },
  })
  const worker = new Worker({ ...options, tasks: [hold], maxJobs: 10, pollDelayMs: 100, handleSignals: false })
  const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
  const running = worker.run()
  await started
  closing.push(
    () => client.close(),
    () => worker.stop().then(() => running),
    () => release(),
  )
  return { client, runs, release: () => release(), lines }
}

/** Moves keys of our slot. */
async function migrate(from: Node, to: Node, keys: string[]) {
  for (const key of keys)
    await from.admin.call('MIGRATE', '127.0.0.1', String(to.server.port), key, '0', '5000', 'REPLACE')
}

describe('a slot that moves', () => {
  test('half moved, lets calls wait and sends them again: no job runs twice, every call ends well', async () => {
    const { client, runs, release, lines } = await fleet()
    const from = owner()
    const to = nodes.slice(0, 3).find((node) => node !== from)!
    const jobs = await Promise.all(Array.from({ length: 5 }, () => client.enqueue('hold')))
    await eventually(() => runs.size === 5)

    await to.admin.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', from.id)
    await from.admin.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', to.id)
    const keys = (await from.admin.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '1000')) as string[]
    // Each job's keys are torn apart: no script can have them all.
    await migrate(
      from,
      to,
      keys.filter((key) => /arq:(job|in-progress):/.test(key)),
    )
    release()
    const during = client.enqueue('hold')
    const status = jobs[0]!.status()
    const failures: unknown[] = []
    for (const call of [during, status]) call.catch((error: unknown) => failures.push(error))
    // Longer than ioredis itself tries: it gives up after 16 redirections.
    const attempts = () => lines.filter((line) => line.includes('TRYAGAIN') && line.includes('trying again')).length
    await eventually(() => attempts() >= 8, { timeoutMs: 30_000 })
    const rest = (await from.admin.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '1000')) as string[]
    await migrate(from, to, rest)
    for (const { admin } of [to, from, ...nodes.slice(0, 3)])
      await admin.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id)

    const late = await during
    for (const job of [...jobs, late]) expect(await job!.result({ timeoutMs: 30_000 })).toBe(job!.jobId)
    expect(await status).toMatch(/in_progress|complete/)
    expect(failures).toEqual([])
    expect([...runs.values()]).toEqual([1, 1, 1, 1, 1, 1])

    // Back, for the tests that follow.
    await from.admin.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', to.id)
    await to.admin.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', from.id)
    const all = (await to.admin.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '1000')) as string[]
    await migrate(to, from, all)
    for (const { admin } of [from, to, ...nodes.slice(0, 3)])
      await admin.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', from.id)
  })

  test('never back within the deadline, ends calls with an ArqError that says why', async () => {
    const { release } = await fleet()
    release()
    const from = owner()
    const to = nodes.slice(0, 3).find((node) => node !== from)!
    const redis = new Cluster(
      nodes.map(({ server }) => server.url),
      { lazyConnect: true },
    )
    const client = new Client({ redis, keyPrefix: PREFIX, logLevel: 'silent', commandTimeoutMs: 4_000 })
    closing.push(() => client.close())
    await client.enqueue('hold', [], { jobId: 'torn', deferByMs: 60_000 })
    await to.admin.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', from.id)
    await from.admin.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', to.id)
    await migrate(from, to, [`${PREFIX}arq:job:torn`])
    const error = await client.enqueue('hold', [], { jobId: 'torn' }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ArqError)
    expect(error).toMatchObject({
      code: 'ARQ_REDIS_UNAVAILABLE',
      message: expect.stringContaining('the cluster at') as string,
    })
    await from.admin.call('CLUSTER', 'SETSLOT', String(slot), 'STABLE')
    await migrate(to, from, [`${PREFIX}arq:job:torn`])
    await to.admin.call('CLUSTER', 'SETSLOT', String(slot), 'STABLE')
  })
})

test('replies go to their own calls while keys are asked for elsewhere, a node stands still and addresses are mapped', async () => {
  const from = owner()
  const [to, still] = nodes.slice(0, 3).filter((node) => node !== from) as [Node, Node]
  // The pool knows each node by another address than redirections name.
  const ports = nodes.map(({ server }) => server.port)
  const redis = new Cluster(
    ports.map((port) => ({ host: 'localhost', port })),
    {
      lazyConnect: true,
      natMap: Object.fromEntries(ports.map((port) => [`127.0.0.1:${port}`, { host: 'localhost', port }])),
    },
  )
  const connection = new Connection(redis, createLogger({ level: 'silent' }))
  const calls = new Calls(connection, 30_000)
  closing.push(() => connection.close())
  const moved = Array.from({ length: 100 }, (_, i) => `${PREFIX}moved:${i}`)
  const kept = Array.from({ length: 100 }, (_, i) => `${PREFIX}kept:${i}`)
  await calls.pipeline([...moved, ...kept].map((key) => ['set', key, key]))
  await to.admin.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', from.id)
  await from.admin.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', to.id)
  await migrate(from, to, moved)

  still.server.pause()
  try {
    // Its connection is begun, and stays unfinished: a command for it would have to wait.
    const pool = connection.client as unknown as Cluster
    const ofStill = () => pool.nodes('master').find(({ options }) => options.port === still.server.port)
    ofStill()?.disconnect()
    await eventually(() => ofStill() === undefined)
    await new Promise<void>((resolve) => pool.refreshSlotsCache(() => resolve()))
    ofStill()!
      .connect()
      .catch(() => {})
    await eventually(() => ofStill()?.status === 'connect')

    const answers = await Promise.all([
      ...moved.map((key) => calls.pipeline([['get', key]])),
      ...kept.map((key) => calls.pipeline([['get', key]])),
      ...kept.map((key) =>
        calls.transaction([
          ['get', key],
          ['strlen', key],
        ]),
      ),
      ...moved.map((key) => calls.run((client) => client.get(key)).then((value) => [value])),
    ])
    expect(answers.map(([value]) => value)).toEqual([...moved, ...kept, ...kept, ...moved])
  } finally {
    still.server.resume()
    await from.admin.call('CLUSTER', 'SETSLOT', String(slot), 'STABLE')
    await migrate(to, from, moved)
    await to.admin.call('CLUSTER', 'SETSLOT', String(slot), 'STABLE')
    await from.admin.del(...moved, ...kept)
  }
})

test('a primary that dies is waited for: its replica settles what ran, and runs what was enqueued meanwhile', async () => {
  const { client, runs, release } = await fleet()
  const jobs = await Promise.all([client.enqueue('hold'), client.enqueue('hold')])
  await eventually(() => jobs.every((job) => runs.has(job!.jobId)))
  await owner().admin.wait(1, 5_000)
  await owner().server.kill()
  release()
  const during = await client.enqueue('hold')
  for (const job of [...jobs, during]) expect(await job!.result({ timeoutMs: 40_000 })).toBe(job!.jobId)
  // By their ids: an enqueue that gave up in the test before may have been stored since.
  expect([...jobs, during].map((job) => runs.get(job!.jobId))).toEqual([1, 1, 1])
})
