/** The calls of the hot path, and their answers. */

/** Due time of a job: a unix time in ms, or this many ms from Redis's now. */
export type Due = { at: number } | { in: number }

/** One job to be stored and queued. */
export interface EnqueueCall {
  jobId: string
  /** True for an id that was drawn for this call: nobody else can have it. */
  isFreshId?: boolean
  queueName: string
  due: Due
  /** Milliseconds after which the job may not start any more; default: its due time + `expiresExtraMs`. */
  expiresMs: number | undefined
  payload: Uint8Array
}

/** One job as a worker took it: all that is needed to run, renew and settle it. */
export interface Claim {
  jobId: string
  queueName: string
  /** The fencing token in `arq:in-progress:<id>`. */
  token: string
  /** The stored job, or null where it expired or was evicted. */
  payload: Buffer | null
  /** The counted try, from 1. */
  jobTry: number
  /** Time at which its abort was asked for, in unix ms; null where it was not. */
  abortAskedMs: number | null
  /** Time at which it was due, in unix ms: its score before the claim moved it. */
  score: number
  /** Earlier tries that were neither settled nor given back: their worker died, or its lease lapsed unnoticed. */
  deaths: number
}

/** The claim that a write belongs to, and its job. */
export type LeasedJob = Pick<Claim, 'jobId' | 'queueName' | 'token' | 'jobTry'>

/** A lease to be extended, to this many ms from now. */
export interface Renewal extends LeasedJob {
  leaseMs: number
}

/** Content of the dead letter of a job that failed for good. */
export interface DeadLetterEntry {
  ttlMs: number
  payload: Uint8Array
  functionName: string
  error: string
}

/** Ending of a job, as it is counted per queue. */
export type FinishOutcome = 'complete' | 'failed' | 'aborted'

/** A job that ended for good. */
export interface Finish extends LeasedJob {
  outcome: FinishOutcome
  /** The stored result, or null for none. */
  result: Uint8Array | null
  /** Its lifetime in ms; 0 keeps it for ever. */
  resultTtlMs: number
  /** Time the in-progress key stays; 0 deletes it. arq keeps a cron job's for 60 s. */
  keepInProgressMs: number
  dead: DeadLetterEntry | null
}

/** A job that is to run again. */
export interface Reschedule extends LeasedJob {
  due: Due
  /** True for a hand-back that must not count as a try. */
  uncount: boolean
  payload: Uint8Array
}

/** The jobs found due, the time of the next one, and the time at Redis. */
export interface Reservation {
  jobIds: string[]
  /** Unix ms, or null when nothing else is queued or it was not looked for. */
  nextDueMs: number | null
  nowMs: number
}
