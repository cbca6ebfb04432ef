// `pnpm bench:partitions`: CPU time that a job of a partitioned namespace costs the nodes of a Redis Cluster.
// One client and one worker; clusters of several sizes, each with as many partitions as nodes, measured in turn.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { RedisCluster } from '@arq-ts/test-support'
import type { ClusterNode } from '@arq-ts/test-support'
import { Cluster } from 'ioredis'
import { parseArgs } from 'node:util'
import { quantile } from './stats.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1,3,6' },
    jobs: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
    /** Partitions, whatever the number of nodes. Default: as many as nodes. */
    partitions: { type: 'string' },
  },
})
const JOBS = Number(values.jobs)

/** The cost of one round to each node, per job: CPU time without that of the nodes at rest, in µs, and calls of scripts. */
interface Cost {
  cpuUs: number[]
  calls: number[]
}

const REST_MS = 3_000

/** One size of a cluster, with a client and a worker that live through all rounds. */
class Fleet {
  readonly nodes: number
  readonly partitions: number
  readonly #cluster: RedisCluster
  readonly #client: Client
  readonly #worker: Worker
  readonly #running: Promise<void>
  #done = 0
  #restUsPerMs: number[] = []
  #onDone: (() => void) | undefined

  private constructor(cluster: RedisCluster, partitions: number) {
    this.nodes = cluster.primaries.length
    this.partitions = partitions
    this.#cluster = cluster
    const options = {
      redis: new Cluster(cluster.urls, { lazyConnect: true }),
      keyPrefix: '{bench}:',
      partitions,
      logger: createLogger({ level: 'silent' }),
    }
    this.#client = new Client(options)
    const noop = defineTask({ name: 'noop', handler: () => {} })
    this.#worker = new Worker({ ...options, tasks: [noop], maxJobs: 100, handleSignals: false, recorder: false })
    this.#worker.on('jobFinished', () => {
      if (++this.#done === JOBS) this.#onDone?.()
    })
    this.#running = this.#worker.run()
  }

  static async start(nodes: number, partitions: number): Promise<Fleet> {
    const fleet = new Fleet(await RedisCluster.start({ primaries: nodes }), partitions)
    await new Promise<void>((resolve) => fleet.#worker.once('started', resolve))
    return fleet
  }

  /** Enqueues the jobs while the queue is paused, then lets the worker have them. */
  async round(): Promise<{ enqueue: Cost; work: Cost }> {
    this.#done = 0
    const ended = new Promise<void>((resolve) => (this.#onDone = resolve))
    await this.#client.queues.pause('arq:queue')
    const enqueue = await this.#costOf(async () => {
      await this.#client.enqueueMany(Array.from({ length: JOBS }, () => ['noop'] as const))
    })
    const work = await this.#costOf(async () => {
      await this.#client.queues.resume('arq:queue')
      await ended
    })
    return { enqueue, work }
  }

  async stop(): Promise<void> {
    await this.#worker.stop()
    await this.#running
    await this.#client.close()
    await this.#cluster.stop()
  }

  /** Measures what the nodes take at rest: their own messages, and the polls of an idle worker. */
  async rest(): Promise<number> {
    const before = await this.#used()
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
    const after = await this.#used()
    this.#restUsPerMs = after.map((each, i) => (each.cpuUs - before[i]!.cpuUs) / REST_MS)
    return this.#restUsPerMs.reduce((sum, us) => sum + us, 0)
  }

  async #costOf(act: () => Promise<void>): Promise<Cost> {
    const before = await this.#used()
    const started = performance.now()
    await act()
    const ms = performance.now() - started
    const after = await this.#used()
    return {
      cpuUs: after.map((each, i) => (each.cpuUs - before[i]!.cpuUs - ms * this.#restUsPerMs[i]!) / JOBS),
      calls: after.map((each, i) => (each.calls - before[i]!.calls) / JOBS),
    }
  }

  #used(): Promise<{ cpuUs: number; calls: number }[]> {
    return Promise.all(this.#cluster.primaries.map(usedBy))
  }
}

async function usedBy({ admin }: ClusterNode): Promise<{ cpuUs: number; calls: number }> {
  const info = await admin.info('all')
  const of = (name: string) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1] ?? 0)
  const calls = /^cmdstat_evalsha:calls=(\d+)/m.exec(info)?.[1]
  return { cpuUs: (of('used_cpu_user') + of('used_cpu_sys')) * 1e6, calls: Number(calls ?? 0) }
}

const fleets: Fleet[] = []
for (const nodes of values.nodes.split(',').map(Number))
  fleets.push(await Fleet.start(nodes, values.partitions === undefined ? nodes : Number(values.partitions)))
const rounds = new Map(fleets.map((fleet) => [fleet, [] as { enqueue: Cost; work: Cost }[]]))
try {
  for (const fleet of fleets) await fleet.round()
  const rest = new Map<Fleet, number>()
  for (const fleet of fleets) rest.set(fleet, await fleet.rest())
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const fleet of fleets) rounds.get(fleet)!.push(await fleet.round())
  }
  console.log(
    `${JOBS} jobs a round, ${values.rounds} rounds; µs of CPU per job, of all nodes together: median (least, most)`,
  )
  for (const [fleet, costs] of rounds) {
    const line = (name: 'enqueue' | 'work') => {
      const sum = (values: readonly number[]) => values.reduce((all, each) => all + each, 0)
      const sums = costs.map((each) => sum(each[name].cpuUs)).sort((x, y) => x - y)
      const busiest = costs.map((each) => Math.max(...each[name].cpuUs)).sort((x, y) => x - y)
      const calls = costs.map((each) => sum(each[name].calls)).sort((x, y) => x - y)
      const figures = `${quantile(sums, 0.5).toFixed(1)} (${sums[0]!.toFixed(1)}, ${sums.at(-1)!.toFixed(1)})`
      return `  ${name}: ${figures}; busiest node ${quantile(busiest, 0.5).toFixed(1)}; calls per job ${quantile(calls, 0.5).toFixed(3)}`
    }
    console.log(
      `${fleet.nodes} nodes, ${fleet.partitions} partitions; at rest ${rest.get(fleet)!.toFixed(1)} ms of CPU a second`,
    )
    console.log(line('enqueue'))
    console.log(line('work'))
  }
} finally {
  for (const fleet of fleets) await fleet.stop()
}
process.exit()
