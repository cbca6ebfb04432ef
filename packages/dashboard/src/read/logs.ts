import type { JobLogEntry } from '@arq-ts/core'
import type { JobLogs, LogLine } from '../api/types.ts'
import type { Board } from '../board.ts'

const MAX_LINES = 500
const MAX_MESSAGE = 8_192
const NOTHING = 'Nothing was recorded: the task does not record logs, none was written, or a Python worker ran it.'

/** Logs and progress of a job, as far as they are kept. */
export async function logs(board: Board, jobId: string, after: string | null): Promise<Omit<JobLogs, 'cost'>> {
  const found = await board.history.log(jobId, { limit: MAX_LINES, ...(after === null ? {} : { after }) })
  return {
    nowMs: await board.client.now(),
    jobId,
    available: true,
    why: found.length === 0 && after === null ? NOTHING : null,
    lines: found.flatMap((entry) => lineOf(board, jobId, entry) ?? []),
    progress: progressOf(found),
    cursor: found.at(-1)?.id ?? after,
  }
}

/** An entry of a job's log for the page; null for one that is no line. */
export function lineOf(board: Board, jobId: string, entry: JobLogEntry): LogLine | null {
  // A piece of a result is data of the job, which a page of logs does not show.
  if (entry.kind === 'end' || entry.kind === 'chunk') return null
  const { atMs, id, jobTry } = entry
  const percent = entry.kind === 'progress' ? `${Math.round(entry.fraction * 100)} %` : ''
  const fields = entry.kind === 'log' && entry.fields ? ` ${JSON.stringify(entry.fields)}` : ''
  const text = `${entry.message ?? percent}${fields}`
  const message = board.redaction.log({ jobId, functionName: null, queueName: null }, text).slice(0, MAX_MESSAGE)
  return { id, atMs, jobTry, message, level: entry.kind === 'progress' ? 'progress' : entry.level }
}

/** The newest progress among entries. */
export function progressOf(entries: readonly JobLogEntry[]): JobLogs['progress'] {
  const newest = entries.findLast((entry) => entry.kind === 'progress')
  if (newest?.kind !== 'progress') return null
  return { done: Math.round(newest.fraction * 1_000) / 10, total: 100, text: newest.message ?? null, atMs: newest.atMs }
}
