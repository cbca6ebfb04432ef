/** Records of the recorder, as the API carries them. Where it keeps nothing, an answer is `Unavailable`. */

import type { Cost, Language, Unavailable } from './types.ts'

/**
 * `GET /api/series?metric=&by=&from=&step=`. Metrics: `ended`, `failed`, `retried` (per minute), `wait-p50`, `wait-p95`,
 * `wait-p99`, `run-p50`, `run-p95`, `run-p99` (ms), `depth` (jobs due), `oldest` (ms). `by`: `queue`, `function`,
 * `language` or `total`. `from`: unix ms (default an hour ago). `step`: 60000, 600000 or 3600000 (default: the finest
 * that the range allows).
 */
export type SeriesAnswer = Unavailable | SeriesData

/** Recorded series. */
export interface SeriesData {
  available: true
  metric: string
  by: string
  fromMs: number
  stepMs: number
  /** Times of the points: `fromMs + i * stepMs`. */
  length: number
  series: { name: string; language: Language | null; values: (number | null)[] }[]
  cost: Cost
}

/** `GET /api/heatmap?function=&queue=&from=&step=`: a histogram of run times per step. */
export type HeatmapAnswer = Unavailable | HeatmapData

/** A heat map: rows of run times (logarithmic), columns of time. */
export interface HeatmapData {
  available: true
  fromMs: number
  stepMs: number
  /** Upper bounds of the rows in ms; the last row is unbounded and has null. */
  boundsMs: (number | null)[]
  /** Counts by column, then row. */
  counts: number[][]
  /** Sampled jobs by column and row, at most 500 in all. */
  samples: { column: number; row: number; jobId: string; runMs: number }[]
  cost: Cost
}

/** `GET /api/errors?state=open`. */
export type ErrorList = Unavailable | ErrorListData

/** Errors by fingerprint. */
export interface ErrorListData {
  available: true
  nowMs: number
  groups: ErrorGroup[]
  /** Groups that the state filter hides. */
  hidden: number
  /** Basis: the recorder's fingerprints, or only the dead letters that are kept. */
  source: 'recorder' | 'dead-letters'
  limits: string[]
  cost: Cost
}

/** Failures that share a fingerprint. */
export interface ErrorGroup {
  fingerprint: string
  type: string
  /** The message without what differs from job to job. */
  message: string
  functions: string[]
  queues: string[]
  languages: Language[]
  count: number
  /** Dead letters that are kept of it. */
  dead: number
  firstMs: number
  lastMs: number
  state: 'open' | 'muted' | 'resolved'
  /** A job of it, the newest. */
  example: string | null
  stack: string | null
  /** Failures per step of the last hours; null where they are not recorded. */
  trend: { fromMs: number; stepMs: number; counts: number[] } | null
}

/** `GET /api/errors/:fp`. */
export interface ErrorDetails {
  nowMs: number
  group: ErrorGroup
  /** Kept dead letters, the newest 50. */
  jobs: { jobId: string; queueName: string; functionName: string; failedAtMs: number; error: string; jobTry: number }[]
  cost: Cost
}

/** `GET /api/events?after=&limit=`: retries, failures, lost leases, deploys, pauses, as recorded. */
export type EventList = Unavailable | EventListData

/** Recorded events, newest first. */
export interface EventListData {
  available: true
  events: {
    id: string
    atMs: number
    kind: string
    subject: string
    detail: string
    language: Language | null
  }[]
  cursor: string | null
}

/** `GET /api/audit?after=&limit=`. */
export type AuditList = Unavailable | AuditListData

/** The audit log, newest first. */
export interface AuditListData {
  available: true
  entries: AuditRow[]
  cursor: string | null
}

/** One entry, written before the act. */
export interface AuditRow {
  id: string
  atMs: number
  user: string
  action: string
  /** The job, queue, cron job, fingerprint or plan it was about. */
  target: string
  /** Number of things it was about. */
  count: number
  /** The request, in one line. */
  detail: string
}
