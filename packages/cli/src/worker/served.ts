import { maskSetting } from '@arq-ts/core/config'
import type { ConnectionOptions, WorkerOptions } from '@arq-ts/core'

/** Queues that a worker serves, and their Redis: for those who look at them. */
export interface ServedQueues {
  queueNames: readonly string[]
  connection: Pick<ConnectionOptions, 'redis' | 'keyPrefix' | 'partitions'>
}

/** A worker's own default. */
const DEFAULT_QUEUE_NAME = 'arq:queue'

/** Queues that a worker with these options serves. */
export function servedBy({ queues, queueName, redis, keyPrefix, partitions }: WorkerOptions): ServedQueues {
  const names = (queues ?? [queueName ?? DEFAULT_QUEUE_NAME]).map((queue) =>
    typeof queue === 'string' ? queue : queue.name,
  )
  return {
    queueNames: names,
    connection: {
      ...(redis === undefined ? {} : { redis }),
      ...(keyPrefix === undefined ? {} : { keyPrefix }),
      ...(partitions === undefined ? {} : { partitions }),
    },
  }
}

/** The same as plain data, which other processes can be sent; null where it is none, as of a Cluster's client. */
export function plainServed(served: ServedQueues): ServedQueues | null {
  const { redis } = served.connection
  if (typeof redis !== 'object') return served
  const options: unknown = 'duplicate' in redis ? redis.options : redis
  if (typeof options !== 'object' || options === null || ('isCluster' in redis && redis.isCluster)) return null
  const plain = Object.entries(options).filter(([, value]) => typeof value !== 'function')
  try {
    return structuredClone({ ...served, connection: { ...served.connection, redis: Object.fromEntries(plain) } })
  } catch {
    return null // a TLS context, say
  }
}

/** Address of its Redis, for a person. */
export function addressOfServed({ connection: { redis = 'redis://localhost:6379' } }: ServedQueues): string {
  if (typeof redis === 'string') return String(maskSetting('redis_url', redis))
  if (Array.isArray((redis as { cluster?: unknown }).cluster)) return 'the cluster'
  const { host, port, path, db, name } = ('duplicate' in redis ? redis.options : redis) as {
    host?: string
    port?: number
    path?: string | null
    db?: number
    name?: string
  }
  if (name !== undefined) return `sentinel ${name}, database ${db ?? 0}`
  return path ? `unix://${path}, database ${db ?? 0}` : `redis://${host ?? 'localhost'}:${port ?? 6379}/${db ?? 0}`
}
