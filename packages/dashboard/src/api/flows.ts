import type { Cost } from './types.ts'

/** State of a flow. */
export type FlowStateName = 'running' | 'cancelling' | 'complete' | 'failed' | 'cancelled'

/** `GET /api/flows`: the newest 200. */
export interface FlowList {
  nowMs: number
  flows: FlowRow[]
  cost: Cost
}

/** A flow in the list. */
export interface FlowRow {
  flowId: string
  name: string
  state: FlowStateName
  /** Unix ms. */
  startedMs: number
  /** Unix ms; null while it has not ended. */
  endedMs: number | null
  /** Members it was started with. */
  members: number
  /** Members that have not ended. */
  open: number
}

/**
 * `GET /api/flows/:id`: a flow as a graph, its edges by the names of members. `POST /api/flows/:id/cancel` cancels a flow that
 * has not ended, `POST /api/flows/:id/replay` runs an ended flow again: all of it, or `{ only: 'failed' }`.
 */
export interface FlowView {
  nowMs: number
  flowId: string
  name: string
  state: FlowStateName
  /** Outcome that is assumed for a member that left no trace of its end. */
  onUnknown: 'fail' | 'succeed'
  /** Unix ms. */
  startedMs: number
  /** Unix ms; null while it has not ended. */
  endedMs: number | null
  members: FlowMemberRow[]
  /** Members that the user may not see. */
  hidden: number
  cost: Cost
}

/** A member of a flow. */
export interface FlowMemberRow {
  name: string
  functionName: string
  jobId: string
  queueName: string
  /** `held`, `ready`, `queued`, `running`, or how it ended. */
  state: string
  on: 'success' | 'failure' | 'any'
  /** Names of the members before it. */
  after: string[]
  /** Names of those before it that have not ended. */
  waitsFor: string[]
  /** The member that added it while it ran; null for one that was there from the start. */
  addedBy: string | null
  /** One line; null where it did not fail, or nobody knows. */
  error: string | null
}
