import type { DeploymentListAnswer, DeploymentRow } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { redisNow } from '../api/stream.ts'
import { capital, count, number, percent } from '../format/number.ts'
import { moment } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { Empty, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Status } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { Share } from './canary-stages.tsx'
import { canaryTitle, isOpen, states } from './canary-words.ts'
import { TaskRuns } from './task-runs.tsx'

/** Canary deployments: those under way, and those that have ended. */
export function Canaries() {
  const list = useResource<DeploymentListAnswer>('canaries', { everyMs: 5_000 })
  useChanged(list.reload)
  return (
    <Loaded of={list}>
      {(data) =>
        data.available ? (
          <Shown {...data} />
        ) : (
          <TaskRuns functionName="run_canary_deployment" noun="canary deployment" teach={<Teach why={data.why} />} />
        )
      }
    </Loaded>
  )
}

function Teach({ why = '' }: { why?: string }) {
  return (
    <Empty title="A canary shifts traffic to a new collection, stage by stage.">
      <p>
        {why} Start one by <code>startCanary(alias, newCollection, &#123; stages &#125;)</code> of{' '}
        <code>@arq-ts/canary</code>, or by <code>arq-ts canary start</code>. Its share, its stages and its guards stand
        here then, with the acts that its state allows.
      </p>
    </Empty>
  )
}

function Shown({ deployments, total, unreadable }: Extract<DeploymentListAnswer, { available: true }>) {
  const older = total - deployments.length - unreadable.length
  const open = deployments.filter(isOpen)
  const ended = deployments.filter((one) => !isOpen(one))
  const [first] = open
  return (
    <Page
      title={
        open.length === 1 && first
          ? canaryTitle(first)
          : open.length > 1
            ? `${capital(count(open.length, 'deployment'))} are under way.`
            : deployments.length > 0
              ? 'No deployment is under way.'
              : unreadable.length > 0
                ? `${capital(count(unreadable.length, 'deployment'))} cannot be read.`
                : 'Nothing has been deployed by a canary yet.'
      }
      lede={first?.reason ?? (ended.length > 0 ? `${capital(count(ended.length, 'has ended', 'have ended'))}.` : '')}
    >
      {open.length > 0 && (
        <Section title="Under way">
          <Rows label="Deployments under way" rows={open} />
        </Section>
      )}
      {ended.length > 0 && (
        <Section title="Ended">
          <Rows label="Deployments that have ended" rows={ended} />
        </Section>
      )}
      {deployments.length + unreadable.length === 0 && (
        <div class="section">
          <Teach />
        </div>
      )}
      <Limits
        of={[
          older > 0 && `${number(older)} older ones are not shown`,
          ...unreadable.map(({ reason }) => shown(reason)),
        ]}
      />
    </Page>
  )
}

function Rows({ label, rows }: { label: string; rows: DeploymentRow[] }) {
  return (
    <Table
      label={label}
      columns={columns(redisNow())}
      rows={rows}
      keyOf={({ id }) => id}
      open={({ id }) => to('/canary', { id })}
    />
  )
}

const columns = (now: number): Column<DeploymentRow>[] => [
  {
    name: 'Alias',
    names: true,
    cell: ({ alias }) => alias,
    under: ({ newCollection, oldCollection }) => `${shown(oldCollection)} → ${shown(newCollection)}`,
  },
  {
    name: 'State',
    cell: ({ dryRun, status }) => {
      const [shape, word] = states[status]
      return <Status shape={shape}>{dryRun ? `${word}, dry run` : word}</Status>
    },
  },
  { name: 'Share of the new collection', hide: 'wide', cell: (row) => <Share of={row} /> },
  {
    name: 'Stage',
    number: true,
    hide: 'minor',
    tone: 'fade',
    cell: ({ currentStage, stages }) => `${currentStage + 1} of ${stages.length}`,
  },
  {
    name: 'Requests',
    number: true,
    hide: 'minor',
    tone: 'fade',
    cell: ({ metrics }) => number(metrics.new.totalRequests),
  },
  {
    name: 'Errors',
    number: true,
    cell: ({ metrics }) => (metrics.new.errorRate === null ? '–' : percent(metrics.new.errorRate)),
  },
  { name: 'Started', number: true, hide: 'wide', tone: 'fade', cell: ({ startedAtMs }) => moment(startedAtMs, now) },
]
