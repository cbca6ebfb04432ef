/** The options of a worker, their meaning and their defaults. Unknown ones are refused. */

import { isTimeZone } from '@arq-ts/protocol/time'
import type { RetryPolicy } from '@arq-ts/protocol/jobs'
import * as z from './zod.ts'
import type { CronJob } from '../cron/cron.ts'
import { OptionsError } from '../errors.ts'
import { middlewareSchema } from '../middleware/middleware.ts'
import type { Middleware } from '../middleware/middleware.ts'
import type { JobContext } from '../tasks/context.ts'
import type { Needs } from '../tasks/contract.ts'
import type { AnyTask } from '../tasks/task.ts'
import { aFunction, aRecord, checkOptions, count, duration, hasMethods, retryPolicySchema, timer } from './check.ts'
import { connectionShape } from './connection.ts'
import type { ConnectionOptions } from './connection.ts'
import { given, queueReadLimitOf, workerDefaults } from './defaults.ts'
import type { Defaults } from './defaults.ts'

/** One queue of several; `weight` (default 1) counts with `queueOrder: 'weighted'`. */
export interface QueueOptions {
  /** The queue's name, which is its Redis key. */
  name: string
  /** Its share of the draws, above 0. Default 1. */
  weight?: number
}

/** The state that hooks of the worker's life get, and that every `ctx` is made of. */
export type WorkerState = Record<string, unknown>

/** Options of `new Worker()`: arq's, camel-cased, and ours. */
export interface WorkerOptions extends ConnectionOptions {
  /** Tasks that this worker runs, made by `defineTask`; names are unique, those of `cron` included. arq's `functions`. */
  tasks?: readonly AnyTask[]
  /**
   * Cron jobs, made by `cron`. Several may share one name and handler: they are schedules of one function. arq's
   * `cron_jobs`. A worker needs a task or a cron job.
   */
  cron?: readonly CronJob[]
  /** The queue it serves. Default `arq:queue`. Excludes `queues`. */
  queueName?: string
  /** Several queues for one worker, in the order they are served. Excludes `queueName`. */
  queues?: readonly (string | QueueOptions)[]
  /** `strict` (default): a later queue is served from what the earlier ones leave. `weighted`: drawn by weight. */
  queueOrder?: 'strict' | 'weighted'
  /** Jobs at work at a time, at least 1. Default 10. */
  maxJobs?: number
  /** Time a run may take before its signal fires and it has failed, in ms, at least 1; a task's `timeoutMs` wins. Default 300,000. */
  jobTimeoutMs?: number
  /** Time results are kept, in ms; 0 stores none. A task's own wins. Default 3,600,000. */
  keepResultMs?: number
  /** Keeps results for ever; wins over `keepResultMs`. Default false. */
  keepResultForever?: boolean
  /** Interval at which it looks for due jobs unless it is woken, in ms, at least 1; wake-ups find most work sooner. Default 500. */
  pollDelayMs?: number
  /** Jobs asked for in one poll, at least 1. Default max(5 × maxJobs, 100). */
  queueReadLimit?: number
  /** Tries before a job fails for good, at least 1; a task's own wins. Default 5. */
  maxTries?: number
  /** Interval at which the health key is written, in ms, at least 1; the key lives a second longer. Default 3,600,000. */
  healthCheckIntervalMs?: number
  /** Name of the key with the worker's health. Default `<queue>:health-check`, for each queue. */
  healthCheckKey?: string
  /** False makes `Retry` and a shutdown failures, as in arq. Default true. */
  retryJobs?: boolean
  /** Lets jobs be aborted here. Default true (arq: false): an abort that nobody hears would wait for ever. */
  allowAbortJobs?: boolean
  /** Stop when the queues are empty. Default false. */
  burst?: boolean
  /** Jobs to start at most in a burst; negative for no limit. Default -1. */
  maxBurstJobs?: number
  /** Time running jobs may continue after a stop, in ms. Default 0. */
  jobCompletionWaitMs?: number
  /** Stop on SIGTERM and SIGINT. Default true. */
  handleSignals?: boolean
  /** IANA name: the wall clock of cron jobs that name none. Default: the system's. */
  timeZone?: string
  /** Shows in log lines what jobs return, as arq's do. Default true. */
  logResults?: boolean
  /** Shows arguments in log lines, as arq's do. Default true. */
  logArguments?: boolean
  /** State for every `ctx`; hooks may add to it. Default `{}`. */
  ctx?: WorkerState
  /**
   * Before the first job; the object it returns, and what it puts into the state, reach every `ctx`. When it throws, the
   * worker does not start.
   */
  onStartup?: (ctx: WorkerState) => unknown
  /** After the last job is settled, once `onStartup` has ended well. Its errors are logged. */
  onShutdown?: (ctx: WorkerState) => unknown
  /** Before the handler, with its `ctx`; when it throws, the run has failed. */
  onJobStart?: (ctx: JobContext) => unknown
  /** After the handler, before its end is stored; waited for `abortGraceMs` at most. Its errors are logged. */
  onJobEnd?: (ctx: JobContext) => unknown
  /** After its end is stored; waited for `abortGraceMs` at most. Its errors are logged. */
  afterJobEnd?: (ctx: JobContext) => unknown
  /**
   * Code around every handler (`run`), and around what handlers enqueue by `ctx.client` (`enqueue`), the first outermost.
   * It runs after `onJobStart` and before `onJobEnd`. Default none.
   */
  middleware?: readonly Middleware[]
  /** A dead worker's jobs run again after this, in ms, at least 1,000. Default 30,000. */
  leaseMs?: number
  /** Time a handler may ignore its signal, or a hook at a job's end run, before its slot is given up, in ms. Default 5,000. */
  abortGraceMs?: number
  /** Retries every error, up to `maxTries`; a task's own wins. Default: only `Retry` and a shutdown run again, as in arq. */
  retry?: RetryPolicy
  /** Bounds of dead letters: age in ms, and number; false keeps none. Default 7 days, 10,000 jobs. */
  deadLetter?: false | { maxAgeMs?: number; maxCount?: number }
  /** A function this worker does not have: fail, as arq, or hand back for a worker that has it. Default `fail`. */
  unknownFunction?: 'fail' | 'release'
  /** Part of the worker's id. Default: the host's name. */
  name?: string
  /** Warn when the event loop was blocked for longer, in ms. Default 1,000. */
  eventLoopLagWarnMs?: number
  /**
   * Lets producers of arq-ts hand jobs to this worker while it is idle, with the enqueue itself, so that it need not claim
   * them. Not in a burst, with `unknownFunction: 'release'` or `partitions`, or on a Redis Cluster. Default false.
   */
  handOff?: boolean
  /** Use of the server's keyspace events, where it has them on. Default `auto`. */
  keyspaceNotifications?: 'auto' | false
  /**
   * Records what jobs did, for `client.history` and the dashboard: counts, durations, errors, written every
   * `intervalMs` (at least 100, default 10,000). Default true.
   */
  recorder?: boolean | { intervalMs?: number }
  /**
   * Enqueues the ticks of `client.schedules`, of all queues of its database, and runs the system task
   * `arq-ts:schedule`. Default true; a burst enqueues none.
   */
  schedules?: boolean
}

