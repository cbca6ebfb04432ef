// `pnpm bench:partitions`: what a job of a partitioned namespace costs the nodes of a Redis Cluster, by their own CPU time.
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

/** CPU time and time within commands that one round took, in µs per job; of each node. */
interface Cost {
  cpuUs: number[]
  commandUs: number[]
}

/** One size of a cluster, with a client and a worker that live through all rounds. */
class Fleet {
  readonly nodes: number
  readonly partitions: number
  readonly #cluster: RedisCluster
  readonly #client: Client
  readonly #worker: Worker
  readonly #running: Promise<void>
  #done = 0
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

  async #costOf(act: () => Promise<void>): Promise<Cost> {
    const before = await Promise.all(this.#cluster.primaries.map(usedBy))
    await act()
    const after = await Promise.all(this.#cluster.primaries.map(usedBy))
    const per = (of: 'cpuUs' | 'commandUs') => after.map((each, i) => (each[of] - before[i]![of]) / JOBS)
    return { cpuUs: per('cpuUs'), commandUs: per('commandUs') }
  }
}

/** CPU time of a node so far, and the part of it that commands of clients took, in µs. */
async function usedBy({ admin }: ClusterNode): Promise<{ cpuUs: number; commandUs: number }> {
  const info = await admin.info('all')
  const of = (name: string) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1] ?? 0)
  const commands = [...info.matchAll(/^cmdstat_(?:evalsha|eval):.*?usec=(\d+)/gm)]
  return {
    cpuUs: (of('used_cpu_user') + of('used_cpu_sys')) * 1e6,
    commandUs: commands.reduce((sum, [, usec]) => sum + Number(usec), 0),
  }
}

const fleets: Fleet[] = []
for (const nodes of values.nodes.split(',').map(Number))
  fleets.push(await Fleet.start(nodes, values.partitions === undefined ? nodes : Number(values.partitions)))
const rounds = new Map(fleets.map((fleet) => [fleet, [] as { enqueue: Cost; work: Cost }[]]))
try {
  for (const fleet of fleets) await fleet.round()
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const fleet of fleets) rounds.get(fleet)!.push(await fleet.round())
  }
  console.log(
    `${JOBS} jobs a round, ${values.rounds} rounds; µs of CPU per job, of all nodes together: median (least, most)`,
  )
  for (const [fleet, costs] of rounds) {
    const line = (name: string, cost: (each: { enqueue: Cost; work: Cost }) => number[]) => {
      const sums = costs.map((each) => cost(each).reduce((sum, us) => sum + us, 0)).sort((a, b) => a - b)
      const busiest = costs.map((each) => Math.max(...cost(each))).sort((a, b) => a - b)
      const round = (us: number) => us.toFixed(1)
      return `  ${name}: ${round(quantile(sums, 0.5))} (${round(sums[0]!)}, ${round(sums.at(-1)!)}); busiest node ${round(quantile(busiest, 0.5))}`
    }
    console.log(`${fleet.nodes} nodes, ${fleet.partitions} partitions`)
    console.log(line('enqueue, CPU', (each) => each.enqueue.cpuUs))
    console.log(line('enqueue, scripts', (each) => each.enqueue.commandUs))
    console.log(line('work, CPU', (each) => each.work.cpuUs))
    console.log(line('work, scripts', (each) => each.work.commandUs))
  }
} finally {
  for (const fleet of fleets) await fleet.stop()
}
process.exit()
