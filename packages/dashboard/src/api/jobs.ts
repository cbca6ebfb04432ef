/** Jobs as the API carries them. */

import type { AuditRow } from './recorded.ts'
import type { Cost, Language } from './types.ts'

/** States of jobs. */
export type JobStateName =
  | 'queued'
  | 'deferred'
  | 'retrying'
  | 'running'
  | 'complete'
  | 'failed'
  | 'aborted'
  | 'dead'
  | 'not_found'

/**
 * A value of a job. `text` is always there; `json` only where it stayed within its bound, else it is null and `cut` is
 * true. Both may be the outcome of the redaction hook.
 */
export interface ShownValue {
  /** As the language that wrote it shows it: Python's repr for pickle, JSON for the others. At most 64 KiB. */
  text: string
  language: 'python' | 'json'
  /** The value as JSON; dates in ISO form, bytes in base64, objects of Python classes by their fields. */
  json: unknown
  /** True where something was left out. */
  cut: boolean
  /** True where the redaction hook replaced something. */
  redacted: boolean
}

/**
 * `GET /api/jobs?q=&cursor=&limit=`: a page of jobs. `q` has chips separated by spaces: `status:failed,dead`
 * `function:send_mail` `queue:mail` `id:7f3c` `older:10m` `error:Timeout`, quoted where they contain a space; each other
 * word is searched in the arguments. Without a status: jobs that have not ended.
 */
export interface JobPage {
  nowMs: number
  jobs: JobRow[]
  /** Jobs looked at for this page. */
  scanned: number
  /** Jobs looked at for all pages up to this one. */
  scannedTotal: number
  /** Jobs that may fit at most; null where that cannot be counted cheaply. */
  of: number | null
  /** True where nothing is left to look at. */
  exhausted: boolean
  /** Goes into the next request; null once exhausted. A page may be empty and not the last one. */
  cursor: string | null
  /** The filter as it was understood. */
  filter: ParsedQuery
  cost: Cost
}

/** A query as the server understood it. */
export interface ParsedQuery {
  statuses: JobStateName[]
  functionName: string | null
  queueNames: string[]
  /** Id, or the beginning of one. */
  jobId: string | null
  text: string | null
  error: string | null
  olderThanMs: number | null
  /** Parts that were not understood, a sentence each. */
  problems: string[]
}

/** One job in a list. */
export interface JobRow {
  jobId: string
  queueName: string | null
  functionName: string | null
  status: JobStateName
  /** Due time; of a running job the end of its lease. Null once it has ended, and for a job that is held. */
  dueMs: number | null
  /** The capability that holds it: `limit`, `flow`, `unique` or `sandbox`. Null for a job that is not held. */
  heldBy: string | null
  enqueuedMs: number | null
  finishedMs: number | null
  jobTry: number
  /** One line, at most 300 characters. */
  error: string | null
  /** The worker that runs it: an id, or `python`. */
  holder: string | null
  /** The arguments in one line, as Python shows them; at most 200 characters. */
  call: string
  problems: string[]
}

/** `GET /api/jobs/:id`. Query: `queue` where the queue is known, which saves a search. */
export interface JobView {
  nowMs: number
  jobId: string
  status: JobStateName
  queueName: string | null
  functionName: string | null
  /** The call as Python writes it: `send_mail('ada', template='welcome')`; at most 16 KiB. */
  call: string
  args: ShownValue
  kwargs: ShownValue
  codec: 'pickle' | 'msgpack' | 'json' | null
  enqueuedMs: number | null
  dueMs: number | null
  startedMs: number | null
  finishedMs: number | null
  jobTry: number
  /** Tries that ended with the death of their worker. */
  deaths: number
  success: boolean | null
  /** The return value of a job that ended well; null otherwise. */
  result: ShownValue | null
  /** Type and message, in one line. */
  error: string | null
  /** Groups it with its like: `GET /api/errors/:fp`. Null where there is no error. */
  fingerprint: string | null
  dead: boolean
  holder: {
    language: Language | 'unknown'
    workerId: string | null
    alive: boolean | null
    sinceMs: number | null
    expiresInMs: number | null
  } | null
  abortAskedMs: number | null
  payloadExpiresInMs: number | null
  problems: string[]
  /** Actions that make sense for the job now and that the user may perform. */
  actions: ('retry' | 'abort' | 'remove' | 'clone' | 'run-now')[]
  cost: Cost
}

/** `GET /api/jobs/:id/explain`. */
export interface JobExplanation {
  nowMs: number
  jobId: string
  status: JobStateName
  /** The reason that decides, in one sentence. */
  headline: string
  /** In the order in which a worker asks. `ok: false` keeps the job from running; null: nobody can know. */
  reasons: { check: string; ok: boolean | null; detail: string }[]
  cost: Cost
}

/** `GET /api/jobs/:id/history`: the timeline of its tries. */
export interface JobHistory {
  nowMs: number
  jobId: string
  tries: TryRow[]
  /** Changes that people made to it, from the audit log. */
  changes: AuditRow[]
  /** Limits, a sentence each, such as "Earlier tries were not recorded." */
  limits: string[]
}

/** One try. Null where nobody recorded it. */
export interface TryRow {
  jobTry: number
  workerId: string | null
  /** Beginning of the wait for it. */
  fromMs: number | null
  startedMs: number | null
  finishedMs: number | null
  outcome: 'complete' | 'failed' | 'aborted' | 'retried' | 'lost' | 'running' | 'waiting'
  error: string | null
  stack: string | null
}

/** `GET /api/jobs/:id/logs?after=`: logs and progress, where the task records them. */
export interface JobLogs {
  nowMs: number
  jobId: string
  available: boolean
  why: string | null
  lines: LogLine[]
  /** The newest report of progress. */
  progress: { done: number | null; total: number | null; text: string | null; atMs: number } | null
  /** Goes into `after` of the next request. */
  cursor: string | null
}

/**
 * `GET /api/jobs/:id/logs/stream?after=&queue=`: server-sent events, each `event: log`. Its id goes into `after`; a browser
 * sends it back by itself. With `ended` set the job has ended: the reader closes, or the stream would begin anew.
 */
export interface JobLogMessage {
  lines: LogLine[]
  /** The newest report of progress among these entries. */
  progress: JobLogs['progress']
  /** The outcome, `over` where the job ended without one that was recorded, or null while it is at work. */
  ended: 'complete' | 'failed' | 'aborted' | 'over' | null
  /** Id of the last entry. */
  cursor: string | null
}

/** One line of a job's log. */
export interface LogLine {
  id: string
  atMs: number
  jobTry: number | null
  level: 'info' | 'warn' | 'error' | 'fatal' | 'progress'
  message: string
}
