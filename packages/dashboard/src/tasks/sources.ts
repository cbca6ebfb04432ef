/**
 * The parts of the three task packages that the dashboard shows. It depends on none of them: the host hands over the
 * instances it has. Each fits by its shape.
 */

import type { DeploymentAct, DeploymentGuard, DeploymentRow } from '../api/tasks.ts'

/** A deployment as @arq-ts/canary gives it. */
export type SeenDeployment = Omit<DeploymentRow, 'dryRun' | 'minSamples' | 'stages'> & {
  stages: readonly {
    percentage: number
    durationMinutes: number
    errorThreshold: number
    latencyThreshold: number
    approval?: boolean
  }[]
  rules: { dryRun: boolean; minSamples: number }
}

/** Figures of one minute of one collection. */
interface SeenSide {
  requests: number
  errorRate: number | null
}

/** A deployment in detail. */
export type SeenDetails = SeenDeployment & {
  nowMs: number
  guards: DeploymentGuard[]
  minutes: { atMs: number; new: SeenSide; old: SeenSide }[]
  missing: string | null
  doubt: string | null
}

/** `CanaryDeployments` of @arq-ts/canary. */
export interface Deployments extends Record<
  Exclude<DeploymentAct, 'approve' | 'rollback'>,
  (id: string) => Promise<unknown>
> {
  /** `stage`: the only stage to approve, counted from 0: a second click does not reach the next one. */
  approve(id: string, options?: { stage?: number }): Promise<unknown>
  list(options: { limit?: number }): Promise<{
    deployments: SeenDeployment[]
    total: number
    unreadable: { id: string; reason: string }[]
  }>
  details(id: string): Promise<SeenDetails | null>
  rollback(id: string, reason?: string): Promise<unknown>
}

/** `WriteBehind` of @arq-ts/write-behind. */
export interface WriteBehindCache {
  stats(): Promise<{
    dirty: number
    dead: number
    oldestMs: number | null
    overdueMs: number | null
    writes: number
    persisted: number
    failures: number
  }>
  page(request: { cursor: string | null; limit: number }): Promise<{
    entries: {
      key: string
      status: 'waiting' | 'overdue' | 'running' | 'dead'
      persister: string
      version: number
      bytes: number
      dueAt: Date | null
      since: Date | null
      error: string | null
    }[]
    cursor: string | null
  }>
  flush(key: string, options: { timeoutMs: number }): Promise<unknown>
  flushAll(options: { timeoutMs: number }): Promise<{ flushed: number; failed: readonly unknown[] }>
}

/** `ScheduledDeletions` of @arq-ts/qdrant. */
export interface Deletions {
  page(request: { cursor: string | null; limit: number }): Promise<{
    deletions: {
      collection: string
      jobId: string
      queueName: string
      enqueuedAt: Date
      dueAt: Date
      gracePeriodMinutes: number
    }[]
    scanned: number
    cursor: string | null
  }>
  cancel(jobId: string, queueName: string): Promise<'removed' | 'running' | 'absent'>
}

/** The task packages of an installation, as far as it has them. */
export interface TaskSources {
  /** `createDeployments(…)` or `new CanaryDeployments(…)` of @arq-ts/canary. */
  deployments?: Deployments | undefined
  /** `new WriteBehind(…)` of @arq-ts/write-behind. */
  cache?: WriteBehindCache | undefined
  /** `new ScheduledDeletions(…)` of @arq-ts/qdrant. */
  deletions?: Deletions | undefined
}
