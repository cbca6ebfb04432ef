import { useState } from 'preact/hooks'
import type { FlowMemberRow, FlowView } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { useTopic } from '../api/stream.ts'
import { MOST_NODES } from '../charts/flow-folds.ts'
import { duration } from '../format/duration.ts'
import { capital, count, digits, list, number } from '../format/number.ts'
import { moment } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { place, setQuery, to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Confirm, type ConfirmRequest } from '../ui/confirm.tsx'
import { Icon } from '../ui/icon.tsx'
import { Limits, Loaded, Page, Section, Segmented } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { FlowGraph, GraphKey, MemberStatus } from './flow-graph.tsx'
import { byWeight, flowTitle, isOpen } from './flow-words.ts'

/** One flow: how far it is, as a graph, and its members. */
export function Flow() {
  const id = place.value.query.get('id') ?? ''
  const flow = useResource<FlowView>(`flows/${segments(id)}`, { everyMs: 5_000 })
  useChanged(flow.reload)
  const jobs = new Set(flow.data?.members.map(({ jobId }) => jobId))
  useTopic(flow.data?.endedMs === null ? 'events' : null, ({ events }) => {
    if (events.some(({ jobId }) => jobs.has(jobId))) flow.reload()
  })
  if (!flow.data && flow.failure?.code === 'not_found') {
    return (
      <Page
        before={<Crumbs id={id} />}
        title="There is no such flow."
        lede="It was never started, or its time is over: a flow is kept for a day after its end, unless `keepMs` says otherwise."
      />
    )
  }
  return <Loaded of={flow}>{(data) => <Shown data={data} />}</Loaded>
}

function Crumbs({ id }: { id: string }) {
  return (
    <nav class="crumbs" aria-label="Where this page lies">
      <a href={to('/flows')}>Flows</a>
      <Icon name="chevron-right" size={12} />
      <span class="mono">{shown(id)}</span>
    </nav>
  )
}

const filters = [
  ['all', 'All'],
  ['open', 'Not ended'],
  ['failed', 'Not succeeded'],
] as const
type Filter = (typeof filters)[number][0]

function Shown({ data }: { data: FlowView }) {
  const [asked, setAsked] = useState<ConfirmRequest | null>(null)
  const [all, setAll] = useState(false)
  const [picked, setPicked] = useState<ReadonlySet<string> | null>(null)
  const filter = filterIn(place.value.query.get('members'))
  const fits = (member: FlowMemberRow) =>
    filter === 'all' || (filter === 'open' ? isOpen(member) : !isOpen(member) && member.state !== 'success')
  const fitting = data.members.filter((member) => (picked ? picked.has(member.name) : fits(member)))
  // A small flow lists its members in the order of the graph; a large one begins with those that need attention.
  const rows = data.members.length > MOST_NODES ? byWeight(fitting) : fitting
  const listed = all ? rows : rows.slice(0, MOST_ROWS)
  return (
    <Page
      before={<Crumbs id={data.flowId} />}
      title={
        <>
          <code>{shown(data.name)}</code>
          {flowTitle(data)}
        </>
      }
      lede={lede(data)}
      acts={<Acts data={data} ask={setAsked} />}
    >
      <Section title="Graph" more={<GraphKey members={data.members} />}>
        <FlowGraph members={data.members} pick={(members) => setPicked(new Set(members.map(({ name }) => name)))} />
      </Section>
      <Section
        title="Members"
        remark={rows.length < data.members.length ? `${number(rows.length)} of ${number(data.members.length)}` : ''}
      >
        <div class="chips">
          <Segmented
            label="Members"
            options={filters}
            value={picked ? ('' as Filter) : filter}
            pick={(name) => {
              setPicked(null)
              setQuery({ members: name === 'all' ? null : name }, { replace: true })
            }}
          />
        </div>
        <Table
          label="Members"
          columns={columns(data.members)}
          rows={listed}
          keyOf={({ name }) => name}
          open={({ jobId, queueName }) => to('/job', { id: jobId, queue: queueName })}
          order="order"
          empty={<p class="muted">No member of this kind.</p>}
        />
        {listed.length < rows.length && (
          <p class="section">
            <button type="button" class="link" onClick={() => setAll(true)}>
              Show all {digits(rows.length, 'member')}
            </button>
          </p>
        )}
      </Section>
      <Limits
        of={[
          data.hidden > 0 &&
            `${digits(data.hidden, 'member')} that you may not see ${data.hidden === 1 ? 'is' : 'are'} left out`,
          data.onUnknown === 'succeed' && 'A member that leaves no trace of how it ended counts as one that succeeded',
        ]}
      />
      {asked && <Confirm of={asked} close={() => setAsked(null)} />}
    </Page>
  )
}

