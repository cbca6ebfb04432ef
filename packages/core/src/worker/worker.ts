import { randomBytes } from 'node:crypto'
import { captureRejectionSymbol, EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import { FailedJobsError, WorkerStoppedError } from '../errors.ts'
import type { WorkerEvents } from '../fleet/events.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import { guardedLogger } from '../logging/guarded-logger.ts'
import * as lines from '../logging/log-lines.ts'
import { createLogger } from '../logging/logger.ts'
import type { Logger } from '../logging/logger.ts'
import { checkSignal } from '../options/arguments.ts'
import { resolveWorkerOptions } from '../options/worker.ts'
import type { ResolvedWorkerOptions, StateOptions, WorkerOptions } from '../options/worker.ts'
import { ANSWER_LIMIT_MS } from '../partitions/bounded-calls.ts'
import type { SandboxStats } from '../sandbox/sandbox.ts'
import { InterruptibleWait, within } from '../time/interruptible-wait.ts'
import { VERSION } from '../version.ts'
import { assemble } from './assembly.ts'
import type { WorkerParts } from './assembly.ts'
import { EventPublisher } from './event-publisher.ts'
import { Signals } from './signals.ts'
import { listenForWork } from './work-listener.ts'

/** Past this a stopping worker no longer waits for Redis to settle what is left; leases bring those jobs back. */
const SETTLE_WAIT_MS = 10_000
/** Time a stopping worker waits for an `onStartup` that is at work, and for Redis to take its keys away. */
const END_WAIT_MS = 10_000
/** Running jobs that a registry entry names at most. */
const MAX_RUNNING_NAMED = 100

/**
 * Runs jobs from one or more queues, alongside Python workers of the same queues.
 *
 * created → running → draining (no new jobs, running ones may end) → stopped. A worker runs once.
 *
 * ```ts
 * const worker = new Worker({ redis: 'redis://localhost:6379/1', tasks: [resize] })
 * await worker.run()
 * ```
 */
export class Worker<Given extends object = Record<never, never>, Provided = void> extends EventEmitter<WorkerEvents> {
  /** Unique among all workers: name, process and a random part. */
  readonly id: string
  readonly log: Logger
  readonly #log: Logger
  readonly #settings: ResolvedWorkerOptions
  readonly #parts: WorkerParts
  readonly #publisher: EventPublisher
  readonly #drainWait = new InterruptibleWait()
  readonly #stopping = new AbortController()
  /** Rejects at a stop, for steps that nobody waits for then. */
  readonly #stopped: Promise<never>
  #startedAtMs = 0
  /** The signal that stops this worker; `stop` where it was stopped by code. */
  #stopCause = 'stop'
  #running: Promise<void> | undefined

  /** @throws OptionsError */
  constructor(options: StateOptions<Given, Provided> & Omit<WorkerOptions, keyof StateOptions<Given, Provided>>) {
    super({ captureRejections: true })
    const settings = resolveWorkerOptions(options as WorkerOptions)
    this.#settings = settings
    this.id = `${settings.name ?? hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`
    this.log = settings.logger ?? createLogger(settings.logLevel === undefined ? {} : { level: settings.logLevel })
    this.#log = guardedLogger(this.log)
    this.#parts = assemble({
      id: this.id,
      log: this.#log,
      settings,
      hasCodec: options.codec !== undefined,
      emit: (event, ...args) => this.#emitSafely(event, ...args),
      hasListeners: (event) => this.listenerCount(event) > 0,
      describe: () => this.describe(),
      maintain: () => this.#publisher.look(),
    })
    const { broker, events: channel } = this.#parts.link
    this.#publisher = new EventPublisher({ worker: this, workerId: this.id, channel, now: () => broker.clock.now() })
    const { signal } = this.#stopping
    this.#stopped = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    this.#stopped.catch(() => {})
  }

  /**
   * Runs until `stop()`, SIGTERM or SIGINT, the end of a burst, or `signal`. Rejects only when the start fails: a
   * throwing `onStartup`, say. Redis may be away, at the start too: it is waited for.
   *
   * @throws OptionsError for what is no AbortSignal.
   */
  run(signal?: AbortSignal): Promise<void> {
    checkSignal('worker.run', signal)
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
    if (this.#stopping.signal.aborted) this.#drainWait.hurry()
    this.#stopping.abort()
    this.#parts.claimLoop.stop()
    await (this.#running ?? this.#parts.link.close())
  }

  /**
   * Runs and reports, as arq's `run_check`: the number of completed jobs.
   * @throws FailedJobsError when jobs failed.
   */
  async runCheck(signal?: AbortSignal): Promise<number> {
    const reasons: string[] = []
    this.on('jobFinished', ({ outcome, jobId, error }) => {
      if (outcome !== 'complete') reasons.push(`${jobId}: ${lines.describeError(error)}`)
    })
    await this.run(signal)
    const { complete, failed } = this.#parts.reporter.counters
    if (failed > 0) throw new FailedJobsError(failed, reasons)
    return complete
  }

  /** @internal `WorkerParts`, for the test kit, which drives them step by step. */
  static partsOf(worker: Worker): object {
    return worker.#parts
  }

  /**
   * Queues that were paused and still held jobs as a burst ended; empty otherwise. A burst does not wait for them.
   */
  get pausedQueues(): readonly string[] {
    return this.#parts.burst?.pausedQueues ?? []
  }

  /**
   * Number of times that a key of a wrong type, or a value that is none, stopped a job or a call of this worker, by the
   * kind of key; 0 for kinds that were well.
   */
  get faults(): ReadonlyMap<string, number> {
    return this.#parts.link.broker.faults.counts
  }

  /** The threads and processes of sandboxed tasks, by function. */
  get sandboxes(): ReadonlyMap<string, SandboxStats> {
    return this.#parts.sandboxes.stats
  }

  /** The registry entry of this worker, as `arq:worker:<id>` holds it. */
  describe(): WorkerInfo {
    const { cron, functionNames, heartbeat, limitedFunctions, queueNames, quiet, reporter, slots } = this.#parts
    const running = [...slots.running()]
    return {
      id: this.id,
      name: this.#settings.name ?? hostname(),
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      startedAtMs: this.#startedAtMs,
      queues: queueNames,
      functions: functionNames,
      limitedFunctions,
      heedsCronPauses: true,
      maxJobs: this.#settings.maxJobs,
      leaseMs: this.#settings.leaseMs,
      state: this.#stopping.signal.aborted ? 'draining' : quiet.isQuiet ? 'quiet' : 'running',
      healthLine: heartbeat.healthLine,
      cron: cron.next(),
      rssBytes: process.memoryUsage.rss(),
      running: running.slice(0, MAX_RUNNING_NAMED).map(({ claim, run, pass }) => ({
        jobId: claim.jobId,
        functionName: run.task.name,
        queueName: claim.queueName,
        jobTry: claim.jobTry,
        startedAtMs: run.startedMs,
        ...(pass?.limitIds?.length ? { limits: pass.limitIds } : {}),
      })),
      counters: { ...reporter.counters, ongoing: running.length },
    }
  }

  async #main(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => this.#stopSoon()
    signal?.addEventListener('abort', onAbort)
    const signals = this.#settings.handleSignals ? new Signals((name) => this.#onSignal(name)) : undefined
    try {
      if (signal?.aborted) onAbort()
      else await this.#startUnlessStopped()
      await this.#parts.claimLoop.run()
      await this.#drain()
    } finally {
      signal?.removeEventListener('abort', onAbort)
      await this.#close()
      signals?.dispose()
      this.#emitSafely('stopped')
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
    const {
      aborts,
      claimLoop,
      collector,
      cron,
      functionNames,
      gates,
      handOff,
      heartbeat,
      hooks,
      journal,
      leases,
      link,
      orphans,
      queueNames,
      quiet,
      recorder,
      sandboxes,
      schedules,
    } = this.#parts
    const { broker, connection } = link
    const settings = this.#settings
    this.#stopping.signal.throwIfAborted()
    connection.onDown = (error) => this.#emitSafely('redisDown', { error })
    connection.onUp = () => {
      this.#emitSafely('redisUp')
      void leases.renewNow()
      handOff?.missed()
      claimLoop.notify()
    }
    this.#log.info(`Starting worker for ${functionNames.length} functions: ${functionNames.join(', ')}`)
    await this.#unlessStopped(sandboxes.load())
    await this.#unlessStopped(broker.syncClock(undefined, this.#stopping.signal))
    this.#startedAtMs = broker.clock.now()
    const server = await this.#unlessStopped(link.describeServer())
    this.#log.info(server.line)
    if (server.evictionPolicy !== undefined && server.evictionPolicy !== 'noeviction') {
      this.#log.warn(`this Redis may evict jobs (maxmemory-policy ${server.evictionPolicy}); set it to noeviction`)
    }
    await this.#unlessStopped(hooks.begin())
    const listening = link.parts.map((part, i) =>
      listenForWork({
        link: part,
        log: this.#log,
        queues: queueNames,
        keyspaceNotifications: settings.keyspaceNotifications,
        onWork: (queueName, jobIds) => {
          handOff?.missed(queueName)
          claimLoop.notify(queueName && part.place(queueName), jobIds)
        },
        onListener: () => void this.#publisher.look().catch(() => {}),
        onOrder: (workerId) => {
          if (workerId === undefined || workerId === this.id) void quiet.look().catch(() => {})
        },
        onAbort: () => {
          if (settings.allowAbortJobs) void aborts[i]!.look()
        },
      }),
    )
    await this.#unlessStopped(Promise.all(listening))
    if (handOff) await this.#unlessStopped(handOff.start())
    await this.#unlessStopped(heartbeat.start())
    leases.start()
    orphans.start()
    gates.start()
    recorder?.start()
    if (collector) collector.start()
    journal.note({ kind: 'worker-started', atMs: this.#startedAtMs, version: VERSION })
    if (settings.allowAbortJobs) for (const each of aborts) each.start()
    cron.start()
    for (const each of schedules) each.start()
    this.#emitSafely('started')
  }

  async #unlessStopped<T>(step: Promise<T>): Promise<T> {
    const value = await Promise.race([step, this.#stopped])
    this.#stopping.signal.throwIfAborted()
    return value
  }

  /** Lets running jobs end, then fires their signals, then waits until all are settled. */
  async #drain(): Promise<void> {
    const { chunks, cron, executor, handOff, link, reporter, sandboxes, schedules, slots } = this.#parts
    cron.stop()
    // If Redis is away, jobs handed over meanwhile are due again within a second.
    if (handOff) await within(handOff.stop(), link.connection.isReady ? END_WAIT_MS : 0)
    sandboxes.drain()
    for (const each of schedules) void each.stop()
    const { abortGraceMs, jobCompletionWaitMs } = this.#settings
    const isStopped = this.#stopping.signal.aborted // otherwise a burst is over, of which arq says nothing
    const isWaiting = jobCompletionWaitMs > 0
    const counts = () => ({ ...reporter.counters, ongoing: [...slots.running()].length })
    if (isStopped) this.#log.info(lines.shutdown(this.#stopCause, counts(), isWaiting))
    if (isWaiting) chunks.stop()
    await this.#drainWait.wait(slots.empty(), jobCompletionWaitMs)
    if (isStopped && isWaiting) this.#log.info(lines.waitComplete(this.#stopCause, counts()))
    executor.interrupt('stopped', new WorkerStoppedError('the worker is stopping'))
    chunks.stop()
    await within(slots.empty(), abortGraceMs + SETTLE_WAIT_MS)
    if (slots.size > 0) this.#log.error(`${slots.size} jobs could not be settled; they run again when their leases end`)
  }

  /**
   * The rest of the shutdown, in its order: services, keys, hook, connections. Each step is tried whatever the others do.
   */
  async #close(): Promise<void> {
    const { aborts, collector, cron, gates, heartbeat, hooks, journal, leases, link } = this.#parts
    const { logs, orphans, quiet, recorder, sandboxes, schedules } = this.#parts
    cron.stop()
    orphans.stop()
    for (const each of aborts) each.stop()
    leases.stop()
    heartbeat.pause()
    recorder?.pause()
    if (collector) collector.pause()
    if (this.#startedAtMs > 0) journal.note({ kind: 'worker-stopped', atMs: link.broker.clock.now() })
    // The look in a partition whose node is away has no end.
    const lookMs = () => (!link.connection.isReady ? 0 : link.parts.length === 1 ? END_WAIT_MS : ANSWER_LIMIT_MS)
    const steps: [string, () => unknown][] = [
      ['ending sandboxes', () => within(sandboxes.stop(), END_WAIT_MS)],
      ['ending the schedules', () => within(Promise.all(schedules.map((each) => each.stop())), lookMs())],
      ['giving places back', () => within(gates.stop(), link.connection.isReady ? END_WAIT_MS : 0)],
      ['writing what was recorded', () => recorder && link.connection.isReady && within(recorder.stop(), END_WAIT_MS)],
      ['ending the collector', () => collector && link.connection.isReady && within(collector.stop(), END_WAIT_MS)],
      ['writing what jobs logged', () => logs && link.connection.isReady && within(logs.flush(), END_WAIT_MS)],
      ['removing the health keys', () => link.connection.isReady && within(heartbeat.stop(), END_WAIT_MS)],
      ['removing the order to be quiet', () => link.connection.isReady && within(quiet.stop(), END_WAIT_MS)],
      ['the onShutdown hook', () => hooks.end((beginning) => this.#drainWait.wait(beginning, END_WAIT_MS))],
      ['closing connections', () => link.close()],
    ]
    for (const [name, step] of steps) {
      try {
        await step()
      } catch (error) {
        this.#log.error({ err: error }, `${name} failed`)
      }
    }
  }

  #onSignal(name: NodeJS.Signals): void {
    if (this.#stopping.signal.aborted) this.#log.info(`shutdown on ${name} again, not waiting for running jobs`)
    else this.#stopCause = name
    this.#stopSoon()
  }

  /** Errors of the start reach the caller of `run`. */
  #stopSoon(): void {
    this.stop().catch(() => {})
  }

  /** @internal A listener that is async and rejects: as `#emitSafely` is for those that throw. */
  override [captureRejectionSymbol](error: Error, ...[event]: unknown[]): void {
    this.#log.error({ err: error }, `a listener of '${String(event)}' failed`)
  }

  /** A listener that throws must not end a job, let alone the process. */
  #emitSafely<E extends keyof WorkerEvents>(event: E, ...args: WorkerEvents[E]): void {
    try {
      this.emit(event, ...(args as never))
    } catch (error) {
      this.#log.error({ err: error }, `a listener of '${String(event)}' failed`)
    }
  }
}
