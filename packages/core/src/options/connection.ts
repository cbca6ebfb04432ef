/** Options that a client and a worker have in common. */

import type { CodecName } from '@arq-ts/protocol'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import * as z from './zod.ts'
import type { Logger, LogLevel } from '../logging/logger.ts'
import { MAX_PARTITIONS } from '../partitions/placement.ts'
import { readTarget, TargetError } from '../redis/target.ts'
import type { ClusterTarget, RedisTarget } from '../redis/target.ts'
import type { SpinMode } from '../redis/reply-spinner.ts'
import { count, duration, hasMethods } from './check.ts'

export type { ClusterTarget }

/** Options of a client and of a worker. */
export interface ConnectionOptions {
  /**
   * URL, ioredis options (Sentinel, TLS), `{ cluster: nodes }`, or an ioredis client whose settings are copied. Default
   * `redis://localhost:6379`.
   */
  redis?: string | RedisOptions | ClusterTarget | Redis | Cluster
  /** Put before every key; makes queues Python does not share. For Redis Cluster a hash tag: `'{orders}:'`. Default none. */
  keyPrefix?: string
  /**
   * Number of partitions of the namespace, from 1 to 256, each under a hash tag of its own that is made from the one in
   * `keyPrefix`; the same for all clients and workers of the namespace. Default 1.
   */
  partitions?: number
  /** arq's `expires_extra_ms`: how long after its due time a job may still start, in ms, at least 1. Default one day. */
  expiresExtraMs?: number
  /** A pino logger. Default: readable on a terminal, else JSON, on standard error. */
  logger?: Logger
  /** Level of the default logger. Default `info`. */
  logLevel?: LogLevel
  /**
   * Codec in which payloads are written; a reader recognizes it by the first byte. Default `msgpack`; Python's default is `pickle`, and so
   * are the cron ticks of a worker that is given none.
   */
  codec?: CodecName
  /** Bytes of a payload at most, read or written, from 1,024 to 512 MiB. Default 64 MiB. */
  maxPayloadBytes?: number
  /**
   * Bytes of memory that one payload may take when it is decoded, at least 1 MiB; a larger one fails as undecodable. A
   * process needs about four times as much. Default 128 MiB.
   */
  maxDecodedBytes?: number
  /**
   * Waits awake, for 0.2 ms at most, for replies that are due at once: `on`, `off`, or `auto`, which compares both while it
   * works and does what gives replies sooner. Default `auto`.
   */
  spinForReplies?: SpinMode
}

/** @internal */
export const aLogger = z.custom<Logger>(
  (value) => hasMethods(value, 'trace', 'debug', 'info', 'warn', 'error', 'fatal', 'child', 'isLevelEnabled'),
  'Expected a pino logger',
)
/** The part of what zod gives a refinement that is the same in all its versions. */
interface Refinement {
  addIssue(
    issue:
      | { code: 'unrecognized_keys'; keys: string[]; params: { known: readonly string[] } }
      | { code: 'custom'; message: string },
  ): void
}

/** Refuses a target that cannot be opened; an unknown option of ioredis is refused like one of ours. @internal */
export function refineTarget(target: unknown, context: Refinement): void {
  try {
    readTarget(target)
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    const { unknown } = error
    if (unknown) context.addIssue({ code: 'unrecognized_keys', keys: [unknown.key], params: { known: unknown.known } })
    else context.addIssue({ code: 'custom', message: `Expected ${error.message}` })
  }
}

/** @internal */
export const connectionShape = {
  redis: z.custom<RedisTarget>().superRefine(refineTarget).optional(),
  keyPrefix: z.string().optional(),
  partitions: count(1).max(MAX_PARTITIONS).optional(),
  expiresExtraMs: duration(1).optional(),
  logger: aLogger.optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional(),
  codec: z.enum(['msgpack', 'pickle', 'json']).optional(),
  maxPayloadBytes: count(1_024)
    .max(512 * 1024 * 1024)
    .optional(),
  maxDecodedBytes: count(1024 * 1024).optional(),
  spinForReplies: z.enum(['auto', 'on', 'off']).optional(),
}
