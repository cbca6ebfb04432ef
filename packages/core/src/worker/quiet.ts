import type { Logger } from '../logging/logger.ts'
import type { WorkerOrders } from '../redis/worker-orders.ts'

export interface QuietOptions {
  orders: WorkerOrders
  workerId: string
  log: Logger
  /** The number of jobs that run, for the log. */
  countRunning: () => number
  /** Called when the worker is to claim nothing more, or to claim again. */
  onChange: (isQuiet: boolean) => void
}

/**
 * Follows the orders of an operator: a quiet worker claims nothing more, ends what it runs, and stays up. The order is
 * looked for with each heartbeat and at once when it is announced. Where it is gone from Redis, which may have lost it,
 * the worker keeps to it and writes it again: only `resume` ends it, or the end of the worker.
 *
 * claiming ⇄ quiet → stopped
 */
export class Quiet {
  readonly #options: QuietOptions
  #isQuiet = false
  #isStopped = false
  #looking: Promise<void> | undefined
  #isAskedAgain = false

  constructor(options: QuietOptions) {
    this.#options = options
  }

  /** True while the worker is to claim nothing. */
  get isQuiet(): boolean {
    return this.#isQuiet
  }

  /** Looks for an order; one that is announced meanwhile is looked for right after. Rejects where Redis refuses. */
  look(): Promise<void> {
    this.#isAskedAgain = true
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  /** Removes the order from Redis once the look under way has ended. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    await this.#looking?.catch(() => {})
    if (this.#isQuiet) await this.#options.orders.remove(this.#options.workerId)
  }

  async #look(): Promise<void> {
    const { orders, workerId } = this.#options
    while (this.#isAskedAgain && !this.#isStopped) {
      this.#isAskedAgain = false
      const order = await orders.read(workerId)
      if (order !== null) this.#follow(order === 'quiet')
      if (this.#isQuiet && order !== 'resume' && !this.#isStopped) await orders.keep(workerId, 'quiet')
    }
  }

  #follow(isQuiet: boolean): void {
    if (isQuiet === this.#isQuiet || this.#isStopped) return
    this.#isQuiet = isQuiet
    const { countRunning, log, onChange } = this.#options
    if (isQuiet) log.info(`quiet by order: no more jobs are claimed, ${countRunning()} running ones end`)
    else log.info('resumed by order: jobs are claimed again')
    onChange(isQuiet)
  }
}
