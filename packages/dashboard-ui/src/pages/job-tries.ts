/** The tries of a job, with what follows from its other fields. Pure. */

import type { JobHistory, JobView, TryRow } from '@arq-ts/dashboard/api'

const none: TryRow = {
  jobTry: 1,
  workerId: null,
  fromMs: null,
  startedMs: null,
  finishedMs: null,
  outcome: 'waiting',
  error: null,
  stack: null,
}

const ended = { complete: 'complete', failed: 'failed', dead: 'failed', aborted: 'aborted' } as const

/**
 * The recorded tries; the one that runs, waits or has ended, where it is not among them; and the beginning of each
 * wait: the end of the try before, or the enqueueing for the first.
 */
export function triesOf(job: JobView, recorded: readonly TryRow[]): TryRow[] {
  const tries = [...recorded].sort((a, b) => a.jobTry - b.jobTry)
  const current = last(job, tries.at(-1))
  if (current) tries.push(current)
  return tries.map((row, i) => {
    const before = tries[i - 1]
    const fromMs = row.fromMs ?? (before ? follows(before, row) : row.jobTry === 1 ? job.enqueuedMs : null)
    return { ...row, fromMs }
  })
}

/** The end of the try before, where no try between the two is missing. */
const follows = (before: TryRow, row: TryRow): number | null =>
  row.jobTry === before.jobTry + 1 ? before.finishedMs : null

/** The try that is not recorded yet; tries are recorded at a failure, so that one that ended well is in the result alone. */
function last(job: JobView, newest: TryRow | undefined): TryRow | null {
  const { status, startedMs, finishedMs } = job
  const isOpen = newest?.outcome === 'running' || newest?.outcome === 'waiting'
  if (isOpen) return null
  if (status === 'running') {
    const jobTry = Math.max(job.jobTry, newest ? newest.jobTry + 1 : 1)
    return { ...none, jobTry, outcome: 'running', workerId: job.holder?.workerId ?? null, startedMs }
  }
  if (status === 'queued' || status === 'deferred' || status === 'retrying') {
    return { ...none, jobTry: Math.max(job.jobTry + 1, newest ? newest.jobTry + 1 : 1) }
  }
  if (status === 'not_found' || finishedMs === null) return null
  const jobTry = Math.max(1, job.jobTry)
  if (newest && newest.jobTry >= jobTry && newest.outcome !== 'retried') return null
  return { ...none, jobTry, outcome: ended[status], startedMs, finishedMs, error: job.error }
}

/** The limits of a history that concern this job: Python's are left out where each try has its worker. */
export function limitsOf(history: JobHistory, tries: readonly TryRow[]): string[] {
  const isWhole = tries.every(({ workerId, outcome }) => workerId !== null || outcome === 'waiting')
  return history.limits.filter((limit) => !isWhole || !/Python/.test(limit))
}
