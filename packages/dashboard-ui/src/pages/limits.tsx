import type { LimitList, LimitRow } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { count, digits, list, number } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { Empty, Limits as Remarks, Loaded, Page } from '../ui/parts.tsx'
import { Status } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { boundWords, isFull, limitName, limitsTitle } from './limit-words.ts'

/** Limits in force, and the jobs that they hold back. */
export function Limits() {
  const limits = useResource<LimitList>('limits', { everyMs: 5_000 })
  useChanged(limits.reload)
  return <Loaded of={limits}>{(data) => <Shown data={data} />}</Loaded>
}

function Shown({ data: { limits, notes } }: { data: LimitList }) {
  const running = limits.reduce((sum, limit) => sum + limit.running, 0)
  return (
    <Page
      title={limitsTitle(limits)}
      lede={
        limits.length > 0
          ? `${digits(running, 'job')} ${running === 1 ? 'runs' : 'run'} under ${count(limits.length, 'limit')}.`
          : ''
      }
    >
      <div class="section">
        <Table
          label="Limits"
          columns={columns}
          rows={limits}
          keyOf={limitName}
          open={({ key, name }) => to('/limit', { name, key })}
          order="order"
          empty={
            <Empty title="A limit bounds how many jobs run at a time, or how often they start.">
              <p>
                A task declares one as <code>limits: [&#123; name: 'api', concurrency: 4 &#125;]</code>, and it may be
                changed at run time by <code>client.limits.set(name, …)</code>. A job without a place waits in its
                queue, without a try and without a slot; it stands here then.
              </p>
            </Empty>
          }
        />
      </div>
      <Remarks of={limits.length > 0 ? notes : []} />
    </Page>
  )
}

/** Places that are taken, as a bar; a limit without a number of places has none. */
export function Places({ of }: { of: LimitRow }) {
  const { concurrency, running } = of
  if (concurrency === null) return <>{number(running)}</>
  const width = 96
  return (
    <>
      <svg class="slots" width={width} height={8} aria-hidden="true">
        <rect class="room" width={width} height={8} rx={2} />
        <rect
          class="taken"
          width={concurrency > 0 ? Math.min(width, (running / concurrency) * width) : 0}
          height={8}
          rx={2}
        />
      </svg>{' '}
      {number(running)} of {number(concurrency)}
    </>
  )
}

/** The state of a limit. A limit that holds jobs back is no failure, so nothing is tinted. */
export function LimitState({ of }: { of: LimitRow }) {
  if (of.isKeyed) return <Status shape="open">one for each key</Status>
  if (of.waiting > 0) return <Status shape="paused">holds jobs back</Status>
  return isFull(of) ? (
    <Status shape="running">full</Status>
  ) : (
    <Status shape="on-time" calm>
      has room
    </Status>
  )
}

const columns: Column<LimitRow>[] = [
  {
    name: 'Limit',
    names: true,
    tone: 'anywhere',
    by: limitName,
    cell: ({ key, name }) => (
      <>
        {shown(name)}
        {key !== null && <span class="muted">:{shown(key)}</span>}
      </>
    ),
    under: ({ functions }) => functions.length > 0 && <span class="mono">{list(functions)}</span>,
  },
  { name: 'State', cell: (limit) => <LimitState of={limit} /> },
  {
    name: 'Places taken',
    tone: 'num name',
    by: ({ running }) => running,
    cell: (limit) => (limit.isKeyed ? '–' : <Places of={limit} />),
  },
  {
    name: 'Wait',
    number: true,
    by: ({ waiting }) => waiting,
    tone: ({ waiting }) => (waiting > 0 ? 'warning strong' : 'fade'),
    cell: ({ isKeyed, waiting }) => (isKeyed ? '–' : number(waiting)),
  },
  { name: 'Bound', hide: 'wide', tone: 'fade', cell: boundWords },
  {
    name: 'Set',
    hide: 'minor',
    tone: 'fade',
    by: ({ isSet }) => Number(isSet),
    cell: ({ isSet }) => (isSet ? 'at run time' : 'by its task'),
  },
]
