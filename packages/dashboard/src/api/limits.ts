import type { Cost } from './types.ts'

/** A rate: `count` starts in `perMs` ms, up to `burst` at once. */
export interface LimitRate {
  count: number
  perMs: number
  burst?: number
}

/** `GET /api/limits`: limits that were set, that jobs wait for, or that a task of the last day declares. */
export interface LimitList {
  nowMs: number
  limits: LimitRow[]
  /** A sentence about each part that is unknown. */
  notes: string[]
  cost: Cost
}

/** A limit, or one key of it. */
export interface LimitRow {
  name: string
  /** The key of this row; null for a limit without keys, and for the bounds of all keys. */
  key: string | null
  /** True if each key has a limit of its own: this row then has the bounds of all keys, and counts nothing. */
  isKeyed: boolean
  /** Jobs that may run at a time; null for any number, or where only the workers know. */
  concurrency: number | null
  /** Rate at which jobs may start; null for no bound, or where only the workers know. */
  rate: LimitRate | null
  /** True where it was set at run time, for this key or for all. */
  isSet: boolean
  running: number
  /** Jobs that wait for a place, including those that are offered one. */
  waiting: number
  /** Functions whose tasks declare it. */
  functions: string[]
}

/** `GET /api/limits/:name?key=`: a limit, the jobs that have its places, and the jobs that wait. */
export interface LimitView extends LimitRow {
  nowMs: number
  /** Jobs that run, that are offered a place, and that wait, in order: at most 100 of each. */
  jobs: LimitJobRow[]
  cost: Cost
}

/** A job under a limit. */
export interface LimitJobRow {
  jobId: string
  state: 'running' | 'offered' | 'waiting'
  /** Null for a running job: its place does not name its queue. */
  queueName: string | null
  workerId: string | null
  /** The end of the lease of its place, or of its offer. */
  untilMs: number | null
}

/**
 * `POST /api/limits/:name`: sets the limit for all its keys, or for one `key`. null lifts what a task declares. `POST
 * /api/limits/:name/clear` takes that back.
 */
export interface LimitSet {
  key?: string
  concurrency?: number | null
  rate?: LimitRate | null
}