/** The state of a worker by its types: what `ctx` has and `onStartup` returns. */
export type StateOf<Given extends object, Provided> = Given &
  (Provided extends object ? Provided : Record<never, never>)

/**
 * The options that provide what handlers need of their context, and the tasks that need it.
 *
 * @typeParam Given - The type of `ctx`.
 * @typeParam Provided - The return value of `onStartup`.
 */
export interface StateOptions<Given extends object, Provided> {
  /** Tasks that this worker runs. One that needs more of the context than `ctx` and `onStartup` provide does not compile. */
  tasks?: readonly (AnyTask & Needs<NoInfer<StateOf<Given, Provided>>>)[]
  /** Cron jobs. A cron job that needs more of the context than `ctx` and `onStartup` provide does not compile. */
  cron?: readonly (CronJob & Needs<NoInfer<StateOf<Given, Provided>>>)[]
  /** As in `WorkerOptions`. */
  ctx?: Given
  /** As in `WorkerOptions`. */
  onStartup?: (ctx: WorkerState & NoInfer<Given>) => Provided | Promise<Provided>
  /** As in `WorkerOptions`; it may need what `ctx` and `onStartup` provide, and no more. */
  onShutdown?: (ctx: WorkerState & NoInfer<StateOf<Given, Provided>>) => unknown
  /** As in `WorkerOptions`; it may need what `ctx` and `onStartup` provide, and no more. */
  onJobStart?: (ctx: JobContext<NoInfer<StateOf<Given, Provided>>>) => unknown
  /** As in `WorkerOptions`; it may need what `ctx` and `onStartup` provide, and no more. */
  onJobEnd?: (ctx: JobContext<NoInfer<StateOf<Given, Provided>>>) => unknown
  /** As in `WorkerOptions`; it may need what `ctx` and `onStartup` provide, and no more. */
  afterJobEnd?: (ctx: JobContext<NoInfer<StateOf<Given, Provided>>>) => unknown
}

