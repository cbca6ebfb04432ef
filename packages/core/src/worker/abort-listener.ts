import type { Logger } from '../logger.ts'
import { isAbortOf } from '../protocol/lifecycle.ts'
import type { JobRecord } from '../protocol/records.ts'
import type { Broker } from '../redis/broker.ts'

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
  readonly #running: () => ReadonlyMap<string, { record: JobRecord }>
  readonly #abort: (jobIds: string[]) => void
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(options: {
    broker: Broker
    pollDelayMs: number
    log: Logger
    running: () => ReadonlyMap<string, { record: JobRecord }>
    abort: (jobIds: string[]) => void
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
      const running = this.#running()
      const ids = [...running.keys()]
      for (let from = 0; from < ids.length; from += MAX_BATCH) {
        const requests = await this.#broker.abortRequests(ids.slice(from, from + MAX_BATCH), this.#stopped.signal)
        const asked: string[] = []
        for (const [jobId, askedMs] of requests) {
          const run = running.get(jobId)
          if (run && isAbortOf(askedMs, run.record)) asked.push(jobId)
        }
        if (asked.length > 0) this.#abort(asked)
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, 'looking for abort requests failed')
    } finally {
      this.#looking = false
    }
  }
}
