import type { Claim } from '../../redis/broker.ts'
import type { InFlightJob } from '../in-flight-job.ts'

/** Probation of a suspect by its number of deaths, in ms: nothing else is started for this long. */
const PROBATION_MS = [0, 1_000, 10_000] as const
/** Probation of a suspect that has started next to other jobs, in ms: it keeps suspects apart from each other. */
const PROBATION_IN_COMPANY_MS = 100
/** A worker with other jobs in flight leaves a suspect to emptier ones until its lease is over for this long, in ms. */
const OFFER_MS = 50
/** Time a suspect of one death waits for the other jobs to end before it starts next to them, in ms. */
const WAIT_MS = 150
/** Time a suspect of more deaths waits for them before it goes back, in ms; each time in a row it is twice as long. */
const PATIENCE_MS = 5_000
const MAX_PATIENCE_MS = 3_600_000

/** The next step of a suspect: it is held here, it starts, or it goes back and is passed over for a while. */
export type Fate = { kind: 'held' } | { kind: 'start' | 'goesBack'; job: InFlightJob; passOverMs: number }

/** True for a job that may kill its process; one whose payload is gone ends without a run. */
export function isSuspect({ deaths, payload }: Pick<Claim, 'deaths' | 'payload'>): boolean {
  return deaths > 0 && payload !== null
}

/**
 * Keeps jobs apart that may kill their process. A job whose last try ended with the death of its worker is a suspect,
 * and so are the innocent jobs that died with it. A worker takes one suspect at a time, starts it when no other job is
 * in flight, and starts nothing else during its probation: the culprit then dies alone, and an innocent job is cleared by
 * ending or by outliving its probation.
 *
 * Most workers die for other reasons, and their jobs must be back soon. A busy worker leaves a suspect to an emptier one for
 * a moment. Where there is none, a suspect of one death starts next to what still runs there; one of more deaths never
 * does, and goes back, so that long jobs and a suspect do not keep a worker closed for more than half of the time.
 *
 * open → waiting (for other jobs to end) → probation → open
 * waiting → open, where the suspect goes back
 */
export class Quarantine {
  #waiting: { job: InFlightJob; untilMs: number } | undefined
  #probation: { job: InFlightJob; untilMs: number } | undefined
  /** Until then, suspects of more than one death go back where other jobs are in flight. */
  #restUntilMs = -Infinity
  #patienceMs = PATIENCE_MS
  /** Suspects that went back, and until when they are passed over unless all other jobs end sooner. */
  #passedOver: { jobId: string; queueName: string; untilMs: number }[] = []

  /** True while a suspect waits for its start. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /**
   * Decides about a claimed job whose earlier tries ended with a death. All times are monotonic.
   *
   * @param others - other jobs in flight, and jobs that are being claimed.
   * @param overdueMs - the time since its lease has ended.
   */
  add(job: InFlightJob, others: number, overdueMs: number, nowMs = performance.now()): Fate {
    // It would die with the one that is here.
    if (!this.isOpen(nowMs)) return { kind: 'goesBack', job, passOverMs: 0 }
    if (others > 0 && overdueMs < OFFER_MS) return this.#passOver(job, OFFER_MS - Math.max(overdueMs, 0), nowMs)
    const isFirstDeath = job.claim.deaths === 1
    if (others > 0 && !isFirstDeath && nowMs < this.#restUntilMs)
      return this.#passOver(job, this.#restUntilMs - nowMs, nowMs)
    if (nowMs > this.#restUntilMs + this.#patienceMs) this.#patienceMs = PATIENCE_MS
    this.#waiting = { job, untilMs: nowMs + (isFirstDeath ? WAIT_MS : this.#patienceMs) }
    return { kind: 'held' }
  }

  /** True when jobs may be claimed. */
  isOpen(nowMs?: number): boolean {
    return this.#waiting === undefined && (this.#probation === undefined || !this.#isOnProbation(nowMs))
  }

  /**
   * Decides about the suspect that waits. Its start begins its probation.
   *
   * @param others - other jobs in flight, and jobs that are being claimed.
   */
  next(others: number, nowMs = performance.now()): Fate {
    if (!this.#waiting) return { kind: 'held' }
    const { job, untilMs } = this.#waiting
    const { deaths } = job.claim
    if (others > 0 && nowMs < untilMs) return { kind: 'held' }
    this.#waiting = undefined
    if (others > 0 && deaths > 1) return this.#giveUp(job, nowMs)
    if (deaths > 1) this.#patienceMs = PATIENCE_MS
    const probationMs = others > 0 ? PROBATION_IN_COMPANY_MS : (PROBATION_MS[deaths] ?? Infinity)
    this.#probation = { job, untilMs: nowMs + probationMs }
    return { kind: 'start', job, passOverMs: 0 }
  }

  /** Milliseconds until `add`, `next` or `isOpen` may answer differently by the clock alone. */
  changesInMs(nowMs = performance.now()): number {
    if (this.#waiting) return Math.max(1, this.#waiting.untilMs - nowMs)
    if (this.#probation && this.#isOnProbation(nowMs)) return this.#probation.untilMs - nowMs
    return Math.min(...this.#passedOver.map(({ untilMs }) => untilMs).filter((untilMs) => untilMs > nowMs)) - nowMs
  }

  /** Takes the suspect out that has not started. */
  take(): InFlightJob | undefined {
    const job = this.#waiting?.job
    this.#waiting = undefined
    return job
  }

  /** The suspects that went back: no other job is in flight any more, and they may come. */
  emptied(): readonly { jobId: string; queueName: string }[] {
    const passedOver = this.#passedOver
    if (passedOver.length > 0) this.#passedOver = []
    this.#restUntilMs = -Infinity
    return passedOver
  }

  #giveUp(job: InFlightJob, nowMs: number): Fate {
    const passOverMs = this.#patienceMs
    this.#restUntilMs = nowMs + passOverMs
    this.#patienceMs = Math.min(2 * passOverMs, MAX_PATIENCE_MS)
    return this.#passOver(job, passOverMs, nowMs)
  }

  #passOver(job: InFlightJob, passOverMs: number, nowMs: number): Fate {
    const { jobId, queueName } = job.claim
    this.#passedOver = this.#passedOver.filter(({ untilMs }) => untilMs > nowMs)
    this.#passedOver.push({ jobId, queueName, untilMs: nowMs + passOverMs })
    return { kind: 'goesBack', job, passOverMs }
  }

  #isOnProbation(nowMs = performance.now()): boolean {
    if (!this.#probation) return false
    const { job, untilMs } = this.#probation
    if (job.hasSlot && nowMs < untilMs) return true
    this.#probation = undefined
    return false
  }
}
