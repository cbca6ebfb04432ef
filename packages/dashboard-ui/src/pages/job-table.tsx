import type { JobRow } from '@arq-ts/dashboard/api'
import { brief } from '../format/duration.ts'
import { full, moment } from '../format/time.ts'
import { short, shown } from '../format/names.ts'
import { to } from '../router.ts'
import { JobStatus, Mark } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'

interface Props {
  label: string
  jobs: JobRow[]
  now: number
  /** Selected ids, if rows can be selected. */
  picked?: ReadonlySet<string>
  pick?: (picked: ReadonlySet<string>) => void
}

/** Jobs in rows. */
export function JobTable({ label, jobs, now, picked, pick }: Props) {
  return (
    <Table
      label={label}
      columns={columns(now)}
      rows={jobs}
      keyOf={(job) => `${job.queueName} ${job.jobId}`}
      open={(job) => to('/job', { id: job.jobId, queue: job.queueName })}
      selection={picked && pick && { picked, pick, idOf: ({ jobId }) => jobId, noun: 'job' }}
    />
  )
}

// No order by a column: it would sort only the jobs of this page, not all that match.
const columns = (now: number): Column<JobRow>[] => [
  {
    name: 'Job',
    names: true,
    tone: 'name',
    cell: ({ functionName }) => <code>{functionName === null ? '(unreadable)' : shown(functionName)}</code>,
    under: ({ jobId }) => <span class="mono id">{short(jobId)}</span>,
  },
  { name: 'State', cell: ({ status }) => <JobStatus status={status} /> },
  {
    name: 'Arguments',
    hide: 'wide',
    tone: 'clip',
    cell: ({ call, error, problems }) => (
      <>
        <span class="mono muted" title={call}>
          {call}
        </span>
        {error && (
          <small class="fault" title={error}>
            {error}
          </small>
        )}
        {problems.length > 0 && (
          <small class="warning" title={problems.join(' ')}>
            <Mark shape="warning" size={12} /> {problems[0]}
          </small>
        )}
      </>
    ),
  },
  { name: 'Queue', hide: 'minor', tone: 'name muted', cell: ({ queueName }) => queueName },
  { name: 'Try', number: true, hide: 'minor', tone: 'fade', cell: ({ jobTry }) => jobTry || '–' },
  { name: 'When', number: true, tone: 'fade', cell: (job) => when(job, now), title: whenTitle },
]

function when(job: JobRow, now: number): string {
  if (job.finishedMs !== null) return moment(job.finishedMs, now)
  if (job.status === 'running') return job.enqueuedMs === null ? '' : `enqueued ${moment(job.enqueuedMs, now)}`
  if (job.heldBy !== null) return `held: ${job.heldBy}`
  if (job.dueMs === null) return '–'
  return job.dueMs > now ? `in ${brief(job.dueMs - now)}` : `waits ${brief(now - job.dueMs)}`
}

function whenTitle(job: JobRow): string {
  return [
    job.enqueuedMs !== null && `Enqueued ${full(job.enqueuedMs)}`,
    job.dueMs !== null && `${job.status === 'running' ? 'Lease ends' : 'Due'} ${full(job.dueMs)}`,
    job.finishedMs !== null && `Ended ${full(job.finishedMs)}`,
  ]
    .filter(Boolean)
    .join('\n')
}