const isNamed = (value: unknown) => typeof (value as { name?: unknown }).name === 'string'
const aTask = z.custom<AnyTask>(
  (value) => hasMethods(value, 'handler', 'bind', 'pack') && isNamed(value),
  'Expected a task made by defineTask()',
)
const aCronJob = z.custom<CronJob>(
  (value) => hasMethods(value, 'handler', 'next') && isNamed(value),
  'Expected a cron job made by cron()',
)
/** @internal */
export const workerSchema = z.strictObject({
  ...connectionShape,
  tasks: z.array(aTask).optional(),
  cron: z.array(aCronJob).optional(),
  queueName: z.string().min(1).optional(),
  queues: z
    .array(
      z.union([
        z.string().min(1),
        z.strictObject({ name: z.string().min(1), weight: z.number().positive().optional() }),
      ]),
    )
    .min(1)
    .optional(),
  queueOrder: z.enum(['strict', 'weighted']).optional(),
  maxJobs: count(1).optional(),
  jobTimeoutMs: duration(1).optional(),
  keepResultMs: duration(0).optional(),
  keepResultForever: z.boolean().optional(),
  pollDelayMs: timer(1).optional(),
  queueReadLimit: count(1).optional(),
  maxTries: count(1).optional(),
  healthCheckIntervalMs: duration(1).optional(),
  healthCheckKey: z.string().min(1).optional(),
  retryJobs: z.boolean().optional(),
  allowAbortJobs: z.boolean().optional(),
  burst: z.boolean().optional(),
  maxBurstJobs: z.number().int().optional(),
  jobCompletionWaitMs: duration(0).optional(),
  handleSignals: z.boolean().optional(),
  timeZone: z.string().refine(isTimeZone, 'Expected an IANA time zone such as Europe/Berlin').optional(),
  logResults: z.boolean().optional(),
  logArguments: z.boolean().optional(),
  ctx: aRecord.optional(),
  onStartup: aFunction.optional(),
  onShutdown: aFunction.optional(),
  onJobStart: aFunction.optional(),
  onJobEnd: aFunction.optional(),
  afterJobEnd: aFunction.optional(),
  middleware: middlewareSchema.optional(),
  leaseMs: timer(1_000).optional(),
  abortGraceMs: timer(0).optional(),
  retry: retryPolicySchema().optional(),
  deadLetter: z
    .union([z.literal(false), z.strictObject({ maxAgeMs: duration(1).optional(), maxCount: count(1).optional() })])
    .optional(),
  unknownFunction: z.enum(['fail', 'release']).optional(),
  name: z.string().min(1).optional(),
  eventLoopLagWarnMs: duration(1).optional(),
  handOff: z.boolean().optional(),
  keyspaceNotifications: z.union([z.literal('auto'), z.literal(false)]).optional(),
  recorder: z.union([z.boolean(), z.strictObject({ intervalMs: timer(100).optional() })]).optional(),
  schedules: z.boolean().optional(),
})

/** With every default in place, and durations in whole ms. */
export type ResolvedWorkerOptions = Omit<
  Defaults<WorkerOptions, typeof workerDefaults>,
  'queues' | 'queueName' | 'queueReadLimit' | 'deadLetter' | 'recorder'
> & {
  queues: { name: string; weight: number }[]
  queueReadLimit: number
  deadLetter: false | { maxAgeMs: number; maxCount: number }
  recorder: false | { intervalMs: number }
}

/**
 * The options of a worker with every default in place.
 *
 * @throws OptionsError that names the option, what was expected and what came; also for `queues` together with `queueName`, a
 *   queue or a function given twice, and a worker that has nothing to run.
 */
export function resolveWorkerOptions(options: WorkerOptions): ResolvedWorkerOptions {
  const checked = checkOptions('Worker', workerSchema, options)
  if (checked.queues !== undefined && checked.queueName !== undefined) {
    throw new OptionsError('Worker: give `queueName` or `queues`, not both')
  }
  const queues = (checked.queues ?? [checked.queueName ?? workerDefaults.queueName]).map((queue) =>
    typeof queue === 'string' ? { name: queue, weight: 1 } : { name: queue.name, weight: queue.weight ?? 1 },
  )
  const again = repeated(queues.map((queue) => queue.name))
  if (again !== undefined) throw new OptionsError(`Worker: queue '${again}' is in \`queues\` twice`)
  const resolved = { ...workerDefaults, ...given(checked) } as unknown as ResolvedWorkerOptions
  const names = namesOf(resolved)
  if (names.length === 0) {
    // arq's own words
    throw new OptionsError('Worker: at least one function or cron job must be registered (`tasks`, `cron`)')
  }
  const twice = repeated(names)
  if (twice !== undefined) {
    throw new OptionsError(
      `Worker: function '${twice}' is registered twice; names are unique on a worker, but for cron jobs with the same handler`,
    )
  }
  return {
    ...resolved,
    queues,
    queueReadLimit: checked.queueReadLimit ?? queueReadLimitOf(resolved.maxJobs),
    deadLetter: orNone(checked.deadLetter, workerDefaults.deadLetter),
    recorder: orNone(checked.recorder, workerDefaults.recorder),
  }
}

/** False for none; else the settings, each with its default. */
function orNone<T extends object>(setting: boolean | object | undefined, defaults: T): false | T {
  if (setting === false) return false
  return { ...defaults, ...(typeof setting === 'object' ? (given(setting) as Partial<T>) : {}) }
}

/** Names of functions. arq allows several cron jobs on one function: they are several schedules of it. */
function namesOf({ tasks, cron }: ResolvedWorkerOptions): string[] {
  const handlers = new Map<string, CronJob['handler']>()
  const schedules = cron.filter(({ name, handler }) => {
    const isAnother = handlers.get(name) === handler
    handlers.set(name, handler)
    return !isAnother
  })
  return [...tasks, ...schedules].map((entry) => entry.name)
}

function repeated(names: readonly string[]): string | undefined {
  return names.find((name, i) => names.indexOf(name) !== i)
}
