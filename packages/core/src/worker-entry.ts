/** What a worker counts since its start, by arq's names. */
export interface Counters {
  complete: number
  failed: number
  retried: number
}

/** One worker of ours, as `arq:worker:<id>` tells. */
export interface WorkerEntry {
  id: string
  name: string
  host: string
  pid: number
  version: string
  startedAtMs: number
  queues: string[]
  functions: string[]
  maxJobs: number
  leaseMs: number
  /** `draining` from a stop on: no new jobs, running ones may end. */
  state: 'running' | 'draining'
  /** The line it last wrote to its health keys; null before the first. */
  healthLine: string | null
  /** Its cron jobs and their next ticks, in unix ms; null when none will come. */
  cron: { name: string; nextMs: number | null }[]
  /** Resident memory of its process. */
  rssBytes: number
  /** Jobs at work now, at most 100 of them named. */
  running: { jobId: string; functionName: string; queueName: string; jobTry: number; startedAtMs: number }[]
  counters: Counters & { ongoing: number }
}
