/** Time of a failed job's next run. Pure: randomness is handed in. */

export interface RetryPolicy {
  /** Milliseconds until the second try. */
  delayMs: number
  /**
   * Growth of the delay: `exponential` (default) doubles it with each try, `fixed` keeps it, and a function returns it
   * in ms for the try that failed (from 1).
   */
  backoff?: 'exponential' | 'fixed' | ((failedTry: number, error: unknown) => number)
  /** The share of the delay that is drawn at random, 0 to 1; `true` is 0.5. Default 0: the guide's plain delays. */
  jitter?: number | boolean
  /** Upper bound of a delay in ms. Default: one day. */
  maxDelayMs?: number
}

/** Defaults of the optional parts of a retry policy. */
export const retryDefaults = Object.freeze({
  backoff: 'exponential',
  jitter: 0,
  maxDelayMs: 86_400_000,
} as const) satisfies Omit<Required<RetryPolicy>, 'delayMs'>

/**
 * The delay before the next try, in whole ms. A backoff function that throws or gives nonsense counts as `delayMs`:
 * a fault in the policy must not lose the job.
 *
 * @param failedTry - the try that failed, from 1.
 * @param random - in [0, 1).
 */
export function retryDelayMs(policy: RetryPolicy, failedTry: number, error: unknown, random: number): number {
  const max = policy.maxDelayMs ?? retryDefaults.maxDelayMs
  const wanted = Math.min(backoffMs(policy, failedTry, error), max)
  const jitter = policy.jitter === true ? 0.5 : Number(policy.jitter ?? retryDefaults.jitter)
  return Math.max(0, Math.round(wanted * (1 - jitter * random)))
}

function backoffMs(policy: RetryPolicy, failedTry: number, error: unknown): number {
  const { backoff = retryDefaults.backoff, delayMs } = policy
  if (backoff === 'fixed') return delayMs
  if (backoff === 'exponential') return delayMs * 2 ** Math.min(failedTry - 1, 60)
  try {
    const given = backoff(failedTry, error)
    return Number.isFinite(given) && given >= 0 ? given : delayMs
  } catch {
    return delayMs
  }
}
