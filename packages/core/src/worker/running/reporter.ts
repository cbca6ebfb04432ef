import type { Admission, Ending, JobRecord, Outcome } from '@arq-ts/protocol/jobs'
import { showName } from '@arq-ts/protocol/show'
import type { WorkerEvents } from '../../fleet/events.ts'
import type { Counters } from '../../fleet/worker-info.ts'
import * as lines from '../../logging/log-lines.ts'
import type { Logger } from '../../logging/logger.ts'
import { sparingLog } from '../../logging/sparing-log.ts'
import type { ServiceLog } from '../../logging/sparing-log.ts'
import type { Claim } from '../../redis/broker.ts'
import type { RunningJob } from '../slots.ts'
import { attemptEndOf } from '../../middleware/attempt-end.ts'
import type { observerOf } from '../../middleware/observe-side.ts'
import { attemptOf } from './attempt.ts'
import type { HandlerRun } from './handler-run.ts'
import type { JobRecording } from './job-recording.ts'
import { dueTimeOf } from '../../jobs/due-time.ts'
import type { RegisteredTask } from './registered-task.ts'
import { ReleaseLog } from './release-log.ts'

type Emit = <E extends keyof WorkerEvents>(event: E, ...args: WorkerEvents[E]) => void

export interface ReporterOptions {
  log: Logger
  /** Reports each try to middleware that observes, the log of tries among it. */
  observe: ReturnType<typeof observerOf>
  abortGraceMs: number
  emit: Emit
  /** True when an event has a listener: an event for each job is not free. */
  hasListeners: (event: keyof WorkerEvents) => boolean
  /** Records the ends of tries; undefined where nothing is recorded. */
  recording: JobRecording | undefined
}

/** A job that has ended, as its events describe it. */
export interface EndedJob {
  claim: Claim
  record: JobRecord
  jobTry: number
  /** Undefined for a function that this worker does not have. */
  task: RegisteredTask | undefined
  /** False where it ended before its handler was called. */
  hasRun: boolean
  startedMs: number
  finishedMs: number
}

/** The result or dead letter of a job that has ended. */
export interface Remains {
  isDead: boolean
  /** Time for which they are kept, in ms; Infinity for ever. */
  keepMs: number
}

