import { asError } from '@arq-ts/protocol/errors'
import { admit, KEEP_CRON_IN_PROGRESS_MS, settle } from '@arq-ts/protocol/jobs'
import type { Admission, CodecName, Ending, Interruption, JobRecord, Outcome, WorkerRules } from '@arq-ts/protocol/jobs'
import { JobAbortedError, LeaseLostError, RedisReplyError, RedisUnavailableError } from '../../errors.ts'
import { unknownTask } from '../../gates/gate.ts'
import type { Gates, Pass } from '../../gates/gate.ts'
import { showName } from '@arq-ts/protocol/show'
import * as lines from '../../logging/log-lines.ts'
import type { Logger } from '../../logging/logger.ts'
import type { ResolvedWorkerOptions } from '../../options/worker.ts'
import type { Broker, Claim, Finish } from '../../redis/broker.ts'
import type { JobContext } from '../../tasks/context.ts'
import { within } from '../../time/interruptible-wait.ts'
import type { InFlightJob } from '../in-flight-job.ts'
import { begin } from '../slots.ts'
import type { RunningJob, Slots } from '../slots.ts'
import { HandlerRun } from './handler-run.ts'
import type { RegisteredTask } from './registered-task.ts'
import type { EndedJob, Reporter } from './reporter.ts'
import { encodeOutcome, resultOf } from './result-encoder.ts'
import type { SettleBatcher } from './settle-batcher.ts'

/** Time after which a job is tried again that Redis could not admit, in ms. */
const ADMIT_AGAIN_MS = 5_000

/** Margin past its timeout and grace within which a job may be settled before others may take it, in ms. */
const SETTLE_MARGIN_MS = 1_000

/** Time for which the error of a job's last try is kept past its next due time, in ms. */
const LAST_ERROR_MS = 3_600_000

/** `running`: its handler starts. `failed`: it ends without a run. `released`: it goes back, for a worker that has its function. */
export type StartResult = 'running' | 'failed' | 'released'

type Running = Extract<Admission<RegisteredTask>, { kind: 'run' }>
type Failed = Extract<Admission<RegisteredTask>, { kind: 'fail' }>
type Finished = Extract<Ending, { kind: 'finish' }>

/** A job whose end is to be stored. */
type Ended = EndedJob & {
  inFlight: InFlightJob
  codec: CodecName
  task: RegisteredTask | undefined
  keepInProgressMs: number
}

export interface ExecutorOptions {
  broker: Broker
  /** The gates that decide about claimed jobs before they start. */
  gates: Gates
  settler: Pick<SettleBatcher, 'finish' | 'reschedule'>
  slots: Slots
  /** Resolves with false when the lease of a job is lost. */
  confirmLease: (job: InFlightJob) => Promise<boolean>
  tasks: ReadonlyMap<string, RegisteredTask>
  settings: ResolvedWorkerOptions
  /** The codec of results whose job says nothing of its own. */
  sharedCodec: CodecName
  log: Logger
  reporter: Reporter
  /** Keeps the reason of a hold, for whoever asks why the job does not run. */
  recordHold: (jobId: string, hold: { untilMs: number; by: string; about: string }) => Promise<void>
  /** Keeps the error of a try that another one follows. Never rejects. */
  recordError: (jobId: string, error: string, ttlMs: number) => Promise<void>
  makeContext: (run: HandlerRun) => JobContext
  /** Calls a try, within whatever is to surround it as a whole. */
  wrapTry: (run: HandlerRun, ctx: JobContext, call: () => unknown) => unknown
  /** The handler of a run, within the middleware of the worker. */
  handlerOf: (run: HandlerRun) => RegisteredTask['handler']
}

/** Takes one claimed job from admission to its settled end. The decisions are in the protocol's lifecycle.ts. */
export class Executor {
  readonly #options: ExecutorOptions
  readonly #rules: WorkerRules
  /** Started in this turn of the event loop. */
  readonly #untimed: HandlerRun[] = []
  /** Time a job may take beyond its timeout until it is settled. */
  readonly #afterTimeoutMs: number

  constructor(options: ExecutorOptions) {
    this.#options = options
    const { abortGraceMs, maxTries, onJobEnd, retryJobs, retry, unknownFunction } = options.settings
    this.#afterTimeoutMs = abortGraceMs + (onJobEnd ? abortGraceMs : 0) + SETTLE_MARGIN_MS
    this.#rules = { maxTries, retryJobs, retry, unknownFunction, limits: options.settings }
  }

