import type { Logger } from '../logging/logger.ts'
import { isAbortOf } from '@arq-ts/protocol/jobs'
import type { Broker } from '../redis/broker.ts'
import type { RunningJob, Slots } from './slots.ts'

/** Ids per call. */
const MAX_BATCH = 1_000

/**
 * Looks for abort requests of running jobs each `pollDelayMs`, as arq does (Python's `Job.abort()` publishes nothing),
 * and at once when one is announced.
 *
 * stopped → started → stopped
 */
export class AbortListener {
  readonly #broker: Broker
  readonly #pollDelayMs: number
  readonly #log: Logger
  readonly #slots: Slots
  readonly #abort: (jobs: RunningJob[]) => void
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(options: {
    broker: Broker
    pollDelayMs: number
    log: Logger
    slots: Slots
    abort: (jobs: RunningJob[]) => void
  }) {
    this.#broker = options.broker
    this.#pollDelayMs = options.pollDelayMs
    this.#log = options.log
    this.#slots = options.slots
    this.#abort = options.abort
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#pollDelayMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#stopped.abort()
  }

  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const running = [...this.#slots.running()]
      for (let from = 0; from < running.length; from += MAX_BATCH) {
        const batch = running.slice(from, from + MAX_BATCH)
        const ids = batch.map((job) => job.claim.jobId)
        const requests = await this.#broker.abortRequests(ids, this.#stopped.signal)
        const asked = batch.filter((job) => {
          const askedMs = requests.get(job.claim.jobId)
          return askedMs !== undefined && isAbortOf(askedMs, job.run.record) && job.phase === 'running'
        })
        if (asked.length > 0) this.#abort(asked)
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, 'looking for abort requests failed')
    } finally {
      this.#looking = false
    }
  }
}
