import type { Ending, JobRecord } from '@arq-ts/protocol/jobs'
import { showName } from '@arq-ts/protocol/show'
import type { JobLogs } from '../../progress/job-logs.ts'
import type { Journal, JournalJob } from '../../recorder/journal.ts'
import type { TickJournal } from '../../recorder/tick-journal.ts'
import type { Recorder } from '../../recorder/recorder.ts'
import { OUTCOME } from '../../recorder/tally.ts'
import type { Claim } from '../../redis/broker.ts'
import type { HandlerRun } from './handler-run.ts'
import type { EndedJob } from './reporter.ts'
import { dueTimeOf } from '../../jobs/due-time.ts'

/** Hands the ends of tries to the recorder, which counts all, and to the journal, which keeps some. */
export class JobRecording {
  readonly #recorder: Recorder
  readonly #journal: Journal
  readonly #ticks: TickJournal
  readonly #logs: JobLogs
  readonly #now: () => number

  /** `now` gives Redis time in unix ms. */
  constructor(
    recorder: Recorder,
    { journal, ticks }: { journal: Journal; ticks: TickJournal },
    logs: JobLogs,
    now: () => number,
  ) {
    this.#recorder = recorder
    this.#journal = journal
    this.#ticks = ticks
    this.#logs = logs
    this.#now = now
  }

  /** A final ending that is stored; what is left of the job is kept for `keepMs`. */
  finished(job: EndedJob, ending: Extract<Ending, { kind: 'finish' }>, keepMs: number): void {
    const { claim, finishedMs, hasRun, jobTry, record, startedMs, task } = job
    const outcome = ending.success ? OUTCOME.complete : ending.aborted ? OUTCOME.aborted : OUTCOME.failed
    const runMs = hasRun ? finishedMs - startedMs : -1
    const waitMs = startedMs - dueTimeOf(claim.score, record)
    this.#recorder.count(claim.queueName, record.functionName, outcome, waitMs, runMs, finishedMs)
    const how = ending.success ? 'complete' : ending.aborted ? 'aborted' : 'failed'
    if (this.#logs.hasLogged) this.#logs.ended(claim, { outcome: how, keepMs })
    if (task?.isCron) {
      const tick = { jobId: claim.jobId, functionName: record.functionName, queueName: claim.queueName }
      this.#ticks.ended(tick, how, hasRun ? { startedMs, finishedMs } : undefined)
    }
    if (outcome === OUTCOME.complete && this.#journal.wants(runMs)) {
      this.#journal.succeeded(journalJob(claim, record, jobTry), { startedMs, finishedMs, waitMs: Math.max(0, waitMs) })
    } else if (outcome === OUTCOME.failed && !ending.success) {
      const run = hasRun ? { startedMs, finishedMs, waitMs: Math.max(0, waitMs) } : undefined
      this.#journal.failed(journalJob(claim, record, jobTry), finishedMs, run, ending.error)
    }
  }

  /** A run after which the job went back to its queue; `error` is what the handler threw. */
  returned(run: HandlerRun, ending: Exclude<Ending, { kind: 'finish' }>, finishedMs: number, error: unknown): void {
    const { claim, record, startedMs } = run
    const outcome = ending.kind === 'release' ? OUTCOME.released : OUTCOME.retried
    const waitMs = startedMs - dueTimeOf(claim.score, record)
    this.#recorder.count(claim.queueName, record.functionName, outcome, waitMs, finishedMs - startedMs, finishedMs)
    if (this.#logs.hasLogged) this.#logs.ended(claim)
    if (ending.kind === 'release') return
    const times = { startedMs, finishedMs, waitMs: Math.max(0, waitMs) }
    this.#journal.retried(journalJob(claim, record, claim.jobTry), times, error, ending.delayMs ?? 0)
  }

  /** A job that went back without a run. */
  handedBack({ queueName }: Claim, functionName: string): void {
    this.#recorder.count(queueName, functionName, OUTCOME.released, 0, -1, this.#now())
  }

  leaseLost(claim: Claim, functionName: string): void {
    const now = this.#now()
    if (this.#logs.hasLogged) this.#logs.ended(claim)
    this.#recorder.count(claim.queueName, functionName, OUTCOME.lost, 0, -1, now)
    this.#journal.leaseLost(journalJob(claim, { functionName }, claim.jobTry), now)
  }
}

function journalJob(
  { jobId, queueName }: Claim,
  { functionName }: Pick<JobRecord, 'functionName'>,
  jobTry: number,
): JournalJob {
  return { jobId, functionName: showName(functionName), queueName, jobTry }
}
