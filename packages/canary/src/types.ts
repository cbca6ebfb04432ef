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

/** Numbers of one collection over a time; what was not measured is null. */
export interface Metrics {
  totalRequests: number
  totalErrors: number
  errorRate: number | null
  avgLatencyMs: number | null
  p95LatencyMs: number | null
}

/** What one minute's keys in Redis hold. */
export interface Bucket {
  /** Since 1970. */
  minute: number
  count: number
  errors: number
  /** In ms, newest first. */
  latencies: readonly number[]
}

/** How far a minute had been counted when a stage began: what is not the stage's own. */
export interface Mark {
  minute: number
  count: number
  errors: number
  /** How many. */
  latencies: number
}

/** A deployment as it stands in Redis. */
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
  /** When it was asked for. */
  startedAtMs: number
  /** When its first stage began; null before. */
  begunAtMs: number | null
  /** When the current stage began, or began anew; null where that is still to be done. */
  stageStartedAtMs: number | null
  /** What had been counted by then. */
  stageMarks: { new: Mark[]; old: Mark[] }
  finishedAtMs: number | null
  /** Why it failed, was rolled back, or what it waits for; null where there is nothing to say. */
  reason: string | null
  /** What is under way and must be finished, whoever drives: set before the first step of it. */
  ending: 'promote' | 'rollback' | null
  /** Since when finishing it is tried. */
  endingSinceMs: number | null
  /** How often finishing it failed in a row. */
  endingFailures: number
  /** Counts changes; each has one job that looks at it next. */
  tick: number
  /** When that is due; past it by much, its job is lost. */
  nextTickAtMs: number
  /** Jobs that asked for it: one that runs again asks for nothing new. At most 100. */
  askedBy: string[]
  /** What was decided, newest last; at most 100. */
  decisions: { atMs: number; stage: number; decision: string }[]
}

/** What Qdrant says. */
export interface QdrantView {
  /** Where the alias points; null for nowhere. */
  aliasCollection: string | null
  newCollectionExists: boolean
}

/** What a tick sees beside the state. */
export interface Observed {
  /** Or why it did not say. */
  qdrant: QdrantView | Error
  /** Of the current stage. */
  newMetrics: Metrics
  oldMetrics: Metrics
  /** What is counted by now, for a stage that begins. */
  marks: { new: Mark[]; old: Mark[] }
}

/** What is told on the stream `deployment:events`. */
export interface DeploymentEvent {
  type: 'deployment_started' | 'deployment_completed' | 'deployment_failed'
  error?: string
}
