import { useState } from 'preact/hooks'
import type { DeploymentGuard, DeploymentView } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { LineChart } from '../charts/line-chart.tsx'
import { brief } from '../format/duration.ts'
import { capital, number, percent } from '../format/number.ts'
import { full, moment } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { place, to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Confirm, type ConfirmRequest } from '../ui/confirm.tsx'
import { Icon } from '../ui/icon.tsx'
import { Facts, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Mark, Status } from '../ui/status.tsx'
import { Share, Stages } from './canary-stages.tsx'
import { canaryActs } from './canary-acts.ts'
import { canaryTitle, interval, measured, states, verdicts } from './canary-words.ts'

/** One canary deployment: where it is, what its guards say, and the acts that its state allows. */
export function Canary() {
  const id = place.value.query.get('id') ?? ''
  const view = useResource<DeploymentView>(`canaries/${segments(id)}`, { everyMs: 5_000 })
  useChanged(view.reload)
  return <Loaded of={view}>{(data) => <Shown data={data} />}</Loaded>
}

/** The first thing that its reader should know, as a sentence. */
function remark({ reason, doubt, missing }: DeploymentView): string {
  const text = reason ?? doubt ?? missing
  return text ? `${capital(text)}${/[.!?]$/.test(text) ? '' : '.'}` : ''
}

function Shown({ data }: { data: DeploymentView }) {
  const [asked, setAsked] = useState<ConfirmRequest | null>(null)
  const { alias, id, minutes, nowMs } = data
  return (
    <Page
      before={
        <nav class="crumbs" aria-label="Where this page lies">
          <a href={to('/canaries')}>Canaries</a>
          <Icon name="chevron-right" size={12} />
          <span>{alias}</span>
          <Icon name="chevron-right" size={12} />
          <span class="mono">{shown(id)}</span>
        </nav>
      }
      title={canaryTitle(data)}
      lede={remark(data)}
      acts={
        may('steer-canary') &&
        data.acts.map((act) => {
          const { verb, icon, does, body } = canaryActs[act]
          const ask = () =>
            setAsked({
              title: `${verb}: ${alias}?`,
              does: does(data),
              verb,
              path: `canaries/${segments(id)}/${act}`,
              ...(body && { body: body(data) }),
              reason: act === 'rollback',
            })
          return (
            <button key={act} type="button" class={`button ${act === 'approve' ? 'primary' : ''}`} onClick={ask}>
              <Icon name={icon} /> {verb}…
            </button>
          )
        })
      }
    >
      <div class="section">
        <Stages of={data} now={nowMs} />
      </div>
      <div class="columns">
        <div>
          <Section title="Guards" remark="of the present stage, new collection">
            <Guards of={data.guards} />
            <Limits of={[data.reason !== null && data.doubt, data.doubt !== null && data.missing]} />
          </Section>
          <div class="section halves">
            <LineChart
              title="Requests"
              unit="per minute"
              fromMs={minutes[0]?.atMs ?? nowMs}
              stepMs={60_000}
              series={[
                { name: 'old', values: minutes.map(({ oldRequests }) => oldRequests), tone: 'other' },
                { name: 'new', values: minutes.map(({ newRequests }) => newRequests), tone: 'accent' },
              ]}
              format={number}
            />
            <LineChart
              title="Errors"
              unit="of the new collection"
              fromMs={minutes[0]?.atMs ?? nowMs}
              stepMs={60_000}
              series={[
                {
                  name: 'new',
                  values: minutes.map(({ newErrorRate }) => (newErrorRate === null ? null : newErrorRate * 100)),
                  tone: data.guards.some(({ verdict }) => verdict === 'breach') ? 'failing' : 'accent',
                },
              ]}
              format={(value) => percent(value / 100)}
            />
          </div>
        </div>
        <aside>
          <Section title="Facts">
            <Facts
              of={[
                [
                  'State',
                  <Status key="s" shape={states[data.status][0]}>
                    {states[data.status][1]}
                  </Status>,
                ],
                ['Share', <Share key="h" of={data} />],
                ['From', data.oldCollection],
                ['To', data.newCollection],
                ['Shadow', data.share.shadow > 0 && percent(data.share.shadow / 100)],
                [
                  'Requests',
                  `${number(data.metrics.new.totalRequests)} new, ${number(data.metrics.old.totalRequests)} old`,
                ],
                ['Needed', `${number(data.minSamples)} for a stage`],
                [
                  'Warms up',
                  data.warmingUntilMs !== null &&
                    data.warmingUntilMs > nowMs &&
                    `${brief(data.warmingUntilMs - nowMs)} more`,
                ],
                [
                  'Next look',
                  data.nextTickAtMs !== null &&
                    data.finishedAtMs === null &&
                    `in ${brief(Math.max(0, data.nextTickAtMs - nowMs))}`,
                ],
                [
                  'Started',
                  <time key="a" title={full(data.startedAtMs)}>
                    {moment(data.startedAtMs, nowMs)}
                  </time>,
                ],
                ['Ended', data.finishedAtMs !== null && moment(data.finishedAtMs, nowMs)],
                ['Rolls back', data.autoRollback ? 'by itself' : 'by hand'],
                ['Dry run', data.dryRun && 'decides, and changes nothing'],
              ]}
            />
          </Section>
          <Section title="Decisions" remark="newest first">
            {data.decisions.length === 0 ? (
              <p class="muted">Nothing has been decided yet.</p>
            ) : (
              <ul class="changes">
                {data.decisions.toReversed().map(({ atMs, stage, decision }) => (
                  <li key={`${atMs} ${decision}`}>
                    <span class="muted num">{moment(atMs, nowMs)}</span> stage {stage + 1}: {decision}
                  </li>
                ))}
              </ul>
            )}
          </Section>
        </aside>
      </div>
      {asked && <Confirm of={asked} close={() => setAsked(null)} />}
    </Page>
  )
}

function Guards({ of }: { of: DeploymentGuard[] }) {
  if (of.length === 0) return <p class="muted">The deployment has ended; its guards are not looked at any more.</p>
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Guard</th>
            <th scope="col" class="n">
              Measured
            </th>
            <th scope="col" class="n wide">
              95 % interval
            </th>
            <th scope="col" class="n">
              Limit
            </th>
            <th scope="col" class="n wide">
              Old
            </th>
            <th scope="col" class="n minor">
              Samples
            </th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {of.map((guard) => {
            const [shape, word] = verdicts[guard.verdict]
            return (
              <tr
                key={guard.name}
                class={guard.verdict === 'breach' ? 'tint-failing' : guard.verdict === 'doubt' ? 'tint-warning' : ''}
              >
                <th scope="row" class="wrap">
                  {guard.name}
                </th>
                <td class="n strong">{measured(guard, guard.value)}</td>
                <td class="n fade wide">{interval(guard)}</td>
                <td class="n">
                  {guard.limit === null ? '–' : `${guard.side === 'max' ? '≤' : '≥'} ${measured(guard, guard.limit)}`}
                </td>
                <td class="n fade wide">{measured(guard, guard.old)}</td>
                <td class="n fade minor">{number(guard.samples)}</td>
                <td title={guard.text ?? undefined}>
                  <span class="status">
                    <Mark shape={shape} /> {word}
                  </span>
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
