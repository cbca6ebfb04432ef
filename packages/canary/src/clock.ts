import { redisNowMs } from '@arq-ts/core/task-kit'
import type { Redis } from 'ioredis'
import { z } from 'zod'

export const nowSchema = z.custom<() => number>((value) => typeof value === 'function', 'Expected a function')

/** Unix ms by the given clock, or by Redis's, so that those of machines may differ. */
export function clockOf(redis: Redis, now: (() => number) | undefined): () => Promise<number> {
  return now ? () => Promise.resolve(now()) : () => redisNowMs(redis)
}
