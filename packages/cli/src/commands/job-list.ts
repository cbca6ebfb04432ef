import { showId } from '@arq-ts/protocol/jobs'
import type { JobFilter, JobState, ListedJob } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { callText, counted, countText, whenText } from '../output.ts'
import type { Column } from '../output.ts'
import { searchOf, UNSEEN_QUEUES, withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { scoreText } from './queue.ts'

/** Flags that say which jobs are meant. */
export interface JobFilterArgs {
  queue?: string | undefined
  status?: readonly JobState[] | undefined
  function?: string | undefined
  text?: string | undefined
  olderThan?: number | undefined
  deep?: boolean | undefined
}

const columns = (nowMs: number): readonly Column<ListedJob>[] => [
  { title: 'job', cell: (job) => showId(job.jobId), min: 8 },
  { title: 'function', cell: (job) => job.info?.functionName ?? '–', min: 8 },
  { title: 'queue', cell: (job) => (job.queueName === null ? '–' : showId(job.queueName)), min: 6, drop: 2 },
  { title: 'status', cell: (job) => job.status },
  { title: 'tries', cell: (job) => String(job.jobTry), align: 'right', drop: 3 },
  { title: 'due / ended', cell: (job) => placeText(job, nowMs) },
  { title: 'worker', cell: (job) => job.holder ?? '–', min: 6, drop: 4 },
  { title: 'arguments / error', cell: detail, min: 12 },
]

/** A held job waits for no time: its score is that of the hold. */
function placeText({ finishTime, hold, score }: ListedJob, nowMs: number): string {
  if (finishTime) return whenText(finishTime, nowMs)
  return hold ? `held: ${hold.by}` : scoreText(score, nowMs)
}

function detail(job: ListedJob): string {
  if (job.problems.length > 0) return job.problems.join('; ')
  return job.error ?? (job.info ? callText(job.info.args, job.info.kwargs, 200) : '–')
}

/** `job ls` */
export function list(args: GlobalArgs & JobFilterArgs & { limit: number }): Promise<number> {
  return withSession(args, async (session) => {
    const { out, nowMs } = session
    const { jobs, incomplete, isMore } = await findJobs(session, args, args.limit)
    if (isMore) incomplete.push(`the first ${countText(args.limit)}; --limit shows more`)
    const shown = columnsFor(args, jobs, nowMs)
    out.list(jobs, shown, { name: 'jobs', none: noneText(args), incomplete })
    return EXIT.ok
  })
}

function noneText(args: JobFilterArgs): string {
  const where = args.queue === undefined ? 'in any queue' : `in ${showId(args.queue)}`
  return `no such jobs ${where}`
}

/** Without the columns that would say the same of every job. */
function columnsFor(args: JobFilterArgs, jobs: readonly ListedJob[], nowMs: number): Column<ListedJob>[] {
  return columns(nowMs).filter(({ title }) => {
    if (title === 'worker') return jobs.some((job) => job.holder !== null)
    return title !== 'queue' || args.queue === undefined
  })
}

/** Jobs that match, up to a limit, and everything that was not looked at. */
export async function findJobs(
  session: Session,
  args: JobFilterArgs,
  limit: number,
): Promise<{ jobs: ListedJob[]; incomplete: string[]; isMore: boolean }> {
  const { client, out } = session
  const progress = out.progress('jobs looked at')
  const filter: JobFilter = {
    ...(args.status?.length ? { statuses: args.status } : {}),
    ...(args.function === undefined ? {} : { functionName: args.function }),
    ...(args.text === undefined ? {} : { text: args.text }),
    ...(args.olderThan === undefined ? {} : { olderThanMs: args.olderThan }),
    onProgress: progress.update,
  }
  const incomplete: string[] = []
  const jobs: ListedJob[] = []
  let isMore = false
  /** Queues that are known, then, unless these have enough jobs, those that a look through the database finds. */
  async function* queues(): AsyncGenerator<readonly string[]> {
    const search = { ...searchOf(session, args), only: 'waiting' } as const
    const found = args.queue === undefined ? client.queues.discover(search) : [{ names: [args.queue], complete: true }]
    let isComplete = false
    for await (const { names, complete } of found) {
      const unreadable = await client.queues.unreadable(names)
      incomplete.push(...unreadable.map(({ problem }) => problem))
      isComplete = complete
      yield names.filter((name) => !unreadable.some(({ queueName }) => queueName === name))
    }
    if (!isComplete) incomplete.push(`${UNSEEN_QUEUES}; --deep looks at all, --queue names one`)
  }
  try {
    const all = args.queue === undefined
    for await (const job of client.jobs.list({ ...filter, queueNames: queues(), everyQueue: all })) {
      isMore = jobs.length >= limit
      if (isMore) break
      jobs.push(job)
    }
  } finally {
    progress.done()
  }
  return { jobs, incomplete, isMore }
}

/** Nothing given must not mean all. */
export function hasFilter(args: JobFilterArgs): boolean {
  return (
    [args.queue, args.function, args.text, args.olderThan].some((each) => each !== undefined) || !!args.status?.length
  )
}

/** @throws CommandError where neither ids nor a filter is given. */
export function checkChosen(ids: readonly string[], args: JobFilterArgs & { all?: boolean | undefined }): void {
  if (ids.length > 0 || hasFilter(args) || args.all) return
  throw new CommandError('choose jobs: ids, --status, --function, --queue, --text, --older-than, or --all')
}

/** `3 jobs`, with the states they are in. */
export function jobsText(jobs: readonly ListedJob[]): string {
  const states = new Map<JobState, number>()
  for (const { status } of jobs) states.set(status, (states.get(status) ?? 0) + 1)
  const parts = [...states].map(([status, count]) => `${countText(count)} ${status}`)
  return counted(jobs.length, 'job') + (parts.length > 0 ? ` (${parts.join(', ')})` : '')
}
