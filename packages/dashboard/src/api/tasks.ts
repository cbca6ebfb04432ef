/** The three tasks as the API carries them. Without the package of a task, an answer is `Unavailable`. */

import type { Cost, Unavailable } from './types.ts'

/** Acts on a deployment: `POST /api/canaries/:id/<act>`; the body of `rollback` may have a `reason`. */
export type DeploymentAct = 'approve' | 'pause' | 'resume' | 'promote' | 'rollback'

/** `GET /api/canaries?limit=`. */
export type DeploymentListAnswer = Unavailable | DeploymentListData

/** Canary deployments: those under way, oldest first, then those that have ended, newest first. */
export interface DeploymentListData {
  available: true
  deployments: DeploymentRow[]
  /** The number of all of them. */
  total: number
  /** Deployments whose state in Redis is damaged, and what is to be done. */
  unreadable: { id: string; reason: string }[]
  cost: Cost
}

/** A canary deployment. */
export interface DeploymentRow {
  id: string
  alias: string
  oldCollection: string
  newCollection: string
  status: 'pending' | 'queued' | 'running' | 'paused' | 'completed' | 'failed' | 'rolled_back' | 'rollback_failed'
  /** State it is on its way to; null while nothing is decided. */
  ending: 'promote' | 'rollback' | null
  stages: DeploymentStage[]
  /** Place of the present stage, from 0. */
  currentStage: number
  /** Shares in percent. Observed: of the requests that were answered; null of none. */
  share: { configured: number; observed: number | null; shadow: number }
  /** Figures of the present stage. */
  metrics: { new: DeploymentFigures; old: DeploymentFigures }
  startedAtMs: number
  stageStartedAtMs: number | null
  warmingUntilMs: number | null
  nextTickAtMs: number | null
  finishedAtMs: number | null
  /** Reason why it waits, or ended as it did. */
  reason: string | null
  /** Newest last, at most 100. */
  decisions: { atMs: number; stage: number; decision: string }[]
  dryRun: boolean
  autoRollback: boolean
  minSamples: number
  /** Acts that are allowed now. */
  acts: DeploymentAct[]
}

/** One stage. Durations in minutes, the threshold of errors as a share, that of latency in ms. */
export interface DeploymentStage {
  percentage: number
  durationMinutes: number
  errorThreshold: number
  latencyThreshold: number
  approval: boolean
}

/** Figures of one collection. */
export interface DeploymentFigures {
  totalRequests: number
  totalErrors: number
  errorRate: number | null
  avgLatencyMs: number | null
  p95LatencyMs: number | null
}

/** `GET /api/canaries/:id`. */
export interface DeploymentView extends DeploymentRow {
  nowMs: number
  guards: DeploymentGuard[]
  /** The last 60 minutes, oldest first. */
  minutes: { atMs: number; newRequests: number; newErrorRate: number | null; oldRequests: number }[]
  /** Measures with too few samples to pass the stage. */
  missing: string | null
  /** Measures that look bad without proof. */
  doubt: string | null
  cost: Cost
}

/** One bound of the present stage, and what was measured against it. */
export interface DeploymentGuard {
  name: string
  unit: 'ratio' | 'ms' | 'number'
  /** The limit is an upper or a lower bound. */
  side: 'max' | 'min'
  value: number | null
  old: number | null
  /** Null where it depends on the old collection, which has too little traffic. */
  limit: number | null
  /** Ends of the 95 % interval of `value`. */
  low: number | null
  high: number | null
  samples: number
  verdict: 'ok' | 'doubt' | 'breach' | 'unseen'
  /** The judge's sentence for a doubt or a breach. */
  text: string | null
}

/** `GET /api/cache?cursor=`. */
export type CacheAnswer = Unavailable | CacheData

/** The write-behind cache. `POST /api/cache/flush` persists one `key` now, or all that is dirty. */
export interface CacheData {
  available: true
  nowMs: number
  /** `oldestMs`: age of the oldest dirty key; `overdueMs`: how far the most overdue one is. */
  stats: {
    dirty: number
    dead: number
    oldestMs: number | null
    overdueMs: number | null
    writes: number
    persisted: number
    failures: number
  }
  entries: CacheEntry[]
  cursor: string | null
  cost: Cost
}

/** One dirty key. */
export interface CacheEntry {
  key: string
  status: 'waiting' | 'overdue' | 'running' | 'dead'
  /** `module:name` of the function that persists it. */
  persister: string
  version: number
  bytes: number
  dueMs: number | null
  sinceMs: number | null
  error: string | null
}

/** `GET /api/deletions?cursor=`. */
export type DeletionListAnswer = Unavailable | DeletionListData

/** Scheduled deletions of collections. `POST /api/deletions/:jobId/cancel` takes one back; its body has the `queueName`. */
export interface DeletionListData {
  available: true
  nowMs: number
  deletions: DeletionRow[]
  /** Jobs looked at for this page. */
  scanned: number
  cursor: string | null
  cost: Cost
}

/** A collection that is deleted at the end of its grace period, unless an alias points to it then. */
export interface DeletionRow {
  collection: string
  jobId: string
  queueName: string
  enqueuedMs: number
  dueMs: number
  gracePeriodMinutes: number
}