  /** Interrupts the handlers of these jobs, or of all. */
  interrupt(kind: Interruption, reason: Error, jobs: Iterable<RunningJob> = this.#options.slots.running()): void {
    for (const { run } of jobs) run.interrupt(kind, reason, this.#options.settings.abortGraceMs)
  }

  /** Starts one claimed job, and reports at once what happens to it; the job leaves the slots when it is settled. */
  start(job: InFlightJob): StartResult {
    const admission = admit(job.claim, (name) => this.#options.tasks.get(name), this.#rules)
    if (admission.kind !== 'release') {
      const { record, task = unknownTask(admission.record.functionName) } = admission
      job.pass = this.#options.gates.passFor({ claim: job.claim, record, task })
    }
    void this.#execute(job, admission)
    if (admission.kind === 'run') return 'running'
    return admission.kind === 'fail' ? 'failed' : 'released'
  }

  /** Gives a claimed job back that has not started, uncounted as a try. */
  release(job: InFlightJob): void {
    void this.#execute(job, { kind: 'unstarted' })
  }

  /** Never rejects. */
  async #execute(job: InFlightJob, admission: Admission<RegisteredTask> | { kind: 'unstarted' }): Promise<void> {
    const { confirmLease, log, reporter, slots } = this.#options
    const { claim } = job
    try {
      if (admission.kind === 'unstarted') await this.#returnUnstarted(job)
      else if (performance.now() > job.leasedUntilMs && !(await confirmLease(job)))
        reporter.leaseLost(claim, admission.record.functionName, 'before it started')
      else if (admission.kind === 'run')
        await (job.pass ? this.#runBy(job, job.pass, admission) : this.#run(job, admission))
      else if (admission.kind === 'fail') await this.#fail(job, admission)
      else await this.#handBack(job, admission.record)
    } catch (error) {
      const about = { err: error, jobId: claim.jobId }
      log.error(about, `job ${claim.jobId} could not be processed, it runs again when its lease ends`)
    } finally {
      if (job.pass) await this.#leave(job, job.pass)
      slots.remove(job)
    }
  }

  /** Runs a job if all that has a say in its start admits it. */
  async #runBy(job: InFlightJob, pass: Pass, admission: Running): Promise<void> {
    const { claim } = job
    const { record } = admission
    const verdict = await pass.admit().catch((thrown: unknown) => ({ kind: 'threw' as const, error: asError(thrown) }))
    switch (verdict.kind) {
      case 'admit':
        return this.#runAdmitted(job, admission, verdict.handler)
      case 'held':
        return this.#settling(job)
      case 'hold':
        await this.#options.recordHold(claim.jobId, verdict)
        return this.#returnUnstarted(job, verdict.untilMs)
      case 'return':
        return this.#returnUnstarted(job)
      case 'drop':
        return this.#drop(job, admission, verdict.reason)
      case 'lost':
        return this.#options.reporter.leaseLost(claim, record.functionName, 'before it started')
      case 'threw':
        return this.#refuse(job, admission, verdict.error)
    }
  }

  /** The wait for its admission may have been longer than the lease of the job. */
  async #runAdmitted(
    job: InFlightJob,
    admission: Running,
    handler: RegisteredTask['handler'] | undefined,
  ): Promise<void> {
    const { confirmLease, reporter } = this.#options
    if (job.isLost || (performance.now() > job.leasedUntilMs && !(await confirmLease(job))))
      return reporter.leaseLost(job.claim, admission.record.functionName, 'before it started')
    return this.#run(job, handler ? { ...admission, task: { ...admission.task, handler } } : admission)
  }

