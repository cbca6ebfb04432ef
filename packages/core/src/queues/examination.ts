import { PYTHON_IN_PROGRESS, isWellFormed } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import { isDate, readPayload, workerIdOf } from '../jobs/condition.ts'
import type { ReadPayload } from '../jobs/condition.ts'
import { isCounter } from '../redis/jobs.ts'
import type { ExaminedJob } from '../redis/jobs.ts'

/** Ids that one finding names at most; the rest are counted, and found again once these are repaired. */
export const MAX_IDS = 50_000
/** Number of functions that are distinguished in one queue. */
const MAX_FUNCTIONS = 1_000
/** A worker may die of anything; the same job at work twice is no accident. */
const SEVERAL = 2

/** Jobs of one kind: their number, and the ids of the first of them. */
export class Noted {
  count = 0
  readonly jobIds: string[] = []

  add(jobId: string): void {
    this.count++
    if (this.jobIds.length < MAX_IDS) this.jobIds.push(jobId)
  }
}

/** Everything that one pass over a queue notes. A job leaves nothing behind but its id, and that only where it is noted. */
export class QueueExamination {
  jobs = 0
  readonly #limits: PayloadLimits | undefined
  readonly missing = new Noted()
  readonly unreadable = new Noted()
  readonly badCounter = new Noted()
  readonly neverDue = new Noted()
  readonly alwaysDue = new Noted()
  readonly foreignId = new Noted()
  /** Jobs of which several tries ended with the death of their worker, and the number of these tries of the worst. */
  readonly deadly = new Noted()
  mostDeaths = 0
  /** Jobs that workers of ours hold, by the worker's id. */
  readonly held = new Map<string, { jobId: string; score: number }[]>()
  /** Waiting jobs by function. */
  readonly functions = new Map<string, Noted>()
  unreadableReason = ''
  /** True when a Python worker holds a job of the queue. */
  pythonRuns = false

  constructor(limits?: PayloadLimits) {
    this.#limits = limits
  }

  add(job: ExaminedJob): void {
    const { jobId, score, holder } = job
    this.jobs++
    if (!isWellFormed(jobId)) this.foreignId.add(jobId)
    if (job.deaths >= SEVERAL) {
      this.deadly.add(jobId)
      this.mostDeaths = Math.max(this.mostDeaths, job.deaths)
    }
    if (!isCounter(job.tries)) this.badCounter.add(jobId)
    if (score === -Infinity) this.alwaysDue.add(jobId)
    else if (score !== null && !isDate(score)) this.neverDue.add(jobId)
    if (job.isHeld) {
      const workerId = holder === null || holder === PYTHON_IN_PROGRESS ? null : workerIdOf(holder)
      if (holder === PYTHON_IN_PROGRESS) this.pythonRuns = true
      else if (workerId !== null) this.#hold(workerId, jobId, score!)
      return
    }
    // A payload of another type is a damaged key, and reported as one.
    if (job.damaged.length === 0) this.#note(jobId, readPayload(job.payload, this.#limits))
  }

  #hold(workerId: string, jobId: string, score: number): void {
    const jobs = this.held.get(workerId) ?? []
    jobs.push({ jobId, score })
    this.held.set(workerId, jobs)
  }

  #note(jobId: string, read: ReadPayload): void {
    if (read.kind === 'missing') this.missing.add(jobId)
    else if (read.kind === 'unreadable') {
      this.unreadableReason ||= read.reason
      this.unreadable.add(jobId)
    } else {
      const { functionName } = read.record
      const noted = this.functions.get(functionName) ?? new Noted()
      noted.add(jobId)
      if (this.functions.size < MAX_FUNCTIONS) this.functions.set(functionName, noted)
    }
  }

  /** Ids that have to be looked at again: they may have been seen half enqueued or half settled. */
  suspects(workers: readonly WorkerInfo[], nowMs: number): string[] {
    const noted = [this.missing, this.unreadable, this.badCounter, this.neverDue, this.alwaysDue]
    return [...new Set([...noted.flatMap(({ jobIds }) => jobIds), ...this.lost(workers, nowMs).jobIds])]
  }

  /**
   * Jobs whose workers are gone, by their tokens. Never Python's, which all hold by the same word: their keys lapse by
   * themselves. Where no worker is registered, it may be the registry that is gone: a lease that still lasts may be
   * renewed by a worker nobody sees, and lapses if it is not.
   */
  lost(workers: readonly WorkerInfo[], nowMs: number): Noted {
    const alive = new Set(workers.map(({ id }) => id))
    const lost = new Noted()
    for (const [workerId, jobs] of this.held) {
      if (alive.has(workerId)) continue
      // The score of a running job is its lease's end.
      for (const { jobId, score } of jobs) if (workers.length > 0 || score <= nowMs) lost.add(jobId)
    }
    return lost
  }
}
