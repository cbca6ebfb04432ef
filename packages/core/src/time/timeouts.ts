import { MAX_TIMER_MS } from './timer.ts'

/** A wait that is under way. */
export interface Timeout {
  /** Its place in the list; only the list changes it. */
  index: number
  /** End of its time, on the monotonic clock. */
  readonly atMs: number
  readonly onOver: () => void
}

/**
 * Time limits of many waits, watched by one timer, which stays while waits come and go: to set and clear one for each call
 * costs as much as to write the call.
 *
 * idle (no timer) → armed, for the earliest limit → armed for the earliest that is left … → idle
 */
export class Timeouts {
  readonly #waits: Timeout[] = []
  #timer: NodeJS.Timeout | undefined
  /** Time at which the timer fires; no limit ends earlier. */
  #firesAtMs = Infinity

  /** Calls `onOver` once `ms` have passed since `nowMs`, unless the wait is ended before. It keeps no process up. */
  begin(ms: number, nowMs: number, onOver: () => void): Timeout {
    const wait: Timeout = { index: this.#waits.length, atMs: nowMs + ms, onOver }
    this.#waits.push(wait)
    if (wait.atMs < this.#firesAtMs) this.#arm(wait.atMs, nowMs)
    return wait
  }

  end(wait: Timeout): void {
    if (this.#waits[wait.index] !== wait) return
    const last = this.#waits.pop()!
    if (last === wait) return
    last.index = wait.index
    this.#waits[wait.index] = last
  }

  #arm(atMs: number, nowMs: number): void {
    clearTimeout(this.#timer)
    this.#firesAtMs = atMs
    // Not before its time, where the clock of timers is a fraction of a millisecond ahead.
    this.#timer = setTimeout(this.#fire, Math.min(Math.max(1, Math.ceil(atMs - nowMs)), MAX_TIMER_MS)).unref()
  }

  readonly #fire = (): void => {
    const nowMs = performance.now()
    this.#firesAtMs = Infinity
    for (const wait of this.#waits.filter(({ atMs }) => atMs - nowMs < 1)) {
      this.end(wait)
      wait.onOver()
    }
    let nextMs = Infinity
    for (const { atMs } of this.#waits) nextMs = Math.min(nextMs, atMs)
    if (nextMs < this.#firesAtMs) this.#arm(nextMs, nowMs)
  }
}
