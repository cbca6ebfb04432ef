import { useState } from 'preact/hooks'
import type { ScheduleRow, ScheduleView } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { callLines } from '../format/call.ts'
import { duration } from '../format/duration.ts'
import { full, moment, timeZoneDay, zoneName } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { navigate, place, to } from '../router.ts'
import { perform, useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Code } from '../ui/code.tsx'
import { Confirm, type ConfirmRequest } from '../ui/confirm.tsx'
import { Icon } from '../ui/icon.tsx'
import { Facts, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Status } from '../ui/status.tsx'
import { ScheduleForm } from './schedule-form.tsx'
import { ruleWords, scheduleState } from './schedule-words.ts'

/** One schedule: its next ticks, and the call that it enqueues. */
export function SchedulePage() {
  const name = place.value.query.get('name') ?? ''
  const schedule = useResource<ScheduleView>(`schedules/${segments(name)}`, { everyMs: 10_000 })
  useChanged(schedule.reload)
  if (schedule.failure?.code === 'not_found') {
    return (
      <Page
        before={<Crumbs name={name} />}
        title="There is no such schedule."
        lede="It was removed, or its only tick is over. Jobs that it enqueued stay."
      />
    )
  }
  return <Loaded of={schedule}>{(data) => <Shown data={data} />}</Loaded>
}

function Crumbs({ name }: { name: string }) {
  return (
    <nav class="crumbs" aria-label="Where this page lies">
      <a href={to('/schedules')}>Schedules</a>
      <Icon name="chevron-right" size={12} />
      <span>{shown(name)}</span>
    </nav>
  )
}

function Shown({ data }: { data: ScheduleView }) {
  const [editing, setEditing] = useState(false)
  const [asked, setAsked] = useState<ConfirmRequest | null>(null)
  const { last, nowMs } = data
  const [shape, word] = scheduleState(data)
  return (
    <Page
      before={<Crumbs name={data.name} />}
      title={
        <>
          {shown(data.name)}
          {title(data, nowMs)}
        </>
      }
      lede={
        <>
          It enqueues <code>{shown(data.functionName)}</code> into {shown(data.queueName)}
          {data.cron === null ? (
            `, ${ruleWords(data)}.`
          ) : (
            <>
              {' '}
              by <code>{data.cron}</code> on the clock of {data.timeZone ?? 'UTC'}.
            </>
          )}
        </>
      }
      acts={<Acts data={data} edit={() => setEditing(true)} ask={setAsked} />}
    >
      <Limits of={[data.problem]} />
      <div class="columns">
        <div>
          <Section title="Next ticks" remark={`${zoneName()}, ten at most`}>
            {data.coming.length === 0 ? (
              <p class="muted">{data.paused ? 'None while it is paused.' : 'There are none.'}</p>
            ) : (
              <ol class="ticks">
                {data.coming.map((at, i) => (
                  <li key={at}>
                    <time title={full(at)}>{timeZoneDay(at, nowMs)}</time>
                    <span class="muted">
                      {i === 0
                        ? `in ${duration(Math.max(0, at - nowMs))}`
                        : `${duration(at - data.coming[i - 1]!)} later`}
                    </span>
                  </li>
                ))}
              </ol>
            )}
          </Section>
          <Section title="Call" remark={data.args.language === 'python' ? 'as Python writes it' : 'as JSON'}>
            <Code lines={callLines(data.functionName, data.args.text, data.kwargs.text)} label="Call" />
            <Limits
              of={[
                data.args.redacted || data.kwargs.redacted ? 'Parts are hidden by the application' : null,
                data.args.cut || data.kwargs.cut ? 'Parts were too long and are left out' : null,
              ]}
            />
          </Section>
        </div>
        <aside>
          <Section title="Facts">
            <Facts
              of={[
                [
                  'State',
                  <Status key="s" shape={shape}>
                    {word}
                  </Status>,
                ],
                [
                  'Ticks',
                  <span key="t" class="mono">
                    {ruleWords(data)}
                  </span>,
                ],
                [
                  'Queue',
                  <a key="q" href={to('/queue', { name: data.queueName })}>
                    {shown(data.queueName)}
                  </a>,
                ],
                ['Codec', data.codec],
                ['Overlap', data.overlap === 'skip' ? 'a tick is left out while the job before it runs' : 'allowed'],
                ['Missed', { skip: 'do not run', latest: 'the latest runs', all: 'the newest 100 run' }[data.missed]],
                [
                  'Last',
                  last && (
                    <a key="l" href={to('/job', { id: last.jobId, queue: data.queueName })}>
                      {moment(last.atMs, nowMs)}
                    </a>
                  ),
                ],
                [
                  'Put',
                  <time key="p" title={full(data.putMs)}>
                    {moment(data.putMs, nowMs)}
                  </time>,
                ],
              ]}
            />
          </Section>
        </aside>
      </div>
      {editing && <ScheduleForm of={data} close={() => setEditing(false)} />}
      {asked && <Confirm of={asked} close={() => setAsked(null)} done={() => navigate(to('/schedules'))} />}
    </Page>
  )
}

/** The sentence about one schedule, after its name. */
function title(schedule: ScheduleRow, now: number): string {
  const { nextMs, paused, problem } = schedule
  if (problem !== null) return ' does not tick.'
  if (paused) return ' is paused.'
  return nextMs === null
    ? ' has no tick to come.'
    : ` ticks next at ${moment(nextMs, now)}, in ${duration(nextMs - now)}.`
}

function Acts({ data, edit, ask }: { data: ScheduleView; edit: () => void; ask: (asked: ConfirmRequest) => void }) {
  const path = `schedules/${segments(data.name)}`
  return (
    <>
      {data.paused
        ? may('resume') && (
            <button type="button" class="button primary" data-key="p" onClick={() => void perform(`${path}/resume`)}>
              <Icon name="play" /> Resume
            </button>
          )
        : may('pause') && (
            <button type="button" class="button" data-key="p" onClick={() => void perform(`${path}/pause`)}>
              <Icon name="pause" /> Pause
            </button>
          )}
      {may('run-schedule') && (
        <button type="button" class="button" data-key="r" onClick={() => void perform(`${path}/run`)}>
          <Icon name="play" /> Run now
        </button>
      )}
      {may('put-schedule') && (
        <button type="button" class="button" data-key="e" onClick={edit}>
          <Icon name="pencil" /> Edit…
        </button>
      )}
      {may('remove-schedule') && (
        <button
          type="button"
          class="button"
          data-key="d"
          onClick={() =>
            ask({
              title: `Remove ${shown(data.name)}?`,
              does: 'The schedule ticks no more. Jobs that it has enqueued stay. This cannot be undone; make the schedule again instead.',
              verb: 'Remove the schedule',
              path: `${path}/remove`,
            })
          }
        >
          <Icon name="trash-2" /> Remove…
        </button>
      )}
    </>
  )
}
