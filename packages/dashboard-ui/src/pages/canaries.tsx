import type { DeploymentListAnswer, DeploymentRow } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { redisNow } from '../api/stream.ts'
import { capital, count, number, percent } from '../format/number.ts'
import { moment } from '../format/time.ts'
import { to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { Empty, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Status } from '../ui/status.tsx'
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
          <Shown deployments={data.deployments} total={data.total} />
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

function Shown({ deployments, total }: { deployments: DeploymentRow[]; total: number }) {
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
              : 'Nothing has been deployed by a canary yet.'
      }
      lede={first?.reason ?? (ended.length > 0 ? `${capital(count(ended.length, 'has ended', 'have ended'))}.` : '')}
    >
      {open.length > 0 && (
        <Section title="Under way">
          <Table rows={open} />
        </Section>
      )}
      {ended.length > 0 && (
        <Section title="Ended">
          <Table rows={ended} />
        </Section>
      )}
      {deployments.length === 0 && (
        <div class="section">
          <Teach />
        </div>
      )}
      <Limits of={[total > deployments.length && `${number(total - deployments.length)} older ones are not shown`]} />
    </Page>
  )
}

function Table({ rows }: { rows: DeploymentRow[] }) {
  const now = redisNow()
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Alias</th>
            <th scope="col">State</th>
            <th scope="col" class="wide">
              Share of the new collection
            </th>
            <th scope="col" class="n minor">
              Stage
            </th>
            <th scope="col" class="n minor">
              Requests
            </th>
            <th scope="col" class="n">
              Errors
            </th>
            <th scope="col" class="n wide">
              Started
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const [shape, word] = states[row.status]
            return (
              <tr key={row.id}>
                <th scope="row" class="two">
                  <a href={to('/canary', { id: row.id })} data-row>
                    {row.alias}
                  </a>
                  <small>
                    {row.oldCollection} → {row.newCollection}
                  </small>
                </th>
                <td>
                  <Status shape={shape}>{row.dryRun ? `${word}, dry run` : word}</Status>
                </td>
                <td class="wide">
                  <Share of={row} />
                </td>
                <td class="n fade minor">
                  {row.currentStage + 1} of {row.stages.length}
                </td>
                <td class="n fade minor">{number(row.metrics.new.totalRequests)}</td>
                <td class="n">{row.metrics.new.errorRate === null ? '–' : percent(row.metrics.new.errorRate)}</td>
                <td class="n fade wide">{moment(row.startedAtMs, now)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
