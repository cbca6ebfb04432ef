import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import { Client } from '../client.ts'
import { FailedJobsError, JobAbortedError, LeaseLostError, WorkerStoppedError } from '../errors.ts'
import type { WorkerEvents } from '../events.ts'
import { createLogger } from '../logger.ts'
import type { Logger } from '../logger.ts'
import { resolveWorkerOptions } from '../options.ts'
import type { ResolvedWorkerOptions, WorkerOptions } from '../options.ts'
import { Link } from '../redis/link.ts'
import { VERSION } from '../version.ts'
import type { Counters, WorkerEntry } from '../worker-entry.ts'
import { AbortListener } from './abort-listener.ts'
import { Completer } from './completer.ts'
import { makeContext } from './context.ts'
import { CronService } from './cron-service.ts'
import type { Tick } from './cron-service.ts'
import { EventPublisher } from './event-publisher.ts'
import { Executor } from './executor.ts'
import { Heartbeat } from './heartbeat.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { Poller } from './poller.ts'
import { registerCron, registerTask } from './registered-task.ts'
import type { RegisteredTask } from './registered-task.ts'
import { Signals } from './signals.ts'
import { tracedRun } from './traced-run.ts'
import { listenForWork } from './work-listener.ts'

/** Past this a stopping worker no longer waits for Redis to settle what is left; leases bring those jobs back. */
const SETTLE_WAIT_MS = 10_000
const MAX_RUNNING_TOLD = 100

/**
 * Runs jobs from one or more queues, beside Python workers of the same queues.
 *
 * created → running → draining (no new jobs, running ones may end) → stopped. A worker runs once.
 *
 * ```ts
 * const worker = new Worker({ redis: 'redis://localhost:6379/1', tasks: [resize] })
 * await worker.run()
 * ```
 */
export class Worker extends EventEmitter<WorkerEvents> {
  /** Unique among all workers: name, process and a random part. */
  readonly id: string
  readonly log: Logger
  readonly #settings: ResolvedWorkerOptions
  readonly #tasks = new Map<string, RegisteredTask>()
  readonly #counters: Counters = { complete: 0, failed: 0, retried: 0 }
  readonly #link: Link
  readonly #client: Client
  readonly #completer: Completer
  readonly #leases: LeaseKeeper
  readonly #executor: Executor
  readonly #poller: Poller
  readonly #aborts: AbortListener
  readonly #heartbeat: Heartbeat
  readonly #cron: CronService
  readonly #publisher: EventPublisher
  readonly #state: Record<string, unknown>
  readonly #inFlight = new Set<Promise<void>>()
  readonly #queueNames: string[]
  readonly #stopping = new AbortController()
  #startedAtMs = 0
  #wasStarted = false
  #hurried = false
  #running: Promise<void> | undefined
  #hurry: (() => void) | undefined

