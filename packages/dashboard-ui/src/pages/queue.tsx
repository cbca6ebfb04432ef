import type { Forecast, QueueDetails, QueueRow, SeriesData } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { useTopic } from '../api/stream.ts'
import { ForecastChart } from '../charts/forecast-chart.tsx'
import type { Series } from '../charts/line-chart.tsx'
import { capital, count, digits, number, rate } from '../format/number.ts'
import { brief, duration } from '../format/duration.ts'
import { moment } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { about } from '../format/chips.ts'
import { place, to } from '../router.ts'
import { perform, useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty, Facts, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Languages, QueueState } from '../ui/status.tsx'
import { empties } from './queue-table.tsx'
import { isLate, jobsIn } from './queue-words.ts'
import { failureTone, RecordedCharts, useSeries } from './recorded-charts.tsx'
import { PythonTable, WorkerTable } from './worker-tables.tsx'

/** One queue: whether it keeps up, what comes next, and who serves it. */
export function Queue() {
  const name = place.value.query.get('name') ?? ''
  const path = `queues/${segments(name)}`
  const details = useResource<QueueDetails>(path, { everyMs: 10_000 })
  const forecast = useResource<Forecast>(`${path}/forecast`, { everyMs: 60_000 })
  useChanged(details.reload)
  useTopic('queues', ({ queues, nowMs }) => {
    const fresh = queues.find(({ queueName }) => queueName === name)
    if (fresh && details.data) Object.assign(details.data, { queue: fresh, nowMs })
  })
  return <Loaded of={details}>{(data) => <Shown data={data} forecast={forecast.data} />}</Loaded>
}

function sentence(queue: QueueRow, now: number): string {
  const name = shown(queue.queueName)
  switch (queue.state) {
    case 'paused':
      return `${name} is paused. ${capital(digits(queue.pending, 'job'))} ${queue.pending === 1 ? 'waits' : 'wait'}.`
    case 'unserved':
      return `${name} has ${digits(queue.pending, 'due job')} and no worker.`
    case 'falling-behind':
      return `${name} is falling behind${queue.rates && queue.rates.netPerMinute > 0 ? ` by ${digits(Math.round(queue.rates.netPerMinute), 'job')} a minute` : ''}.`
    case 'damaged':
      return `${name} is damaged.`
    case 'empty':
      return queue.deferred
        ? `${name} has nothing due; ${digits(queue.deferred, 'job')} ${queue.deferred === 1 ? 'is' : 'are'} deferred.`
        : `${name} is empty.`
    default:
      if (isLate(queue, now)) return `${name} is late: ${digits(queue.pending, 'job')} due.`
      return typeof queue.emptiesAt === 'number'
        ? `${name} is on time, and empties at ${moment(queue.emptiesAt, now)}.`
        : `${name} is on time.`
  }
}

function under(queue: QueueRow, forecast: Forecast | undefined, now: number): string {
  const parts = []
  if (queue.oldestDueMs !== null)
    parts.push(`The oldest due job waits for ${duration(Math.max(0, now - queue.oldestDueMs))}`)
  if (queue.nextDueMs !== null && queue.nextDueMs > now)
    parts.push(`the next deferred one is due at ${moment(queue.nextDueMs, now)}`)
  if (forecast?.workersNeeded && queue.state === 'falling-behind')
    parts.push(`${count(forecast.workersNeeded, 'worker')} of the present kind would keep up`)
  return parts.length ? `${capital(parts.join('; '))}.` : ''
}

