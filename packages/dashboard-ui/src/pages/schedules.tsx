import { useState } from 'preact/hooks'
import type { ScheduleList, ScheduleRow } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { brief } from '../format/duration.ts'
import { capital, count, list } from '../format/number.ts'
import { full, moment } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { perform, useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty, Limits, Loaded, Page } from '../ui/parts.tsx'
import { Status } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { ScheduleForm } from './schedule-form.tsx'
import { ruleWords, scheduleState } from './schedule-words.ts'

/** Schedules that were made at run time. */
export function Schedules() {
  const schedules = useResource<ScheduleList>('schedules', { everyMs: 10_000 })
  useChanged(schedules.reload)
  return <Loaded of={schedules}>{(data) => <Shown data={data} />}</Loaded>
}

/** The sentence of the list. */
function title({ notes, schedules }: ScheduleList): string {
  const broken = schedules.filter(({ problem }) => problem !== null)
  const paused = schedules.filter((each) => each.paused)
  if (schedules.length === 0) return 'No schedule was made.'
  if (broken.length > 0)
    return `${list(broken.map(({ name }) => name))} ${broken.length === 1 ? 'does' : 'do'} not tick.`
  const verb = notes.length > 0 ? 'shown' : 'kept'
  const all = `${capital(count(schedules.length, 'schedule'))} ${schedules.length === 1 ? 'is' : 'are'} ${verb}`
  return paused.length > 0 ? `${all}; ${count(paused.length, 'is', 'are')} paused.` : `${all}, and none is paused.`
}

function Shown({ data }: { data: ScheduleList }) {
  const [making, setMaking] = useState(false)
  const { nowMs, notes, schedules } = data
  const rank = ({ nextMs, problem }: ScheduleRow) => (problem === null ? (nextMs ?? Infinity) : -1)
  const sorted = schedules.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  const next = sorted.find(({ nextMs }) => nextMs !== null)
  return (
    <Page
      title={title(data)}
      lede={
        next
          ? `${shown(next.name)} is next, at ${moment(next.nextMs!, nowMs)}, in ${brief(Math.max(0, next.nextMs! - nowMs))}.`
          : schedules.length > 0
            ? 'None has a tick to come.'
            : ''
      }
      acts={
        <>
          {may('put-schedule') && (
            <button type="button" class="button" data-key="n" onClick={() => setMaking(true)}>
              <Icon name="plus" /> New schedule…
            </button>
          )}
          <a class="button" href={to('/cron')}>
            <Icon name="clock" /> Calendar
          </a>
        </>
      }
    >
      <div class="section">
        <Table
          label="Schedules"
          columns={columns(nowMs)}
          rows={sorted}
          keyOf={({ name }) => name}
          open={({ name }) => to('/schedule', { name })}
          order="order"
          empty={
            <Empty title="A schedule is data: it comes and goes while the fleet runs.">
              <p>
                Make one here, by <code>client.schedules.put(name, &#123; cron, task &#125;)</code>, or from Python by{' '}
                <code>enqueue_job('arq-ts:schedule', 'put', name, …)</code>. Every TypeScript worker of the database
                enqueues its ticks, each once. Cron jobs that belong to a worker’s code stand on the page{' '}
                <a href={to('/cron')}>Cron</a>.
              </p>
            </Empty>
          }
        />
      </div>
      <Limits of={[...schedules.map(({ name, problem }) => problem && `${shown(name)}: ${problem}`), ...notes]} />
      {making && <ScheduleForm of={null} close={() => setMaking(false)} />}
    </Page>
  )
}

const columns = (now: number): (Column<ScheduleRow> | false)[] => [
  {
    name: 'Schedule',
    names: true,
    tone: 'anywhere',
    by: ({ name }) => name,
    cell: ({ name }) => name,
    under: ({ functionName }) => <span class="mono">{shown(functionName)}</span>,
  },
  {
    name: 'State',
    cell: (row) => {
      const [shape, word] = scheduleState(row)
      return (
        <Status shape={shape} calm={shape === 'on-time'} tinted={shape === 'failing'}>
          {word}
        </Status>
      )
    },
  },
  { name: 'Ticks', hide: 'wide', tone: 'mono fade', cell: ruleWords },
  {
    name: 'Queue',
    hide: 'minor',
    tone: 'name fade',
    by: ({ queueName }) => queueName,
    cell: ({ queueName }) => queueName,
  },
  {
    name: 'Last',
    number: true,
    hide: 'wide',
    tone: 'fade',
    by: ({ last }) => last?.atMs ?? null,
    cell: ({ last, queueName }) =>
      last ? <a href={to('/job', { id: last.jobId, queue: queueName })}>{moment(last.atMs, now)}</a> : '–',
  },
  {
    name: 'Next',
    number: true,
    by: ({ nextMs }) => (nextMs === null ? null : -nextMs),
    title: ({ nextMs }) => (nextMs === null ? '' : full(nextMs)),
    cell: ({ nextMs }) => (nextMs === null ? '–' : `in ${brief(Math.max(0, nextMs - now))}`),
  },
  may('pause') &&
    may('resume') && {
      name: 'Act',
      silent: true,
      number: true,
      cell: ({ name, paused, problem }) =>
        problem === null && (
          <button
            type="button"
            class="link"
            onClick={() => void perform(`schedules/${segments(name)}/${paused ? 'resume' : 'pause'}`)}
          >
            {paused ? 'Resume' : 'Pause'}
            <span class="sr"> {shown(name)}</span>
          </button>
        ),
    },
]
