import type { Claim } from '../redis/broker.ts'
import { InFlightJob } from './in-flight-job.ts'
import type { HandlerRun } from './running/handler-run.ts'
import { SwapList } from './swap-list.ts'

/** A job whose handler is at work. */
export type RunningJob = InFlightJob & { run: HandlerRun }

/** The jobs in flight, and the slots they take: `maxJobs` of them. The one place that knows who owns what. */
export class Slots implements Iterable<InFlightJob> {
  readonly capacity: number
  /** Called when a slot is given back. */
  onFree: () => void = () => {}
  /** Called when a job has left. */
  onSettled: () => void = () => {}
  readonly #jobs = new SwapList<InFlightJob>()
  #taken = 0
  #onEmpty: (() => void)[] = []

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Slots in use. */
  get taken(): number {
    return this.#taken
  }

  /** Jobs in flight: claimed and not settled yet. */
  get size(): number {
    return this.#jobs.size
  }

  has(job: InFlightJob): boolean {
    return this.#jobs.has(job)
  }

  /** Takes a claimed job in. */
  add(claim: Claim, leasedUntilMs: number, takesSlot = true): InFlightJob {
    const job = new InFlightJob(claim, leasedUntilMs, takesSlot)
    this.#jobs.add(job)
    if (takesSlot) this.#taken++
    return job
  }

  /** Gives the slot of a job back, once; the job stays in flight until it is settled. */
  free(job: InFlightJob): void {
    if (!job.hasSlot) return
    job.hasSlot = false
    this.#taken--
    this.onFree()
  }

  /** Lets go of a settled job. */
  remove(job: InFlightJob): void {
    job.phase = 'settled'
    this.#jobs.delete(job)
    this.free(job)
    this.onSettled()
    if (this.#jobs.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve()
  }

  /** Resolves when no job is in flight. */
  async empty(): Promise<void> {
    if (this.#jobs.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
  }

  /** The jobs whose handlers are at work now. */
  *running(): Generator<RunningJob> {
    for (const job of this.#jobs) if (job.phase === 'running') yield job as RunningJob
  }

  /** Jobs that have not started, whose wait an abort may end. */
  *waiting(): Generator<InFlightJob> {
    for (const job of this.#jobs) if (job.phase === 'claimed' && job.pass?.abort) yield job
  }

  /** The running job of an id, unless its lease is lost. */
  runningById(jobId: string): RunningJob | undefined {
    for (const job of this.running()) if (job.claim.jobId === jobId && !job.isLost) return job
    return undefined
  }

  [Symbol.iterator](): Iterator<InFlightJob> {
    return this.#jobs[Symbol.iterator]()
  }
}

/** claimed → running */
export function begin(job: InFlightJob, run: HandlerRun, leaseDeadlineMs: number): RunningJob {
  job.phase = 'running'
  job.run = run
  job.leaseDeadlineMs = leaseDeadlineMs
  return job as RunningJob
}

/** The jobs in flight of one partition. */
export class SlotsOf implements Pick<Slots, 'has' | 'size' | 'add' | 'running' | 'waiting'> {
  readonly #slots: Slots
  readonly #isOurs: (job: InFlightJob) => boolean

  constructor(slots: Slots, isOurs: (jobId: string) => boolean) {
    this.#slots = slots
    this.#isOurs = ({ claim }) => isOurs(claim.jobId)
  }

  get size(): number {
    return [...this].length
  }

  has(job: InFlightJob): boolean {
    return this.#slots.has(job)
  }

  add(claim: Claim, leasedUntilMs: number, takesSlot?: boolean): InFlightJob {
    return this.#slots.add(claim, leasedUntilMs, takesSlot)
  }

  *running(): Generator<RunningJob> {
    for (const job of this.#slots.running()) if (this.#isOurs(job)) yield job
  }

  *waiting(): Generator<InFlightJob> {
    for (const job of this.#slots.waiting()) if (this.#isOurs(job)) yield job
  }

  *[Symbol.iterator](): Generator<InFlightJob> {
    for (const job of this.#slots) if (this.#isOurs(job)) yield job
  }
}
