import type { ErrorDetails } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { LineChart } from '../charts/line-chart.tsx'
import { digits, list, number } from '../format/number.ts'
import { full, moment } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { place, to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { ErrorBox } from '../ui/code.tsx'
import { Icon } from '../ui/icon.tsx'
import { Facts, Loaded, Page, Section } from '../ui/parts.tsx'
import { Languages } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { GroupActs, isNew } from './errors.tsx'

/** One group of failures. */
export function ErrorPage() {
  const fp = place.value.query.get('fp') ?? ''
  const error = useResource<ErrorDetails>(`errors/${segments(fp)}`, { everyMs: 10_000 })
  useChanged(error.reload)
  return <Loaded of={error}>{(data) => <Shown data={data} />}</Loaded>
}

function Shown({ data: { group, jobs, nowMs } }: { data: ErrorDetails }) {
  const words = { open: '', muted: ' It is muted.', resolved: ' It is marked as fixed.' }[group.state]
  return (
    <Page
      before={
        <nav class="crumbs" aria-label="Where this page lies">
          <a href={to('/errors')}>Errors</a>
          <Icon name="chevron-right" size={12} />
          <span class="mono">{group.fingerprint}</span>
        </nav>
      }
      title={
        <>
          {group.type} in <code>{list(group.functions, 2)}</code>
        </>
      }
      lede={`${digits(group.count, 'job')} failed like this since ${moment(group.firstMs, nowMs)}, the last at ${moment(group.lastMs, nowMs)}.${words}`}
      acts={<GroupActs group={group} />}
    >
      {group.trend && (
        <div class="section">
          <LineChart
            title="Failures"
            unit="per step"
            fromMs={group.trend.fromMs}
            stepMs={group.trend.stepMs}
            series={[
              {
                name: 'failed',
                values: group.trend.counts,
                tone: isNew(group, nowMs) ? 'failing' : 'other',
                bars: true,
              },
            ]}
            format={number}
          />
        </div>
      )}
      <div class="columns">
        <div>
          <Section
            title="Error"
            remark={group.stack ? 'the newest' : 'no stack was recorded'}
            more={group.example && <a href={to('/job', { id: group.example })}>Open the newest job</a>}
          >
            <ErrorBox error={group.message ? `${group.type}: ${group.message}` : group.type} stack={group.stack} />
          </Section>
          <Section
            title="Dead letters"
            remark={group.dead > jobs.length ? `the newest ${jobs.length} of ${number(group.dead)}` : ''}
          >
            <Table
              label="Dead letters"
              columns={columns(nowMs)}
              rows={jobs}
              keyOf={({ jobId, queueName }) => `${queueName} ${jobId}`}
              open={({ jobId, queueName }) => to('/job', { id: jobId, queue: queueName })}
              empty={<p class="muted">No dead letter of this error is kept.</p>}
            />
          </Section>
        </div>
        <aside>
          <Section title="Facts">
            <Facts
              of={[
                ['Functions', list(group.functions, 4)],
                ['Queues', list(group.queues, 4)],
                ['Languages', group.languages.length > 0 && <Languages key="l" of={group.languages} />],
                [
                  'First',
                  <time key="f" title={full(group.firstMs)}>
                    {moment(group.firstMs, nowMs)}
                  </time>,
                ],
                [
                  'Last',
                  <time key="t" title={full(group.lastMs)}>
                    {moment(group.lastMs, nowMs)}
                  </time>,
                ],
                ['Failures', number(group.count)],
                ['Dead letters', number(group.dead)],
              ]}
            />
          </Section>
        </aside>
      </div>
    </Page>
  )
}

const columns = (now: number): Column<ErrorDetails['jobs'][number]>[] => [
  {
    name: 'Job',
    names: true,
    tone: 'name',
    cell: ({ functionName }) => <code>{shown(functionName)}</code>,
    under: ({ jobId }) => <span class="mono">{shown(jobId)}</span>,
  },
  { name: 'Error', hide: 'wide', tone: 'clip muted', title: ({ error }) => error, cell: ({ error }) => error },
  { name: 'Failed', number: true, tone: 'fade', cell: ({ failedAtMs }) => moment(failedAtMs, now) },
]
