import { MAX_TIMER_MS } from './timer.ts'

/** A moment up to which something is waited for. */
export class Deadline {
  /** The whole time, in ms; Infinity without a bound. */
  readonly ms: number
  readonly #atMs: number

  /** `nowMs`: the time from which it counts, on the monotonic clock. */
  constructor(ms = Infinity, nowMs = performance.now()) {
    this.ms = ms
    this.#atMs = nowMs + ms
  }

  /** In ms, not negative. */
  get leftMs(): number {
    return Math.max(0, this.#atMs - performance.now())
  }

  /** Timers may fire a little early. */
  get isOver(): boolean {
    return this.leftMs < 1
  }

  /** Resolves as the promise does, or rejects with the error of `late` once the time is over; the promise itself continues. */
  race<T>(promise: Promise<T>, late: () => Error): Promise<T> {
    const { leftMs } = this
    if (leftMs > MAX_TIMER_MS) return promise
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => reject(late()), leftMs)
      promise.then(
        (value) => {
          clearTimeout(timer)
          resolve(value)
        },
        (error: unknown) => {
          clearTimeout(timer)
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors
          reject(error)
        },
      )
    })
  }
}
