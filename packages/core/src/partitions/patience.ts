import { within } from '../time/interruptible-wait.ts'

/** Time that a worker waits for one partition before it turns to the others, in ms. */
export const PATIENCE_MS = 1_000

/**
 * Asks partitions without waiting long for one whose node is away: while a call about it has no answer, no other is sent.
 * For questions that are asked again and again, and whose late answers nobody needs.
 */
export class Patience<About> {
  readonly #unanswered = new Set<About>()

  /** The answer to a call about a partition, or `otherwise` where none comes in time. Rejects with a call that fails in time. */
  async ask<R>(about: About, call: () => Promise<R>, otherwise: () => R): Promise<R> {
    if (this.#unanswered.has(about)) return otherwise()
    const answer = call()
    const settled = answer.then(
      () => {},
      () => {},
    )
    if (await within(settled, PATIENCE_MS)) return answer
    this.#unanswered.add(about)
    void settled.then(() => this.#unanswered.delete(about))
    return otherwise()
  }
}

/** A signal that ends the attempts of a call which one failed attempt follows another for too long, or when `signal` does. */
export function impatient<R>(signal: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<R>): Promise<R> {
  const controller = new AbortController()
  const stop = () => controller.abort()
  const timer = setTimeout(stop, PATIENCE_MS)
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  return call(controller.signal).finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  })
}
