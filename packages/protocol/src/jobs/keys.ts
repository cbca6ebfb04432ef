/** Names of everything that is kept in Redis. The first group is arq's own (`arq/constants.py`), the second is ours. */

/** arq's default queue. A queue's name is its Redis key. */
export const DEFAULT_QUEUE_NAME = 'arq:queue'

/** arq's `expires_extra_ms`: how long after its due time a job may still start, by default. */
export const EXPIRES_EXTRA_MS = 86_400_000

/** arq's `EXPIRE 88400` on the try counter, in seconds. */
export const RETRY_COUNTER_TTL_S = 88_400

/** arq's `keep_cronjob_progress`: a cron job's in-progress key outlives its end, so that no second worker runs the same tick. */
export const KEEP_CRON_IN_PROGRESS_MS = 60_000

/** Value that Python writes into an in-progress key; a worker of ours writes its token. */
export const PYTHON_IN_PROGRESS = '1'

/**
 * Content of the in-progress key of a job that has ended and whose id Python's `Job.abort()` may put back into its queue:
 * arq starts no job that has such a key.
 */
export const ENDED_IN_PROGRESS = 'ended'

/**
 * Key names under an optional prefix. Python's names are fixed, so a prefix (for Redis Cluster a hash tag, `'{orders}:'`)
 * makes queues that only arq-ts shares.
 */
export class Keys {
  readonly prefix: string
  /** Abort requests: sorted set of job ids by request time. */
  readonly abort: string
  /** Dead letters: sorted set of job ids by failure time. */
  readonly dead: string
  /** Live workers of ours: sorted set of worker ids by expiry time. */
  readonly workers: string
  /** Paused queues: set of their Redis keys. */
  readonly paused: string
  /** Channel on which workers publish events of their jobs while somebody listens. */
  readonly events: string
  /** Table of recorded series: hash of name to id and time last seen. */
  readonly obsSeries: string
  /** Names of the queues that looks at a large database have found: JSON. */
  readonly obsQueues: string
  /** Queues that producers of ours have used lately: hash of name to the time. */
  readonly obsNoted: string
  /** Cron jobs whose ticks are recorded: hash of name to the time of the last. */
  readonly obsTicked: string
  /** Stream of what happened to jobs, queues and workers. */
  readonly obsEvents: string
  /** Stream of jobs that ended: failures, samples and the slowest. */
  readonly obsRecent: string
  /** Stream of what operators did. */
  readonly obsAudit: string
  /** Fingerprints of errors: hash to the time each was last seen. */
  readonly obsErrors: string
  /** Jobs whose tries are recorded, the newest first: a list. */
  readonly obsTried: string
  /** Jobs that have a log, the newest first: a list. */
  readonly obsLogged: string
  /** Settings of limits that were made at run time: hash by the id of a limit. */
  readonly limits: string
  /** Limits that jobs wait for: sorted set by the time to look at each again. */
  readonly limitWatch: string
  /** Schedules: sorted set of their names by the next tick. */
  readonly schedules: string
  /** Pauses of cron jobs: hash of name to the time since, and until when, in unix ms. */
  readonly cronPauses: string
  /** Held jobs: hash of job id to the score of the hold, its time and its reason. */
  readonly held: string
  /** Flows: sorted set of their ids by the time each was started. */
  readonly flows: string
  /** Flows that have not ended: sorted set of their ids by the time each was started. */
  readonly flowWatch: string
  /** The lease of the worker that looks after flows. */
  readonly flowConductor: string
  /** The lease of the worker that counts what Python workers end. */
  readonly obsCollector: string
  readonly #database: number

  /** @param database Part of every channel's name but a result's: Redis's channels know no databases. */
  constructor(prefix = '', database = 0) {
    this.prefix = prefix
    this.#database = database
    this.abort = `${prefix}arq:abort`
    this.dead = `${prefix}arq:dead`
    this.workers = `${prefix}arq:workers`
    this.paused = `${prefix}arq:paused`
    this.events = `${prefix}arq:events@${database}`
    this.limits = `${prefix}arq:limits`
    this.limitWatch = `${prefix}arq:limit-watch`
    this.schedules = `${prefix}arq:schedules`
    this.cronPauses = `${prefix}arq:cron-pauses`
    this.held = `${prefix}arq:held`
    this.flows = `${prefix}arq:flows`
    this.flowWatch = `${prefix}arq:flow-watch`
    this.flowConductor = `${prefix}arq:flow-conductor`
    this.obsSeries = `${prefix}arq:obs:series`
    this.obsQueues = `${prefix}arq:obs:queues`
    this.obsNoted = `${prefix}arq:obs:noted`
    this.obsTicked = `${prefix}arq:obs:ticked`
    this.obsEvents = `${prefix}arq:obs:events`
    this.obsRecent = `${prefix}arq:obs:recent`
    this.obsAudit = `${prefix}arq:obs:audit`
    this.obsErrors = `${prefix}arq:obs:errors`
    this.obsTried = `${prefix}arq:obs:tried`
    this.obsLogged = `${prefix}arq:obs:logged`
    this.obsCollector = `${prefix}arq:obs:collector`
  }

