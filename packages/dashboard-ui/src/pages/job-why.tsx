import type { JobExplanation, JobView } from '@arq-ts/dashboard/api'
import { segments, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { capital } from '../format/number.ts'
import { Failure } from '../ui/parts.tsx'
import { Mark } from '../ui/status.tsx'
import { otherReasons } from './why-words.ts'

/** The reason why a job does not run, and all that a worker asks before it runs one. */
export function Why({ job }: { job: JobView }) {
  const why = useResource<JobExplanation>(withQuery(`jobs/${segments(job.jobId)}/explain`, { queue: job.queueName }), {
    everyMs: 10_000,
  })
  if (why.failure && !why.data) return <Failure of={why.failure} retry={why.reload} />
  if (!why.data) return null
  const { reasons } = why.data
  // Of a running job its holder is the answer.
  const holder = job.status === 'running' ? reasons.find(({ detail }) => / runs it/.test(detail)) : undefined
  const headline = holder?.detail ?? why.data.headline
  const waits = reasons.some(({ ok }) => ok === false)
  const shape = waits ? 'warning' : 'on-time'
  // The reason that holds the job comes first; the headline repeats the reason that decides.
  const sorted = otherReasons(reasons, headline).sort((a, b) => rank(a.ok) - rank(b.ok))
  return (
    <section class={`section why ${waits ? 'waits' : ''}`}>
      <h2>{job.status === 'running' ? 'Who runs it?' : 'Why does it not run?'}</h2>
      <div>
        <p class="decides">
          <Mark shape={job.status === 'running' && !waits ? 'running' : shape} />
          <b>{sentence(headline)}</b>
        </p>
        <ul class="checks">
          {sorted.map(({ check, ok, detail }) => (
            <li key={check}>
              <Mark shape={ok === false ? 'warning' : ok ? 'on-time' : 'open'} />
              <span>
                <span class="sr">{ok === false ? 'Holds it: ' : ok ? 'Well: ' : 'Nobody can know: '}</span>
                {sentence(detail)}
              </span>
            </li>
          ))}
        </ul>
      </div>
    </section>
  )
}

const rank = (ok: boolean | null): number => (ok === false ? 0 : ok === null ? 1 : 2)

/** The text as a sentence. A name at its beginning stays as it is. */
const sentence = (text: string): string => {
  const full = /[.!?]$/.test(text) ? text : `${text}.`
  return /^[a-z]+[ ,]/.test(full) ? capital(full) : full
}