  /** A fault of Redis is no fault of the job; arguments that do not bind, or a key function that throws, are its own. */
  #refuse(job: InFlightJob, admission: Running, error: Error): Promise<void> {
    if (error instanceof RedisReplyError || error instanceof RedisUnavailableError) {
      const { broker, reporter } = this.#options
      reporter.notAdmitted(job.claim, error, ADMIT_AGAIN_MS)
      return this.#returnUnstarted(job, broker.clock.now() + ADMIT_AGAIN_MS)
    }
    const bind = () => {
      throw error
    }
    return this.#run(job, { ...admission, task: { ...admission.task, bind } })
  }

  /** Ends a job that something newer has superseded; it is no dead letter. */
  async #drop(job: InFlightJob, { record, codec, jobTry, task }: Running, reason: string): Promise<void> {
    const now = this.#options.broker.clock.now()
    this.#settling(job)
    const error = new JobAbortedError(reason)
    const times = { startedMs: now, finishedMs: now, keepInProgressMs: 0 }
    await this.#finish(
      { inFlight: job, claim: job.claim, record, jobTry, hasRun: false, codec, task, ...times },
      { kind: 'finish', success: false, error, aborted: true, dead: false },
    )
  }

  async #leave({ claim }: InFlightJob, pass: Pass): Promise<void> {
    await pass.end().catch((error: unknown) => {
      this.#options.log.error({ err: error, jobId: claim.jobId }, 'giving back the places of a job failed')
    })
  }

  async #handBack(job: InFlightJob, record: JobRecord): Promise<void> {
    await this.#returnUnstarted(job)
    this.#options.reporter.handedBack(job.claim, record)
  }

  async #returnUnstarted(job: InFlightJob, atMs = job.claim.score): Promise<void> {
    const { claim } = job
    this.#settling(job)
    const due = { at: atMs }
    await job.taking // the script is fenced by the lease
    await this.#options.settler.reschedule({ ...claim, due, uncount: true, payload: claim.payload as Buffer })
  }

  async #fail(job: InFlightJob, admission: Failed): Promise<void> {
    const { broker, reporter, sharedCodec } = this.#options
    const { record, reason, error, task } = admission
    const { claim } = job
    const now = broker.clock.now()
    reporter.refused(claim, admission, now)
    this.#settling(job)
    const isAborted = reason === 'aborted'
    const ending = { kind: 'finish', success: false, error, aborted: isAborted, dead: !isAborted } as const
    const codec = admission.codec ?? sharedCodec
    // arq's finish_failed_job keeps no in-progress key, of a cron job either.
    const { jobTry } = admission
    const times = { startedMs: now, finishedMs: now, keepInProgressMs: 0 }
    await this.#finish({ inFlight: job, claim, record, jobTry, hasRun: false, codec, task, ...times }, ending)
  }

  async #run(job: InFlightJob, admission: Running): Promise<void> {
    const { broker, log, makeContext, reporter, settings, slots, wrapTry } = this.#options
    const { claim } = job
    const { codec, jobTry, record, task } = admission
    if (admission.setTry) {
      await job.taking // the script is fenced by the lease
      if (!(await broker.setTry(claim, jobTry)))
        return reporter.leaseLost(claim, record.functionName, 'before it started')
    }
    // Its lease lapsed unnoticed, and the job came back to the very worker that runs it: the earlier run is void.
    const earlier = claim.jobTry > 1 ? slots.runningById(claim.jobId) : undefined
    if (earlier)
      this.loseLease(earlier, new LeaseLostError('the lease of this job lapsed, and the job was claimed anew'))
    claim.jobTry = jobTry
    const timeoutMs = task.timeoutMs ?? settings.jobTimeoutMs
    const startedMs = broker.clock.now()
    const run = new HandlerRun({ claim, record, codec, task, timeoutMs, startedMs, log })
    const running = begin(job, run, performance.now() + timeoutMs + this.#afterTimeoutMs)
    const ctx = makeContext(run)
    reporter.started(running)

    this.#startTimeout(run)
    const outcome = await run.execute(() => wrapTry(run, ctx, () => this.#call(run, ctx)))
    const finishedMs = broker.clock.now()
    if (outcome.kind === 'abandoned') reporter.abandoned(run)
    if (run.interruption === 'lost') return reporter.endedLost(run, finishedMs)

    const rules = { jobTry, task, timeoutMs }
    const ending = settle(outcome, run.interruption, rules, this.#rules, Math.random())
    reporter.ended(run, ending, finishedMs)
    job.phase = 'settling'
    if (settings.onJobEnd) await this.#hook('onJobEnd', settings.onJobEnd, ctx)
    slots.free(job)
    const settled = await this.#settle(running, ending, outcome, finishedMs)
    if (settled && settings.afterJobEnd) await this.#hook('afterJobEnd', settings.afterJobEnd, ctx)
  }

  /** Ends a run whose lease is lost; nothing of it is settled. */
  loseLease(job: RunningJob, reason: Error): void {
    job.isLost = true
    this.interrupt('lost', reason, [job])
  }

  #settling(job: InFlightJob): void {
    job.phase = 'settling'
    this.#options.slots.free(job)
  }

  /** Sets timers once the turn is over: many handlers have ended by then, and need none. */
  #startTimeout(run: HandlerRun): void {
    if (this.#untimed.push(run) > 1) return
    setImmediate(() => {
      const now = performance.now()
      for (const each of this.#untimed.splice(0)) each.startTimeout(now, this.#options.settings.abortGraceMs)
    })
  }

  #call(run: HandlerRun, ctx: JobContext): unknown {
    const { onJobStart } = this.#options.settings
    const bound = run.task.bind(run.record.args, run.record.kwargs)
    const { packResult } = run.task
    const handler = this.#options.handlerOf(run)
    if (onJobStart === undefined && packResult === undefined && !(bound instanceof Promise))
      return handler(ctx, ...bound)
    return (async () => {
      const args = await bound
      await onJobStart?.(ctx)
      const result = await handler(ctx, ...args)
      return packResult ? packResult(result, run.codec) : result
    })()
  }

  #settle(job: RunningJob, ending: Ending, outcome: Outcome, finishedMs: number): Promise<boolean> {
    if (ending.kind !== 'finish') return this.#giveBack(job, ending, outcome, finishedMs)
    const { claim, codec, record, startedMs, task } = job.run
    const times = { startedMs, finishedMs, keepInProgressMs: task.isCron ? KEEP_CRON_IN_PROGRESS_MS : 0 }
    const { jobTry } = claim
    return this.#finish({ inFlight: job, claim, record, jobTry, hasRun: true, codec, task, ...times }, ending)
  }

  async #giveBack(
    { run, taking }: RunningJob,
    ending: Exclude<Ending, Finished>,
    outcome: Outcome,
    finishedMs: number,
  ): Promise<boolean> {
    const { reporter, settler } = this.#options
    const { claim, record } = run
    const uncount = ending.kind === 'release'
    const due = ending.kind === 'release' || ending.delayMs === null ? { at: claim.score } : { in: ending.delayMs }
    await taking // the script is fenced by the lease
    const held = await settler.reschedule({ ...claim, due, uncount, payload: claim.payload as Buffer })
    if (!held) return this.#lost(claim, record)
    if (ending.kind === 'reschedule') this.#recordError(claim.jobId, ending)
    reporter.returned(run, ending, outcome, finishedMs)
    return true
  }

  /** Operators see why a job waits for its next try; the try itself does not depend on it. */
  #recordError(jobId: string, { delayMs, error }: Extract<Ending, { kind: 'reschedule' }>): void {
    const ttlMs = (delayMs ?? 0) + LAST_ERROR_MS
    void this.#options.recordError(jobId, lines.describeError(error), ttlMs)
  }

  async #finish(job: Ended, ending: Finished): Promise<boolean> {
    const { log, reporter, settings, settler } = this.#options
    const { claim, inFlight, record, task } = job
    const { pass, taking } = inFlight
    const forever = task?.keepResultForever ?? settings.keepResultForever
    const keepMs = forever ? 0 : (task?.keepResultMs ?? settings.keepResultMs)
    const isKept = forever || keepMs > 0
    const encoded =
      isKept || pass?.ending
        ? encodeOutcome(
            resultOf(job, ending),
            job.codec,
            claim.payload ?? undefined,
            settings,
            task?.isCron ?? false,
            log,
          )
        : null
    if (pass?.ending) {
      await taking // the lease fences its note
      const aborted = !ending.success && ending.aborted
      await pass.ending({ success: ending.success, aborted, result: encoded })
    }
    const dead = !ending.success && ending.dead && settings.deadLetter !== false ? settings.deadLetter : null
    const call: Finish = {
      outcome: ending.success ? 'complete' : ending.aborted ? 'aborted' : 'failed',
      jobId: claim.jobId,
      queueName: claim.queueName,
      token: claim.token,
      jobTry: claim.jobTry,
      result: isKept ? encoded : null,
      resultTtlMs: keepMs,
      keepInProgressMs: job.keepInProgressMs,
      dead: dead && {
        ttlMs: dead.maxAgeMs,
        payload: claim.payload ?? new Uint8Array(),
        functionName: showName(record.functionName),
        error: lines.describeError(ending.success ? ending.value : ending.error),
      },
    }
    // Not after `taking`: that would cost a handed job a round trip. Where an outage lets this call overtake the one that
    // takes the job, it finds no lease and writes nothing.
    const held = (await settler.finish(call)) || ((await taking) === true && (await settler.finish(call)))
    if (!held) return this.#lost(claim, record)
    const leftMs = Math.max(forever ? Infinity : keepMs, dead?.maxAgeMs ?? 0)
    reporter.finished(job, ending, { isDead: dead !== null, keepMs: leftMs })
    return true
  }

  #lost(claim: Claim, record: JobRecord): false {
    this.#options.reporter.leaseLost(claim, record.functionName, 'before it was settled')
    return false
  }

  /** Neither an error of a hook nor its silence may cost a slot: past the grace nobody waits for it any more. */
  async #hook(name: 'onJobEnd' | 'afterJobEnd', hook: (ctx: JobContext) => unknown, ctx: JobContext): Promise<void> {
    const { log, settings } = this.#options
    const ended = (async () => hook(ctx))().catch((error: unknown) => {
      log.error({ err: error, jobId: ctx.jobId }, `the ${name} hook failed`)
    })
    if (await within(ended, settings.abortGraceMs)) return
    const about = `the ${name} hook did not end within ${settings.abortGraceMs} ms (abortGraceMs)`
    log.error({ jobId: ctx.jobId }, `${about}: its job continues without it`)
  }
}
