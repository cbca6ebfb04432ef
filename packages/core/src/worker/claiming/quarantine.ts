import type { InFlightJob } from '../in-flight-job.ts'

/** Probation of a suspect by its number of deaths, in ms: nothing else is in flight for this long. */
const PROBATION_MS = [0, 1_000, 10_000] as const
/** Time a suspect of one death waits for the other jobs to end before it starts next to them, in ms. */
const MAX_WAIT_MS = 5_000

interface Suspect {
  job: InFlightJob
  sinceMs: number
}

/**
 * Keeps jobs apart that may kill their process. A job whose last try ended with the death of its worker is a suspect,
 * and so are the innocent jobs that died with it. A worker takes one suspect at a time, starts it when no other job is
 * in flight, and claims nothing during its probation: the culprit then dies alone, and an innocent job is cleared by
 * ending or by outliving its probation. A fleet that lost a worker for another reason gets its jobs back within a second
 * each.
 *
 * open → waiting (for other jobs to end) → probation → open
 */
export class Quarantine {
  #waiting: Suspect | undefined
  #probation: { job: InFlightJob; untilMs: number } | undefined

  /** True while a suspect waits for its start. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /**
   * Takes in a claimed job whose earlier tries ended with a death. False where it has a suspect already: the job is then
   * to be given back, since it would die with that one. Times are monotonic.
   */
  add(job: InFlightJob, nowMs = performance.now()): boolean {
    if (!this.isOpen(nowMs)) return false
    this.#waiting = { job, sinceMs: nowMs }
    return true
  }

  /** True when jobs may be claimed. */
  isOpen(nowMs?: number): boolean {
    return this.#waiting === undefined && (this.#probation === undefined || !this.#isOnProbation(nowMs))
  }

  /**
   * Returns the suspect when it is to start now, which begins its probation.
   *
   * @param others - other jobs in flight, and jobs that are being claimed.
   */
  next(others: number, nowMs = performance.now()): InFlightJob | undefined {
    if (!this.#waiting) return undefined
    const { job, sinceMs } = this.#waiting
    const mayStartBesideOthers = job.claim.deaths === 1 && nowMs - sinceMs >= MAX_WAIT_MS
    if (others > 0 && !mayStartBesideOthers) return undefined
    this.#waiting = undefined
    this.#probation = { job, untilMs: nowMs + (PROBATION_MS[job.claim.deaths] ?? Infinity) }
    return job
  }

  /** Milliseconds until `next` or `isOpen` may answer differently by the clock alone. */
  changesInMs(nowMs = performance.now()): number {
    if (this.#waiting)
      return this.#waiting.job.claim.deaths === 1 ? Math.max(1, this.#waiting.sinceMs + MAX_WAIT_MS - nowMs) : Infinity
    return this.#probation && this.#isOnProbation(nowMs) ? this.#probation.untilMs - nowMs : Infinity
  }

  /** Takes the suspect out that has not started. */
  take(): InFlightJob | undefined {
    const job = this.#waiting?.job
    this.#waiting = undefined
    return job
  }

  #isOnProbation(nowMs = performance.now()): boolean {
    if (!this.#probation) return false
    const { job, untilMs } = this.#probation
    if (job.hasSlot && nowMs < untilMs) return true
    this.#probation = undefined
    return false
  }
}
