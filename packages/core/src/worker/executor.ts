import { LeaseLostError } from '../errors.ts'
import type { WorkerEvents } from '../fleet/events.ts'
import * as lines from '../logging/log-lines.ts'
import type { Logger } from '../logging/logger.ts'
import type { ResolvedWorkerOptions } from '../options/worker.ts'
import { KEEP_CRON_IN_PROGRESS_MS } from '@arq-ts/protocol/jobs'
import { admit, settle } from '@arq-ts/protocol/jobs'
import type { Admission, CutShort, Ending, Outcome, WorkerRules } from '@arq-ts/protocol/jobs'
import { encodeResult } from '@arq-ts/protocol/jobs'
import type { CodecName, JobRecord, ResultRecord } from '@arq-ts/protocol/jobs'
import type { Broker, Claim } from '../redis/broker.ts'
import type { JobContext } from '../tasks/context.ts'
import type { Counters } from '../fleet/worker-entry.ts'
import type { Completer } from './completer.ts'
import type { Lease, LeaseKeeper } from './lease-keeper.ts'
import { within } from '../time/patience.ts'
import type { RegisteredTask } from './registered-task.ts'
import { Roster } from './roster.ts'
import { Run } from './run.ts'

/** How long past its timeout and grace a job may take to be settled before others may take it. */
const SETTLE_MARGIN_MS = 1_000

type Emit = <E extends keyof WorkerEvents>(event: E, ...args: WorkerEvents[E]) => void

export interface ExecutorOptions {
  broker: Broker
  completer: Completer
  leases: LeaseKeeper
  tasks: ReadonlyMap<string, RegisteredTask>
  settings: ResolvedWorkerOptions
  log: Logger
  counters: Counters
  emit: Emit
  /** Whether anybody listens: what is told of each job is not free. */
  hears: (event: keyof WorkerEvents) => boolean
  makeContext: (run: Run) => JobContext
  /** Calls the handler, and what is to happen around it. */
  around: (run: Run, call: () => unknown) => unknown
  /** A job this worker does not know was handed back: leave it to others for a while. */
  passOver: (queueName: string, jobId: string) => void
}

/** A job whose end is to be stored. */
type EndedJob = Pick<Run, 'claim' | 'record' | 'codec' | 'jobTry' | 'startedMs'> & { task: RegisteredTask | undefined }

/** Takes one claimed job from admission to its settled end. The deciding is in protocol/lifecycle.ts. */
export class Executor {
  readonly #o: ExecutorOptions
  readonly #rules: WorkerRules
  readonly #runs = new Roster<Run>()
  /** Started in this turn of the event loop. */
  readonly #untimed: Run[] = []
  #unsettled = 0
  #onSettled: (() => void)[] = []
  /** What a job may take beside its timeout until it is settled. */
  readonly #afterTimeoutMs: number

  constructor(options: ExecutorOptions) {
    this.#o = options
    const { abortGraceMs, maxTries, onJobEnd, retryJobs, retry, unknownFunction } = options.settings
    this.#afterTimeoutMs = abortGraceMs + (onJobEnd ? abortGraceMs : 0) + SETTLE_MARGIN_MS
    this.#rules = { maxTries, retryJobs, retry, unknownFunction }
  }

  /** The handlers at work now. */
  get runs(): Roster<Run> {
    return this.#runs
  }

  /** The handler at work for a job, or for one claim of it, unless its lease is known to be lost. */
  runOf(jobId: string, token?: string): Run | undefined {
    for (const run of this.#runs) {
      const { claim, cutShort } = run
      if (claim.jobId === jobId && claim.token === (token ?? claim.token) && cutShort !== 'lost') return run
    }
    return undefined
  }

  /** Claimed jobs that are not settled. */
  get unsettled(): number {
    return this.#unsettled
  }