  /** @throws OptionsError */
  constructor(options: WorkerOptions) {
    super()
    const settings = resolveWorkerOptions(options)
    this.#settings = settings
    for (const task of settings.tasks) this.#tasks.set(task.name, registerTask(task))
    for (const job of settings.cron) this.#tasks.set(job.name, registerCron(job))
    const name = settings.name ?? hostname()
    this.id = `${name}:${process.pid}:${randomBytes(4).toString('hex')}`
    this.log = settings.logger ?? createLogger(settings.logLevel === undefined ? {} : { level: settings.logLevel })
    const log = this.log
    this.#state = { ...settings.ctx }
    this.#queueNames = settings.queues.map((queue) => queue.name)
    this.#link = new Link({
      redis: settings.redis,
      keyPrefix: settings.keyPrefix,
      expiresExtraMs: settings.expiresExtraMs,
      log,
    })
    const { broker, store } = this.#link
    this.#client = Client.over(this.#link, {
      codec: settings.codec,
      queueName: settings.queues[0]!.name,
      onEnqueued: (job) => this.#tell('jobEnqueued', job),
    })
    this.#completer = new Completer(broker, log)
    this.#leases = new LeaseKeeper({
      broker,
      leaseMs: settings.leaseMs,
      lagWarnMs: settings.eventLoopLagWarnMs,
      log,
      onLost: (lease) => this.#leaseLost(lease.jobId),
    })
    this.#executor = new Executor({
      broker,
      completer: this.#completer,
      leases: this.#leases,
      tasks: this.#tasks,
      settings,
      log,
      counters: this.#counters,
      emit: (event, ...args) => this.#tell(event, ...args),
      makeContext: (run) => makeContext(run, this.#state, this.#client),
      around: (run, call) => tracedRun(store, run, call),
      passOver: (queueName, jobId) => this.#poller.passOver(queueName, jobId),
    })
    this.#poller = new Poller({
      broker,
      log,
      workerId: this.id,
      queues: settings.queues,
      order: settings.queueOrder,
      maxJobs: settings.maxJobs,
      queueReadLimit: settings.queueReadLimit,
      pollDelayMs: settings.pollDelayMs,
      leaseMs: settings.leaseMs,
      allowAbortJobs: settings.allowAbortJobs,
      burst: settings.burst,
      maxBurstJobs: settings.burst && settings.maxBurstJobs >= 0 ? settings.maxBurstJobs : Infinity,
      beforePoll: () => this.#leases.afterSleep(),
      start: (claim, onIdle) => {
        const done: Promise<void> = this.#executor.execute(claim, onIdle).finally(() => this.#inFlight.delete(done))
        this.#inFlight.add(done)
      },
      countQueued: () => store.countQueued(this.#queueNames),
    })
    this.#aborts = new AbortListener({
      broker,
      pollDelayMs: settings.pollDelayMs,
      log,
      running: () => this.#executor.runs.keys(),
      abort: (ids) => this.#executor.cut('aborted', () => new JobAbortedError('aborted while running'), ids),
    })
    this.#publisher = new EventPublisher({ worker: this, workerId: this.id, store, now: () => broker.clock.now() })
    this.#heartbeat = new Heartbeat({
      store,
      log,
      queues: this.#queueNames,
      healthCheckKeys: settings.healthCheckKey
        ? [settings.healthCheckKey]
        : this.#queueNames.map((queue) => `${queue}:health-check`),
      healthCheckIntervalMs: settings.healthCheckIntervalMs,
      describe: () => this.describe(),
      maintain: async () => {
        await this.#publisher.look()
        if (settings.deadLetter !== false) await store.trimDead(settings.deadLetter)
      },
    })
    this.#cron = new CronService({
      jobs: settings.cron,
      now: () => broker.clock.now(),
      pollDelayMs: settings.pollDelayMs,
      timeZone: settings.timeZone,
      log,
      enqueueTick: (tick) => this.#enqueueTick(tick),
    })
  }

  /**
   * Runs until `stop()`, SIGTERM or SIGINT, the end of a burst, or `signal`. Rejects only when the start fails: a
   * throwing `onStartup`, say. Redis may be away, at the start too: it is waited for.
   */
  run(signal?: AbortSignal): Promise<void> {
    this.#running ??= this.#main(signal)
    return this.#running
  }

  /**
   * Stops gracefully: no new jobs; running ones may end within `jobCompletionWaitMs`, then their signals fire and what
   * is left goes back to the queue, uncounted as a try. A second call does not wait for running jobs any more.
   */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) {
      this.#hurried = true
      this.#hurry?.()
    }
    this.#stopping.abort()
    this.#poller.stop()
    await this.#running
  }

  /**
   * Runs and reports, as arq's `run_check`: the number of completed jobs.
   * @throws FailedJobsError when jobs failed.
   */
  async runCheck(signal?: AbortSignal): Promise<number> {
    const reasons: string[] = []
    this.on('jobFinished', ({ outcome, jobId, error }) => {
      if (outcome !== 'complete') reasons.push(`${jobId}: ${String(error)}`)
    })
    await this.run(signal)
    if (this.#counters.failed > 0) throw new FailedJobsError(this.#counters.failed, reasons)
    return this.#counters.complete
  }

  /** What this worker tells of itself in `arq:worker:<id>`. */
  describe(): WorkerEntry {
    const runs = [...this.#executor.runs.values()]
    return {
      id: this.id,
      name: this.#settings.name ?? hostname(),
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      startedAtMs: this.#startedAtMs,
      queues: this.#queueNames,
      functions: [...this.#tasks.keys()],
      maxJobs: this.#settings.maxJobs,
      leaseMs: this.#settings.leaseMs,
      state: this.#stopping.signal.aborted ? 'draining' : 'running',
      healthLine: this.#heartbeat.healthLine,
      cron: this.#cron.next(),
      rssBytes: process.memoryUsage.rss(),
      running: runs.slice(0, MAX_RUNNING_TOLD).map((run) => ({
        jobId: run.claim.jobId,
        functionName: run.task.name,
        queueName: run.claim.queueName,
        jobTry: run.jobTry,
        startedAtMs: run.startedMs,
      })),
      counters: { ...this.#counters, ongoing: runs.length },
    }
  }

  async #main(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => void this.stop()
    signal?.addEventListener('abort', onAbort)
    const signals = this.#settings.handleSignals ? new Signals((name) => this.#onSignal(name)) : undefined
    try {
      if (signal?.aborted) onAbort()
      else await this.#startUnlessStopped()
      await this.#poller.run()
      await this.#drain()
    } finally {
      signal?.removeEventListener('abort', onAbort)
      await this.#close()
      signals?.dispose()
      this.#tell('stopped')
    }
  }

  /** A start may wait for Redis; a stop must not wait for the start. */
  async #startUnlessStopped(): Promise<void> {
    const { signal } = this.#stopping
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    try {
      await Promise.race([this.#start(), stopped])
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #start(): Promise<void> {
    const { broker, connection } = this.#link
    const settings = this.#settings
    connection.onDown = (error) => this.#tell('redisDown', { error })
    connection.onUp = () => {
      this.#tell('redisUp')
      void this.#leases.renewNow()
      this.#poller.notify()
    }
    this.log.info(`Starting worker for ${this.#tasks.size} functions: ${[...this.#tasks.keys()].join(', ')}`)
    const stopped = this.#stopping.signal
    await broker.syncClock(undefined, stopped)
    this.#startedAtMs = broker.clock.now()
    const server = await this.#link.describeServer()
    this.log.info(server.line)
    if (server.evictionPolicy !== undefined && server.evictionPolicy !== 'noeviction') {
      this.log.warn(`this Redis may evict jobs (maxmemory-policy ${server.evictionPolicy}); set it to noeviction`)
    }
    await settings.onStartup?.(this.#state)
    this.#wasStarted = true
    await listenForWork({
      link: this.#link,
      queues: this.#queueNames,
      keyspaceNotifications: settings.keyspaceNotifications,
      onWork: () => this.#poller.notify(),
      onListener: () => void this.#publisher.look().catch(() => {}),
      onAbort: (jobId) => {
        if (settings.allowAbortJobs && (jobId === undefined || this.#executor.runs.has(jobId))) void this.#aborts.look()
      },
    })
    await this.#heartbeat.start()
    this.#leases.start()
    if (settings.allowAbortJobs) this.#aborts.start()
    this.#cron.start()
    this.#tell('started')
  }

  /** Lets running jobs end, then fires their signals, then waits until all are settled. */
  async #drain(): Promise<void> {
    this.#cron.stop()
    const { abortGraceMs, jobCompletionWaitMs } = this.#settings
    const { complete, failed, retried } = this.#counters
    const counts = `${complete} jobs complete ◆ ${failed} failed ◆ ${retried} retries ◆ ${this.#executor.runs.size} ongoing`
    this.log.info(`shutting down ◆ ${counts}`)
    await this.#settledWithin(jobCompletionWaitMs, true)
    const reason = new WorkerStoppedError('the worker is stopping')
    this.#executor.cut('stopped', () => reason)
    await this.#settledWithin(abortGraceMs + SETTLE_WAIT_MS, false)
    if (this.#inFlight.size > 0) {
      this.log.error(`${this.#inFlight.size} jobs could not be settled; they run again when their leases end`)
    }
  }

  /** The rest of the shutdown, in its order: services, keys, hook, connections. Each step is tried whatever the others do. */
  async #close(): Promise<void> {
    this.#cron.stop()
    this.#aborts.stop()
    this.#leases.stop()
    const steps: [string, () => unknown][] = [
      ['removing the health keys', () => this.#link.connection.isReady && this.#heartbeat.stop()],
      ['the onShutdown hook', () => this.#wasStarted && this.#settings.onShutdown?.(this.#state)],
      ['closing connections', () => this.#link.close()],
    ]
    this.#heartbeat.pause()
    for (const [what, step] of steps) {
      try {
        await step()
      } catch (error) {
        this.log.error({ err: error }, `${what} failed`)
      }
    }
  }

  /** Waits until every job is settled, for `ms` at most, or less when told to hurry. */
  async #settledWithin(ms: number, mayHurry: boolean): Promise<void> {
    if (this.#inFlight.size === 0 || ms <= 0 || (mayHurry && this.#hurried)) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, 2_147_483_647))
      if (mayHurry) this.#hurry = resolve
      void Promise.all(this.#inFlight)
        .then(() => resolve())
        .finally(() => clearTimeout(timer))
    })
    this.#hurry = undefined
  }

  #onSignal(name: NodeJS.Signals): void {
    this.log.info(`shutdown on ${name}${this.#stopping.signal.aborted ? ' again, not waiting for running jobs' : ''}`)
    void this.stop()
  }

  #leaseLost(jobId: string): void {
    const run = this.#executor.runs.get(jobId)
    if (!run) return
    const about = { jobId, functionName: run.task.name, queueName: run.claim.queueName }
    this.log.error(
      about,
      `${jobId}:${run.task.name} lost its lease while it ran: another worker may have it, its outcome is discarded`,
    )
    this.#executor.cut('lost', () => new LeaseLostError('the lease of this job was lost'), [jobId])
    this.#tell('leaseLost', about)
  }

  async #enqueueTick({ job, jobId, atMs }: Tick): Promise<void> {
    const { store } = this.#link
    if (job.overlap === 'skip') {
      const last = await store.lastTick(job.name)
      // Queued or running: a member of the queue. (arq keeps a cron job's in-progress key after its end.)
      if (last !== null && last !== jobId && (await store.readResult(last, this.#client.queueName)).score !== null) {
        this.log.info(`${job.name}: tick of ${new Date(atMs).toISOString()} left out, ${last} is still queued or runs`)
        return
      }
    }
    const options = { deferUntil: atMs, ...(jobId === undefined ? {} : { jobId }) }
    const queued = await this.#client.enqueue(job.name, [], options)
    if (queued && job.overlap === 'skip') await store.recordTick(job.name, queued.jobId)
  }

  /** A listener that throws must not end a job, let alone the process. */
  #tell<E extends keyof WorkerEvents>(event: E, ...args: WorkerEvents[E]): void {
    try {
      this.emit(event, ...(args as never))
    } catch (error) {
      this.log.error({ err: error }, `a listener of '${String(event)}' failed`)
    }
  }
}
