import type { HealthCounts } from '@arq-ts/protocol/jobs'

/** Counters of a worker since its start, by arq's names. */
export interface Counters {
  /** Jobs that ended well. */
  complete: number
  /** Jobs that ended badly, aborted ones included. */
  failed: number
  /** Runs after which a job was to run again. */
  retried: number
}

/** One worker of ours, read from `arq:worker:<id>`. */
export interface WorkerInfo {
  /** Unique to this run of the worker. */
  id: string
  /** The option `name`, by default the host's. */
  name: string
  /** The machine it runs on. */
  host: string
  /** Its process there. */
  pid: number
  /** The version of arq-ts. */
  version: string
  /** Start of the worker, in unix ms of Redis. */
  startedAtMs: number
  /** Names of the queues it serves, in their order. */
  queues: string[]
  /** Names of the functions it runs, cron jobs included. */
  functions: string[]
  /** Names of those that it runs under limits; undefined from versions that do not say. */
  limitedFunctions?: string[]
  /** True if it checks for a pause before each tick of a cron job; undefined from versions that do not. */
  heedsCronPauses?: boolean
  /** Number of jobs it runs at a time. */
  maxJobs: number
  /** Time its claim on a job holds without a renewal, in ms. */
  leaseMs: number
  /** `quiet` by order: it claims nothing more, and stays up. `draining` from a stop on: running jobs may end. */
  state: 'running' | 'quiet' | 'draining'
  /** The line it last wrote to its health keys; null before the first. */
  healthLine: string | null
  /** Its cron jobs, each with its schedule as text and its next tick, in unix ms; null when none will come. */
  cron: { name: string; schedule: string; nextMs: number | null }[]
  /** Resident memory of its process. */
  rssBytes: number
  /**
   * Jobs at work now, at most 100 of them named; `jobTry` counts from 1, `startedAtMs` is in unix ms of Redis, `limits` are
   * ids of those in which the job has a place.
   */
  running: {
    jobId: string
    functionName: string
    queueName: string
    jobTry: number
    startedAtMs: number
    limits?: readonly string[]
  }[]
  /** Its counters; `ongoing` is the number of jobs that run now. */
  counters: Counters & { ongoing: number }
}

/** A live worker of ours whose registry entry nobody can read. */
export interface UnreadableWorker {
  /** Its id in the registry. */
  workerId: string
  /** Problem with its entry. */
  reason: string
}

/** A Python worker, as the health line of its queue shows it; several of one queue write one line. */
export interface PythonWorker {
  queueName: string
  /** Its counters since its start, and the number of jobs that it runs. */
  counts: HealthCounts
  /** The line as it was written, with the time on the worker's own clock. */
  line: string
  /** Time until the line expires, in ms; it is written again before that while the worker lives. */
  expiresInMs: number
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText)
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields of an entry, and what each must be; a later version may have more. */
const FIELDS: Readonly<Record<keyof WorkerInfo, (value: unknown) => boolean>> = {
  limitedFunctions: (value) => value === undefined || isTexts(value),
  heedsCronPauses: (value) => value === undefined || typeof value === 'boolean',
  id: isText,
  name: isText,
  host: isText,
  pid: isNumber,
  version: isText,
  startedAtMs: isNumber,
  queues: isTexts,
  functions: isTexts,
  maxJobs: isNumber,
  leaseMs: isNumber,
  state: isText,
  healthLine: (value) => value === null || isText(value),
  cron: (value) =>
    Array.isArray(value) &&
    value.every((each) => isObject(each) && isText(each.name) && (each.nextMs === null || isNumber(each.nextMs))),
  rssBytes: isNumber,
  running: (value) =>
    Array.isArray(value) &&
    value.every(
      (each) =>
        isObject(each) &&
        [each.jobId, each.functionName, each.queueName].every(isText) &&
        [each.jobTry, each.startedAtMs].every(isNumber) &&
        (each.limits === undefined || isTexts(each.limits)),
    ),
  counters: (value) =>
    isObject(value) && [value.complete, value.failed, value.retried, value.ongoing].every((count) => isNumber(count)),
}

/** Reads a registry entry; a string says why it cannot be read. */
export function readWorkerInfo(text: string | null): WorkerInfo | string {
  if (text === null) return 'its entry is gone, or holds no string'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'its entry is no JSON'
  }
  if (!isObject(value)) return 'its entry is no object'
  for (const [name, fits] of Object.entries(FIELDS)) {
    if (!fits(value[name])) return `its entry has a wrong \`${name}\``
  }
  return value as unknown as WorkerInfo
}

/** Beginning of the names of tasks that every arq-ts worker has in addition to its own, and that its list of functions leaves out. */
const SYSTEM = 'arq-ts:'

/** True where workers with these functions run one of the name. */
export function serves(functions: readonly string[], name: string): boolean {
  return name.startsWith(SYSTEM) || functions.includes(name)
}
