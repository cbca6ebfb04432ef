import type { Client } from '@arq-ts/core'

/** Language as the recorder writes it. */
type RecordedLanguage = 'typescript' | 'python'

/** The reader of what workers record, as far as the dashboard uses it: `client.history` of @arq-ts/core. */
export interface Recorder {
  series(query: {
    metric: string
    by?: string
    fromMs?: number
    toMs?: number
    stepMs?: number
    queue?: string
    function?: string
  }): Promise<{
    stepMs: number
    fromMs: number
    toMs: number
    lines: { key: { queue?: string; function?: string; language?: RecordedLanguage }; points: (number | null)[] }[]
  }>
  totals(query: {
    by?: string
    fromMs?: number
  }): Promise<{ key: { function?: string }; counts: Record<'complete' | 'failed' | 'aborted' | 'retried', number> }[]>
  heatmap(query: {
    of?: 'run' | 'wait'
    fromMs?: number
    toMs?: number
    stepMs?: number
    queue?: string
    function?: string
  }): Promise<{ stepMs: number; fromMs: number; boundsMs: number[]; columns: number[][] }>
  functions(): Promise<
    { name: string; definition: { timeoutMs: number | null; maxTries: number; params: object | null } | null }[]
  >
  errors(filter?: { state?: ErrorState; limit?: number }): Promise<RecordedError[]>
  error(fingerprint: string): Promise<RecordedError | null>
  setErrorState(fingerprint: string, state: ErrorState): Promise<boolean>
  recent(filter?: { limit?: number; functionName?: string }): Promise<RecordedJob[]>
  events(filter?: { before?: string; limit?: number }): Promise<RecordedEvent[]>
  tries(jobId: string): Promise<RecordedTry[]>
  writeAudit(entry: { actor: string; action: string; resource: string; detail?: unknown }): Promise<string>
  audit(filter?: { limit?: number; before?: string }): Promise<RecordedAudit[]>
  log(jobId: string, filter?: { after?: string; limit?: number }): Promise<RecordedLine[]>
}

/** State of a group of errors. */
export type ErrorState = 'open' | 'muted' | 'resolved'

/** A group of errors as it is recorded. */
export interface RecordedError {
  fingerprint: string
  type: string
  message: string
  sample: string
  stack: string | null
  count: number
  firstMs: number
  lastMs: number
  state: ErrorState
  functions: string[]
  queues: string[]
  lastJobId: string
}

/** A job that ended, as it is recorded. */
export interface RecordedJob {
  jobId: string
  functionName: string
  queueName: string
  finishedMs: number
  runMs: number
  error?: string
  fingerprint?: string
}

/** An event as it is recorded. */
export interface RecordedEvent {
  id: string
  atMs: number
  kind: string
  jobId?: string
  functionName?: string
  queueName?: string
  workerId?: string
  error?: string
  version?: string
}

/** A try as it is recorded. */
export interface RecordedTry {
  atMs: number
  jobTry: number
  kind: 'retried' | 'failed' | 'lease-lost' | 'released'
  startedMs: number | null
  runMs: number | null
  workerId: string
  error?: string
  delayMs?: number
}

/** An entry of the audit log as it is recorded. */
export interface RecordedAudit {
  id: string
  atMs: number
  actor: string
  action: string
  resource: string
  detail?: unknown
}

/** A line of a job's log as it is recorded. */
export interface RecordedLine {
  id: string
  atMs: number
  jobTry: number
  kind: 'log' | 'progress' | 'end'
  level?: 'info' | 'warn' | 'error' | 'fatal'
  message?: string
  fraction?: number
}

/** The recorder's reader of a client; null in versions of @arq-ts/core that have none. */
export function recorderOf(client: Client): Recorder | null {
  return (client as unknown as { history?: Recorder }).history ?? null
}

/** True where this version of the recorder answers a question. */
export function can(recorder: Recorder | null, name: keyof Recorder): recorder is Recorder {
  return typeof recorder?.[name] === 'function'
}
