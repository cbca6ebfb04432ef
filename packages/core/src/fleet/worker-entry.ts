/** What a worker counts since its start, by arq's names. */
export interface Counters {
  /** Jobs that ended well. */
  complete: number
  /** Jobs that ended badly, aborted ones included. */
  failed: number
  /** Runs after which a job was to run again. */
  retried: number
}

/** One worker of ours, as `arq:worker:<id>` tells. */
export interface WorkerEntry {
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
  /** When it started, in unix ms of Redis. */
  startedAtMs: number
  /** Names of the queues it serves, in their order. */
  queues: string[]
  /** Names of the functions it runs, cron jobs included. */
  functions: string[]
  /** How many jobs it runs at a time. */
  maxJobs: number
  /** How long its claim on a job holds without a renewal, in ms. */
  leaseMs: number
  /** `draining` from a stop on: no new jobs, running ones may end. */
  state: 'running' | 'draining'
  /** The line it last wrote to its health keys; null before the first. */
  healthLine: string | null
  /** Its cron jobs, each with its schedule as text and its next tick, in unix ms; null when none will come. */
  cron: { name: string; schedule: string; nextMs: number | null }[]
  /** Resident memory of its process. */
  rssBytes: number
  /** Jobs at work now, at most 100 of them named; `jobTry` counts from 1, `startedAtMs` is in unix ms of Redis. */
  running: { jobId: string; functionName: string; queueName: string; jobTry: number; startedAtMs: number }[]
  /** What it counted; `ongoing` is how many jobs are at work now. */
  counters: Counters & { ongoing: number }
}
