/** A job's status, by arq's names and arq's order of questions (`Job.status()` in jobs.py). */
export type JobStatus = 'deferred' | 'queued' | 'in_progress' | 'complete' | 'not_found'

/** State of a job in Redis; `score` is null when it is not queued. */
export interface ObservedJob {
  /** A result is kept under `arq:result:<id>`. */
  hasResult: boolean
  /** `arq:in-progress:<id>` is there, whoever wrote it. */
  inProgress: boolean
  /** Its place in the queue: when it is due, in unix ms. */
  score: number | null
}

/** The status of a job at `nowMs`, unix ms by Redis's clock; a result counts before a run, a run before a place in the queue. */
export function statusOf(job: ObservedJob, nowMs: number): JobStatus {
  if (job.hasResult) return 'complete'
  if (job.inProgress) return 'in_progress'
  if (job.score === null) return 'not_found'
  return job.score > nowMs ? 'deferred' : 'queued'
}
