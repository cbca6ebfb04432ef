/** Decides when a chunk runs and how its jobs end, without jobs, clock or handler. */
import { isMap } from '@arq-ts/protocol/values'
import { ResultError } from '../errors.ts'

/** Jobs that wait for others. */
export interface Gathering {
  /** Jobs that wait. */
  jobs: number
  /** Time the first one has waited, in ms. */
  waitedMs: number
  /** False where the worker cannot start a further job: waiting for one would be in vain. */
  canStartMore: boolean
  /** True once the worker stops: no further job comes. */
  isStopping: boolean
}

/** Milliseconds until the chunk runs; 0 or less: now. */
export function chunkWaitMs(gathering: Gathering, { size, waitMs }: { size: number; waitMs: number }): number {
  const { canStartMore, isStopping, jobs, waitedMs } = gathering
  if (jobs >= size || !canStartMore || isStopping) return 0
  return waitMs - waitedMs
}

/** The end of one job of a chunk. */
export type JobEnd = { kind: 'complete'; result: unknown } | { kind: 'fail'; error: unknown }

/** The ends of a chunk's jobs by what the handler returned; they count for jobs that it has not settled itself. */
export function endsOf(functionName: string, jobs: readonly { jobId: string }[], returned: unknown): JobEnd[] {
  const failAll = (problem: string): JobEnd[] => {
    const error = new ResultError(`${functionName}() returned ${problem}`)
    return jobs.map(() => ({ kind: 'fail', error }))
  }
  if (returned === undefined || returned === null) return jobs.map(() => ({ kind: 'complete', result: null }))
  if (Array.isArray(returned)) {
    if (returned.length !== jobs.length) return failAll(`${returned.length} results for ${jobs.length} jobs`)
    // Mapped over the jobs: `map` of the array would leave its holes out.
    return jobs.map((_, i) => ({ kind: 'complete', result: (returned as unknown[])[i] }))
  }
  if (!isMap(returned))
    return failAll(
      `${typeof returned === 'object' ? 'an object' : `a ${typeof returned}`} for a chunk; return nothing, an array ` +
        'with one result per job, or a Map from jobs to results',
    )
  return jobs.map((job) => {
    const key = returned.has(job) ? job : job.jobId
    if (returned.has(key)) return { kind: 'complete', result: returned.get(key) as unknown }
    const error = new ResultError(`${functionName}() returned a Map without a result for job '${job.jobId}'`)
    return { kind: 'fail', error }
  })
}