/** Reports what happens to jobs: to middleware, in arq's log lines, by the worker's events, and in its counters. */
export class Reporter {
  readonly counters: Counters = { complete: 0, failed: 0, retried: 0 }
  readonly #options: ReporterOptions
  readonly #releases: ReleaseLog
  readonly #sparing: ServiceLog

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#releases = new ReleaseLog(options.log)
    this.#sparing = sparingLog(options.log)
  }

  started({ claim, run }: RunningJob): void {
    const { emit, hasListeners, observe } = this.#options
    run.onEnd = observe(run, attemptOf)
    if (!hasListeners('jobStarted')) return
    const { jobId, jobTry, queueName } = claim
    const waitMs = run.startedMs - dueTimeOf(claim.score, run.record)
    emit('jobStarted', { jobId, functionName: run.task.name, queueName, jobTry, waitMs })
  }

  /** Reports how a run ended, before that is stored, as arq does. */
  ended(run: HandlerRun, ending: Ending, finishedMs: number): void {
    const { counters } = this
    if (ending.kind !== 'finish') counters.retried++
    else if (ending.success) counters.complete++
    else counters.failed++
    run.onEnd?.(attemptEndOf(ending, finishedMs - run.startedMs))
  }

  /** Reports the end of a run whose job another worker has; the loss was reported when it was noticed. */
  endedLost(run: HandlerRun, finishedMs: number): void {
    run.onEnd?.({ outcome: 'lost', ranMs: finishedMs - run.startedMs })
  }

  /** Reports a job that failed before it could start. */
  refused(claim: Claim, admission: Extract<Admission<RegisteredTask>, { kind: 'fail' }>, now: number): void {
    const { log } = this.#options
    const { record, reason, error, maxTries, task } = admission
    const { jobId } = claim
    const about = { jobId, reason }
    const queuedMs = elapsed(record, now)
    this.counters.failed++
    switch (reason) {
      case 'expired':
        return log.warn(about, lines.expired(jobId))
      case 'undecodable':
        return log.error({ ...about, err: error }, lines.undecodable(jobId))
      case 'aborted':
        return log.info(lines.aborted(queuedMs, lines.jobRef(jobId, record.functionName), 'before start'))
      case 'unknown function':
        return log.warn(about, lines.unknownFunction(jobId, record.functionName))
      case 'max tries exceeded':
        return log.warn(about, lines.maxTriesExceeded(queuedMs, refOf(claim, record, task), maxTries))
    }
  }

  /** Reports a final ending that is stored, and what is left of the job. */
  finished(job: EndedJob, ending: Extract<Ending, { kind: 'finish' }>, { isDead, keepMs }: Remains): void {
    const { emit, hasListeners, recording } = this.#options
    recording?.finished(job, ending, keepMs)
    if (!hasListeners('jobFinished') && !isDead) return
    const about = { ...aboutJob(job.claim, job.record.functionName), jobTry: job.jobTry }
    const outcome = ending.success ? 'complete' : ending.aborted ? 'aborted' : 'failed'
    const summary = { ...about, outcome, runMs: job.finishedMs - job.startedMs } as const
    emit('jobFinished', ending.success ? summary : { ...summary, error: ending.error })
    if (isDead) emit('deadLettered', { ...about, error: ending.success ? undefined : ending.error })
  }

  /** Reports a job that went back to its queue after a run. */
  returned(run: HandlerRun, ending: Exclude<Ending, { kind: 'finish' }>, outcome: Outcome, finishedMs: number): void {
    const { emit, recording } = this.#options
    const error = outcome.kind === 'threw' || ending.kind === 'release' ? thrownIn(outcome) : ending.error
    recording?.returned(run, ending, finishedMs, error)
    const about = { ...aboutJob(run.claim, run.task.name), jobTry: run.claim.jobTry }
    if (ending.kind === 'release') return emit('jobReleased', { ...about, reason: 'shutdown' })
    emit('jobRetried', { ...about, delayMs: ending.delayMs ?? 0, error })
  }

  /** Reports a job of a function that this worker does not have. */
  handedBack(claim: Claim, { functionName }: JobRecord): void {
    this.#options.recording?.handedBack(claim, functionName)
    this.#releases.add(showName(functionName))
    const about = { ...aboutJob(claim, functionName), jobTry: claim.jobTry }
    this.#options.emit('jobReleased', { ...about, reason: 'unknown function' })
  }

  /** Reports a job that Redis could not admit; of many with one reason, the first. */
  notAdmitted({ jobId }: Claim, error: Error, againInMs: number): void {
    const line = `job ${showName(jobId)} could not be admitted, it is tried again in ${againInMs} ms`
    this.#sparing.error({ err: error, jobId }, line)
  }

  abandoned(run: HandlerRun): void {
    const { abortGraceMs, emit, log } = this.#options
    const about = aboutJob(run.claim, run.task.name)
    const effect = run.task.sandbox
      ? `its ${run.task.sandbox.kind} is killed, and its result is discarded`
      : 'its slot is free, its code still runs, and its result is discarded'
    log.error(
      about,
      `${refOf(run.claim, run.record, run.task)} ignored its abort signal (${run.interruption}) for ${abortGraceMs} ms: ` +
        `${effect}; make the handler watch ctx.signal`,
    )
    emit('jobAbandoned', { ...about, jobTry: run.claim.jobTry })
  }

  leaseLost(
    claim: Claim,
    functionName: string,
    when: 'before it started' | 'while it ran' | 'before it was settled',
  ): void {
    const { emit, log, recording } = this.#options
    const about = aboutJob(claim, functionName)
    const effect =
      when === 'before it started'
        ? 'another worker may have it, it does not start here'
        : 'another worker may have it, its outcome is discarded'
    recording?.leaseLost(claim, functionName)
    log.error(about, `${lines.jobRef(claim.jobId, functionName)} lost its lease ${when}: ${effect}`)
    emit('leaseLost', { ...about, jobTry: claim.jobTry })
  }
}

function thrownIn(outcome: Outcome): unknown {
  return outcome.kind === 'threw' ? outcome.error : undefined
}

function refOf({ jobId }: Claim, { functionName }: JobRecord, task: RegisteredTask | undefined): string {
  return lines.jobRef(jobId, functionName, task?.isCron)
}

function aboutJob({ jobId, queueName }: Claim, functionName: string) {
  return { jobId, functionName: showName(functionName), queueName }
}

function elapsed(record: JobRecord, now: number): number {
  return Math.max(0, now - record.enqueueTimeMs)
}
