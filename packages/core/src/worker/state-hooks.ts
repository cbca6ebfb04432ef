import type { Logger } from '../logging/logger.ts'
import type { WorkerState } from '../options/worker.ts'

type Hook = ((state: WorkerState) => unknown) | undefined

/**
 * The hooks of a worker's own life. `onShutdown` ends what `onStartup` began: it comes once that has ended, however
 * late, and not at all where it failed or never began.
 *
 * idle → beginning → begun | failed; begun → ended
 */
export class StateHooks {
  readonly #state: WorkerState
  readonly #onStartup: Hook
  readonly #onShutdown: Hook
  readonly #log: Logger
  #beginning: Promise<void> | undefined
  #phase: 'beginning' | 'begun' | 'failed' = 'beginning'

  constructor(options: { state: WorkerState; onStartup: Hook; onShutdown: Hook; log: Logger }) {
    this.#state = options.state
    this.#onStartup = options.onStartup
    this.#onShutdown = options.onShutdown
    this.#log = options.log
  }

  /** Rejects with what `onStartup` throws. */
  begin(): Promise<void> {
    this.#beginning ??= this.#begin()
    return this.#beginning
  }

  /**
   * @param wait - waits for an `onStartup` that is still at work, for a time that the caller bounds; after that the
   *   worker ends without it, and `onShutdown` follows it in the background.
   */
  async end(wait: (beginning: Promise<void>) => Promise<void>): Promise<void> {
    const beginning = this.#beginning?.catch(() => {})
    if (!beginning) return
    const ended = beginning.then(() => (this.#phase === 'begun' ? this.#onShutdown?.(this.#state) : undefined))
    if (this.#phase === 'beginning') await wait(beginning)
    if (this.#phase !== 'beginning') return void (await ended)
    this.#log.error('the worker ends while onStartup is still at work; onShutdown follows it')
    ended.catch((error: unknown) => this.#log.error({ err: error }, 'the onShutdown hook failed'))
  }

  async #begin(): Promise<void> {
    try {
      const provided = await this.#onStartup?.(this.#state)
      if (isRecord(provided)) Object.assign(this.#state, provided)
      this.#phase = 'begun'
    } catch (error) {
      this.#phase = 'failed'
      throw error
    }
  }
}

/** Context from `onStartup`; an arrow function may return anything else by chance. */
function isRecord(value: unknown): value is WorkerState {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
