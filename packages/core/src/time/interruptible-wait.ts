import { MAX_TIMER_MS } from './timer.ts'

/** Bounded waits that their owner may end for good, as a second signal ends a graceful stop. patient → hurried */
export class InterruptibleWait {
  #hurried = false
  #resolve: (() => void) | undefined

  /** Ends the wait under way and all that follow. */
  hurry(): void {
    this.#hurried = true
    this.#resolve?.()
  }

  /** Waits for a promise, for `ms` at most, or less when it is hurried. */
  async wait(ending: Promise<unknown>, ms: number): Promise<void> {
    if (this.#hurried) return
    const hurried = new Promise<void>((resolve) => (this.#resolve = resolve))
    await within(Promise.race([ending, hurried]), ms)
    this.#resolve = undefined
  }
}

/** Waits for a promise, or until `signal` fires: undefined then, whatever becomes of the promise. Rejects with it. */
export async function untilAborted<T>(ending: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let stop = () => {}
  const stopped = new Promise<undefined>((resolve) => (stop = () => resolve(undefined)))
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop)
  try {
    return await Promise.race([ending, stopped])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Waits for a promise, for `ms` at most; true when it ended in time. Rejects with it. */
export async function within(ending: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS), false)
  })
  try {
    return await Promise.race([ending.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
