import { Redis } from 'ioredis'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { RedisServer } from './redis-server.ts'

const SLOTS = 16_384

/** One server of a cluster. */
export interface ClusterNode {
  server: RedisServer
  admin: Redis
  id: string
}

/** A real Redis Cluster on this machine: primaries that share the slots evenly, and replicas of the first of them. */
export class RedisCluster {
  readonly primaries: readonly ClusterNode[]
  readonly replicas: readonly ClusterNode[]

  private constructor(primaries: readonly ClusterNode[], replicas: readonly ClusterNode[]) {
    this.primaries = primaries
    this.replicas = replicas
  }

  /** Starts one and waits until every node knows all others. `replicas`: how many of the primaries, from the first on, have one. */
  static async start({ primaries = 3, replicas = 0 } = {}): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: primaries + replicas }, startNode))
    const cluster = new RedisCluster(nodes.slice(0, primaries), nodes.slice(primaries))
    try {
      await cluster.#join()
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  get nodes(): readonly ClusterNode[] {
    return [...this.primaries, ...this.replicas]
  }

  get urls(): string[] {
    return this.nodes.map(({ server }) => server.url)
  }

  /** The primary that a slot was given to at the start. */
  ownerOf(slot: number): ClusterNode {
    return this.primaries[Math.floor((slot * this.primaries.length) / SLOTS)]!
  }

  async stop(): Promise<void> {
    for (const { admin, server } of this.nodes) {
      admin.disconnect()
      await server.stop()
    }
  }

  async #join(): Promise<void> {
    const { nodes, primaries, replicas } = this
    const [first, ...others] = nodes as [ClusterNode, ...ClusterNode[]]
    for (const [i, { admin }] of primaries.entries()) {
      const from = Math.ceil((i * SLOTS) / primaries.length)
      const to = Math.ceil(((i + 1) * SLOTS) / primaries.length) - 1
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
    }
    const [, busPort = ''] = /@(\d+)/.exec(String(await first.admin.call('CLUSTER', 'NODES'))) ?? []
    for (const { admin } of others) await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(first.server.port), busPort)
    const isWhole = new RegExp(`cluster_state:ok[^]*cluster_known_nodes:${nodes.length}\\b`)
    const agree = async ({ admin }: ClusterNode) => isWhole.test(String(await admin.call('CLUSTER', 'INFO')))
    await eventually(async () => (await Promise.all(nodes.map(agree))).every(Boolean), { timeoutMs: 60_000 })
    for (const [i, { admin }] of replicas.entries()) {
      await admin.call('CLUSTER', 'REPLICATE', primaries[i]!.id)
      await eventually(async () => (await admin.info('replication')).includes('master_link_status:up'), {
        timeoutMs: 60_000,
      })
    }
  }
}

async function startNode(): Promise<ClusterNode> {
  const server = await RedisServer.start({
    // The port of the cluster bus is 10,000 higher by default, which may exceed the range of ports.
    args: [
      ['--cluster-enabled', 'yes'],
      ['--cluster-announce-ip', '127.0.0.1'],
      ['--cluster-node-timeout', '1000'],
      ['--cluster-require-full-coverage', 'no'],
      ['--cluster-port', String(await freePort())],
    ].flat(),
  })
  const admin = new Redis(server.url, { maxRetriesPerRequest: null })
  admin.on('error', () => {})
  return { server, admin, id: String(await admin.call('CLUSTER', 'MYID')) }
}
