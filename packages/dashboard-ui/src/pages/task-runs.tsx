import type { ComponentChildren } from 'preact'
import type { JobPage, JobRow } from '@arq-ts/dashboard/api'
import { withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { capital, count } from '../format/number.ts'
import { to } from '../router.ts'
import { Empty, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { JobTable } from './job-table.tsx'

interface Props {
  functionName: string
  /** The thing that a run is: "canary deployment". */
  noun: string
  teach: ComponentChildren
}

const none: ReadonlySet<string> = new Set()

/** Runs of one task, those at work first. */
function TaskRuns({ functionName, noun, teach }: Props) {
  const open = useResource<JobPage>(withQuery('jobs', { q: `function:${functionName}`, limit: 50 }), { everyMs: 5_000 })
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
              <Section title="Now" more={<a href={to('/jobs', { q: `function:${functionName}` })}>All jobs</a>}>
                <Rows jobs={data.jobs} now={data.nowMs} />
              </Section>
            )}
            {past.length > 0 && (
              <Section title="Ended">
                <Rows jobs={past} now={data.nowMs} />
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

function Rows({ jobs, now }: { jobs: JobRow[]; now: number }) {
  return <JobTable jobs={jobs} now={now} picked={none} pick={() => undefined} selectable={false} />
}

/** Canary deployments: runs of the task that shifts traffic by stages. */
export function Canaries() {
  return (
    <TaskRuns
      functionName="run_canary_deployment"
      noun="canary deployment"
      teach={
        <Empty title="A canary shifts traffic to a new version, stage by stage.">
          <p>
            Enqueue <code>run_canary_deployment</code> of <code>@arq-ts/canary</code> (or the Python task of that name).
            Its stages, guards and outcome are on the page of its job.
          </p>
        </Empty>
      }
    />
  )
}

/** The write-behind cache: runs of the task that persists it. */
export function Cache() {
  return (
    <TaskRuns
      functionName="persist_cache"
      noun="persisting run"
      teach={
        <Empty title="A write-behind cache collects writes in Redis, and a job stores them.">
          <p>
            Enqueue <code>persist_cache</code> of <code>@arq-ts/write-behind</code>, by cron or by hand. Each run says
            how many entries it stored, and what it left.
          </p>
        </Empty>
      }
    />
  )
}
