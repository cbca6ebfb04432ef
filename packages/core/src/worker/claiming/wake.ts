import { MAX_TIMER_MS } from '../../time/timer.ts'

/** A latch between those who have news and one loop that sleeps: a `notify` is never missed, and many count as one. */
export class Wake {
  #pending = false
  #resolve: (() => void) | undefined

  notify(): void {
    this.#pending = true
    this.#resolve?.()
  }

  /** Resolves at the next `notify`, at once if one came since the last wait, or after `ms`. */
  async wait(ms = Infinity): Promise<void> {
    if (!this.#pending && ms > 0) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve
        // setTimeout takes at most 2^31 - 1 ms.
        const timer = ms === Infinity ? undefined : setTimeout(resolve, Math.min(ms, MAX_TIMER_MS))
        this.#resolve = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#resolve = undefined
    }
    this.#pending = false
  }
}
