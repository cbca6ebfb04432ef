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
  /** Jobs at work now, at most 100 of them named. */
  running: { jobId: string; functionName: string; queueName: string; jobTry: number; startedAtMs: number }[]
  counters: Counters & { ongoing: number }
}
