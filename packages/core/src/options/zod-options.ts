/** Options that task packages have in common with a client, for the schemas of their own zod. */

import { z } from 'zod'
import type { RedisTarget } from '../redis/target.ts'
import { refineTarget } from './connection.ts'

/** The option `redis`: a target that can be opened. An unknown option of ioredis is refused like one of ours. */
export const redisOption: z.ZodType<RedisTarget> = z.custom<RedisTarget>().superRefine(refineTarget)

/** The option `keyPrefix`: a string that is put before every key. */
export const keyPrefixOption = z.string()
