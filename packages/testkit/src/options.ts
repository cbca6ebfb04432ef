import { checkOptions, clientDefaults, createLogger } from '@arq-ts/core'
import type { AnyTask, CodecName, CronJob, Logger, WorkerOptions } from '@arq-ts/core'
import { z } from 'zod'
import { aCodec, aCronJob, aLogger, aTask, aTime } from './check.ts'

/** Options of the worker that the kit does not decide itself. */
export type TestWorkerOptions = Omit<
  WorkerOptions,
  | 'redis'
  | 'keyPrefix'
  | 'tasks'
  | 'cron'
  | 'queueName'
  | 'queues'
  | 'codec'
  | 'burst'
  | 'maxBurstJobs'
  | 'handleSignals'
>

/** Options of `createTestQueue`. */
export interface TestQueueOptions {
  /** Tasks of the queue's worker. A queue needs a task or a cron job. */
  tasks?: readonly AnyTask[]
  /** Cron jobs, whose ticks come as the time moves. */
  cron?: readonly CronJob[]
  /**
   * `manual` (default): jobs wait for `drain` or `advance`. `inline`: `queue.client.enqueue` returns once the job has run;
   * one that is deferred waits for `advance` all the same.
   */
  mode?: 'manual' | 'inline'
  /**
   * URL of a Redis server. Default: a redis-server or valkey-server of the PATH, started for this process, on a socket,
   * and ended with it; where there is none, REDIS_URL.
   */
  redis?: string
  /**
   * Put before every key, so that queues do not meet. Default: one of its own. With `''` a queue has the names that Python
   * sees; its database must be empty, and is emptied at the end.
   */
  keyPrefix?: string
  /** Queues that the worker serves; the first is the client's. Default `arq:queue`. */
  queues?: readonly string[]
  /** The time at which the queue begins. Default: this machine's. */
  now?: Date | number
  /** Codec of payloads. Default `msgpack`. */
  codec?: CodecName
  /** Further options of the worker: `ctx`, `onStartup`, `retry`, `maxTries`, … Its recorder is off unless it is set. */
  worker?: TestWorkerOptions
  /** Time after which jobs count as stuck that are due and of which none starts, in ms. Default 10,000. */
  stuckAfterMs?: number
  /** Logs of client and worker. Default: silent. */
  logger?: Logger
}

const schema = z.strictObject({
  tasks: z.array(aTask).optional(),
  cron: z.array(aCronJob).optional(),
  mode: z.enum(['manual', 'inline']).optional(),
  redis: z.string().optional(),
  keyPrefix: z.string().optional(),
  queues: z.array(z.string().min(1)).min(1).optional(),
  now: aTime((value) => Number.isInteger(value) && value >= 0).optional(),
  codec: aCodec.optional(),
  worker: z.looseObject({}).optional(),
  stuckAfterMs: z.number().min(1).optional(),
  logger: aLogger.optional(),
})

/** With every default in place. */
export interface ResolvedTestQueueOptions {
  tasks: readonly AnyTask[]
  cron: readonly CronJob[]
  mode: 'manual' | 'inline'
  redis: string | undefined
  keyPrefix: string | undefined
  queues: readonly string[]
  nowMs: number
  codec: CodecName
  worker: TestWorkerOptions
  stuckAfterMs: number
  logger: Logger
}

/** @throws OptionsError */
export function resolveTestQueueOptions(options: TestQueueOptions): ResolvedTestQueueOptions {
  const given = checkOptions('createTestQueue', schema, options)
  return {
    tasks: given.tasks ?? [],
    cron: given.cron ?? [],
    mode: given.mode ?? 'manual',
    redis: given.redis,
    keyPrefix: given.keyPrefix,
    queues: given.queues ?? [clientDefaults.queueName],
    nowMs: Number(given.now ?? Date.now()),
    codec: given.codec ?? clientDefaults.codec,
    worker: (given.worker ?? {}) as TestWorkerOptions,
    stuckAfterMs: given.stuckAfterMs ?? 10_000,
    logger: given.logger ?? createLogger({ level: 'silent' }),
  }
}

/** Ten years: the longest that a limit holds a job. */
const MAX_ADVANCE_MS = 315_360_000_000

const advanceSchema = z.strictObject({ ms: z.number().int().min(0).max(MAX_ADVANCE_MS) })

/** @throws OptionsError */
export function checkAdvance(ms: number): void {
  checkOptions('advance', advanceSchema, { ms })
}
