import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { z } from 'zod'

/** Where Redis is: a URL, ioredis options, or a client whose settings are copied. */
export type RedisTarget = string | RedisOptions | Redis | Cluster

export const redisSchema = z.custom<RedisTarget>(
  (value) =>
    typeof value === 'string'
      ? value !== '' && !/^(?!rediss?:)[a-z][a-z0-9+.-]*:\/\//i.test(value)
      : typeof value === 'object' && value !== null && !Array.isArray(value),
  'Expected a URL such as redis://localhost:6379, ioredis options or an ioredis client',
)

export const keyPrefixSchema = z.string('Expected a text')

/** What this package decides about its connections. */
interface Ours {
  maxRetriesPerRequest?: number
}

/** A connection of our own. It reconnects by itself; the call that fails tells. `ours` goes before the target's options. */
export function openRedis(target: RedisTarget, ours: Ours = {}): Redis {
  const redis = connect(target, ours)
  redis.on('error', () => {})
  return redis
}

function connect(target: RedisTarget, ours: Ours): Redis {
  if (target instanceof Redis) return target.duplicate(ours)
  // A Cluster client has the same commands.
  if (target instanceof Cluster) return target.duplicate([], { redisOptions: ours }) as unknown as Redis
  if (typeof target === 'string') return new Redis(target, { ...ours, protocol: 2 })
  const { replyMapping: _, ...theirs } = target
  return new Redis({ ...theirs, ...ours, protocol: 2 })
}

export const nowSchema = z.custom<() => number>((value) => typeof value === 'function', 'Expected a function')

/** Unix ms by the given clock, or by Redis's, so that those of machines may differ. */
export function clockOf(redis: Redis, now: (() => number) | undefined): () => Promise<number> {
  if (now) return () => Promise.resolve(now())
  return async () => {
    const [seconds, micros] = await redis.time()
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
  }
}
