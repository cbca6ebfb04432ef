import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'

/** Where Redis is: a URL, ioredis options, or a client whose settings are copied. */
export type RedisTarget = string | RedisOptions | Redis | Cluster

/** A connection of our own. It reconnects by itself; the call that fails tells. */
export function openRedis(target: RedisTarget): Redis {
  const redis = connect(target)
  redis.on('error', () => {})
  return redis
}

function connect(target: RedisTarget): Redis {
  if (target instanceof Redis) return target.duplicate()
  // A Cluster client has the same commands.
  if (target instanceof Cluster) return target.duplicate() as unknown as Redis
  if (typeof target === 'string') return new Redis(target, { protocol: 2 })
  const { replyMapping: _, ...theirs } = target
  return new Redis({ ...theirs, protocol: 2 })
}

/** Redis's own time, so that the clocks of machines may differ. */
export async function redisNow(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time()
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}
