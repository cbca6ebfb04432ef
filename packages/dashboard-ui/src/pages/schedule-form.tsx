import { useEffect, useState } from 'preact/hooks'
import type { ComponentChildren } from 'preact'
import type { ScheduleView, TickPreview } from '@arq-ts/dashboard/api'
import { segments, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { timeZoneDay } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { navigate, to } from '../router.ts'
import { perform } from '../shell/toasts.tsx'
import { session } from '../state/session.ts'
import { Segmented } from '../ui/parts.tsx'
import { ActFoot, Refusal, Sheet } from '../ui/sheet.tsx'
import { bodyOf, callOf, isRenamed } from './schedule-body.ts'
import { formOf, ruleIn, type RuleForm } from './schedule-words.ts'

const kinds = [
  ['cron', 'Cron'],
  ['every', 'Distance'],
  ['at', 'Once'],
] as const

/** Pause in typing after which the form requests the next ticks, in ms. */
const SETTLED_MS = 300

/** Makes a schedule, or changes one. It shows the next ticks of its rule before anything is written. */
export function ScheduleForm({ of, close }: { of: ScheduleView | null; close: () => void }) {
  const [rule, setRule] = useState(() => formOf(of))
  // The schedule as it was opened: the page behind the form loads anew, and what it shows then was not edited here.
  const [opened] = useState(of)
  const [call, setCall] = useState(() => callOf(opened))
  const [running, setRunning] = useState(false)
  const [refused, setRefused] = useState<string | null>(null)
  const written = ruleIn(rule, of?.startAtMs ?? null)
  const change = (part: Partial<RuleForm>) => setRule({ ...rule, ...part })
  const set = (part: Partial<typeof call>) => setCall({ ...call, ...part })
  const save = async () => {
    const body = bodyOf(call, opened, written)
    if (typeof body === 'string') return setRefused(body)
    setRefused(null)
    setRunning(true)
    const answer = await perform(`schedules/${segments(call.name)}`, body)
    setRunning(false)
    if (!answer?.done) return
    close()
    if (of === null) navigate(to('/schedule', { name: call.name }))
  }
  return (
    <Sheet
      title={of ? `Edit ${shown(of.name)}` : 'New schedule'}
      lede={of?.paused ? 'It is paused, and stays so.' : 'Nothing has changed yet.'}
      close={close}
      foot={
        <ActFoot verb={of ? 'Save the schedule' : 'Make the schedule'} run={save} disabled={running} close={close} />
      }
    >
      <form class="replay" onSubmit={(event) => event.preventDefault()}>
        {!of && <Field label="Name" value={call.name} set={(name) => set({ name })} hint="digest:42" mono />}
        <div>
          <Segmented label="Ticks" options={kinds} value={rule.kind} pick={(kind) => change({ kind })} />
        </div>
        {rule.kind === 'cron' && (
          <>
            <Field label="Cron expression" value={rule.cron} set={(cron) => change({ cron })} hint="0 8 * * *" mono />
            <Field
              label="Time zone"
              value={rule.timeZone}
              set={(timeZone) => change({ timeZone })}
              hint="Europe/Berlin"
            >
              <datalist id="zones">
                {zones().map((zone) => (
                  <option key={zone} value={zone} />
                ))}
              </datalist>
            </Field>
          </>
        )}
        {rule.kind === 'every' && (
          <Field label="Time between ticks" value={rule.every} set={(every) => change({ every })} hint="5 min" />
        )}
        {rule.kind === 'at' && (
          <Field label="Instant, UTC" type="datetime-local" value={rule.at} set={(at) => change({ at })} />
        )}
        <Preview rule={written} />
        <Field label="Function" value={call.functionName} set={(functionName) => set({ functionName })} mono />
        <Field
          label="Queue"
          value={call.queueName}
          set={(queueName) => set({ queueName })}
          hint={session.value?.queues[0] ?? 'arq:queue'}
        />
        {opened && isRenamed(call, opened) && (
          <p class="muted">Another function: it gets the arguments as they stand here, in JSON.</p>
        )}
        <Area label="Arguments, a JSON array" value={call.args} set={(args) => set({ args })} />
        <Area label="Keywords, a JSON object" value={call.kwargs} set={(kwargs) => set({ kwargs })} />
        <Choice
          label="While the job of the tick before is queued or runs"
          value={call.overlap}
          options={{ allow: 'enqueue the next one as well', skip: 'leave the tick out' }}
          set={(overlap) => set({ overlap })}
        />
        <Choice
          label="Ticks missed while no worker ran"
          value={call.missed}
          options={{ skip: 'do not run', latest: 'the latest one runs', all: 'the newest 100 run' }}
          set={(missed) => set({ missed })}
        />
        <Refusal of={refused} />
      </form>
    </Sheet>
  )
}

/** The next ticks of the rule as it is written, by the server's clock. */
function Preview({ rule }: { rule: Record<string, string | number> | string }) {
  const path = typeof rule === 'string' ? null : withQuery('ticks', rule)
  const [settled, setSettled] = useState(path)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(path), SETTLED_MS)
    return () => clearTimeout(timer)
  }, [path])
  const preview = useResource<TickPreview>(path === null ? null : settled)
  if (typeof rule === 'string') return <p class="muted preview">{rule}</p>
  if (preview.failure) return <p class="failing preview">{preview.failure.message}</p>
  const { data } = preview
  return (
    <p class="muted preview" aria-live="polite">
      {!data
        ? ' '
        : data.ticks.length === 0
          ? 'It has no tick to come.'
          : `Next: ${data.ticks.map((at) => timeZoneDay(at, data.nowMs)).join(', ')}${data.ticks.length > 4 ? ' …' : ''}`}
    </p>
  )
}

const zones = (): string[] => ['UTC', ...Intl.supportedValuesOf('timeZone')]

function Field({
  label,
  value,
  set,
  hint,
  mono = false,
  type = 'text',
  children,
}: {
  label: string
  value: string
  set: (value: string) => void
  hint?: string
  mono?: boolean
  type?: 'text' | 'datetime-local'
  children?: ComponentChildren
}) {
  return (
    <label class="labelled">
      {label}
      <input
        class={`field ${mono ? 'mono' : ''}`}
        type={type}
        step={type === 'datetime-local' ? 1 : undefined}
        list={children ? 'zones' : undefined}
        autocomplete="off"
        spellcheck={false}
        value={value}
        placeholder={hint}
        onInput={(event) => set(event.currentTarget.value)}
      />
      {children}
    </label>
  )
}

function Area({ label, value, set }: { label: string; value: string; set: (value: string) => void }) {
  return (
    <label class="labelled">
      {label}
      <textarea
        class="field"
        rows={Math.min(8, Math.max(1, value.split('\n').length))}
        value={value}
        placeholder="stays as it is"
        spellcheck={false}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </label>
  )
}

function Choice<T extends string>({
  label,
  value,
  options,
  set,
}: {
  label: string
  value: T
  options: Record<T, string>
  set: (value: T) => void
}) {
  return (
    <label class="labelled">
      {label}
      <select class="field" value={value} onChange={(event) => set(event.currentTarget.value as T)}>
        {(Object.entries(options) as [T, string][]).map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}
