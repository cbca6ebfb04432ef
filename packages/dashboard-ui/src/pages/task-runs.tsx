import type { ComponentChildren } from 'preact'
import type { JobPage } from '@arq-ts/dashboard/api'
import { withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { capital, count } from '../format/number.ts'
import { about } from '../format/chips.ts'
import { to } from '../router.ts'
import { Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { JobTable } from './job-table.tsx'

interface Props {
  functionName: string
  /** The thing that a run is: "canary deployment". */
  noun: string
  teach: ComponentChildren
}

/** Runs of one task, those at work first: all that can be shown without its package. */
export function TaskRuns({ functionName, noun, teach }: Props) {
  const open = useResource<JobPage>(withQuery('jobs', { q: about('function', functionName), limit: 50 }), {
    everyMs: 5_000,
  })
  const ended = useResource<JobPage>(
    withQuery('jobs', { q: `function:${functionName} status:complete,failed,aborted,dead`, limit: 50 }),
    { everyMs: 10_000 },
  )
  return (
    <Loaded of={open}>
      {(data) => {
        const past = ended.data?.jobs ?? []
        const running = data.jobs.filter(({ status }) => status === 'running').length
        const failed = past.filter(({ status }) => status === 'failed' || status === 'dead').length
        return (
          <Page
            title={
              running
                ? `${capital(count(running, noun))} ${running === 1 ? 'runs' : 'run'} now.`
                : data.jobs.length
                  ? `${capital(count(data.jobs.length, noun))} ${data.jobs.length === 1 ? 'waits' : 'wait'}.`
                  : `No ${noun} runs or waits.`
            }
            lede={
              past.length
                ? `${capital(count(past.length, 'has ended', 'have ended'))} as far as results are kept${failed ? `; ${count(failed, 'failed', 'failed')}` : ''}.`
                : ''
            }
          >
            {data.jobs.length > 0 && (
              <Section title="Now" more={<a href={to('/jobs', { q: about('function', functionName) })}>All jobs</a>}>
                <JobTable label="Jobs that have not ended" jobs={data.jobs} now={data.nowMs} />
              </Section>
            )}
            {past.length > 0 && (
              <Section title="Ended">
                <JobTable label="Jobs that have ended" jobs={past} now={data.nowMs} />
              </Section>
            )}
            {data.jobs.length === 0 && past.length === 0 && <div class="section">{teach}</div>}
            <Limits
              of={[
                !data.exhausted && 'More jobs were not searched for this page',
                'A run’s page has its stages, logs and result',
              ]}
            />
          </Page>
        )
      }}
    </Loaded>
  )
}