/** The line under the title. */
function lede({ endedMs, members, nowMs, startedMs }: FlowView): string {
  const never = members.filter(({ state }) => state === 'blocked').length
  const parts = [
    `Started at ${moment(startedMs, nowMs)}`,
    endedMs === null ? `runs for ${duration(Math.max(0, nowMs - startedMs))}` : `took ${duration(endedMs - startedMs)}`,
    never > 0 && `${count(never, 'member')} could not start after that`,
  ]
  return `${capital(parts.filter(Boolean).join('; '))}.`
}

const MOST_ROWS = 100

const filterIn = (text: string | null): Filter => filters.find(([name]) => name === text)?.[0] ?? 'all'

function Acts({ data, ask }: { data: FlowView; ask: (asked: ConfirmRequest) => void }) {
  const path = `flows/${segments(data.flowId)}`
  const running = data.members.filter(({ state }) => state === 'running').length
  const waiting = data.members.filter(isOpen).length - running
  const lost = data.members.filter(({ state }) =>
    ['failure', 'aborted', 'unknown', 'blocked', 'cancelled'].includes(state),
  )
  if (data.endedMs === null) {
    return may('cancel-flow') && data.state !== 'cancelling' ? (
      <button
        type="button"
        class="button"
        data-key="a"
        onClick={() =>
          ask({
            title: `Cancel ${shown(data.name)}?`,
            does: `${digits(waiting, 'member')} that ${waiting === 1 ? 'waits' : 'wait'} will not start, and ${digits(running, 'member')} that ${running === 1 ? 'runs is' : 'run are'} asked to abort. A worker with allowAbortJobs does so; Python’s by default does not. What has ended stays as it is.`,
            verb: 'Cancel the flow',
            path: `${path}/cancel`,
          })
        }
      >
        <Icon name="ban" /> Cancel…
      </button>
    ) : null
  }
  if (!may('replay-flow')) return null
  return (
    <>
      {lost.length > 0 && (
        <button
          type="button"
          class="button primary"
          data-key="r"
          onClick={() =>
            ask({
              title: 'Replay what failed?',
              does: `${digits(lost.length, 'member')} that did not succeed ${lost.length === 1 ? 'runs' : 'run'} again, with what comes after ${lost.length === 1 ? 'it' : 'them'}. Results of the others are used as they are.`,
              verb: 'Replay the failed part',
              path: `${path}/replay`,
              body: { only: 'failed' },
            })
          }
        >
          <Icon name="rotate-cw" /> Replay what failed…
        </button>
      )}
      <button
        type="button"
        class="button"
        onClick={() =>
          ask({
            title: `Replay all of ${shown(data.name)}?`,
            does: `All of its ${digits(data.members.length, 'member')} run again, those that succeeded too. What they did outside of the queue, they do again.`,
            verb: 'Replay all',
            path: `${path}/replay`,
            body: { only: 'all' },
          })
        }
      >
        <Icon name="rotate-cw" /> Replay all…
      </button>
    </>
  )
}

const columns = (members: readonly FlowMemberRow[]): (Column<FlowMemberRow> | false)[] => [
  {
    name: 'Member',
    names: true,
    tone: 'name',
    by: ({ name }) => name,
    cell: ({ name }) => <code>{shown(name)}</code>,
    under: ({ functionName, name }) => functionName !== name && <span class="mono">{shown(functionName)}</span>,
  },
  { name: 'State', by: ({ state }) => state, cell: ({ state }) => <MemberStatus state={state} /> },
  {
    name: 'Waits for, or failed by',
    hide: 'wide',
    tone: 'clip muted',
    title: ({ error, waitsFor }) => error ?? waitsFor.slice(0, 20).join(', '),
    cell: ({ error, on, waitsFor }) =>
      error === null ? (
        waitsFor.length > 0 && (
          <>
            {list(waitsFor)}
            {on === 'failure' && ', if one fails'}
          </>
        )
      ) : (
        <span class="failing">{error}</span>
      ),
  },
  members.some(({ addedBy }) => addedBy !== null) && {
    name: 'Added by',
    hide: 'minor',
    tone: 'name fade',
    cell: ({ addedBy }) => addedBy,
  },
  {
    name: 'Queue',
    hide: 'minor',
    tone: 'name fade',
    by: ({ queueName }) => queueName,
    cell: ({ queueName }) => queueName,
  },
]
