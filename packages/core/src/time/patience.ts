import { MAX_TIMER_MS } from './timer.ts'

/** Waiting with a bound, which its owner may cut short for good. patient → hurried */
export class Patience {
  #hurried = false
  #resolve: (() => void) | undefined

  hurry(): void {
    this.#hurried = true
    this.#resolve?.()
  }

  /** Waits for something, for `ms` at most, or less when told to hurry. */
  async wait(ending: Promise<unknown>, ms: number): Promise<void> {
    if (this.#hurried) return
    const hurried = new Promise<void>((resolve) => (this.#resolve = resolve))
    await within(Promise.race([ending, hurried]), ms)
    this.#resolve = undefined
  }
}

/** Waits for something, for `ms` at most; whether it ended in time. Rejects with it. */
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
