import type { Aftermath } from './plan.ts'

/** A run of a job whose persister failed, or was cut short. */
export interface FailedRun {
  /** The code of what was thrown, where it has one. */
  code: unknown
  /** For a `Retry`: when it wants to come again. */
  deferMs: number | undefined
  /** The code of why the job's signal fired; null where it did not. */
  cutBy: unknown
  jobTry: number
  maxTries: number
  /** Milliseconds until the next try, where there is one. */
  retryMs: number
  carriesValue: boolean
  epoch: number | null
}

const FINAL = new Set<unknown>(['ARQ_NON_RETRYABLE', 'ARQ_ARGUMENTS'])

/** Pure: what becomes of the value, by the worker's own rules for the job. */
export function aftermathOf(run: FailedRun): Aftermath {
  const { carriesValue, code, cutBy, epoch, jobTry, maxTries, retryMs } = run
  const isLast = jobTry >= maxTries
  const inMs = run.deferMs ?? retryMs
  if (cutBy === 'ARQ_JOB_TIMEOUT' && isLast) return { then: 'die', carriesValue, epoch, inMs }
  // It comes again or not; and if it does, it may have come already, and have left the key to the run that ends here.
  if (cutBy !== null) return { then: 'leave' }
  return isLast || FINAL.has(code) ? { then: 'die', carriesValue, epoch, inMs } : { then: 'retry', inMs }
}
