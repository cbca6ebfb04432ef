import type { ErrorGroup, ErrorList } from '@arq-ts/dashboard/api'
import { segments, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { Sparkbars } from '../charts/spark.tsx'
import { capital, count, digits, list, number, words } from '../format/number.ts'
import { ago, moment } from '../format/time.ts'
import { place, setQuery, to } from '../router.ts'
import { perform, useChanged } from '../shell/toasts.tsx'
import { openPlan } from '../state/plan.ts'
import { may } from '../state/session.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty, Limits, Loaded, Page, Segmented } from '../ui/parts.tsx'
import { Languages, Mark, type Shape } from '../ui/status.tsx'
import { useSteady } from '../ui/steady.ts'
import { useState } from 'preact/hooks'
import { fold } from './failing.tsx'

const states = [
  ['open', 'Open'],
  ['muted', 'Muted'],
  ['resolved', 'Fixed'],
] as const

const hour = 3_600_000

/** A group is new for an hour after its first failure. */
export const isNew = (group: ErrorGroup, now: number): boolean => group.state === 'open' && now - group.firstMs < hour

/** The shape of a group: new ones fail, growing ones warn, the others are open. */
export function shapeOf(group: ErrorGroup, now: number): Shape {
  if (group.state === 'muted') return 'paused'
  if (group.state === 'resolved') return 'on-time'
  return isNew(group, now) ? 'failing' : now - group.lastMs < hour / 4 && group.count > 10 ? 'warning' : 'open'
}

/** Errors by fingerprint: what is new, how often, since when. */
export function Errors() {
  const state = place.value.query.get('state') ?? 'open'
  const errors = useResource<ErrorList>(withQuery('errors', { state }), { everyMs: 10_000 })
  useChanged(errors.reload)
  return (
    <Loaded of={errors}>
      {(data) =>
        data.available ? (
          <Shown data={data} state={state} />
        ) : (
          <Page title="Errors are not grouped here.">
            <div class="section">
              <Empty title="Nothing records them.">
                <p>{data.why}</p>
              </Empty>
            </div>
          </Page>
        )
      }
    </Loaded>
  )
}

function Shown({ data, state }: { data: ErrorList & { available: true }; state: string }) {
  const [open, setOpen] = useState<string | null>(null)
  const sorted = [...data.groups].sort(
    (a, b) => Number(isNew(b, data.nowMs)) - Number(isNew(a, data.nowMs)) || b.lastMs - a.lastMs,
  )
  const { rows, hold } = useSteady(sorted, ({ fingerprint }) => fingerprint)
  const fresh = data.groups.filter((group) => isNew(group, data.nowMs)).length
  const failures = data.groups.reduce((sum, group) => sum + group.count, 0)
  const largest = [...data.groups].sort((a, b) => b.count - a.count)[0]
  const share = largest && failures > 0 ? largest.count / failures : 0
  const main =
    share > 0.5 && data.groups.length > 1
      ? ` One causes ${share > 0.9 ? 'nearly all' : share > 0.7 ? 'three in four' : 'more than half of the'} failures.`
      : ''
  const title =
    data.groups.length === 0
      ? state === 'open'
        ? 'No error is open.'
        : `No error is ${state === 'resolved' ? 'fixed' : state}.`
      : fresh > 0
        ? `${capital(words(fresh))} ${fresh === 1 ? 'error is' : 'errors are'} new.${main}`
        : `${capital(count(data.groups.length, 'error'))} ${data.groups.length === 1 ? 'is' : 'are'} ${state === 'resolved' ? 'fixed' : state}; none is new.${main}`
  return (
    <Page
      title={title}
      lede={`${digits(failures, 'job')} failed, in ${count(data.groups.length, 'group')}${data.source === 'dead-letters' ? ', by the dead letters that are kept' : ''}.`}
    >
      <div class="chips">
        <Segmented
          label="State"
          options={states}
          value={state as 'open'}
          pick={(name) => setQuery({ state: name === 'open' ? null : name })}
        />
      </div>
      {rows.length === 0 ? (
        <Empty title={state === 'open' ? 'Nothing fails.' : 'Nothing stands here.'}>
          <p>
            Failures are grouped by their type, their message without what differs from job to job, and their place in
            the code. A group that is{' '}
            {state === 'muted' ? 'muted stays silent' : 'marked as fixed opens again with its next failure'}.
          </p>
        </Empty>
      ) : (
        <ul class="groups" {...hold}>
          {rows.map((group, i) => {
            const hot = open === null ? i === 0 : open === group.fingerprint
            return (
              <Group
                key={group.fingerprint}
                group={group}
                now={data.nowMs}
                open={hot}
                pick={() => setOpen(group.fingerprint)}
              />
            )
          })}
        </ul>
      )}
      <Limits
        of={[
          data.hidden > 0 &&
            `${digits(data.hidden, 'group')} of other states ${data.hidden === 1 ? 'is' : 'are'} hidden`,
          ...data.limits,
        ]}
      />
    </Page>
  )
}

function Group({ group, now, open, pick }: { group: ErrorGroup; now: number; open: boolean; pick: () => void }) {
  const shape = shapeOf(group, now)
  const tone = shape === 'failing' ? 'failing' : shape === 'warning' ? 'warning' : 'other'
  return (
    <li aria-current={open ? 'true' : undefined} onFocusIn={pick} onClick={pick}>
      <Mark shape={shape} />
      <div class="what">
        <p>
          <a href={to('/error', { fp: group.fingerprint })} data-row>
            {group.type}
          </a>{' '}
          <span class="mono">{group.message}</span>
        </p>
        <p class="muted">
          <code>{list(group.functions, 2)}</code>
          <Languages of={group.languages} /> · {list(group.queues, 2)} · since {moment(group.firstMs, now)}
        </p>
        {open && <GroupActs group={group} />}
      </div>
      <div class="trend">
        {group.trend && (
          <Sparkbars values={fold(group.trend.counts, 36)} tone={tone} label={`Failures of ${group.type} over time`} />
        )}
      </div>
      <b class={`n ${tone === 'other' ? '' : tone}`}>{number(group.count)}</b>
      <span class="n muted last">{ago(group.lastMs, now)}</span>
    </li>
  )
}

/** The acts on a group; retrying opens a plan first. */
export function GroupActs({ group }: { group: ErrorGroup }) {
  const path = `errors/${segments(group.fingerprint)}`
  const acts = [
    group.dead > 0 && may('retry') && (
      <button
        type="button"
        class="button"
        data-key="r"
        onClick={() => openPlan({ action: 'retry', fingerprint: group.fingerprint }, 'Retry')}
      >
        <Icon name="rotate-cw" /> Retry {digits(group.dead, 'job')}…
      </button>
    ),
    group.state !== 'muted' && may('mute') && (
      <button type="button" class="button" onClick={() => void perform(`${path}/mute`)}>
        <Icon name="bell-off" /> Mute
      </button>
    ),
    group.state !== 'resolved' && may('resolve') && (
      <button type="button" class="button" onClick={() => void perform(`${path}/resolve`)}>
        <Icon name="check" /> Mark as fixed
      </button>
    ),
    group.state !== 'open' && may('reopen') && (
      <button type="button" class="button" onClick={() => void perform(`${path}/reopen`)}>
        <Icon name="bell" /> Open again
      </button>
    ),
  ].filter(Boolean)
  return acts.length ? <div class="row-acts">{acts}</div> : null
}