  /** A queue: sorted set of job ids by due time. */
  queue(queueName: string): string {
    return this.prefix + queueName
  }
  /** A job's payload. */
  job(jobId: string): string {
    return `${this.prefix}arq:job:${jobId}`
  }
  /** Holder of a running job: our token, or Python's `1`. */
  inProgress(jobId: string): string {
    return `${this.prefix}arq:in-progress:${jobId}`
  }
  /** Number of tries of a job. */
  retry(jobId: string): string {
    return `${this.prefix}arq:retry:${jobId}`
  }
  /** Result of a job. */
  result(jobId: string): string {
    return `${this.prefix}arq:result:${jobId}`
  }
  /** The health line of a queue's workers. */
  healthCheck(queueName: string): string {
    return `${this.prefix}${queueName}:health-check`
  }
  /** The line that a worker of ours wrote last under a health key: any other line there is Python's. */
  healthLine(healthCheckKey: string): string {
    return `${this.prefix}arq:health-line:${healthCheckKey}`
  }

  /** Due jobs a worker of ours is about to claim, by the time the reservation lapses. Python never looks here. */
  reserved(queueName: string): string {
    return `${this.prefix}${queueName}:reserved`
  }
  /** Idle workers of a queue, each with the number of jobs it would take at once: a list. */
  waiting(queueName: string): string {
    return `${this.prefix}arq:waiting:${queueName}`
  }