function Shown({ data, forecast }: { data: QueueDetails; forecast: Forecast | undefined }) {
  const { queue, nowMs } = data
  const path = `queues/${segments(queue.queueName)}`
  return (
    <Page
      before={
        <nav class="crumbs" aria-label="Where this page lies">
          <a href={to('/queues')}>Queues</a>
          <Icon name="chevron-right" size={12} />
          <span>{shown(queue.queueName)}</span>
        </nav>
      }
      title={sentence(queue, nowMs)}
      lede={under(queue, forecast, nowMs)}
      acts={
        <>
          {queue.paused
            ? may('resume') && (
                <button
                  type="button"
                  class="button primary"
                  data-key="p"
                  onClick={() => void perform(`${path}/resume`)}
                >
                  <Icon name="play" /> Resume
                </button>
              )
            : may('pause') && (
                <button type="button" class="button" data-key="p" onClick={() => void perform(`${path}/pause`)}>
                  <Icon name="pause" /> Pause
                </button>
              )}
          <a
            class="button"
            href={to('/jobs', {
              q: about('queue', queue.queueName),
            })}
            data-row
          >
            <Icon name="list" /> Its jobs
          </a>
        </>
      }
    >
      {queue.problems.length > 0 && <Limits of={queue.problems} />}
      <QueueCharts name={queue.queueName} row={queue} now={nowMs} />
      <div class="columns">
        <div>
          <Section title="Workers">
            {data.workers.length === 0 && data.python.length === 0 ? (
              <Empty title="No live worker serves this queue.">
                <p>
                  Start one with <code>queueName: '{shown(queue.queueName)}'</code>, or{' '}
                  <code>arq worker.WorkerSettings</code> with <code>queue_name</code>. Jobs wait meanwhile, until their
                  payload expires.
                </p>
              </Empty>
            ) : (
              <>
                {data.workers.length > 0 && <WorkerTable workers={data.workers} now={nowMs} />}
                {data.python.length > 0 && <PythonTable rows={data.python} />}
              </>
            )}
          </Section>
        </div>
        <aside>
          <Section title="Facts">
            <Facts
              of={[
                ['State', <QueueState key="s" state={queue.state} late={isLate(queue, nowMs)} />],
                ['Languages', queue.languages.length ? <Languages of={queue.languages} /> : 'none'],
                ['Due', jobsIn(queue, queue.pending, '≤ ')],
                ['Deferred', jobsIn(queue, queue.deferred, '≤ ')],
                ['Running', jobsIn(queue, queue.running, '≥ ')],
                ['Slots', queue.slots ? number(queue.slots) : null],
                ['In / min', rate(queue.rates?.inPerMinute)],
                ['Out / min', rate(queue.rates?.outPerMinute)],
                ['Change / min', queue.rates && rate(queue.rates.netPerMinute)],
                ['Empties', empties(queue, nowMs)],
                ['Complete', number(queue.complete)],
                ['Failed', number(queue.failed)],
                ['Aborted', number(queue.aborted)],
                [
                  'Dead letters',
                  queue.dead > 0 ? (
                    <a href={to('/jobs', { q: `status:dead ${about('queue', queue.queueName)}` })}>
                      {number(queue.dead)}
                    </a>
                  ) : (
                    '0'
                  ),
                ],
              ]}
            />
          </Section>
        </aside>
      </div>
      {forecast && (
        <Section
          title="Arrivals already known, next 24 hours"
          remark={forecast.capacityBasis ?? 'Exact, by half hour: read from due times and cron rules.'}
        >
          <ForecastChart of={forecast} />
          <Limits
            of={[
              forecast.later > 0 && `${digits(forecast.later, 'job')} ${forecast.later === 1 ? 'is' : 'are'} due later`,
              ...forecast.limits,
            ]}
          />
        </Section>
      )}
    </Page>
  )
}

function QueueCharts({ name, row, now }: { name: string; row: QueueRow; now: number }) {
  const depth = useSeries('depth', 'queue')
  const p50 = useSeries('wait-p50', 'queue')
  const p95 = useSeries('wait-p95', 'queue')
  const ended = useSeries('ended', 'queue')
  const failed = useSeries('failed', 'queue')
  const tone = row.state === 'falling-behind' || row.state === 'unserved' || isLate(row, now) ? 'warning' : 'accent'
  const mine = (make: (values: (number | null)[]) => Series) => (data: SeriesData) =>
    data.series.filter((one) => one.name === name).map(({ values }) => make(values))
  return (
    <RecordedCharts
      of={[
        {
          title: 'Jobs ended',
          unit: 'per minute',
          counts: true,
          format: rate,
          axis: number,
          lines: [
            [ended, mine((values) => ({ name: 'ended', values, tone: 'accent' }))],
            [failed, mine((values) => ({ name: 'failed', values, tone: failureTone(values), bars: true }))],
          ],
        },
        {
          title: 'Wait before start',
          unit: 'log scale',
          log: true,
          format: brief,
          lines: [
            [p95, mine((values) => ({ name: '95th', values, tone }))],
            [p50, mine((values) => ({ name: 'median', values, tone: 'other' }))],
          ],
        },
        {
          title: 'Jobs due',
          unit: 'at each moment',
          format: number,
          lines: [[depth, mine((values) => ({ name: 'due', values, tone }))]],
        },
      ]}
    />
  )
}
