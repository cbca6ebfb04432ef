/** A deployment and what is observed of it. Shared by the plan, its store and those who ask. */
import type { Accumulated } from './judging/accumulation.ts'
import type { JudgingRules, Stage } from './judging/rules.ts'
import type { Metrics, Minute, Tally } from './judging/tally.ts'
import type { Moments } from './judging/statistics.ts'

export type { Baseline, Guard, Stage } from './judging/rules.ts'
export type { Metrics } from './judging/tally.ts'

export type DeploymentStatus =
  | 'pending'
  | 'queued'
  | 'running'
  | 'paused'
  | 'completed'
  | 'failed'
  | 'rolled_back'
  | 'rollback_failed'

/** Everything that happens to a deployment: types on the stream `canary:events`, and what `notify` can ask for. */
export const EVENT_TYPES = [
  'stage_began',
  'advanced',
  'held',
  'waiting_for_approval',
  'approved',
  'breach_tolerated',
  'paused',
  'resumed',
  'promoting',
  'rolling_back',
  'completed',
  'failed',
  'rolled_back',
  'rollback_failed',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** A question asked at every look: a URL, or a function that the worker registered by this name. */
export interface LookCheck {
  /** Unique within the deployment. */
  name: string
  /** Asked by POST; absent for a function of the worker. */
  url?: string
  /** Time the answer may take. Default 5,000. */
  timeoutMs: number
}

/** The answer to a check. `unknown` is no answer: it never rolls back, and the stage is not passed meanwhile. */
export interface CheckOutcome {
  name: string
  verdict: 'pass' | 'fail' | 'unknown'
  reason: string | null
}

/** Destination of a deployment's events. */
export interface Notification {
  url: string
  /** Types of events. Default: the four endings, pauses and approvals. */
  on: EventType[]
}

/** Rules that decide a stage in addition to its own bounds. */
export interface Rules extends JudgingRules {
  /** Breaching looks of a stage that are tolerated before the roll-back. Default 0. */
  failureLimit: number
  /** Time without judgement after the new collection gets its first traffic: it may be cold. Default 0. */
  initialDelayMinutes: number
  /**
   * At a stage's end with too little seen: wait for more (default), pause, continue, or fail. What was seen and looks bad is
   * never passed, whatever is set here.
   */
  inconclusive: 'hold' | 'pause' | 'proceed' | 'fail'
  /** Minutes past the stage's end that one trouble must last for `hold` to fail. Default 1,440. */
  holdMinutes: number
  checks: LookCheck[]
  notify: Notification[]
  /** Decides everything and moves nothing: no user is sent to the new collection, the alias stays. Default false. */
  dryRun: boolean
}

/** A tally as it is stored: buckets as pairs of index and count. */
export interface StoredTally extends Omit<Tally, 'latency'> {
  latency: { sumMs: number; maxMs: number; buckets: [bucket: number, count: number][] }
}

/** Counts of a minute when a stage began, which are not the stage's own. */
export interface Mark {
  /** Since 1970. */
  minute: number
  new: StoredTally
  old: StoredTally
}

/** One decision, and the event that reports it. */
export interface Decision {
  atMs: number
  stage: number
  event: EventType
  decision: string
}

/** Figures of a stage, kept with the state once the deployment has ended. */
export interface Figures {
  new: Metrics
  old: Metrics
  /** Numbers recorded with requests, by name. */
  values: { new: Record<string, Moments>; old: Record<string, Moments> }
  /** Percentage of the users' requests that the new collection answered; null where there were none. */
  observedShare: number | null
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
  /** Time of the request. */
  startedAtMs: number
  /** Start of its first stage; null before. */
  begunAtMs: number | null
  /** Start of the current stage, or its restart; null where that is still to be done. */
  stageStartedAtMs: number | null
  /** Nothing is judged until then; null when that is over. */
  warmingUntilMs: number | null
  /** Time since then that does not count, in ms: nobody looked, or the clock jumped. The stage is longer by it. */
  lostMs: number
  /** Since when each thing has kept the stage from being passed after its end, without a break; null before its end. */
  heldSince: Readonly<Record<string, number>> | null
  /** Evidence against the new collection over the whole stage. */
  accumulated: Accumulated
  /** Counts at the start of the stage. */
  stageMarks: Mark[]
  /** Looks that were judged, over all stages: the correction for repeated looking needs it. */
  looks: number
  /** Breaching looks of the current stage. */
  failedLooks: number
  /** The stage that was approved last; null for none. */
  approvedStage: number | null
  finishedAtMs: number | null
  /** Reason for a failure, a roll-back or a wait; null where there is nothing to say. */
  reason: string | null
  /** Ending in progress, which every driver must finish: set before its first step. */
  ending: 'promote' | 'rollback' | null
  /** Since when finishing it is tried. */
  endingSinceMs: number | null
  /** Number of failures in a row to finish it. */
  endingFailures: number
  /** Figures of its last stage; null until it has ended. */
  final: Figures | null
  /** Counts changes; each has one job that looks at it next. */
  tick: number
  /** Due time of that; long past it, its job is lost. */
  nextTickAtMs: number
  /** Jobs that asked for it: one that runs again asks for nothing new. At most 100. */
  askedBy: string[]
  /** Decisions, newest last; at most 100. */
  decisions: Decision[]
  /** Decisions of the last change: they are notified of again if the driver died before. */
  outbox: Decision[]
}

/** State of Qdrant. */
export interface QdrantView {
  /** Collection the alias points to; null for none. */
  aliasCollection: string | null
  newCollectionExists: boolean
}

/** Observations of a tick in addition to the state. */
export interface Observed {
  /** Reason why it did not say. */
  qdrant: QdrantView | Error
  /** Counts of the current stage. */
  minutes: Minute[]
  /** Counts so far, for a stage that begins. */
  marks: Mark[]
  checks: CheckOutcome[]
}

/** An event of the Python application's, on the stream `deployment:events`. */
export interface DeploymentEvent {
  type: 'deployment_started' | 'deployment_completed' | 'deployment_failed'
  error?: string
}