  /** The score up to which a queue was searched for jobs whose worker died, and when: a string. */
  orphans(queueName: string): string {
    return `${this.prefix}arq:orphans:${queueName}`
  }
  /** Number of jobs of a queue that ended on workers of ours, by outcome: a hash. */
  stats(queueName: string): string {
    return `${this.prefix}arq:stats:${queueName}`
  }
  /** Trace context of a job's producer, for a worker's span. */
  trace(jobId: string): string {
    return `${this.prefix}arq:trace:${jobId}`
  }
  /** One dead letter: payload and error. */
  deadLetter(jobId: string): string {
    return `${this.prefix}arq:dead:${jobId}`
  }
  /** Due time of the last tick of a schedule; named by the cron job, its zone and its schedule. */
  tickRecord(schedule: string): string {
    return `${this.prefix}arq:obs:cron:${schedule}`
  }
  /** Numbers of a recorded series: hash of 40 slots of one resolution, `1m`, `10m` or `1h`. */
  obsNumbers(resolution: string, seriesId: string, block: number): string {
    return `${this.prefix}arq:obs:${resolution}:${seriesId}:${block}`
  }
  /** Length and age of a queue: hash of 40 slots of one resolution. */
  obsDepth(resolution: string, queueName: string, block: number): string {
    return `${this.prefix}arq:obs:depth:${queueName}:${resolution}:${block}`
  }
  /** The last ticks of a cron job: hash of the tick's unix ms to what became of it. */
  obsTicks(cronName: string): string {
    return `${this.prefix}arq:obs:ticks:${cronName}`
  }
  /** Python's jobs that ended in one second and are counted: a set of numbers. */
  obsSeen(second: number): string {
    return `${this.prefix}arq:obs:seen:${second}`
  }
  /** Errors of one fingerprint: a hash. */
  obsError(fingerprint: string): string {
    return `${this.prefix}arq:obs:fp:${fingerprint}`
  }
  /** Tries of a job that did not end well, the oldest first: a list. */
  obsTries(jobId: string): string {
    return `${this.prefix}arq:obs:tries:${jobId}`
  }
  /** Log and progress of a job: a stream. */
  obsLog(jobId: string): string {
    return `${this.prefix}arq:obs:log:${jobId}`
  }
  /** Channel on which new entries of a job's log are announced. */
  logChannel(jobId: string): string {
    return `${this.prefix}arq:obs:log@${this.#database}:${jobId}`
  }
  /** Definition of a function, as its workers have it: a string. */
  obsFunction(functionName: string): string {
    return `${this.prefix}arq:obs:fn:${functionName}`
  }
  /** A frozen plan of a bulk action. */
  obsPlan(token: string): string {
    return `${this.prefix}arq:obs:plan:${token}`
  }
  /** Payloads that a bulk action removed. */
  obsTrash(token: string): string {
    return `${this.prefix}arq:obs:trash:${token}`
  }
  /** Number of the last call by which a worker wrote what it recorded. */
  obsFlush(workerId: string): string {
    return `${this.prefix}arq:obs:flush:${workerId}`
  }
  /** The error of a job's last try, while another try is to follow. */
  lastError(jobId: string): string {
    return `${this.prefix}arq:error:${jobId}`
  }
  /** The job that has a unique key: a hash. */
  unique(key: string): string {
    return `${this.prefix}arq:unique:${key}`
  }
  /** Places of a limit that are taken: sorted set of claims by the end of their lease. */
  limitRunning(limitId: string): string {
    return `${this.prefix}arq:limit-running:${limitId}`
  }
  /** Places of a limit that are kept for jobs which are due: sorted set by the time each offer lapses. */
  limitOffered(limitId: string): string {
    return `${this.prefix}arq:limit-offered:${limitId}`
  }
  /** Jobs that wait for a place of a limit, in their turn: a sorted set. */
  limitWaiting(limitId: string): string {
    return `${this.prefix}arq:limit-waiting:${limitId}`
  }
  /** Time of a limit's rate, and the turns of its shares: a hash. */
  limitState(limitId: string): string {
    return `${this.prefix}arq:limit-state:${limitId}`
  }
  /** A flow: its state, its members and how they ended: a hash. */
  flow(flowId: string): string {
    return `${this.prefix}arq:flow:${flowId}`
  }
  /** Members of a flow that have not ended: a set. */
  flowOpen(flowId: string): string {
    return `${this.prefix}arq:flow-open:${flowId}`
  }
  /** Members of a flow that workers may have or have had, and that have not ended: a set. */
  flowOut(flowId: string): string {
    return `${this.prefix}arq:flow-out:${flowId}`
  }
  /** Steps that are due for members of a flow: a hash. */
  flowTodo(flowId: string): string {
    return `${this.prefix}arq:flow-todo:${flowId}`
  }
  /** Payloads of a flow's members as they were given: a hash. */
  flowCalls(flowId: string): string {
    return `${this.prefix}arq:flow-calls:${flowId}`
  }
  /** Results that a flow's members need of each other: a hash. */
  flowResults(flowId: string): string {
    return `${this.prefix}arq:flow-results:${flowId}`
  }
  /** Channel on which the end of a flow is announced. */
  flowChannel(flowId: string): string {
    return `${this.prefix}arq:flow@${this.#database}:${flowId}`
  }
  /** One schedule: a hash. */
  schedule(name: string): string {
    return `${this.prefix}arq:schedule:${name}`
  }
  /** Channel on which changes of schedules are announced; the message is the schedule's name. */
  get scheduleChannel(): string {
    return `${this.schedules}@${this.#database}`
  }
  /** The last tick of a cron job that must not overlap. */
  lastTick(cronName: string): string {
    return `${this.prefix}arq:cron:${cronName}`
  }
  /** One worker's registry entry. */
  worker(workerId: string): string {
    return `${this.prefix}arq:worker:${workerId}`
  }
  /** An operator's order to one worker, to claim nothing more or to claim again: `quiet` or `resume`. */
  workerOrder(workerId: string): string {
    return `${this.prefix}arq:obs:order:${workerId}`
  }
  /** Channel on which producers say that a queue has new work; the message is its due time in unix ms. */
  wakeChannel(queueName: string): string {
    return `${this.prefix}arq:wake@${this.#database}:${queueName}`
  }
  /** Channel on which jobs are handed to one worker. */
  handOffChannel(workerId: string): string {
    return `${this.prefix}arq:hand-off@${this.#database}:${workerId}`
  }
  /** Channel on which a job's end is announced; named like its result key. */
  resultChannel(jobId: string): string {
    return this.result(jobId)
  }
  /**
   * Channel on which ends of jobs are announced together; the message is their ids, with spaces between. Empty if each end
   * is announced on its `resultChannel`; only partitions of a namespace have this channel.
   */
  get endsChannel(): string {
    return ''
  }
  /** Channel on which a listener to `events` says that it is there. */
  get eventListeners(): string {
    return `${this.events}:listen`
  }
  /** Channel on which flows that begin are announced; the message is the flow's id. */
  get flowsChannel(): string {
    return `${this.prefix}arq:flows@${this.#database}`
  }
  /** Channel on which orders to workers are announced; the message is the worker's id. */
  get orderChannel(): string {
    return `${this.prefix}arq:orders@${this.#database}`
  }
  /** Channel on which abort requests are announced; the message is the job id. */
  get abortChannel(): string {
    return `${this.abort}@${this.#database}`
  }
}
