import { setTimeout as sleep } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Default 10,000. */
  timeoutMs?: number
  /** Default 10. */
  intervalMs?: number
}

/** Asks again until `check` neither throws nor gives a falsy value, and gives what it gave. Rejects with the last failure. */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeoutMs = 10_000, intervalMs = 10 } = options
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let failure: unknown
    try {
      const value = await check()
      if (value) return value
      failure = new Error(`it is still ${String(value)}`)
    } catch (error) {
      failure = error
    }
    if (performance.now() >= deadline)
      throw new Error(`not within ${timeoutMs} ms: ${(failure as Error).message}`, { cause: failure })
    await sleep(intervalMs)
  }
}
