import type { CodecName } from '@arq-ts/protocol/jobs'

/** The language that enqueued a job, or runs it. */
export type Language = 'python' | 'arq-ts'

/** The words that the operator's tools have for the states of a job. */
export const STATES = ['queued', 'deferred', 'retrying', 'running', 'complete', 'failed', 'aborted', 'dead'] as const
export type State = (typeof STATES)[number]

/** Damage to one job. */
export type JobDamage =
  | 'no payload'
  | 'undecodable payload'
  | 'payload of another type'
  | 'holder of another type'
  | 'counter of another type'
  | 'counter that is no number'
  | 'id that is not UTF-8'
  | 'score +inf'
  | 'score -inf'
  | 'score beyond any date'
  | 'dead holder'
  | 'undecodable result'
  | 'result of another type'
  | 'letter of another type'
  | 'letter without entry'

/** A call as a producer makes it. */
export interface PlannedCall {
  functionName: string
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
}

/** A capability's hold of a job, as `arq:held` has it. */
export interface PlannedHold {
  by: 'limit' | 'flow' | 'unique'
  /** The id of the limit or of the flow, or the unique key. */
  about: string
  sinceMs: number
  /** True for a note that stayed behind: the job has been moved since, and waits for its time. */
  isOver: boolean
}

/** One job, with everything that is written of it. */
export interface PlannedJob {
  jobId: string
  queueName: string
  language: Language
  codec: CodecName
  call: PlannedCall
  enqueuedMs: number
  state: State
  /** Its place in the queue; null once it has ended. */
  score: number | null
  /** Value of the try counter of a waiting or running job; the try that ended another. 0 where there is none. */
  tries: number
  /** Value of the in-progress key; null where there is none. */
  holder: string | null
  startedMs: number
  /** Null until it has ended. */
  finishedMs: number | null
  hold: PlannedHold | null
  damage: JobDamage | null
}

/** Fleet that serves a queue. */
export type Served = 'arq-ts' | 'python' | 'nobody'

/** One queue. */
export interface PlannedQueue {
  queueName: string
  served: Served
  paused: boolean
  /** Counters of ended jobs, as arq-ts workers keep them; null where none ever served it. */
  ended: { complete: number; failed: number; aborted: number } | null
  /** The line under its health key; null where there is none. */
  healthLine: string | null
  /** True where its key holds a hash instead of a sorted set. */
  isBroken: boolean
}

/** One entry in the registry of arq-ts workers. */
export interface PlannedWorker {
  workerId: string
  queueNames: readonly string[]
  functions: readonly string[]
  /** The JSON under `arq:worker:<id>`; null where the entry is gone. */
  entry: string | null
  /** True where nobody can read the entry. */
  isBroken: boolean
}

/** Everything that is written, and nothing else is. */
export interface FleetPlan {
  nowMs: number
  queues: readonly PlannedQueue[]
  workers: readonly PlannedWorker[]
  jobs: readonly PlannedJob[]
  /** Abort requests of jobs that are nowhere. */
  staleAborts: readonly string[]
  /** In-progress keys of jobs that are nowhere: id and value. They never lapse. */
  staleHolds: readonly { jobId: string; holder: string }[]
  /** Workers that died: their entries have expired, and a place for handed jobs and a try counter are left. */
  goneWorkers: readonly string[]
  /** Keys other than jobs' that hold another type than they should. */
  wrongKeys: readonly { key: string; type: 'hash' | 'list' | 'string' }[]
  /** Health keys that hold no line of arq's, by queue. */
  brokenHealth: readonly { queueName: string; line: string }[]
}
