import type { Client } from '../../client/client.ts'
import { OptionsError } from '../../errors.ts'
import type { FlowScope } from '../../flows/scope.ts'
import type { Logger } from '../../logging/logger.ts'
import { cutMessage, shareOf } from '../../progress/job-log.ts'
import { tryHasEnded } from '../../progress/job-logs.ts'
import type { JobLogs } from '../../progress/job-logs.ts'
import { recordedLogger } from '../../progress/recorded-logger.ts'
import type { Claim } from '../../redis/broker.ts'
import type { JobContext } from '../../tasks/context.ts'
import type { HandlerRun } from './handler-run.ts'

/**
 * Builds arq's `ctx`: a shallow copy of the worker's state, and the job's own fields, which win. The costly ones (signal,
 * log) are made on first use.
 */
export function makeContext(
  run: HandlerRun,
  state: Readonly<Record<string, unknown>>,
  client: Client,
  logs: JobLogs | undefined,
  flowOf: (claim: Claim) => FlowScope,
): JobContext {
  return new Context(run, state, client, { logs, flowOf }) as unknown as JobContext
}

/** True where earlier tries of the context's job ended with the death of their worker: it may kill this one, too. */
export function isSuspect(ctx: JobContext): boolean {
  return Context.deathsOf(ctx) > 0
}

class Context {
  static deathsOf(ctx: object): number {
    return #run in ctx ? ctx.#run.claim.deaths : 0
  }

  readonly #run: HandlerRun
  #log: Logger | undefined
  readonly #logs: JobLogs | undefined
  readonly #flowOf: (claim: Claim) => FlowScope

  constructor(
    run: HandlerRun,
    state: Readonly<Record<string, unknown>>,
    client: Client,
    { flowOf, logs }: { logs: JobLogs | undefined; flowOf: (claim: Claim) => FlowScope },
  ) {
    this.#run = run
    this.#logs = logs
    this.#flowOf = flowOf
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

  get flow(): FlowScope {
    return this.#flowOf(this.#run.claim)
  }

  get log(): Logger {
    this.#log ??= this.#makeLog()
    return this.#log
  }

  progress(fraction: number, message?: string): void {
    const about = message === undefined ? {} : { message: cutMessage(String(message)) }
    this.#logs?.add(this.#run.claim, { kind: 'progress', fraction: shareOf(fraction), ...about })
  }

  emit(value: unknown): Promise<void> {
    const emitted = this.#emit(value)
    // The handler's to await; one that does not must not end the process by it.
    emitted.catch(() => {})
    return emitted
  }

  async #emit(value: unknown): Promise<void> {
    const logs = this.#logs
    if (!logs)
      throw new OptionsError('ctx.emit: this worker has `recorder: false` and writes no stream; leave that option out')
    const { claim, isOver, task } = this.#run
    if (isOver) throw tryHasEnded()
    // Not awaited where it need not be: pieces keep the order of their calls.
    const packed = task.packEmitted?.(value)
    await logs.emit(claim, task.packEmitted === undefined ? value : packed instanceof Promise ? await packed : packed)
  }

  #makeLog(): Logger {
    const { claim, log, task } = this.#run
    const own = log.child({ jobId: claim.jobId, function: task.name })
    const logs = this.#logs
    if (!logs || !task.record?.logs) return own
    return recordedLogger(own, (level, message, fields) =>
      logs.add(claim, { kind: 'log', level, message, ...(fields ? { fields } : {}) }),
    )
  }
}
