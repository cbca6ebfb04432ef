import { decodeJob, readable } from '@arq-ts/protocol/jobs'
import { Chunks } from '../chunks/chunks.ts'
import { Client } from '../client/client.ts'
import { JobAbortedError, LeaseLostError } from '../errors.ts'
import type { JobEvent, WorkerEvents } from '../fleet/events.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import { FlowConductor } from '../flows/conductor.ts'
import { FlowDriver } from '../flows/driver.ts'
import { FlowGate } from '../flows/flow-gate.ts'
import { Gates } from '../gates/gate.ts'
import { LimitGate } from '../limits/limit-gate.ts'
import { hasJobLogging, jobLogging } from '../logging/job-logging.ts'
import type { Logger } from '../logging/logger.ts'
import { sparingLog } from '../logging/sparing-log.ts'
import { observerOf } from '../middleware/observe-side.ts'
import { handlerWithin, tryWithin } from '../middleware/run-side.ts'
import type { ResolvedWorkerOptions } from '../options/worker.ts'
import { Collector } from '../collector/collector.ts'
import { QueueGauges } from '../recorder/queue-gauges.ts'
import { JobLogs } from '../progress/job-logs.ts'
import { declaredLimits, FunctionDefinitions, jsonSchemaOf } from '../recorder/function-definitions.ts'
import type { FunctionDefinition } from '../recorder/function-definitions.ts'
import { Journal } from '../recorder/journal.ts'
import { Recorder } from '../recorder/recorder.ts'
import { TickJournal } from '../recorder/tick-journal.ts'
import { refuseUnspanned } from '../partitions/refusals.ts'
import { openLinkTo } from '../partitions/partitioned-context.ts'
import { Sandboxes } from '../sandbox/sandboxes.ts'
import { ScheduleService } from '../schedules/schedule-service.ts'
import { SCHEDULE_TASK, scheduleTask } from '../schedules/schedule-task.ts'
import { hasOpenTelemetry, openTelemetry } from '../telemetry/open-telemetry.ts'
import { AbortListener } from './abort-listener.ts'
import { Burst } from './claiming/burst.ts'
import { ClaimLoop } from './claiming/claim-loop.ts'
import { orderOf } from './claiming/queue-order.ts'
import { CronService } from './cron-service.ts'
import { handOffFor } from './hand-off/hand-off-for.ts'
import { Heartbeat } from './heartbeat.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { Leases } from './leases.ts'
import { isSuspect, makeContext } from './running/context.ts'
import { watchOrphans } from './orphan-watch.ts'
import { Quiet } from './quiet.ts'
import { Executor } from './running/executor.ts'
import { registerCron, registerTask } from './running/registered-task.ts'
import type { RegisteredTask } from './running/registered-task.ts'
import { JobRecording } from './running/job-recording.ts'
import { Reporter } from './running/reporter.ts'
import { settlerOf } from './running/settle-batcher.ts'
import { Slots, SlotsOf } from './slots.ts'
import { StateHooks } from './state-hooks.ts'

/**
 * The codec of what no job's codec decides: ticks, and results of jobs whose payload is gone or cannot be read. arq reads
 * nothing but pickle by default, and these are for either language.
 */
const SHARED_CODEC = 'pickle'

/** Parts of the worker itself that its services need. */
export interface AssemblyOptions {
  id: string
  log: Logger
  settings: ResolvedWorkerOptions
  /** True where the user chose the codec; ticks and results of unreadable jobs are pickled otherwise. */
  hasCodec: boolean
  emit: <E extends keyof WorkerEvents>(event: E, ...args: WorkerEvents[E]) => void
  hasListeners: (event: keyof WorkerEvents) => boolean
  describe: () => WorkerInfo
  /** Housekeeping that goes along with each registry entry. */
  maintain: () => Promise<void>
}

/** The parts of one worker. Each is a service with `start()` and an idempotent `stop()`, or is driven by one that is. */
export type WorkerParts = ReturnType<typeof assemble>

