import type { Logger } from '../logging/logger.ts'
import { activeLayers } from './active-layers.ts'
import type { Attempt, AttemptEnd, Middleware } from './middleware.ts'

/** Hears the end of a try. Never throws. */
export type OnAttemptEnd = (end: AttemptEnd) => void

/**
 * The observe side of middleware: it reports the start of a try, and returns the one to report its end to. Undefined while
 * none of it is active. `attemptOf` describes the try where somebody looks.
 */
export function observerOf(
  middleware: readonly Middleware[],
  log: Pick<Logger, 'error'>,
): <Run>(run: Run, attemptOf: (run: Run) => Attempt) => OnAttemptEnd | undefined {
  const layersNow = activeLayers(middleware, 'observe')
  const report = (error: unknown, { jobId }: Attempt) => {
    log.error({ err: error, jobId }, `a middleware failed to observe job ${jobId}; the job is not affected`)
  }
  return (run, attemptOf) => {
    const layers = layersNow()
    if (layers.length === 0) return undefined
    const attempt = attemptOf(run)
    /** An error reaches the log whether it is thrown or rejected, which nobody would hear: it would end the process. */
    const safely = <T>(call: () => T): T | undefined => {
      try {
        const returned = call()
        if (returned instanceof Promise) returned.catch((error: unknown) => report(error, attempt))
        return returned
      } catch (error) {
        report(error, attempt)
        return undefined
      }
    }
    const ends = layers.map((observe) => safely(() => observe(attempt)))
    return (end) => {
      for (const onEnd of ends) if (typeof onEnd === 'function') safely(() => onEnd(end))
    }
  }
}
