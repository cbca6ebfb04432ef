/**
 * The answers and requests of the dashboard's HTTP API, as JSON carries them. Types only: the front end and other
 * readers import them without loading anything. Times are unix ms of Redis, durations are in ms, sizes in bytes.
 */

import type { ActionName } from './acts.ts'

export type * from './acts.ts'
export type * from './flows.ts'
export type * from './jobs.ts'
export type * from './limits.ts'
export type * from './recorded.ts'
export type * from './schedules.ts'
export type * from './tasks.ts'

/** The language of a worker or of the code that wrote a job. */
export type Language = 'python' | 'arq-ts'

/** The cost of one answer for Redis, as far as this process sent commands for it. */
export interface Cost {
  /** Commands sent for this request: 0 for an answer that was made for another tab a moment ago. */
  commands: number
  /** Time the answer took on the server, in ms, Redis's share included. */
  tookMs: number
}

/** A part of an answer that is not available, and why. */
export interface Unavailable {
  available: false
  /** One sentence for the reader. */
  why: string
}

/** A failed request: every answer with a status of 400 or more has this body. */
export interface ApiError {
  error: {
    /** A stable word, such as `read_only`, `not_found`, `invalid_request`, `forbidden`, `unauthenticated`. */
    code: string
    /** Sentence that says what happened, why, and what to do. */
    message: string
  }
}

/** The person or program that a request comes from. */
export interface ApiUser {
  /** Name shown in the page and written to the audit log. */
  name: string
  /** Role shown with the name; null where none is known. */
  role: string | null
}

/** `GET /api/bootstrap`: what the front end needs before its first page. */
export interface Bootstrap {
  /** Version of the API; it grows when a field changes its meaning. */
  api: 1
  /** Version of the package. */
  version: string
  /** Title of the installation. */
  title: string
  /** Address of Redis without its password. */
  redis: string
  /** Path under which the dashboard is mounted: '' or `/admin/queues`, without a slash at its end. */
  basePath: string
  user: ApiUser | null
  readOnly: boolean
  /** Actions that the user may perform at all. A single job or queue may still be refused. */
  actions: ActionName[]
  /** Redis's time when the answer was made. */
  nowMs: number
  /** Queues whose names are known. */
  queues: string[]
  /**
   * Numbers next to the entries of the navigation: open errors, functions that no live worker has, dead letters. A number
   * that is not known is null, and `why` says the reason in a sentence; with all of them null they are being counted.
   */
  badges: { errorsOpen: number | null; unserved: number | null; dead: number | null; why: string | null }
  /** Parts that this installation has. */
  features: { recorder: boolean; progress: boolean; stream: boolean }
  /** Format of links to a job's trace: `{traceId}` is replaced. Null where none is configured. */
  traceUrl: string | null
}

/** One finding that the overview leads with. */
export interface Headline {
  /** Subject: failing, growing, stuck, unserved, paused, or a problem of the server. */
  kind: 'failing' | 'growing' | 'late' | 'unserved' | 'stalled' | 'paused' | 'damaged'
  severity: 'error' | 'warning'
  /** The queue, function or fingerprint it is about. */
  subject: { type: 'queue' | 'function' | 'error' | 'server'; name: string }
  /** One sentence, such as "mail grows by 355 jobs a minute and never empties at this rate". */
  text: string
  /** Since when, where that is known. */
  sinceMs: number | null
}

/** `GET /api/overview` and the topic `overview`. */
export interface Overview {
  nowMs: number
  /** The most severe first; empty on a calm night. */
  headlines: Headline[]
  queues: QueueRow[]
  /** Numbers of all queues together. */
  totals: Pick<QueueRow, 'pending' | 'deferred' | 'running' | 'dead' | 'workers' | 'exact'> & { pythonWorkers: number }
  /** Functions that queued jobs ask for and no live worker of their queue has, among the jobs that were looked at. */
  unserved: UnservedFunction[]
  /** Parts that were not looked at, a sentence each. */
  incomplete: string[]
  cost: Cost
}

/** A function that waits for a worker. */
export interface UnservedFunction {
  functionName: string
  queueName: string
  /** Waiting jobs among those looked at; a lower bound. */
  waiting: number
}

