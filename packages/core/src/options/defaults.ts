/** Defaults of every option that has one: options, the configuration, flags and the reference follow from these. Pure. */

import { DEFAULT_QUEUE_NAME, EXPIRES_EXTRA_MS, MAX_DECODED_BYTES, MAX_PAYLOAD_BYTES } from '@arq-ts/protocol/defaults'
import type { ClientOptions } from './client.ts'
import type { ConnectionOptions } from './connection.ts'
import type { WorkerOptions } from './worker.ts'

/** A default for each option of `O`; undefined for one that has none. */
type DefaultsOf<O> = { [K in keyof O]-?: O[K] | undefined }

const connection = {
  redis: 'redis://localhost:6379',
  keyPrefix: '',
  partitions: 1,
  expiresExtraMs: EXPIRES_EXTRA_MS,
  logger: undefined,
  logLevel: undefined,
  codec: 'msgpack',
  maxPayloadBytes: MAX_PAYLOAD_BYTES,
  maxDecodedBytes: MAX_DECODED_BYTES,
  spinForReplies: 'auto',
} as const satisfies DefaultsOf<ConnectionOptions>

/** Defaults of the options of a `Client`; durations in ms, undefined for options without a default. */
export const clientDefaults = Object.freeze({
  ...connection,
  queueName: DEFAULT_QUEUE_NAME,
  commandTimeoutMs: 10_000,
  middleware: Object.freeze([] as const),
} as const) satisfies DefaultsOf<ClientOptions>

/**
 * Defaults of the options of a `Worker`: arq's, except for `allowAbortJobs` and options that arq lacks; durations in ms,
 * undefined for options without a default. `queueReadLimit` follows from `maxJobs`.
 */
export const workerDefaults = Object.freeze({
  ...connection,
  tasks: Object.freeze([] as const),
  cron: Object.freeze([] as const),
  queueName: DEFAULT_QUEUE_NAME,
  queues: undefined,
  queueOrder: 'strict',
  maxJobs: 10,
  jobTimeoutMs: 300_000,
  keepResultMs: 3_600_000,
  keepResultForever: false,
  pollDelayMs: 500,
  queueReadLimit: undefined,
  maxTries: 5,
  healthCheckIntervalMs: 3_600_000,
  healthCheckKey: undefined,
  retryJobs: true,
  allowAbortJobs: true,
  burst: false,
  maxBurstJobs: -1,
  jobCompletionWaitMs: 0,
  handleSignals: true,
  timeZone: undefined,
  logResults: true,
  logArguments: true,
  ctx: Object.freeze({}),
  onStartup: undefined,
  onShutdown: undefined,
  onJobStart: undefined,
  onJobEnd: undefined,
  afterJobEnd: undefined,
  middleware: Object.freeze([] as const),
  leaseMs: 30_000,
  abortGraceMs: 5_000,
  retry: undefined,
  deadLetter: Object.freeze({ maxAgeMs: 7 * 86_400_000, maxCount: 10_000 }),
  unknownFunction: 'fail',
  name: undefined,
  eventLoopLagWarnMs: 1_000,
  handOff: false,
  keyspaceNotifications: 'auto',
  recorder: Object.freeze({ intervalMs: 10_000 }),
  schedules: true,
} as const) satisfies DefaultsOf<WorkerOptions>

/** Number of jobs that a worker requests in one poll without `queueReadLimit`, as in arq. */
export function queueReadLimitOf(maxJobs: number): number {
  return Math.max(5 * maxJobs, 100)
}

/** Options with every default in place: `O` as the caller gives them, `D` the defaults. */
export type Defaults<O, D> = {
  [K in keyof O]-?: K extends keyof D ? (undefined extends D[K] ? O[K] | undefined : Exclude<O[K], undefined>) : never
}

/** Leaves out the options that are given as undefined: those are not given. */
export function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}
