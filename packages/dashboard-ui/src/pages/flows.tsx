import type { FlowList, FlowRow } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { duration } from '../format/duration.ts'
import { digits, number } from '../format/number.ts'
import { full, moment } from '../format/time.ts'
import { short, shown } from '../format/names.ts'
import { place, setQuery, to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { Empty, Limits, Loaded, Page, Segmented } from '../ui/parts.tsx'
import { Status } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { flowStates, flowsTitle } from './flow-words.ts'

const states = [
  ['all', 'All'],
  ['running', 'Running'],
  ['failed', 'Failed'],
  ['complete', 'Complete'],
  ['cancelled', 'Cancelled'],
] as const
type State = (typeof states)[number][0]

/** Flows, the newest first. */
export function Flows() {
  const flows = useResource<FlowList>('flows', { everyMs: 5_000 })
  useChanged(flows.reload)
  return <Loaded of={flows}>{(data) => <Shown data={data} />}</Loaded>
}

function Shown({ data }: { data: FlowList }) {
  const wanted = place.value.query.get('state')
  const state: State = states.find(([name]) => name === wanted)?.[0] ?? 'all'
  const rows = data.flows.filter((flow) => state === 'all' || kindOf(flow) === state)
  const open = data.flows.reduce((sum, flow) => sum + flow.open, 0)
  return (
    <Page
      title={flowsTitle(data.flows)}
      lede={
        data.flows.length > 0
          ? `${digits(data.flows.length, 'flow')} ${data.flows.length === 1 ? 'is' : 'are'} kept; ${digits(open, 'member')} ${open === 1 ? 'has' : 'have'} not ended.`
          : ''
      }
    >
      {data.flows.length === 0 ? (
        <div class="section">
          <Empty title="A flow is a graph of jobs that wait for each other.">
            <p>
              Build one by <code>flow('report')</code> and <code>f.call(task, input, &#123; after &#125;)</code>, and
              start it by <code>client.start(f)</code>. Its members may run in either language. It stands here until a
              day after its end.
            </p>
          </Empty>
        </div>
      ) : (
        <>
          <div class="chips">
            <Segmented
              label="State"
              options={states}
              value={state}
              pick={(name) => setQuery({ state: name === 'all' ? null : name }, { replace: true })}
            />
          </div>
          <Table
            label="Flows"
            columns={columns(data.nowMs)}
            rows={rows}
            keyOf={({ flowId }) => flowId}
            open={({ flowId }) => to('/flow', { id: flowId })}
            order="order"
            empty={<p class="muted">No flow is in this state.</p>}
          />
        </>
      )}
      <Limits of={[data.flows.length >= 200 && 'The newest 200 are shown']} />
    </Page>
  )
}

const kindOf = ({ state }: FlowRow): State => (state === 'cancelling' ? 'running' : state)

/** The share of the members that have ended, as a bar. */
function Ended({ members, open, state }: FlowRow) {
  const ended = Math.max(0, members - open)
  const width = 96
  return (
    <>
      <svg class="slots" width={width} height={8} aria-hidden="true">
        <rect class="room" width={width} height={8} rx={2} />
        <rect
          class={state === 'failed' ? 'lost' : state === 'running' ? 'taken' : 'quiet'}
          width={members > 0 ? Math.min(width, (ended / members) * width) : 0}
          height={8}
          rx={2}
        />
      </svg>{' '}
      {number(ended)} of {number(members)}
    </>
  )
}

const columns = (now: number): Column<FlowRow>[] => [
  {
    name: 'Flow',
    names: true,
    tone: 'name',
    by: ({ name }) => name,
    cell: ({ name }) => <code>{shown(name)}</code>,
    under: ({ flowId }) => <span class="mono">{short(flowId)}</span>,
  },
  {
    name: 'State',
    by: ({ state }) => state,
    cell: ({ state }) => {
      const [shape, word] = flowStates[state]
      return <Status shape={shape}>{word}</Status>
    },
  },
  {
    name: 'Members ended',
    hide: 'wide',
    tone: 'num name',
    by: (flow) => flow.open,
    cell: (flow) => <Ended {...flow} />,
  },
  {
    name: 'Took',
    number: true,
    tone: 'fade',
    by: ({ endedMs, startedMs }) => (endedMs ?? now) - startedMs,
    cell: ({ endedMs, startedMs }) => duration(Math.max(0, (endedMs ?? now) - startedMs)),
  },
  {
    name: 'Started',
    number: true,
    tone: 'fade',
    by: ({ startedMs }) => startedMs,
    title: ({ startedMs }) => full(startedMs),
    cell: ({ startedMs }) => moment(startedMs, now),
  },
]
