/** A job's status, by arq's names and arq's order of questions (`Job.status()` in jobs.py). */
export type JobStatus = 'deferred' | 'queued' | 'in_progress' | 'complete' | 'not_found'

/** What Redis says of a job; `score` is null when it is not queued. */
export interface ObservedJob {
  hasResult: boolean
  inProgress: boolean
  score: number | null
}

export function statusOf(job: ObservedJob, nowMs: number): JobStatus {
  if (job.hasResult) return 'complete'
  if (job.inProgress) return 'in_progress'
  if (job.score === null) return 'not_found'
  return job.score > nowMs ? 'deferred' : 'queued'
}
