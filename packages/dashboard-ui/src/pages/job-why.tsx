import type { JobExplanation, JobView } from '@arq-ts/dashboard/api'
import { segments, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { capital } from '../format/number.ts'
import { Failure } from '../ui/parts.tsx'
import { Mark } from '../ui/status.tsx'

/** The reason why a job does not run, and all that a worker asks before it runs one. */
export function Why({ job }: { job: JobView }) {
  const why = useResource<JobExplanation>(withQuery(`jobs/${segments(job.jobId)}/explain`, { queue: job.queueName }), {
    everyMs: 10_000,
  })
  if (why.failure && !why.data) return <Failure of={why.failure} retry={why.reload} />
  if (!why.data) return null
  const { headline, reasons } = why.data
  const waits = reasons.some(({ ok }) => ok === false)
  // What holds the job stands first.
  const sorted = [...reasons].sort((a, b) => rank(a.ok) - rank(b.ok))
  return (
    <section class={`section why ${waits ? 'waits' : ''}`}>
      <h2>{job.status === 'running' ? 'Who runs it?' : 'Why does it not run?'}</h2>
      <div>
        <b>{end(capital(headline))}</b>
        <ul class="checks">
          {sorted.map(({ check, ok, detail }) => (
            <li key={check}>
              <Mark shape={ok === false ? 'warning' : ok ? 'on-time' : 'open'} />
              <span>
                <span class="sr">{ok === false ? 'Holds it: ' : ok ? 'Well: ' : 'Nobody can know: '}</span>
                {end(capital(detail))}
              </span>
            </li>
          ))}
        </ul>
      </div>
    </section>
  )
}

const rank = (ok: boolean | null): number => (ok === false ? 0 : ok === null ? 1 : 2)
const end = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
