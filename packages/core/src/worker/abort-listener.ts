import { randomUUID } from 'node:crypto'
import { decodeJob, isAbortOf } from '@arq-ts/protocol/jobs'
import type { ServiceLog } from '../logging/sparing-log.ts'
import type { Broker } from '../redis/broker.ts'
import type { InFlightJob } from './in-flight-job.ts'
import type { RunningJob, Slots } from './slots.ts'

/** Ids per call. */
const MAX_BATCH = 1_000

export interface AbortListenerOptions {
  broker: Broker
  slots: Pick<Slots, 'add' | 'running' | 'waiting'>
  log: ServiceLog
  workerId: string
  queueNames: readonly string[]
  pollDelayMs: number
  leaseMs: number
  /** True while the worker claims nothing: jobs that wait are then ended by others. */
  isQuiet: () => boolean
  /** Interrupts jobs that run here. */
  interrupt: (jobs: RunningJob[]) => void
  /** Ends a claimed job that is asked to abort. */
  end: (job: InFlightJob) => void
}

/**
 * Looks for abort requests each `pollDelayMs`, as arq does (Python's `Job.abort()` publishes nothing), and at once when
 * one is announced. A job that runs here is interrupted. A job that does not run is claimed and ended without a slot: an
 * abort does not wait until a long job is over.
 *
 * stopped → started → stopped
 */
export class AbortListener {
  readonly #options: AbortListenerOptions
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #isAskedAgain = false

  constructor(options: AbortListenerOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.pollDelayMs)
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer)
    this.#stopped.abort()
  }

  /** Looks for requests; one that is announced meanwhile is looked for right after. Never rejects. */
  async look(): Promise<void> {
    this.#isAskedAgain = true
    if (this.#looking) return
    this.#looking = true
    try {
      while (this.#isAskedAgain && !this.#stopped.signal.aborted) {
        this.#isAskedAgain = false
        await this.#interruptRunning()
        for (const queueName of this.#options.isQuiet() ? [] : this.#options.queueNames)
          await this.#endQueued(queueName)
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#options.log.error({ err: error }, 'looking for abort requests failed')
    } finally {
      this.#looking = false
    }
  }

  async #interruptRunning(): Promise<void> {
    const { broker, interrupt, slots } = this.#options
    const jobs: InFlightJob[] = [...slots.running(), ...slots.waiting()]
    for (let from = 0; from < jobs.length; from += MAX_BATCH) {
      const batch = jobs.slice(from, from + MAX_BATCH)
      const ids = batch.map((job) => job.claim.jobId)
      const requests = await broker.abortRequests(ids, this.#stopped.signal)
      const asked = batch.filter((job): job is RunningJob => {
        const askedMs = requests.get(job.claim.jobId)
        if (askedMs === undefined) return false
        if (job.phase === 'claimed') job.pass?.abort?.(askedMs)
        return job.phase === 'running' && job.run !== undefined && isAbortOf(askedMs, job.run.record)
      })
      if (asked.length > 0) interrupt(asked)
    }
  }

  async #endQueued(queueName: string): Promise<void> {
    const { broker, end, leaseMs, slots, workerId } = this.#options
    const { signal } = this.#stopped
    const sentMs = performance.now()
    const token = `${workerId}/${randomUUID()}`
    const claims = await broker.claimAborted(queueName, { token, leaseMs, isAsked, signal })
    for (const claim of claims) end(slots.add(claim, sentMs + leaseMs, false))
  }
}

/** False for a request that was made for an earlier job of the same id. A job that nobody can read may end as well. */
function isAsked(payload: Buffer, askedMs: number): boolean {
  try {
    return isAbortOf(askedMs, decodeJob(payload).record)
  } catch {
    return true
  }
}
