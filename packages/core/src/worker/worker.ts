import { randomBytes } from 'node:crypto'
import { captureRejectionSymbol, EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import { Client } from '../client/client.ts'
import { FailedJobsError, JobAbortedError, LeaseLostError, WorkerStoppedError } from '../errors.ts'
import type { JobEvent, WorkerEvents } from '../fleet/events.ts'
import { createLogger } from '../logging/logger.ts'
import type { Logger } from '../logging/logger.ts'
import { resolveWorkerOptions } from '../options/worker.ts'
import type { ResolvedWorkerOptions, WorkerOptions } from '../options/worker.ts'
import { Link } from '../redis/link.ts'
import { VERSION } from '../version.ts'
import type { Counters, WorkerEntry } from '../fleet/worker-entry.ts'
import { AbortListener } from './abort-listener.ts'
import { Completer } from './completer.ts'
import { makeContext } from './context.ts'
import { CronService } from './cron-service.ts'
import { EventPublisher } from './event-publisher.ts'
import { Executor } from './executor.ts'
import { Heartbeat } from './heartbeat.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { Lease } from './lease-keeper.ts'
import { Patience, within } from '../time/patience.ts'
import { Poller } from './poller.ts'
import { registerCron, registerTask } from './registered-task.ts'
import type { RegisteredTask } from './registered-task.ts'
import { Signals } from './signals.ts'
import { StateHooks } from './state-hooks.ts'
import { tracedRun } from './traced-run.ts'
import { listenForWork } from './work-listener.ts'

/** Past this a stopping worker no longer waits for Redis to settle what is left; leases bring those jobs back. */
const SETTLE_WAIT_MS = 10_000
/** How long a stopping worker waits for an `onStartup` that is at work, and for Redis to take its keys away. */
const END_WAIT_MS = 10_000
/** arq reads nothing else unless it is told to: ticks are for either language. */
const TICK_CODEC = 'pickle'
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
  readonly #leases: LeaseKeeper
  readonly #executor: Executor
  readonly #poller: Poller
  readonly #aborts: AbortListener
  readonly #heartbeat: Heartbeat
  readonly #cron: CronService
  readonly #publisher: EventPublisher
  readonly #hooks: StateHooks
  readonly #queueNames: string[]
  readonly #patience = new Patience()
  readonly #stopping = new AbortController()
  /** Rejects at a stop, for what is not waited for then. */
  readonly #stopped: Promise<never>
  #startedAtMs = 0
  #running: Promise<void> | undefined

  /** @throws OptionsError */
  constructor(options: WorkerOptions) {
    super({ captureRejections: true })
    const settings = resolveWorkerOptions(options)
    this.#settings = settings
    for (const task of settings.tasks) this.#tasks.set(task.name, registerTask(task))
    for (const job of settings.cron) this.#tasks.set(job.name, registerCron(job))
    const name = settings.name ?? hostname()
    this.id = `${name}:${process.pid}:${randomBytes(4).toString('hex')}`
    this.log = settings.logger ?? createLogger(settings.logLevel === undefined ? {} : { level: settings.logLevel })
    const log = this.log
    const state = { ...settings.ctx }
    const { onStartup, onShutdown } = settings
    this.#hooks = new StateHooks({ state, onStartup, onShutdown, log })
    this.#queueNames = settings.queues.map((queue) => queue.name)
    this.#link = new Link({
      redis: settings.redis,
      keyPrefix: settings.keyPrefix,
      expiresExtraMs: settings.expiresExtraMs,
      log,
    })
    const { broker, deadLetters, queues } = this.#link
    const clientOptions = {
      codec: settings.codec,
      queueName: settings.queues[0]!.name,
      onEnqueued: (job: JobEvent) => this.#tell('jobEnqueued', job),
    }
    const client = Client.over(this.#link, clientOptions)
    const completer = new Completer(broker, log)
    this.#leases = new LeaseKeeper({
      broker,
      leaseMs: settings.leaseMs,
      lagWarnMs: settings.eventLoopLagWarnMs,
      log,
      onLost: (lease) => this.#leaseLost(lease),
    })
    this.#executor = new Executor({
      broker,
      completer,
      leases: this.#leases,
      tasks: this.#tasks,
      settings,
      log,
      counters: this.#counters,
      emit: (event, ...args) => this.#tell(event, ...args),
      hears: (event) => this.listenerCount(event) > 0,
      makeContext: (run) => makeContext(run, state, client),
      around: (run, call) => tracedRun(this.#link.jobs, run, call),
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
      start: (claim, onIdle) => void this.#executor.execute(claim, onIdle),
      countQueued: () => queues.size(this.#queueNames),
    })
    this.#aborts = new AbortListener({
      broker,
      pollDelayMs: settings.pollDelayMs,
      log,
      running: this.#executor.runs,
      abort: (runs) => this.#executor.cut('aborted', new JobAbortedError('aborted while running'), runs),
    })
    this.#publisher = new EventPublisher({
      worker: this,
      workerId: this.id,
      channel: this.#link.events,
      now: () => broker.clock.now(),
    })
    this.#heartbeat = new Heartbeat({
      registry: this.#link.registry,
      queueRecords: queues,
      log,
      queues: this.#queueNames,
      healthCheckKeys: settings.healthCheckKey
        ? [settings.healthCheckKey]
        : this.#queueNames.map((queue) => `${queue}:health-check`),
      healthCheckIntervalMs: settings.healthCheckIntervalMs,
      describe: () => this.describe(),
      maintain: async () => {
        await this.#publisher.look()
        if (settings.deadLetter !== false) await deadLetters.trim(settings.deadLetter)
      },
    })
    this.#cron = new CronService({
      jobs: settings.cron,
      now: () => broker.clock.now(),
      pollDelayMs: settings.pollDelayMs,
      timeZone: settings.timeZone,
      log,
      ticks: this.#link.ticks,
      jobRecords: this.#link.jobs,
      client: Client.over(this.#link, { ...clientOptions, codec: options.codec ?? TICK_CODEC }),
    })
    const { signal } = this.#stopping
    this.#stopped = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    this.#stopped.catch(() => {})
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
   * A stop while `onStartup` is at work waits for it, 10 s at most; `onShutdown` follows it in any case.
   * A worker that never ran is closed: it is connected from its construction on.
   */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) this.#patience.hurry()
    this.#stopping.abort()
    this.#poller.stop()
    await (this.#running ?? this.#link.close())
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
    const runs = [...this.#executor.runs]
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
    const onAbort = () => this.#stopSoon()
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

  async #startUnlessStopped(): Promise<void> {
    try {
      await this.#start()
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error
    }
  }

  /** Each step may wait, for Redis or a hook: a stop goes past it at once, and nothing that follows begins. */
  async #start(): Promise<void> {
    const { broker, connection } = this.#link
    const settings = this.#settings
    this.#stopping.signal.throwIfAborted()
    connection.onDown = (error) => this.#tell('redisDown', { error })
    connection.onUp = () => {
      this.#tell('redisUp')
      void this.#leases.renewNow()
      this.#poller.notify()
    }
    this.log.info(`Starting worker for ${this.#tasks.size} functions: ${[...this.#tasks.keys()].join(', ')}`)
    await this.#unlessStopped(broker.syncClock(undefined, this.#stopping.signal))
    this.#startedAtMs = broker.clock.now()
    const server = await this.#unlessStopped(this.#link.describeServer())
    this.log.info(server.line)
    if (server.evictionPolicy !== undefined && server.evictionPolicy !== 'noeviction') {
      this.log.warn(`this Redis may evict jobs (maxmemory-policy ${server.evictionPolicy}); set it to noeviction`)
    }
    await this.#unlessStopped(this.#hooks.begin())
    await this.#unlessStopped(
      listenForWork({
        link: this.#link,
        log: this.log,
        queues: this.#queueNames,
        keyspaceNotifications: settings.keyspaceNotifications,
        onWork: (queueName, jobId) => this.#poller.notify(queueName, jobId),
        onListener: () => void this.#publisher.look().catch(() => {}),
        onAbort: (jobId) => {
          if (settings.allowAbortJobs && (jobId === undefined || this.#executor.runOf(jobId))) void this.#aborts.look()
        },
      }),
    )
    await this.#unlessStopped(this.#heartbeat.start())
    this.#leases.start()
    if (settings.allowAbortJobs) this.#aborts.start()
    this.#cron.start()
    this.#tell('started')
  }

  async #unlessStopped<T>(step: Promise<T>): Promise<T> {
    const value = await Promise.race([step, this.#stopped])
    this.#stopping.signal.throwIfAborted()
    return value
  }

  /** Lets running jobs end, then fires their signals, then waits until all are settled. */
  async #drain(): Promise<void> {
    this.#cron.stop()
    const { abortGraceMs, jobCompletionWaitMs } = this.#settings
    const { complete, failed, retried } = this.#counters
    const counts = `${complete} jobs complete ◆ ${failed} failed ◆ ${retried} retries ◆ ${this.#executor.runs.size} ongoing`
    this.log.info(`shutting down ◆ ${counts}`)
    await this.#patience.wait(this.#executor.allSettled(), jobCompletionWaitMs)
    this.#executor.cut('stopped', new WorkerStoppedError('the worker is stopping'))
    await within(this.#executor.allSettled(), abortGraceMs + SETTLE_WAIT_MS)
    const { unsettled } = this.#executor
    if (unsettled > 0) {
      this.log.error(`${unsettled} jobs could not be settled; they run again when their leases end`)
    }
  }

  /** The rest of the shutdown, in its order: services, keys, hook, connections. Each step is tried whatever the others do. */
  async #close(): Promise<void> {
    this.#cron.stop()
    this.#aborts.stop()
    this.#leases.stop()
    const steps: [string, () => unknown][] = [
      ['removing the health keys', () => this.#link.connection.isReady && within(this.#heartbeat.stop(), END_WAIT_MS)],
      ['the onShutdown hook', () => this.#hooks.end((beginning) => this.#patience.wait(beginning, END_WAIT_MS))],
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

  #onSignal(name: NodeJS.Signals): void {
    this.log.info(`shutdown on ${name}${this.#stopping.signal.aborted ? ' again, not waiting for running jobs' : ''}`)
    this.#stopSoon()
  }

  /** What makes `run` reject is told by `run`. */
  #stopSoon(): void {
    this.stop().catch(() => {})
  }

  #leaseLost({ jobId, token }: Lease): void {
    const run = this.#executor.runOf(jobId, token)
    if (!run) return
    const about = { jobId, functionName: run.task.name, queueName: run.claim.queueName }
    this.log.error(
      about,
      `${jobId}:${run.task.name} lost its lease while it ran: another worker may have it, its outcome is discarded`,
    )
    this.#executor.cut('lost', new LeaseLostError('the lease of this job was lost'), [run])
    this.#tell('leaseLost', about)
  }

  /** @internal A listener that is async and rejects: what `#tell` is for those that throw. */
  override [captureRejectionSymbol](error: Error, ...[event]: unknown[]): void {
    this.log.error({ err: error }, `a listener of '${String(event)}' failed`)
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
