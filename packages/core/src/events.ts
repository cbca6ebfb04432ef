/** What a worker tells of, for metrics and tests: `worker.on('jobFinished', ({ outcome, runMs }) => …)`. */

/** Which job an event is about. */
export interface JobEvent {
  jobId: string
  functionName: string
  queueName: string
}

/** The events of a worker and what their listeners get; for `EventEmitter<WorkerEvents>`. */
export type WorkerEvents = {
  /** The worker is up and polls. */
  started: []
  stopped: []
  /** A job was enqueued through this worker: by a handler's `ctx.client`, or as a tick of a cron job. */
  jobEnqueued: [JobEvent]
  /** `waitMs` is how long past its due time the job waited. */
  jobStarted: [JobEvent & { jobTry: number; waitMs: number }]
  /** The end is stored in Redis. `error` unless complete. */
  jobFinished: [
    JobEvent & { jobTry: number; outcome: 'complete' | 'failed' | 'aborted'; runMs: number; error?: unknown },
  ]
  jobRetried: [JobEvent & { jobTry: number; delayMs: number; error: unknown }]
  /** The job went back to its queue, uncounted. */
  jobReleased: [JobEvent & { reason: 'shutdown' | 'unknown function' }]
  /** The handler ignored its signal past the grace; its slot is free, its code still runs. */
  jobAbandoned: [JobEvent]
  /** Another worker has the job; this run's outcome is discarded. */
  leaseLost: [JobEvent]
  deadLettered: [JobEvent & { jobTry: number; error: unknown }]
  redisDown: [{ error: Error }]
  redisUp: []
}

/** What a worker publishes of its jobs; the fields beyond the first six depend on the event, as in `WorkerEvents`. */
export interface WorkerEventMessage extends JobEvent {
  event: 'jobStarted' | 'jobFinished' | 'jobRetried' | 'jobReleased' | 'jobAbandoned' | 'leaseLost' | 'deadLettered'
  /** When it happened, in unix ms of Redis. */
  atMs: number
  workerId: string
  jobTry?: number
  waitMs?: number
  runMs?: number
  delayMs?: number
  outcome?: 'complete' | 'failed' | 'aborted'
  reason?: string
  /** In one line. */
  error?: string
  /** Events left out before this one, where there were too many to tell. */
  missed?: number
}