  /** Resolves when all jobs are settled. */
  async allSettled(): Promise<void> {
    if (this.#unsettled > 0) await new Promise<void>((resolve) => this.#onSettled.push(resolve))
  }

  /** Fires the signals of these handlers, or of all. */
  cut(kind: CutShort, reason: Error, runs: Iterable<Run> = this.#runs): void {
    for (const run of runs) run.cut(kind, reason, this.#o.settings.abortGraceMs)
  }

  /** Runs and settles one job. `onIdle` is called when its slot is free, which is before it is settled. Never rejects. */
  async execute(claim: Claim, onIdle: () => void): Promise<void> {
    const { leases, log } = this.#o
    const lease = leases.hold(claim)
    this.#unsettled++
    let idle = false
    const release = () => {
      if (!idle) onIdle()
      idle = true
    }
    try {
      const admission = admit(claim, (name) => this.#o.tasks.get(name), this.#rules)
      if (admission.kind === 'run') await this.#run(claim, admission, lease, release)
      else if (admission.kind === 'fail') await this.#fail(claim, admission, release)
      else await this.#handBack(claim, admission.record, release)
    } catch (error) {
      log.error(
        { err: error, jobId: claim.jobId },
        `job ${claim.jobId} could not be processed, it runs again when its lease ends`,
      )
    } finally {
      leases.release(lease)
      release()
      if (--this.#unsettled === 0) for (const tell of this.#onSettled.splice(0)) tell()
    }
  }

  async #handBack(claim: Claim, record: JobRecord, release: () => void): Promise<void> {
    const { completer, emit, log, passOver } = this.#o
    passOver(claim.queueName, claim.jobId)
    log.debug(
      { jobId: claim.jobId },
      `job ${claim.jobId}: function '${record.functionName}' is not ours, handing it back`,
    )
    release()
    const due = { at: claim.score }
    await completer.reschedule({ ...claim, due, uncount: true, payload: claim.payload as Buffer })
    emit('jobReleased', {
      jobId: claim.jobId,
      functionName: record.functionName,
      queueName: claim.queueName,
      reason: 'unknown function',
    })
  }

  async #fail(
    claim: Claim,
    admission: Extract<Admission<RegisteredTask>, { kind: 'fail' }>,
    release: () => void,
  ): Promise<void> {
    const { broker, counters, log, settings } = this.#o
    const { record, reason, error } = admission
    const now = broker.clock.now()
    const ref = `${claim.jobId}:${record.functionName}`
    if (reason === 'aborted') log.info(lines.aborted(elapsed(record, now), ref, 'before start'))
    else log.warn({ jobId: claim.jobId, reason }, lines.failed(0, ref, error))
    counters.failed++
    release()
    const isAborted = reason === 'aborted'
    const ending = { kind: 'finish', success: false, error, aborted: isAborted, dead: !isAborted } as const
    const end: EndedJob = {
      claim,
      record,
      codec: admission.codec ?? settings.codec,
      jobTry: admission.jobTry,
      task: undefined, // arq's finish_failed_job: the worker's keep_result counts, and no in-progress key stays
      startedMs: now,
    }
    await this.#finish(end, ending, now)
  }

  async #run(
    claim: Claim,
    admission: Extract<Admission<RegisteredTask>, { kind: 'run' }>,
    lease: Lease,
    release: () => void,
  ): Promise<void> {
    const { broker, hears, settings, log, emit } = this.#o
    const { record, task, jobTry } = admission
    if (admission.setTry) await broker.setTry(claim, jobTry)
    const held = admission.setTry ? { ...claim, jobTry } : claim
    const timeoutMs = task.timeoutMs ?? settings.jobTimeoutMs
    const startedMs = broker.clock.now()
    const run = new Run({ claim: held, record, codec: admission.codec, task, jobTry, timeoutMs, startedMs, log })
    lease.jobTry = jobTry
    lease.deadlineMs = startedMs + timeoutMs + this.#afterTimeoutMs
    // Its lease lapsed unnoticed, and it came back to the very worker that runs it: the earlier run is void.
    const earlier = claim.jobTry > 1 ? this.runOf(claim.jobId) : undefined
    if (earlier)
      this.cut('lost', new LeaseLostError('the lease of this job lapsed, and the job was claimed anew'), [earlier])
    this.#runs.add(run)
    const ctx = this.#o.makeContext(run)
    if (log.isLevelEnabled('info')) {
      const { args, kwargs } = settings.logArguments ? record : { args: [], kwargs: {} }
      const queuedMs = elapsed(record, startedMs)
      const delayedMs = startedMs - claim.score
      log.info(lines.started({ queuedMs, ref: refOf(run), args, kwargs, jobTry, delayedMs }))
    }
    if (hears('jobStarted')) {
      const { jobId, queueName, score } = claim
      emit('jobStarted', { jobId, functionName: task.name, queueName, jobTry, waitMs: startedMs - score })
    }

    this.#startTimeout(run)
    const outcome = await run.execute(() => this.#o.around(run, () => this.#call(run, ctx)))
    const finishedMs = broker.clock.now()
    this.#runs.delete(run)
    if (outcome.kind === 'abandoned') this.#abandoned(run)
    if (run.cutShort === 'lost') return // another worker has it; the loss was told when it was noticed

    const rules = { jobTry, task, timeoutMs }
    const ending = settle(outcome, run.cutShort, rules, this.#rules, Math.random())
    this.#tell(run, ending, finishedMs)
    if (settings.onJobEnd) await this.#hook('onJobEnd', settings.onJobEnd, ctx)
    release()
    const settled = await this.#settle(run, ending, outcome, finishedMs)
    if (settled && settings.afterJobEnd) await this.#hook('afterJobEnd', settings.afterJobEnd, ctx)
  }

  /** Once the turn is over: many handlers have ended by then, and need no timer. */
  #startTimeout(run: Run): void {
    if (this.#untimed.push(run) > 1) return
    setImmediate(() => {
      const now = this.#o.broker.clock.now()
      for (const each of this.#untimed.splice(0)) each.startTimeout(now, this.#o.settings.abortGraceMs)
    })
  }

  #call(run: Run, ctx: JobContext): unknown {
    const { onJobStart } = this.#o.settings
    const bound = run.task.bind(run.record.args, run.record.kwargs)
    if (onJobStart === undefined && !(bound instanceof Promise)) return run.task.handler(ctx, ...bound)
    return (async () => {
      const args = await bound
      await onJobStart?.(ctx)
      return run.task.handler(ctx, ...args)
    })()
  }

  #settle(run: Run, ending: Ending, outcome: Outcome, finishedMs: number): Promise<boolean> {
    return ending.kind === 'finish' ? this.#finish(run, ending, finishedMs) : this.#giveBack(run, ending, outcome)
  }

  async #giveBack(run: Run, ending: Exclude<Ending, { kind: 'finish' }>, outcome: Outcome): Promise<boolean> {
    const { completer, emit } = this.#o
    const { claim, record, jobTry, task } = run
    const uncount = ending.kind === 'release'
    const due = ending.kind === 'release' || ending.delayMs === null ? { at: claim.score } : { in: ending.delayMs }
    const held = await completer.reschedule({ ...claim, due, uncount, payload: claim.payload as Buffer })
    if (!held) return this.#lost(claim, record)
    const about = { jobId: claim.jobId, functionName: task.name, queueName: claim.queueName }
    if (ending.kind === 'release') emit('jobReleased', { ...about, reason: 'shutdown' })
    else
      emit('jobRetried', {
        ...about,
        jobTry,
        delayMs: ending.delayMs ?? 0,
        error: outcome.kind === 'threw' ? outcome.error : ending.error,
      })
    return true
  }

  async #finish(end: EndedJob, ending: Extract<Ending, { kind: 'finish' }>, finishedMs: number): Promise<boolean> {
    const { completer, emit, hears, settings } = this.#o
    const { claim, record, jobTry, task, startedMs } = end
    const forever = task?.keepResultForever ?? settings.keepResultForever
    const keepMs = forever ? 0 : (task?.keepResultMs ?? settings.keepResultMs)
    const result = ending.success ? ending.value : ending.error
    const stored = forever || keepMs > 0
    const encoded = stored
      ? this.#encode(
          {
            // Spelled out, here and below: a spread costs as much as all the rest of this method.
            functionName: record.functionName,
            args: record.args,
            kwargs: record.kwargs,
            enqueueTimeMs: record.enqueueTimeMs,
            jobTry,
            success: ending.success,
            result,
            startTimeMs: startedMs,
            finishTimeMs: finishedMs,
            queueName: claim.queueName,
            jobId: claim.jobId,
          },
          end.codec,
          claim.payload ?? undefined,
        )
      : null
    const dead = !ending.success && ending.dead && settings.deadLetter !== false ? settings.deadLetter : null
    const outcome = ending.success ? 'complete' : ending.aborted ? 'aborted' : 'failed'
    const held = await completer.finish({
      outcome,
      jobId: claim.jobId,
      queueName: claim.queueName,
      token: claim.token,
      jobTry: claim.jobTry,
      result: encoded,
      resultTtlMs: keepMs,
      keepInProgressMs: task?.isCron ? KEEP_CRON_IN_PROGRESS_MS : 0,
      dead: dead && {
        ttlMs: dead.maxAgeMs,
        payload: claim.payload ?? new Uint8Array(),
        functionName: record.functionName,
        error: lines.describeError(result),
      },
    })
    if (!held) return this.#lost(claim, record)
    if (!hears('jobFinished') && !dead) return true
    const about = { jobId: claim.jobId, functionName: record.functionName, queueName: claim.queueName, jobTry }
    const told = { ...about, outcome, runMs: finishedMs - startedMs } as const
    emit('jobFinished', ending.success ? told : { ...told, error: ending.error })
    if (dead) emit('deadLettered', { ...about, error: result })
    return true
  }

  /** arq's fallback: a result that cannot be written becomes a failure that says so. */
  #encode(result: ResultRecord, codec: CodecName, payload: Uint8Array | undefined): Uint8Array | null {
    const { log } = this.#o
    try {
      return encodeResult(result, codec, payload)
    } catch (error) {
      // A value may throw anything when it is read; the job has ended all the same.
      log.warn(
        { err: error, jobId: result.jobId },
        `the result of ${result.jobId}:${result.functionName} cannot be written as ${codec}`,
      )
    }
    try {
      return encodeResult({ ...result, success: false, result: 'unable to serialize result' }, codec, payload)
    } catch (error) {
      log.error({ err: error, jobId: result.jobId }, `no result is stored for ${result.jobId}:${result.functionName}`)
      return null
    }
  }

  #tell(run: Run, ending: Ending, finishedMs: number): void {
    const { counters, log, settings } = this.#o
    const ranMs = finishedMs - run.startedMs
    const ref = refOf(run)
    if (ending.kind === 'finish' && ending.success) {
      counters.complete++
      if (log.isLevelEnabled('info'))
        log.info(lines.completed(ranMs, ref, settings.logResults ? ending.value : undefined))
    } else if (ending.kind === 'finish') {
      counters.failed++
      if (ending.aborted) log.info(lines.aborted(ranMs, ref))
      else log.error({ err: ending.error, jobId: run.claim.jobId }, lines.failed(ranMs, ref, ending.error))
    } else {
      counters.retried++
      if (ending.kind === 'release') log.info(lines.released(ranMs, ref))
      else this.#tellRetry(run, ending, ranMs, ref)
    }
  }

  /** `Retry` is the handler's own wish; an error that a policy retries is one that somebody wants to see. */
  #tellRetry(run: Run, ending: Extract<Ending, { kind: 'reschedule' }>, ranMs: number, ref: string): void {
    const line = lines.retrying(ranMs, ref, ending.delayMs ?? 0)
    if ((ending.error as { code?: unknown }).code === 'ARQ_RETRY') this.#o.log.info(line)
    else
      this.#o.log.warn({ err: ending.error, jobId: run.claim.jobId }, `${line}, ${lines.describeError(ending.error)}`)
  }

  #lost(claim: Claim, record: JobRecord): false {
    const { emit, log } = this.#o
    const about = { jobId: claim.jobId, functionName: record.functionName, queueName: claim.queueName }
    log.error(
      about,
      `${claim.jobId}:${record.functionName} lost its lease before it was settled: its outcome is discarded`,
    )
    emit('leaseLost', about)
    return false
  }

  #abandoned(run: Run): void {
    const { emit, log, settings } = this.#o
    const about = { jobId: run.claim.jobId, functionName: run.task.name, queueName: run.claim.queueName }
    log.error(
      about,
      `${refOf(run)} ignored its abort signal (${run.cutShort}) for ${settings.abortGraceMs} ms: ` +
        'its slot is free, its code still runs, what it returns is discarded; make the handler watch ctx.signal',
    )
    emit('jobAbandoned', about)
  }

  /** Neither what a hook throws nor its silence may cost a slot: past the grace it is not waited for any more. */
  async #hook(name: 'onJobEnd' | 'afterJobEnd', hook: (ctx: JobContext) => unknown, ctx: JobContext): Promise<void> {
    const { log, settings } = this.#o
    const ended = (async () => hook(ctx))().catch((error: unknown) => {
      log.error({ err: error, jobId: ctx.jobId }, `the ${name} hook failed`)
    })
    if (await within(ended, settings.abortGraceMs)) return
    const about = `the ${name} hook did not end within ${settings.abortGraceMs} ms (abortGraceMs)`
    log.error({ jobId: ctx.jobId }, `${about}: its job goes on without it`)
  }
}

/** arq names cron runs by function alone. */
function refOf(run: Run): string {
  return run.task.isCron ? run.task.name : `${run.claim.jobId}:${run.task.name}`
}

function elapsed(record: JobRecord, now: number): number {
  return Math.max(0, now - record.enqueueTimeMs)
}
