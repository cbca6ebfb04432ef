/** Events of a worker, for metrics and tests: `worker.on('jobFinished', ({ outcome, runMs }) => …)`. */

/** The job that an event is about. */
export interface JobEvent {
  jobId: string
  /** Its function's name on the wire. */
  functionName: string
  /** The queue it came from, or went to. */
  queueName: string
}

/** The events of a worker and what their listeners get; for `EventEmitter<WorkerEvents>`. */
export type WorkerEvents = {
  /** The worker is up and polls. */
  started: []
  /** It has ended: nothing of it is at work, and its connections are closed. */
  stopped: []
  /** A job was enqueued through this worker: by a handler's `ctx.client`, or as a tick of a cron job. */
  jobEnqueued: [JobEvent]
  /** A run begins. `jobTry` counts from 1; `waitMs` is how long past its due time the job waited. */
  jobStarted: [JobEvent & { jobTry: number; waitMs: number }]
  /** The end is stored in Redis. `runMs` is how long the run took; `error` is there unless it is complete. */
  jobFinished: [
    JobEvent & { jobTry: number; outcome: 'complete' | 'failed' | 'aborted'; runMs: number; error?: unknown },
  ]
  /** A failed try will be followed by another, in `delayMs`. `error` is what the handler threw, a `Retry` included. */
  jobRetried: [JobEvent & { jobTry: number; delayMs: number; error: unknown }]
  /** The job went back to its queue, and the try `jobTry` is not counted. */
  jobReleased: [JobEvent & { jobTry: number; reason: 'shutdown' | 'unknown function' }]
  /** The handler ignored its signal past the grace; its slot is free, its code still runs. */
  jobAbandoned: [JobEvent & { jobTry: number }]
  /** Another worker has the job; this run's outcome is discarded. */
  leaseLost: [JobEvent & { jobTry: number }]
  /** It failed for good, and is kept as a dead letter. */
  deadLettered: [JobEvent & { jobTry: number; error: unknown }]
  /** The connection is lost; running jobs continue, and are settled once it is back. */
  redisDown: [{ error: Error }]
  /** It is back. */
  redisUp: []
}

/** Message that a worker publishes about its jobs; the fields after the first six depend on the event, as in `WorkerEvents`. */
export interface WorkerEventMessage extends JobEvent {
  /** Name of the event, one of `WorkerEvents`. */
  event: 'jobStarted' | 'jobFinished' | 'jobRetried' | 'jobReleased' | 'jobAbandoned' | 'leaseLost' | 'deadLettered'
  /** Time of the event, in unix ms of Redis. */
  atMs: number
  /** The worker that publishes, as in `arq:worker:<id>`. */
  workerId: string
  /** The try, from 1. */
  jobTry?: number
  /** Time the job waited past its due time, in ms. */
  waitMs?: number
  /** Time the run took, in ms. */
  runMs?: number
  /** Until the next try, in ms. */
  delayMs?: number
  /** Outcome of the job. */
  outcome?: 'complete' | 'failed' | 'aborted'
  /** Reason for the return: `shutdown` or `unknown function`. */
  reason?: string
  /** Type and message of the error, in one line. */
  error?: string
  /** Number of events left out before this one, where there were too many to publish. */
  missed?: number
}

/** The events that workers publish while somebody listens. */
export const PUBLISHED_EVENTS = [
  'jobStarted',
  'jobFinished',
  'jobRetried',
  'jobReleased',
  'jobAbandoned',
  'leaseLost',
  'deadLettered',
] as const satisfies readonly WorkerEventMessage['event'][]

/** Characters of the longest message that is read: no event of a worker has so much to say. */
const MAX_MESSAGE = 65_536

/** Reads a message of the channel; null for one that no worker of ours has sent: anybody may publish there. */
export function readWorkerEvent(message: string): WorkerEventMessage | null {
  let value: unknown
  if (message.length > MAX_MESSAGE) return null
  try {
    value = JSON.parse(message)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { event, jobId, functionName, queueName, workerId, atMs, ...rest } = value as Record<string, unknown>
  const hasNames = [jobId, functionName, queueName, workerId].every((name) => typeof name === 'string')
  if (!hasNames || !(PUBLISHED_EVENTS as readonly string[]).includes(event as string) || !isTime(atMs)) return null
  const { jobTry, waitMs, runMs, delayMs, missed, outcome, reason, error } = rest
  const numbers = [jobTry, waitMs, runMs, delayMs, missed]
  if (!numbers.every((number) => number === undefined || Number.isFinite(number))) return null
  if (![outcome, reason, error].every((text) => text === undefined || typeof text === 'string')) return null
  return value as WorkerEventMessage
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && !Number.isNaN(new Date(value).getTime())
}
