import { Cluster } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import type { Slot } from '../plan/slots.ts'
import { CLUSTER_PREFIX } from '../servers/topology.ts'
import type { Target } from '../servers/topology.ts'

/** Assignment of a process of the fleet: its one argument, in JSON. */
export interface Assignment {
  slot: Slot
  /** Name of this incarnation, such as `ts-worker-1#3`. */
  worker: string
  seed: string
  redis: Target
  ledgerPort: number
  leaseMs: number
  /** Jobs per second of a producer of ours. */
  rate: number
  /** Jobs per second of a producer of Python's. */
  pythonRate: number
  /** Jobs that a worker of ours runs at a time. */
  maxJobs: number
  logLevel: string
  python: boolean
}

/** Reads the argument. */
export function readAssignment(): Assignment {
  return JSON.parse(process.argv[2] ?? '{}') as Assignment
}

/** Address of Redis, as the library's options `redis` and `keyPrefix`. */
export function connectionOptions(target: Target): { redis: RedisOptions | Cluster; keyPrefix?: string } {
  const { password } = target
  if (target.kind === 'cluster') {
    // Only its settings are used.
    const redis = new Cluster(target.nodes, {
      natMap: target.natMap,
      lazyConnect: true,
      redisOptions: { username: 'default', password },
    })
    return { redis, keyPrefix: CLUSTER_PREFIX }
  }
  const own = { username: 'default', password, db: target.db }
  if (target.kind === 'single') return { redis: { ...own, host: '127.0.0.1', port: target.port } }
  return { redis: { ...own, sentinels: target.sentinels, name: target.master, natMap: target.natMap } }
}
