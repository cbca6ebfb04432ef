/** Options that task packages have in common with a client, for their zod schemas. */

import { z } from 'zod'
import { readTarget, TargetError } from '../redis/target.ts'
import type { RedisTarget } from '../redis/target.ts'

/** The option `redis`: a target that can be opened. An unknown option of ioredis is refused like one of ours. */
export const redisOption: z.ZodType<RedisTarget> = z.custom<RedisTarget>().superRefine((target, context) => {
  try {
    readTarget(target)
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    const { unknown } = error
    if (unknown) context.addIssue({ code: 'unrecognized_keys', keys: [unknown.key], params: { known: unknown.known } })
    else context.addIssue({ code: 'custom', message: `Expected ${error.message}` })
  }
})

/** The option `keyPrefix`: a string that is put before every key. */
export const keyPrefixOption = z.string()
