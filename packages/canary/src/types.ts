/** What a deployment is, and what is seen of it. Shared by the plan, its store and those who ask. */

export type DeploymentStatus =
  | 'pending'
  | 'queued'
  | 'running'
  | 'paused'
  | 'completed'
  | 'failed'
  | 'rolled_back'
  | 'rollback_failed'

/** One stage: so much of the traffic, for so long, within these bounds. */
export interface Stage {
  /** Of the traffic, to the new collection: 0 to 100. */
  percentage: number
  durationMinutes: number
  /** Share of failed requests above which the stage has failed. Default 0.05. */
  errorThreshold: number
  /** 95th percentile in ms above which the stage has failed. Default 200. */
  latencyThreshold: number
}

/** What decides a stage beside its own bounds. */
export interface Rules {
  /** Requests to the new collection before its numbers say anything. Default 20. */
  minSamples: number
  /** When a stage ends with fewer: wait for more (default), go on, or fail. */
  onNoTraffic: 'hold' | 'proceed' | 'fail'
  /** `hold` fails after so many minutes past the stage's end. Default 1,440. */
  holdMinutes: number
  /** Compares with the old collection in the same time; null (default) does not. */
  baseline: { maxErrorRateIncrease: number; maxLatencyRatio: number } | null
}

/** Numbers of one collection over a time; what was not measured is not there. */
export interface Metrics {
  totalRequests: number
  totalErrors: number
  errorRate: number
  avgLatencyMs: number
  p95LatencyMs: number
}

export interface Deployment {
  id: string
  alias: string
  oldCollection: string
  newCollection: string
  stages: Stage[]
  autoRollback: boolean
  rules: Rules
  status: DeploymentStatus
  currentStage: number
  startedAtMs: number
  /** When the current stage began, or was resumed. */
  stageStartedAtMs: number
  finishedAtMs: number | null
  /** Why it failed, was rolled back, or what it waits for; null where there is nothing to say. */
  reason: string | null
  /** What is under way and must be finished, whoever drives: set before the first step of it. */
  ending: 'promote' | 'rollback' | 'fail' | null
  /** How often finishing it failed in a row. */
  endingFailures: number
  /** Counts changes; each drives at most one tick. */
  tick: number
  /** When the next tick is due; past it by much, its job is lost. */
  nextTickAtMs: number
  /** What was decided, newest last; at most 100. */
  decisions: { atMs: number; stage: number; decision: string }[]
}

/** What a tick sees beside the state. */
export interface Observed {
  /** Where the alias points; null for nowhere. */
  aliasCollection: string | null
  newCollectionExists: boolean
  newMetrics: Metrics
  oldMetrics: Metrics
}

/** What a tick does, in this order. Each may be done again without harm. */
export type Action =
  | { kind: 'route'; percentage: number }
  | { kind: 'switch'; collection: string }
  | { kind: 'unroute' }

/** What is told on the stream `deployment:events`. */
export interface DeploymentEvent {
  type: 'deployment_started' | 'deployment_completed' | 'deployment_failed'
  error?: string
}
