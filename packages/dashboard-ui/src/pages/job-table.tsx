import type { JobRow } from '@arq-ts/dashboard/api'
import { brief } from '../format/duration.ts'
import { full, moment } from '../format/time.ts'
import { to } from '../router.ts'
import { JobStatus, Mark } from '../ui/status.tsx'
import { useSteady } from '../ui/steady.ts'

interface Props {
  jobs: JobRow[]
  now: number
  picked: ReadonlySet<string>
  pick: (picked: ReadonlySet<string>) => void
  selectable: boolean
}

/** Jobs in rows. `x` selects the row that has the focus. */
export function JobTable({ jobs, now, picked, pick, selectable }: Props) {
  const { rows, hold } = useSteady(jobs, (job) => `${job.queueName} ${job.jobId}`)
  const toggle = (id: string) => {
    const next = new Set(picked)
    if (!next.delete(id)) next.add(id)
    pick(next)
  }
  const all = rows.length > 0 && rows.every(({ jobId }) => picked.has(jobId))
  return (
    <div
      class="scroll"
      {...hold}
      onKeyDown={(event) => {
        const row =
          event.key === 'x' && event.target instanceof Element ? event.target.closest('tr')?.dataset['id'] : undefined
        if (row !== undefined && selectable) toggle(row)
      }}
    >
      <table class="jobs">
        <thead>
          <tr>
            {selectable && (
              <th scope="col" class="tick">
                <input
                  type="checkbox"
                  aria-label="Select all jobs shown"
                  checked={all}
                  onChange={() => pick(all ? new Set() : new Set(rows.map(({ jobId }) => jobId)))}
                />
              </th>
            )}
            <th scope="col">Job</th>
            <th scope="col">State</th>
            <th scope="col" class="wide">
              Arguments
            </th>
            <th scope="col" class="minor">
              Queue
            </th>
            <th scope="col" class="n minor">
              Try
            </th>
            <th scope="col" class="n">
              When
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((job) => (
            <tr
              key={`${job.queueName} ${job.jobId}`}
              data-id={job.jobId}
              aria-selected={picked.has(job.jobId) ? 'true' : undefined}
            >
              {selectable && (
                <td class="tick">
                  <input
                    type="checkbox"
                    aria-label={`Select the job ${job.jobId}`}
                    checked={picked.has(job.jobId)}
                    onChange={() => toggle(job.jobId)}
                  />
                </td>
              )}
              <td class="two">
                <a href={to('/job', { id: job.jobId, queue: job.queueName })} data-row>
                  <code>{job.functionName ?? '(unreadable)'}</code>
                </a>
                <small class="mono">{short(job.jobId)}</small>
              </td>
              <td>
                <JobStatus status={job.status} />
              </td>
              <td class="clip wide">
                <span class="mono muted" title={job.call}>
                  {job.call}
                </span>
                {job.error && (
                  <small class="fault" title={job.error}>
                    {job.error}
                  </small>
                )}
                {job.problems.length > 0 && (
                  <small class="warning" title={job.problems.join(' ')}>
                    <Mark shape="warning" size={12} /> {job.problems[0]}
                  </small>
                )}
              </td>
              <td class="minor name muted">{job.queueName}</td>
              <td class="n fade minor">{job.jobTry || '–'}</td>
              <td class="n fade" title={whenTitle(job)}>
                {when(job, now)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const short = (id: string): string => (id.length > 28 ? `${id.slice(0, 27)}…` : id)

function when(job: JobRow, now: number): string {
  if (job.finishedMs !== null) return moment(job.finishedMs, now)
  if (job.status === 'running') return job.enqueuedMs === null ? '' : `enqueued ${moment(job.enqueuedMs, now)}`
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
