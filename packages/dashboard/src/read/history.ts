import type { JobDetails, RecordedTry } from '@arq-ts/core'
import type { JobHistory, TryRow } from '../api/types.ts'
import type { Board } from '../board.ts'
import type { Sight } from '../users/sight.ts'
import { queueOf } from './jobs.ts'
import { auditRow } from './recorded.ts'
import { timeOf } from './show.ts'

/** Tries of one job that the recorder keeps. */
const KEPT_TRIES = 20
const OUTCOMES = { retried: 'retried', failed: 'failed', 'lease-lost': 'lost' } as const

/** The tries of a job, from its recorded failures to what it does now, and the changes that people made to it. */
export async function history(
  board: Board,
  jobId: string,
  given: string | null,
  sight: Sight,
): Promise<Omit<JobHistory, 'cost'>> {
  const { client } = board
  const queueName = await queueOf(board, jobId, given)
  const [job, tries, changes] = await Promise.all([
    client.jobs.details(jobId, { queueName: queueName ?? '' }),
    board.history.tries(jobId),
    board.history.audit({ limit: 200 }),
  ])
  const limits = ['Python workers record no tries before the last one.']
  if (tries.length === KEPT_TRIES) limits.unshift(`Only the last ${KEPT_TRIES} tries are kept.`)
  const about = { jobId, functionName: job.functionName, queueName: job.queueName }
  const stacks = await stacksOf(board, tries, sight)
  return {
    nowMs: await client.now(),
    jobId,
    tries: timelineOf(job, tries).map((row, i) => ({
      ...row,
      error: board.redaction.error(about, row.error),
      stack: board.redaction.error(about, stacks.get(tries[i]?.fingerprint ?? '') ?? null),
    })),
    changes: changes.filter(({ resource }) => resource === `job ${jobId}`).map(auditRow),
    limits,
  }
}

/** Stacks by fingerprint: each is kept once for all errors alike, so that it may be that of another queue's job. */
async function stacksOf(board: Board, tries: readonly RecordedTry[], sight: Sight): Promise<Map<string, string>> {
  const fingerprints = [...new Set(tries.flatMap(({ fingerprint }) => fingerprint ?? []))]
  const found = await Promise.all(fingerprints.map((each) => board.history.error(each)))
  const groups = found.flatMap((group) => group ?? [])
  const sees = await sight.over(groups.flatMap(({ queues }) => queues))
  const shown = groups.filter(({ queues }) => queues.every(sees))
  return new Map(shown.flatMap(({ fingerprint, stack }) => (stack ? [[fingerprint, stack] as const] : [])))
}

/** Recorded tries in order, and after them the try that ended the job, runs, or is waited for. Pure. */
export function timelineOf(job: JobDetails, tries: readonly RecordedTry[]): TryRow[] {
  const rows: TryRow[] = []
  let fromMs = timeOf(job.enqueueTime)
  for (const { atMs, error, jobTry, kind, startedMs, workerId } of tries) {
    const [outcome, stack] = [OUTCOMES[kind], null]
    rows.push({ jobTry, workerId, fromMs, startedMs, finishedMs: atMs, outcome, error: error ?? null, stack })
    fromMs = atMs
  }
  const last = lastOf(job, fromMs)
  const known = tries.at(-1)
  const isRecorded = known?.kind === 'failed' && last?.outcome === 'failed' && known.jobTry >= last.jobTry
  return last && !isRecorded ? [...rows, last] : rows
}

function lastOf(job: JobDetails, fromMs: number | null): TryRow | null {
  const { error, jobTry, status, workerId } = job
  const [startedMs, finishedMs] = [timeOf(job.startTime), timeOf(job.finishTime)]
  const row = { jobTry, workerId, fromMs, startedMs, finishedMs, error: null, stack: null }
  switch (status) {
    case 'complete':
    case 'aborted':
      return { ...row, outcome: status }
    case 'failed':
    case 'dead':
      return { ...row, outcome: 'failed', error }
    case 'running':
      return { ...row, finishedMs: null, outcome: 'running' }
    case 'not_found':
      return null
    default:
      return { ...row, jobTry: jobTry + 1, workerId: null, startedMs: null, finishedMs: null, outcome: 'waiting' }
  }
}
