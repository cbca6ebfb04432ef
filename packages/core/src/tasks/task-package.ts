import type { CronJob } from '../cron/cron.ts'
import type { Logger } from '../logging/logger.ts'
import type { ConnectionOptions } from '../options/connection.ts'
import type { WorkerOptions } from '../options/worker.ts'
import type { AnyTask } from './task.ts'

/** The worker a task package is loaded into. */
export interface TaskEnvironment {
  /** The worker's own Redis, for what the tasks keep there. */
  redis: NonNullable<ConnectionOptions['redis']>
  /** The worker's key prefix; empty where Python shares its queues. */
  keyPrefix: string
  /** The folder of the configuration: paths in options are relative to it. */
  folder: string
  /** Queue of the worker, for jobs that a task enqueues itself. */
  queueName: string
  logger: Logger
}

/** Tasks, and what has to be opened and closed around them. */
export interface TaskPackage extends Pick<WorkerOptions, 'onStartup' | 'onShutdown'> {
  tasks: readonly AnyTask[]
  cron?: readonly CronJob[]
}

/**
 * Function that a module exports as `createTasks` to be named in a worker's configuration (`tasks: [{ use: '@arq-ts/qdrant',
 * with: { … } }]`). `options` is what stands under `with`, unchecked.
 *
 * @throws OptionsError for options it does not take.
 */
export type CreateTasks = (options: unknown, environment: TaskEnvironment) => TaskPackage | Promise<TaskPackage>

/** Metrics of a task package, in the text format of Prometheus. */
export interface MetricsOfPackage {
  /** Asked at each scrape: names, helps and samples, each line ended. A series may come from no other package. */
  text: () => Promise<string>
  close: () => Promise<void>
}

/**
 * Function that a module exports as `createMetrics` next to `createTasks`, for metrics that lie in Redis and are the same from each
 * process: a pool serves them once. `options` is what stands under `with`.
 */
export type CreateMetrics = (
  options: unknown,
  environment: TaskEnvironment,
) => MetricsOfPackage | Promise<MetricsOfPackage>
