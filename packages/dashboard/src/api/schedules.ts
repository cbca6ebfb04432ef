import type { ShownValue } from './jobs.ts'
import type { Cost } from './types.ts'

/** Rule of a schedule: a cron expression on the clock of a zone, a fixed distance, or a single instant. */
export interface ScheduleRule {
  /** Cron expression of five fields, or six with seconds; null for another kind of rule. */
  cron: string | null
  /** IANA name of the zone of `cron`. */
  timeZone: string | null
  /** Distance between its ticks in ms; null for another kind of rule. */
  everyMs: number | null
  /** The instant from which `everyMs` counts, in unix ms. */
  startAtMs: number | null
  /** The instant of its only tick in unix ms; null for another kind of rule. */
  atMs: number | null
}

/**
 * `GET /api/schedules`: at most 500, those that do not tick first, then by the next tick. Query: `coming=1` for their
 * coming ticks within `from` and `to` (unix ms; default: the last and the next 24 hours).
 */
export interface ScheduleList {
  nowMs: number
  fromMs: number
  toMs: number
  schedules: ScheduleRow[]
  /** Parts that are left out, a sentence each. */
  notes: string[]
  cost: Cost
}

/** A schedule that was made at run time. */
export interface ScheduleRow extends ScheduleRule {
  name: string
  functionName: string
  queueName: string
  codec: 'pickle' | 'msgpack' | 'json'
  overlap: 'allow' | 'skip'
  missed: 'skip' | 'latest' | 'all'
  paused: boolean
  nextMs: number | null
  /** Ticks within the range from now on, at most 200; none while it is paused, or where they were not asked for. */
  coming: number[]
  /** The tick that was enqueued last, and its job; null where there was none, or where the user may not see the job. */
  last: { jobId: string; atMs: number } | null
  putMs: number
  /** A sentence about the problem that stops its ticks; null if there is none. */
  problem: string | null
}

/** `GET /api/schedules/:name`: a schedule with the call that its ticks enqueue, and the next ten ticks in `coming`. */
export interface ScheduleView extends ScheduleRow {
  nowMs: number
  /** The call as Python writes it. */
  call: string
  args: ShownValue
  kwargs: ShownValue
  cost: Cost
}

/**
 * `GET /api/ticks`: the next five ticks of a rule that is being written. Query: `cron` and `timeZone`, `everyMs` and `startAtMs`,
 * or `atMs`. An invalid rule is refused with the reason.
 */
export interface TickPreview {
  nowMs: number
  ticks: number[]
  cost: Cost
}

/**
 * `POST /api/schedules/:name`: makes a schedule, or changes it. `args` and `kwargs` keep their values if they are left out
 * and the function stays the same. With `isNew`, a name in use is refused. `/pause`, `/resume`, `/run` and `/remove`
 * below it take no body.
 */
export interface SchedulePut {
  isNew?: boolean
  cron?: string
  timeZone?: string
  everyMs?: number
  startAtMs?: number
  atMs?: number
  functionName: string
  args?: unknown[]
  kwargs?: Record<string, unknown>
  queueName?: string
  codec?: 'pickle' | 'msgpack' | 'json'
  overlap?: 'allow' | 'skip'
  missed?: 'skip' | 'latest' | 'all'
}