/** A queue in numbers. */
export interface QueueRow {
  queueName: string
  pending: number
  deferred: number
  running: number
  /** Counted since the queue was first used; a Python worker's since its start. */
  complete: number
  failed: number
  aborted: number
  dead: number
  /** Time at which the oldest pending job became due; null when none is pending, or its score is no time. */
  oldestDueMs: number | null
  nextDueMs: number | null
  paused: boolean
  /** Languages of the live workers that serve it. */
  languages: Language[]
  /** Live arq-ts workers of the queue, and their slots. */
  workers: number
  slots: number
  /** True where a Python worker's health line is alive. */
  python: boolean
  /** False where `running` is a lower bound, and `pending` and `deferred` are upper ones. */
  exact: boolean
  /** State in one word; `unserved`: jobs are due and nobody serves it. */
  state: 'on-time' | 'falling-behind' | 'paused' | 'unserved' | 'empty' | 'damaged'
  /**
   * Rates in jobs a minute, over the time that was watched; null until ten seconds were. `in` and `out` are null where a
   * Python worker serves the queue, which reports its counters once an hour; `net` is the change of what is due.
   */
  rates: { inPerMinute: number | null; outPerMinute: number | null; netPerMinute: number; overMs: number } | null
  /** Time at which it empties at those rates: unix ms, `never`, `empty`, or null where no rates are known. */
  emptiesAt: number | 'never' | 'empty' | null
  problems: string[]
}

/** `GET /api/queues`. `complete`: false where not all keys were scanned for queues; `omitted`: known queues beyond the 2,000 that are counted. */
export interface QueueList {
  nowMs: number
  queues: QueueRow[]
  complete: boolean
  omitted: number
  cost: Cost
}

/** `GET /api/queues/:q`. */
export interface QueueDetails {
  nowMs: number
  queue: QueueRow
  workers: WorkerRow[]
  python: PythonWorkerRow[]
  cost: Cost
}

/** `GET /api/queues/:q/forecast`, and `GET /api/forecast` of all queues together (`queueName` is then null). */
export interface Forecast {
  queueName: string | null
  nowMs: number
  /** Length of a slot in ms: half an hour. */
  slotMs: number
  /** 48 slots of the next 24 hours, the first from now on. */
  slots: ForecastSlot[]
  /** Due before now. */
  dueNow: number
  /** Due after the last slot. */
  later: number
  /** Jobs that the workers of the queue end in a slot at the measured rate; null until it is measured. */
  capacityPerSlot: number | null
  /** Basis of the capacity, one sentence. */
  capacityBasis: string | null
  emptiesAt: number | 'never' | 'empty' | null
  /** Workers of the present kind that would keep up with what arrives; null where it is not known. */
  workersNeeded: number | null
  /** Limits of the forecast, a sentence each. */
  limits: string[]
  cost: Cost
}

/** Arrivals of half an hour. */
export interface ForecastSlot {
  fromMs: number
  /** Jobs of the queue that become due in it; exact. Running jobs of arq-ts workers are in it by the end of their lease. */
  due: number
  /** Ticks of cron jobs in it; each enqueues one job. At most ten names. */
  ticks: number
  cron: { name: string; ticks: number }[]
}

/** An arq-ts worker. */
export interface WorkerRow {
  language: 'arq-ts'
  id: string
  name: string
  host: string
  pid: number
  version: string
  startedAtMs: number
  state: 'running' | 'quiet' | 'draining'
  queues: string[]
  functions: string[]
  maxJobs: number
  ongoing: number
  complete: number
  failed: number
  retried: number
  rssBytes: number
  leaseMs: number
  /** Jobs at work, at most 100. */
  running: { jobId: string; functionName: string; queueName: string; jobTry: number; startedAtMs: number }[]
}

/** Python workers of one queue, as its health line shows them; several write one line. */
export interface PythonWorkerRow {
  language: 'python'
  queueName: string
  ongoing: number
  complete: number
  failed: number
  retried: number
  queued: number
  /** The line as it was written. */
  line: string
  expiresInMs: number
}

/** `GET /api/workers` and the topic `workers`. */
export interface WorkerList {
  nowMs: number
  workers: WorkerRow[]
  python: PythonWorkerRow[]
  /** Registered workers whose entry nobody can read. */
  unreadable: { workerId: string; reason: string }[]
  cost: Cost
}

/** `GET /api/functions`: the capability map. */
export interface FunctionMap {
  nowMs: number
  functions: FunctionRow[]
  /** Jobs whose functions were read, and whether these were all. */
  sampled: { jobs: number; complete: boolean }
  /** Limits of the map, a sentence each. */
  limits: string[]
  cost: Cost
}

