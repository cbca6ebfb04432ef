/** Connections and scripts of task packages, which keep data of their own in Redis. */

import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { SteadyCluster } from './cluster-client.ts'
import { useDriver } from './driver.ts'
import * as driver from './ioredis-driver.ts'
import { evaluate } from './scripts.ts'
import type { ScriptReply, ScriptValue } from './scripts.ts'
import { OptionsError } from '../errors.ts'
import { readTarget, TargetError } from './target.ts'
import type { RedisTarget, TargetSettings } from './target.ts'

/** Settings of a connection that a task package decides. */
export interface OpenRedisOptions {
  /** Reconnections that a command waits for before it is rejected. Default 20; 0 rejects it as soon as the connection is lost. */
  maxRetriesPerRequest?: number
}

/**
 * Opens a connection of our own. It reconnects; a call that fails is rejected. A Cluster client has the same
 * commands, and is typed as the one that most users have.
 *
 * @throws OptionsError for a target that `redisOption` refuses, and for other options.
 */
export function openRedis(target: RedisTarget, options: OpenRedisOptions = {}): Redis {
  const settings = targetOf(target)
  checkRetries(options)
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

function targetOf(target: RedisTarget): TargetSettings {
  try {
    return readTarget(target)
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    const { message, unknown } = error
    throw new OptionsError(
      unknown
        ? `openRedis: Unknown option \`${unknown.key}\` of ioredis; it has ${unknown.known.join(', ')}`
        : `openRedis: Expected \`target\` to be ${message}`,
      { cause: error },
    )
  }
}

/** @throws OptionsError */
function checkRetries(options: OpenRedisOptions): void {
  const isObject = typeof options === 'object' && options !== null
  const unknown = isObject ? Object.keys(options).find((key) => key !== 'maxRetriesPerRequest') : undefined
  const { maxRetriesPerRequest: retries = 0 } = isObject ? options : {}
  if (isObject && unknown === undefined && Number.isSafeInteger(retries) && retries >= 0) return
  throw new OptionsError(
    unknown === undefined
      ? 'openRedis: Expected options with `maxRetriesPerRequest`, an integer of at least 0'
      : `openRedis: Unknown option \`${unknown}\`, did you mean \`maxRetriesPerRequest\`?`,
  )
}

/** A script of a task package. It is sent by its digest, and by its source where the server does not know it. */
export type Script = (redis: Redis, keys: readonly string[], args: readonly ScriptValue[]) => Promise<ScriptReply>

/** Makes a script of Lua. Bulk strings in its reply are buffers; every key it touches is given as a key. @throws OptionsError */
export function defineScript(source: string): Script {
  if (typeof source !== 'string' || source === '')
    throw new OptionsError('defineScript: expected the source of a script')
  useDriver(driver)
  const script = { source, sha: createHash('sha1').update(source).digest('hex') }
  return (redis, keys, args) => evaluate(redis, script, keys, args)
}

/** The server's clock, in unix ms: those of machines may differ. */
export async function redisNowMs(redis: Redis): Promise<number> {
  if (typeof (redis as Partial<Redis> | null)?.time !== 'function')
    throw new OptionsError('redisNowMs: expected a connection, as `openRedis` gives it')
  const [seconds, micros] = await redis.time()
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

/** Settings for RESP2, which has one mapping of replies. */
function ours<T extends { replyMapping?: unknown }>(theirs: T, options: OpenRedisOptions) {
  const { replyMapping: _, ...others } = theirs
  return { ...others, ...options, protocol: 2 as const, lazyConnect: false }
}