/** Builds the parts of a worker and connects them. */
export function assemble({ id, log, settings, hasCodec, emit, hasListeners, describe, maintain }: AssemblyOptions) {
  const queueNames = settings.queues.map((queue) => queue.name)
  const tasks = new Map<string, RegisteredTask>()
  const slots = new Slots(settings.maxJobs)
  const { jobTimeoutMs, maxJobs } = settings
  const canStartMore = () => slots.taken < maxJobs && !quiet.isQuiet
  const chunks = new Chunks({ canStartMore, isSuspect, jobTimeoutMs, maxJobs, log })
  for (const task of settings.tasks)
    tasks.set(task.name, registerTask(task, task.chunk && chunks.handlerOf({ ...task, chunk: task.chunk })))
  for (const job of settings.cron) tasks.set(job.name, registerCron(job))
  /** Functions that its user chose; system tasks come on top. */
  const functionNames = [...tasks.keys()]
  const limitedFunctions = settings.tasks.filter(({ limits = [] }) => limits.length > 0).map(({ name }) => name)
  const sharedCodec = hasCodec ? settings.codec : SHARED_CODEC
  if (settings.schedules && !tasks.has(SCHEDULE_TASK)) tasks.set(SCHEDULE_TASK, registerTask(scheduleTask(sharedCodec)))

  refuseUnspanned(settings)
  const link = openLinkTo({
    redis: settings.redis,
    keyPrefix: settings.keyPrefix,
    partitions: settings.partitions,
    expiresExtraMs: settings.expiresExtraMs,
    limits: settings,
    spinForReplies: settings.spinForReplies,
    log,
  })
  const { broker, deadLetters, jobs, queues, registry, ticks } = link
  if (settings.unknownFunction === 'release')
    for (const part of link.parts)
      part.broker.dueJobs.canRun = (payload) =>
        readable(() => tasks.has(decodeJob(payload, settings).record.functionName)) ?? true
  const now = () => broker.clock.now()
  const clientOptions = {
    codec: settings.codec,
    queueName: settings.queues[0]!.name,
    middleware: settings.middleware,
    onEnqueued: (job: JobEvent) => emit('jobEnqueued', job),
  }
  const client = Client.over(link, clientOptions)
  const tickClient = Client.over(link, { ...clientOptions, codec: sharedCodec, middleware: [] })

  const state = { ...settings.ctx }
  const { onStartup, onShutdown } = settings
  const hooks = new StateHooks({ state, onStartup, onShutdown, log })

  const { abortGraceMs, middleware } = settings
  const journals = { keys: link.keys, workerId: id, language: 'typescript' } as const
  const [journal, tickJournal] = [new Journal(journals), new TickJournal(journals)]
  const recorder = settings.recorder
    ? new Recorder({
        recordings: link.recordings,
        keys: link.keys,
        workerId: id,
        intervalMs: settings.recorder.intervalMs,
        log,
        now,
        hasFunction: (name) => tasks.has(name),
        parts: [
          journal,
          tickJournal,
          new FunctionDefinitions(link.keys, definitionsOf(tasks, functionNames, settings)),
          new QueueGauges({
            keys: link.keys,
            recordings: link.recordings,
            queues,
            registry,
            queueNames,
            leaseMs: settings.leaseMs,
          }),
        ],
      })
    : undefined
  const collector =
    settings.recorder &&
    new Collector({
      results: link.foreignResults,
      recordings: link.recordings,
      keys: link.keys,
      workerId: id,
      intervalMs: settings.recorder.intervalMs,
      limits: settings,
      log,
      now,
    })
  const logs = recorder && new JobLogs(link.jobLogs, log, now)
  const recording = recorder && logs && new JobRecording(recorder, { journal, ticks: tickJournal }, logs, now)
  const { logArguments, logResults } = settings
  const logging = hasJobLogging(middleware) ? [] : [jobLogging({ logger: log, logArguments, logResults })]
  const observe = observerOf([...logging, ...middleware], log)
  const reporter = new Reporter({ log, observe, abortGraceMs, emit, hasListeners, recording })
  /** Each partition with its jobs in flight. */
  const parts = link.parts.map((part) => ({
    part,
    jobs: link.parts.length === 1 ? slots : new SlotsOf(slots, (jobId) => link.partOf(jobId) === part),
  }))
  const keepers = new Map(
    parts.map(({ part, jobs: own }, i) => {
      const keeper: LeaseKeeper = new LeaseKeeper({
        broker: part.broker,
        slots: own,
        leaseMs: settings.leaseMs,
        // One of them watches the event loop for all.
        lagWarnMs: i === 0 ? settings.eventLoopLagWarnMs : Infinity,
        log: sparingLog(log),
        onLost: (job) => {
          reporter.leaseLost(job.claim, job.run.task.name, 'while it ran')
          executor.loseLease(job, new LeaseLostError('the lease of this job was lost'))
        },
      })
      return [part, keeper] as const
    }),
  )
  const leases = new Leases([...keepers.values()], ({ claim }) => keepers.get(link.partOf(claim.jobId))!)
  const limitGate = new LimitGate({
    records: link.limitRecords,
    clock: link.clock,
    leaseMs: settings.leaseMs,
    isUsed: [...tasks.values()].some((task) => task.limits),
    log: sparingLog(log),
  })
  const driver = new FlowDriver(link)
  const flowGate = new FlowGate({
    records: link.flowRecords,
    driver,
    conductor: new FlowConductor({ link, driver, workerId: id, log }),
    now,
    log,
    writing: { codec: settings.codec, queueName: clientOptions.queueName, limits: settings },
  })
  const sandboxes = new Sandboxes({ tasks: settings.tasks, abortGraceMs, log, now })
  // A limit admits last: its place is taken when the job can start at once.
  const gates = new Gates([flowGate, sandboxes, limitGate])
  const errorLog = sparingLog(log)
  const executor: Executor = new Executor({
    broker,
    gates,
    recordHold: (jobId, hold) => link.limitRecords.recordHold(jobId, hold, now()),
    settler: settlerOf(link, sparingLog(log)),
    slots,
    confirmLease: (job) => leases.confirm(job),
    tasks,
    settings,
    sharedCodec,
    log,
    reporter,
    recordError: (jobId, error, ttlMs) =>
      jobs.recordError(jobId, error, ttlMs).catch((err: unknown) => {
        errorLog.warn({ err }, 'the error of a job that is tried again could not be recorded')
      }),
    makeContext: (run) => makeContext(run, state, client, logs, (claim) => flowGate.scopeOf(claim)),
    wrapTry: tryWithin(hasOpenTelemetry(middleware) ? [] : [openTelemetry()]),
    handlerOf: handlerWithin(middleware, (name) => functionNames.includes(name)),
  })
  const cron = new CronService({
    jobs: settings.cron,
    now,
    pollDelayMs: settings.pollDelayMs,
    timeZone: settings.timeZone,
    log,
    ticks,
    client: tickClient,
    onLeftOut: (name, atMs, why) => tickJournal.leftOut(name, atMs, why, queueNames[0]!),
  })
  const schedules =
    settings.schedules && !settings.burst
      ? link.parts.map(
          (part) =>
            new ScheduleService({
              records: part.schedules,
              listen: (onChange) => link.subscriber.listen(part.keys.scheduleChannel, onChange),
              limits: settings,
              log,
              onEnqueued: (job) => emit('jobEnqueued', job),
            }),
        )
      : []
  const burst = settings.burst
    ? new Burst({
        maxJobs: settings.maxBurstJobs >= 0 ? settings.maxBurstJobs : Infinity,
        log: sparingLog(log),
        queueNames,
        countQueued: (names) => queues.size(names),
        pausedQueues: async () => {
          const paused = await queues.paused()
          return queueNames.filter((name) => paused.includes(name))
        },
        isEnqueuing: () => cron.isEnqueuing,
      })
    : undefined
  const orphans = watchOrphans(link, queueNames, { log, isFull: () => slots.taken >= maxJobs })
  const claimLoop: ClaimLoop = new ClaimLoop({
    broker,
    log: sparingLog(log),
    slots,
    workerId: id,
    queues: settings.queues.flatMap(({ name, weight }) =>
      link.parts.map((part) => ({ name: part.place(name), weight })),
    ),
    order: orderOf(settings.queueOrder, link.parts.length),
    queueReadLimit: settings.queueReadLimit,
    pollDelayMs: settings.pollDelayMs,
    leaseMs: settings.leaseMs,
    allowAbortJobs: settings.allowAbortJobs,
    burst,
    beforePoll: (signal) => leases.afterSleep(signal),
    start: (job) => {
      orphans.claimed(job.claim)
      return executor.start(job)
    },
    release: (job) => executor.release(job),
    onIdle: () => handOff?.wait(),
  })
  const handOff = handOffFor(settings, link, tasks, {
    log: sparingLog(log),
    workerId: id,
    queueNames,
    slots,
    room: () => claimLoop.room,
    isIdle: () => claimLoop.isIdle,
    start: (job) => executor.start(job),
    release: (job) => executor.release(job),
    lose: (job) => leases.lose(job),
  })
  const quiet: Quiet = new Quiet({
    orders: link.orders,
    workerId: id,
    log,
    countRunning: () => [...slots.running()].length,
    onChange: (isQuiet) => {
      claimLoop.setQuiet(isQuiet)
      if (isQuiet) void handOff?.leave()
      heartbeat.beatSoon()
    },
  })
  const aborts = parts.map(
    ({ part, jobs: own }) =>
      new AbortListener({
        broker: part.broker,
        slots: own,
        log: sparingLog(log),
        workerId: id,
        queueNames,
        pollDelayMs: settings.pollDelayMs,
        leaseMs: settings.leaseMs,
        isQuiet: () => quiet.isQuiet,
        interrupt: (jobs) => executor.interrupt('aborted', new JobAbortedError('aborted while running'), jobs),
        end: (job) => void executor.start(job),
      }),
  )
  const heartbeat: Heartbeat = new Heartbeat({
    registry,
    countQueued: link.roughSize,
    log: sparingLog(log),
    queues: queueNames,
    healthCheckKeys: settings.healthCheckKey
      ? [settings.healthCheckKey]
      : queueNames.map((queue) => `${queue}:health-check`),
    healthCheckIntervalMs: settings.healthCheckIntervalMs,
    describe,
    maintain: async () => {
      await maintain()
      await quiet.look()
      if (settings.deadLetter !== false) await deadLetters.trim(settings.deadLetter)
    },
  })
  return {
    aborts,
    burst,
    chunks,
    claimLoop,
    collector,
    cron,
    executor,
    gates,
    handOff,
    heartbeat,
    hooks,
    journal,
    leases,
    link,
    logs,
    orphans,
    queueNames,
    quiet,
    recorder,
    functionNames,
    limitedFunctions,
    reporter,
    sandboxes,
    schedules,
    slots,
  }
}

function definitionsOf(
  tasks: ReadonlyMap<string, RegisteredTask>,
  names: readonly string[],
  settings: ResolvedWorkerOptions,
): Map<string, () => FunctionDefinition> {
  return new Map(
    names
      .map((name) => [name, tasks.get(name)!] as const)
      .map(([name, task]) => [
        name,
        () => ({
          isCron: task.isCron,
          timeoutMs: task.timeoutMs ?? settings.jobTimeoutMs,
          maxTries: task.maxTries ?? settings.maxTries,
          keepResultMs: task.keepResultMs ?? settings.keepResultMs,
          limits: declaredLimits(task.limits),
          sandbox: task.sandbox?.kind ?? null,
          chunk: task.chunk ? { size: task.chunk.size, waitMs: task.chunk.waitMs } : null,
          params: jsonSchemaOf(task.params),
        }),
      ]),
  )
}
