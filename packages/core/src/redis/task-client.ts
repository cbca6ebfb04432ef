/** Connections and scripts of task packages, which keep data of their own in Redis. */

import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { SteadyCluster } from './cluster-client.ts'
import { useDriver } from './driver.ts'
import * as driver from './ioredis-driver.ts'
import { evaluate } from './scripts.ts'
import type { ScriptReply, ScriptValue } from './scripts.ts'
import { readTarget } from './target.ts'
import type { RedisTarget } from './target.ts'

/** Settings of a connection that a task package decides. */
export interface OpenRedisOptions {
  /** Reconnections that a command waits for before it is rejected. Default 20; 0 rejects it as soon as the connection is lost. */
  maxRetriesPerRequest?: number
}

/**
 * Opens a connection of our own. It reconnects; a call that fails is rejected. A Cluster client has the same
 * commands, and is typed as the one that most users have.
 *
 * @throws TargetError for a target that cannot be used.
 */
export function openRedis(target: RedisTarget, options: OpenRedisOptions = {}): Redis {
  const settings = readTarget(target)
  const redis =
    settings.kind === 'server'
      ? new Redis(ours(settings.options, options))
      : (new SteadyCluster(settings.nodes, {
          ...settings.options,
          lazyConnect: false,
          scaleReads: 'master',
          redisOptions: ours(settings.options.redisOptions ?? {}, options),
        }) as unknown as Redis)
  redis.on('error', () => {}) // the call that fails reports it
  return redis
}

/** A script of a task package. It is sent by its digest, and by its source where the server does not know it. */
export type Script = (redis: Redis, keys: readonly string[], args: readonly ScriptValue[]) => Promise<ScriptReply>

/** Makes a script of Lua. Bulk strings in its reply are buffers; every key it touches is given as a key. */
export function defineScript(source: string): Script {
  useDriver(driver)
  const script = { source, sha: createHash('sha1').update(source).digest('hex') }
  return (redis, keys, args) => evaluate(redis, script, keys, args)
}

/** The server's clock, in unix ms: those of machines may differ. */
export async function redisNowMs(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time()
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

/** Settings for RESP2, which has one mapping of replies. */
function ours<T extends { replyMapping?: unknown }>(theirs: T, options: OpenRedisOptions) {
  const { replyMapping: _, ...others } = theirs
  return { ...others, ...options, protocol: 2 as const, lazyConnect: false }
}
