import type { Logger } from '../logging/logger.ts'
import { isAbortOf } from '@arq-ts/protocol/jobs'
import type { Broker } from '../redis/broker.ts'
import type { Roster } from './roster.ts'
import type { Run } from './run.ts'

/** Ids per call. */
const MAX_BATCH = 1_000

/**
 * Looks for abort requests of running jobs each `pollDelayMs`, as arq does (Python's `Job.abort()` publishes nothing),
 * and at once when told of one.
 *
 * stopped → started → stopped
 */
export class AbortListener {
  readonly #broker: Broker
  readonly #pollDelayMs: number
  readonly #log: Logger
  readonly #running: Roster<Run>
  readonly #abort: (runs: Run[]) => void
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(options: {
    broker: Broker
    pollDelayMs: number
    log: Logger
    running: Roster<Run>
    abort: (runs: Run[]) => void
  }) {
    this.#broker = options.broker
    this.#pollDelayMs = options.pollDelayMs
    this.#log = options.log
    this.#running = options.running
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
      const running = [...this.#running]
      for (let from = 0; from < running.length; from += MAX_BATCH) {
        const batch = running.slice(from, from + MAX_BATCH)
        const ids = batch.map((run) => run.claim.jobId)
        const requests = await this.#broker.abortRequests(ids, this.#stopped.signal)
        const asked = batch.filter((run) => {
          const askedMs = requests.get(run.claim.jobId)
          return askedMs !== undefined && isAbortOf(askedMs, run.record) && this.#running.has(run)
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
