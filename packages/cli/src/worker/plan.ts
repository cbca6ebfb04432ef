import type { LogLevel } from '@arq-ts/core'
import type { TaskQueueConfig } from '@arq-ts/core/config'
import type { ReadMetric } from '../metrics/ended-totals.ts'
import type { ServedQueues } from './served.ts'

/** Everything a worker process needs to know; sent to it, so plain data. */
export interface WorkerPlan {
  /** Settings modules, as absolute paths. */
  modules: readonly string[]
  /** Task packages, with what is handed to them. */
  packages: readonly { use: string; with: unknown }[]
  /** Folders that packages are looked for from: of the configuration file, and the current one. */
  folders: readonly string[]
  config: TaskQueueConfig
  /** Keys of `config` that were given outside the command line, and on it. */
  given: readonly string[]
  givenByFlag: readonly string[]
  burst: boolean
  maxBurstJobs: number | undefined
  logLevel: LogLevel
  logFormat: 'pretty' | 'json' | undefined
  name: string | undefined
  /** Its place in the pool, from 1; 0 for a worker on its own. */
  index: number
  metrics: boolean
}

/** Messages of a worker process to its supervisor. */
export type FromChild =
  /** Sent before it has its Redis; null where it is not known. */
  | { type: 'serves'; served: ServedQueues | null }
  /** Sent with the time it allows running jobs after a request to stop, and after a second one, in ms. */
  | { type: 'ready'; stopMs: number; hurryMs: number; leaseMs: number }
  | { type: 'pong' }
  | { type: 'redis'; up: boolean }
  /** Asked for by this number; the last ones, of its end, by none. */
  | { type: 'metrics'; id?: number; metrics: ReadMetric[] }
  /** It cannot start, and would not the next time. */
  | { type: 'refused'; message: string }

/** Messages of a supervisor to a worker process. `stop` a second time: do not wait for running jobs. */
export type ToChild =
  | { type: 'start'; plan: WorkerPlan }
  | { type: 'stop' }
  | { type: 'ping' }
  | { type: 'metrics'; id: number }
