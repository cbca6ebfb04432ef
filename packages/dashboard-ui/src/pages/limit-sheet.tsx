import { useState } from 'preact/hooks'
import { shown } from '../format/names.ts'
import type { LimitRow, LimitSet } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { perform } from '../shell/toasts.tsx'
import { ActFoot, Refusal, Sheet } from '../ui/sheet.tsx'
import { limitName } from './limit-words.ts'
import { spanIn } from './schedule-words.ts'

/** Sets a limit for all its keys, or for one. An empty bound lifts what tasks declare. */
export function LimitSheet({ of, close }: { of: LimitRow; close: () => void }) {
  const [most, setMost] = useState(of.concurrency === null ? '' : String(of.concurrency))
  const [count, setCount] = useState(of.rate ? String(of.rate.count) : '')
  const [per, setPer] = useState(of.rate ? `${of.rate.perMs} ms` : '1 s')
  const [burst, setBurst] = useState(String(of.rate?.burst ?? 1))
  const [refused, setRefused] = useState<string | null>(null)
  const save = async () => {
    const body = bodyOf(of, { most, count, per, burst })
    if (typeof body === 'string') return setRefused(body)
    const answer = await perform(`limits/${segments(of.name)}`, body)
    if (answer) close()
  }
  const fields = [
    ['Jobs at a time', most, setMost, 'any number'],
    ['Starts', count, setCount, 'no bound'],
    ['in', per, setPer, '1 s'],
    ['at once', burst, setBurst, '1'],
  ] as const
  return (
    <Sheet
      title={`Set ${shown(limitName(of))}`}
      lede={of.key === null && of.isKeyed ? 'For all its keys. Nothing has changed yet.' : 'Nothing has changed yet.'}
      close={close}
      foot={<ActFoot verb="Set the limit" run={save} close={close} />}
    >
      <form
        class="replay"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        {fields.map(([label, value, set, hint]) => (
          <label key={label} class="labelled">
            {label}
            <input class="field" value={value} placeholder={hint} onInput={(event) => set(event.currentTarget.value)} />
          </label>
        ))}
        <p class="muted">
          It counts on every worker from the next start on, and wins over what tasks declare. Jobs that run continue. An
          empty field lifts its bound; 0 jobs at a time lets nothing start.
        </p>
        <Refusal of={refused} />
      </form>
    </Sheet>
  )
}

function bodyOf(
  { key }: LimitRow,
  form: { most: string; count: string; per: string; burst: string },
): LimitSet | string {
  const whole = (text: string) => (/^\d+$/.test(text.trim()) ? Number(text) : NaN)
  const body: LimitSet = key === null ? {} : { key }
  body.concurrency = form.most.trim() === '' ? null : whole(form.most)
  if (Number.isNaN(body.concurrency)) return `Expected a number of jobs at a time, got ${form.most}.`
  if (form.count.trim() === '') return { ...body, rate: null }
  const [count, perMs, burst] = [whole(form.count), spanIn(form.per), whole(form.burst || '1')]
  if (!(count >= 1)) return `Expected a number of starts, got ${form.count}.`
  if (perMs === null || perMs < 1) return `Expected a span such as 1 s or 5 min, got ${form.per}.`
  if (!(burst >= 1)) return `Expected how many may start at once, got ${form.burst}.`
  return { ...body, rate: { count, perMs, burst } }
}
