/** The functions by which task packages open Redis: the checks in front of `redis/task-client`. */

import type { Redis } from 'ioredis'
import * as client from '../redis/task-client.ts'
import type { OpenRedisOptions, Script } from '../redis/task-client.ts'
import type { RedisTarget } from '../redis/target.ts'
import { checkName } from './arguments.ts'
import { checkOptions, count, hasMethods } from './check.ts'
import { refineTarget } from './connection.ts'
import * as z from './zod.ts'

const targetSchema = z.strictObject({ redis: z.custom<RedisTarget>().superRefine(refineTarget) })
const optionsSchema = z.strictObject({ maxRetriesPerRequest: count(0).optional() })
const connectionSchema = z.strictObject({
  redis: z.custom<Redis>((value) => hasMethods(value, 'time'), 'Expected a connection, as openRedis() gives it'),
})

/**
 * Opens a separate connection. It reconnects; a call that fails is rejected. A Cluster client has the same commands,
 * and has the type of the client that most users have.
 *
 * @throws OptionsError for a target that `redisOption` refuses.
 */
export function openRedis(target: RedisTarget, options: OpenRedisOptions = {}): Redis {
  checkOptions('openRedis', targetSchema, { redis: target })
  checkOptions('openRedis', optionsSchema, options)
  return client.openRedis(target, options)
}

/** Makes a script of Lua. Bulk strings in its reply are buffers; every key it touches is given as a key. @throws OptionsError */
export function defineScript(source: string): Script {
  checkName('defineScript', 'source', source)
  return client.defineScript(source)
}

/** The server's clock, in unix ms: those of machines may differ. @throws OptionsError */
export async function redisNowMs(redis: Redis): Promise<number> {
  checkOptions('redisNowMs', connectionSchema, { redis })
  return client.redisNowMs(redis)
}
