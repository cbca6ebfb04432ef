/** The kit of task packages: options, connections and scripts. Ours stand on it, and so may yours. */
export { checkOptions } from './options/check.ts'
export { keyPrefixOption, redisOption } from './options/zod-options.ts'
export { defineScript, openRedis, redisNowMs } from './options/kit.ts'
export type { OpenRedisOptions, Script } from './redis/task-client.ts'
export type { ScriptReply, ScriptValue } from './redis/scripts.ts'
export type { RedisTarget } from './redis/target.ts'