/** A function, and who declares, needs and runs it. */
export interface FunctionRow {
  functionName: string
  /** Live arq-ts workers that declare it. */
  workers: { id: string; name: string; queues: string[] }[]
  /** Python: `seen` where a Python worker ran or runs it, `possible` where one serves a queue that has it, else `none`. */
  python: 'seen' | 'possible' | 'none'
  /** Queues in which jobs wait for it, by the sample. */
  queues: { queueName: string; waiting: number; served: boolean | null }[]
  running: number
  dead: number
  /** True where a queued job has no live worker; null where only a Python worker could have it. */
  unserved: boolean | null
  /** The declared schema and limits; null until a worker reports them. */
  declared: DeclaredFunction | null
}

/** A function as its worker declares it. */
export interface DeclaredFunction {
  /** JSON Schema of its parameters; null where the task declares none. */
  schema: unknown
  timeoutMs: number | null
  maxTries: number | null
}

/** `GET /api/cron`. Query: `from`, `to` (unix ms; default: the last and the next 24 hours). */
export interface CronCalendar {
  nowMs: number
  fromMs: number
  toMs: number
  jobs: CronRow[]
  /** Limits of the calendar, a sentence each. */
  limits: string[]
  cost: Cost
}

/** One cron job. */
export interface CronRow {
  name: string
  language: Language
  /** Schedule as text; null for a Python cron job, whose ticks alone are seen. */
  schedule: string | null
  queues: string[]
  workers: string[]
  nextMs: number | null
  /** Coming ticks within the range, at most 200. */
  coming: number[]
  /** Ticks within the range that ended, at most the last 50. */
  past: CronTick[]
  /** Ticks within the range that a worker left out: the one before still ran, or Redis was away for too long. */
  leftOut: { atMs: number; why: 'overlap' | 'late' | 'paused' }[]
  /** Ticks of the schedule within the range that left no trace; empty where nobody can know. */
  missed: number[]
  /** The pause of the cron job; null while it ticks. */
  pause: CronPauseRow | null
}

/** A pause of a cron job. */
export interface CronPauseRow {
  sinceMs: number | null
  /** Description of workers that may enqueue its ticks all the same; null if there are none. */
  advisory: string | null
}

/** A tick of a cron job that ended. */
export interface CronTick {
  atMs: number
  jobId: string
  status: 'complete' | 'failed' | 'aborted'
  /** Null where no handler ran. */
  tookMs: number | null
  /** Time from the tick to its start; null where no handler ran. */
  delayMs: number | null
  /** Started more than 60 s after its time. */
  isLate: boolean
  /** Started while one before it still ran. */
  overlaps: boolean
}

/** `GET /api/doctor`. Query: `limit` jobs of each queue (default 10,000). */
export interface DoctorReport {
  nowMs: number
  findings: DoctorFinding[]
  queues: string[]
  /** Jobs looked at. */
  jobs: number
  /** Parts that were not examined, a sentence each. An empty list of findings is an all-clear only with this empty. */
  incomplete: string[]
  cost: Cost
}

/** One problem, and its repair. */
export interface DoctorFinding {
  check: string
  severity: 'error' | 'warning'
  queueName: string | null
  message: string
  /** Effect of the repair; null where only a person can repair it. Ask for a plan with `{ action: 'repair', check, queueName }`. */
  repair: string | null
  count: number
  /** Ids of the first 100 jobs or workers it is about. */
  jobIds: string[]
}

/**
 * `GET /api/stream?topics=overview,queues,workers,events`: server-sent events. Each message has an `id`; a reader that
 * comes back with `Last-Event-ID` gets what it missed while the server still has it, else the newest state.
 */
export interface StreamMessages {
  /** The newest overview, every 2 s while it changes. */
  overview: Overview
  queues: QueueList
  workers: WorkerList
  /** Events of workers, in batches of at most 200 every 500 ms. */
  events: { events: WorkerEventRow[]; missed: number }
}

/** Topics of the stream. */
export type StreamTopic = keyof StreamMessages

/** One event of an arq-ts worker. */
export interface WorkerEventRow {
  event: string
  jobId: string
  functionName: string
  queueName: string
  workerId: string
  atMs: number
  jobTry: number | null
  waitMs: number | null
  runMs: number | null
  delayMs: number | null
  outcome: 'complete' | 'failed' | 'aborted' | null
  reason: string | null
  error: string | null
}
