/**
 * Changes as the API carries them. Every POST has the content type `application/json`, comes from the same origin, and
 * is refused with 403 `read_only` or `forbidden`. The audit entry is written before the act.
 */

import type { Cost } from './types.ts'
import type { JobRow } from './jobs.ts'

/** Actions that a user may be allowed or denied. */
export type ActionName =
  | 'enqueue'
  | 'retry'
  | 'abort'
  | 'remove'
  | 'clone'
  | 'run-now'
  | 'move'
  | 'pause'
  | 'resume'
  | 'run-cron'
  | 'mute'
  | 'resolve'
  | 'reopen'
  | 'repair'
  | 'steer-canary'
  | 'flush'
  | 'cancel-deletion'
  | 'cancel-flow'
  | 'replay-flow'
  | 'put-schedule'
  | 'remove-schedule'
  | 'run-schedule'
  | 'set-limit'

/** Bodies of the single acts, by action. */
export interface ActBodies {
  /** `POST /api/jobs`. `args` and `kwargs` are JSON. `codec` is that of the client unless given. */
  enqueue: {
    functionName: string
    queueName?: string
    args?: unknown[]
    kwargs?: Record<string, unknown>
    jobId?: string
    deferMs?: number
  }
  /** `POST /api/jobs/:id/retry`. */
  retry: { delayMs?: number }
  /** `POST /api/jobs/:id/abort`. */
  abort: { queueName?: string }
  /** `POST /api/jobs/:id/remove`. A running job is left alone. */
  remove: { queueName?: string }
  /** `POST /api/jobs/:id/clone`: enqueues a copy with a new id, with these arguments instead where they are given. */
  clone: {
    args?: unknown[]
    kwargs?: Record<string, unknown>
    queueName?: string
    deferMs?: number
  }
  /** `POST /api/jobs/:id/run-now`. */
  'run-now': { queueName?: string }
  /** `POST /api/queues/:q/pause` and `/resume`; the same under `/api/schedules/:name`. */
  pause: Record<string, never>
  resume: Record<string, never>
  /** `POST /api/cron/:name/run`: enqueues one run now. */
  'run-cron': { queueName?: string }
  /** `POST /api/errors/:fp/mute`, `/resolve`, `/reopen`. */
  mute: Record<string, never>
  resolve: Record<string, never>
  reopen: Record<string, never>
}

/** The body of an act. */
export type ActRequest<A extends keyof ActBodies = keyof ActBodies> = ActBodies[A]

/** Answer to a single act. */
export interface ActAnswer {
  /** True where something changed. */
  done: boolean
  /** The outcome in one sentence: "Paused mail.", "The job runs and was left alone." */
  message: string
  /** The job it made or touched. */
  jobId: string | null
  /** Undoes the act until `untilMs`: `POST /api/undo/:token`. */
  undo: UndoOffer | null
}

/** An offer to undo. */
export interface UndoOffer {
  token: string
  untilMs: number
  /** Limits of the undo, one sentence. */
  limits: string
}

/**
 * `POST /api/plans`: freezes the ids and scores of what an act would touch, and changes nothing. Either `q` (as in
 * `/api/jobs`), or `jobIds`, or `fingerprint`, or `check` for a repair of the doctor.
 */
export interface PlanRequest {
  action: 'retry' | 'abort' | 'remove' | 'run-now' | 'move' | 'repair'
  q?: string
  jobIds?: string[]
  fingerprint?: string
  check?: string
  queueName?: string | null
  /** For `move`. */
  toQueue?: string
  /** For `retry`: spreads the jobs over this time instead of running all at once. */
  spreadMs?: number
}

/** A frozen plan. It lives for 15 minutes. */
export interface Plan {
  token: string
  action: PlanRequest['action']
  frozenAtMs: number
  expiresAtMs: number
  /** Jobs that running it touches. */
  count: number
  /** Jobs that were found and are left alone, with the reason. */
  leftAlone: { reason: string; count: number }[]
  /** The first three. */
  examples: JobRow[]
  /** Effect of the plan, one sentence with the number. */
  title: string
  /** Warnings, a sentence each. */
  warnings: string[]
  /** False where the search stopped at its bound (50,000 jobs) and more may fit. */
  complete: boolean
  /** Commands that running it sends to Redis, about. */
  estimate: { commands: number }
  /** True where running it can be undone, with its limits. */
  undo: { possible: boolean; limits: string }
  cost: Cost
}

/** `POST /api/plans/:token/run`. A plan runs once. */
export interface PlanOutcome {
  done: number
  /** Jobs that were left alone since they had changed, by reason. */
  leftAlone: { reason: string; count: number }[]
  message: string
  undo: UndoOffer | null
  cost: Cost
}

/** `POST /api/undo/:token`. A token is good once. */
export interface UndoOutcome {
  restored: number
  leftAlone: { reason: string; count: number }[]
  message: string
}
