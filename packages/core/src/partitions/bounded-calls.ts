import { within } from '../time/interruptible-wait.ts'

/** Time that a worker waits for one partition before it turns to the others, in ms. */
export const ANSWER_LIMIT_MS = 1_000

/**
 * Asks partitions without waiting long for one whose node is away: while a call to a partition is unanswered, it sends no
 * other. For calls that are repeated often, and whose late answers are useless.
 */
export class BoundedCalls<About> {
  readonly #unanswered = new Set<About>()

  /** Returns the answer to a call to a partition, or `otherwise` if none comes in time. Rejects if the call fails in time. */
  async ask<R>(about: About, call: () => Promise<R>, otherwise: () => R): Promise<R> {
    if (this.#unanswered.has(about)) return otherwise()
    const answer = call()
    const settled = answer.then(
      () => {},
      () => {},
    )
    if (await within(settled, ANSWER_LIMIT_MS)) return answer
    this.#unanswered.add(about)
    void settled.then(() => this.#unanswered.delete(about))
    return otherwise()
  }
}

/** Makes a call with a signal that ends its attempts after `ANSWER_LIMIT_MS`, or when `signal` fires. */
export function withAnswerLimit<R>(
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const controller = new AbortController()
  const stop = () => controller.abort()
  const timer = setTimeout(stop, ANSWER_LIMIT_MS)
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  return call(controller.signal).finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  })
}
