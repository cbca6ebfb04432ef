import type { Forecast, Headline, Overview as Data, SeriesAnswer } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { ForecastChart } from '../charts/forecast-chart.tsx'
import { brief } from '../format/duration.ts'
import { capital } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { range, rangeWords } from '../state/range.ts'
import { Empty, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Mark } from '../ui/status.tsx'
import { useSteady } from '../ui/steady.ts'
import { FailingFunctions } from './failing.tsx'
import { OverviewCharts } from './overview-charts.tsx'
import { lede, split, title } from './overview-words.ts'
import { QueueTable } from './queue-table.tsx'
import { ill } from './queue-words.ts'
import { seriesPath } from './recorded-charts.tsx'

/** Present problems, how they came about, and what comes next. */
export function Overview() {
  const overview = useResource<Data>('overview', { topic: 'overview' })
  const forecast = useResource<Forecast>('forecast', { everyMs: 60_000 })
  return (
    <Loaded of={overview}>
      {(data) => (
        <Page
          title={title(data).map(({ text, code }, i) => (code ? <code key={i}>{text}</code> : text))}
          lede={lede(data)}
        >
          {data.headlines.length > 0 && <Findings of={data.headlines} now={data.nowMs} />}
          {data.queues.length === 0 ? (
            <FirstJob />
          ) : (
            <>
              <OverviewCharts queues={data.queues} now={data.nowMs} />
              <div class="columns">
                <Queues data={data} />
                <FailingFunctions />
              </div>
              {forecast.data && <Arrivals of={forecast.data} />}
            </>
          )}
          <Limits of={data.incomplete} />
        </Page>
      )}
    </Loaded>
  )
}

function Queues({ data }: { data: Data }) {
  const depth = useResource<SeriesAnswer>(seriesPath('depth', 'queue'), { everyMs: 60_000, keep: true })
  const sorted = [...data.queues].sort(
    (a, b) => Number(ill(b, data.nowMs)) - Number(ill(a, data.nowMs)) || b.pending - a.pending,
  )
  const { rows, hold } = useSteady(sorted, (queue) => queue.queueName)
  return (
    <div {...hold}>
      <Section title="Queues" more={<a href={to('/queues')}>All queues</a>}>
        <QueueTable queues={rows.slice(0, 8)} depth={depth.data} now={data.nowMs} range={rangeWords[range.value]} />
        {rows.length > 8 && <Limits of={[`${rows.length - 8} more queues are on their own page`]} />}
      </Section>
    </div>
  )
}

function Arrivals({ of }: { of: Forecast }) {
  return (
    <Section
      title="Arrivals already known, next 24 hours"
      remark="Exact, by half hour: read from due times and cron rules. Jobs enqueued from now on come on top."
      more={<a href={to('/queues')}>Forecast by queue</a>}
    >
      <ForecastChart of={of} />
      <Limits of={of.limits} />
    </Section>
  )
}

const targets: Record<Headline['subject']['type'], (name: string) => [string, string]> = {
  queue: (name) => [to('/queue', { name }), 'Open the queue'],
  function: (name) =>
    name === '*'
      ? [to('/functions'), 'Open the functions']
      : [to('/functions', { function: name }), 'Open the function'],
  error: (name) => [to('/error', { fp: name }), 'Open the error'],
  server: () => [to('/doctor'), 'Open the doctor'],
}

function Findings({ of, now }: { of: Headline[]; now: number }) {
  return (
    <ul class="findings" aria-label="Findings">
      {of.map((finding) => {
        const [address, word] = targets[finding.subject.type](finding.subject.name)
        const name = finding.subject.name
        const [claim, rest] = split(finding.text.replace(`"${shown(name)}"`, () => shown(name)))
        return (
          <li key={`${finding.kind} ${finding.subject.name}`}>
            <Mark shape={finding.severity === 'error' ? 'failing' : 'warning'} />
            <p>
              <span class="sr">{finding.severity === 'error' ? 'Failing: ' : 'Warning: '}</span>
              <b>{name === '*' ? capital(claim) : coded(claim, finding)}</b>
              <span class="muted">{rest}</span>
            </p>
            <span class="since muted">{finding.sinceMs !== null && `for ${brief(now - finding.sinceMs)}`}</span>
            <a href={address} data-row>
              {word}
            </a>
          </li>
        )
      })}
    </ul>
  )
}

/** The claim, with the name of a function in monospace. */
function coded(claim: string, { subject }: Headline) {
  const name = shown(subject.name)
  const at = subject.type === 'function' ? claim.indexOf(name) : -1
  if (at < 0) return claim
  return (
    <>
      {claim.slice(0, at)}
      <code>{name}</code>
      {claim.slice(at + name.length)}
    </>
  )
}

const first = `// TypeScript
const client = new Client({ redis: 'redis://localhost:6379' })
await client.enqueue('hello', ['world'])

# Python
await (await create_pool()).enqueue_job('hello', 'world')`

function FirstJob() {
  return (
    <div class="section">
      <Empty title="Enqueue a first job, from either language.">
        <p>
          Both write the same keys. The queue stands here within two seconds; a worker of either language runs the job.
        </p>
        <pre class="code" tabIndex={0}>
          {first}
        </pre>
      </Empty>
    </div>
  )
}
