import type { Client } from '../../client/client.ts'
import type { Logger } from '../../logging/logger.ts'
import type { JobContext } from '../../tasks/context.ts'
import type { HandlerRun } from './handler-run.ts'

/**
 * Builds arq's `ctx`: a shallow copy of the worker's state, and the job's own fields, which win. The costly ones (signal,
 * log) are made on first use.
 */
export function makeContext(run: HandlerRun, state: Readonly<Record<string, unknown>>, client: Client): JobContext {
  return new Context(run, state, client) as unknown as JobContext
}

class Context {
  readonly #run: HandlerRun
  #log: Logger | undefined

  constructor(run: HandlerRun, state: Readonly<Record<string, unknown>>, client: Client) {
    this.#run = run
    for (const key in state) {
      if (!(key in this)) (this as Record<string, unknown>)[key] = state[key]
    }
    const own = this as Record<string, unknown>
    own.jobId = run.claim.jobId
    own.jobTry = run.claim.jobTry
    own.score = run.claim.score
    own.queueName = run.claim.queueName
    own.kwargs = run.record.kwargs
    own.client = client
  }

  get enqueueTime(): Date {
    return new Date(this.#run.record.enqueueTimeMs)
  }

  get signal(): AbortSignal {
    return this.#run.signal
  }

  get log(): Logger {
    this.#log ??= this.#run.log.child({ jobId: this.#run.claim.jobId, function: this.#run.task.name })
    return this.#log
  }
}
