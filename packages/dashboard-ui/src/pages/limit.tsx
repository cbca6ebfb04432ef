import { useState } from 'preact/hooks'
import type { LimitJobRow, LimitView } from '@arq-ts/dashboard/api'
import { segments, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { brief } from '../format/duration.ts'
import { digits, list, number } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { place, to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Confirm, type ConfirmRequest } from '../ui/confirm.tsx'
import { Icon } from '../ui/icon.tsx'
import { Facts, Limits as Remarks, Loaded, Page, Section } from '../ui/parts.tsx'
import { Status, type Shape } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { LimitSheet } from './limit-sheet.tsx'
import { boundWords, isFull, limitName, rateWords } from './limit-words.ts'
import { LimitState, Places } from './limits.tsx'

/** One limit, or one key of it: jobs that have a place, and jobs that wait for one. */
export function LimitPage() {
  const { query } = place.value
  const path = withQuery(`limits/${segments(query.get('name') ?? '')}`, { key: query.get('key') })
  const limit = useResource<LimitView>(path, { everyMs: 5_000 })
  useChanged(limit.reload)
  return <Loaded of={limit}>{(data) => <Shown data={data} />}</Loaded>
}

function title(limit: LimitView): string {
  if (limit.isKeyed) return ' counts each key separately.'
  if (limit.concurrency === 0) return ' lets nothing start.'
  if (limit.waiting > 0) return ` holds ${digits(limit.waiting, 'job')} back.`
  return isFull(limit) ? ' is full, and nobody waits.' : ' has room.'
}

const states: Record<LimitJobRow['state'], [Shape, string]> = {
  running: ['running', 'has a place'],
  offered: ['open', 'is offered a place'],
  waiting: ['deferred', 'waits'],
}

function Shown({ data }: { data: LimitView }) {
  const [setting, setSetting] = useState(false)
  const [asked, setAsked] = useState<ConfirmRequest | null>(null)
  const holders = data.jobs.filter(({ state }) => state === 'running')
  const waiting = data.jobs.filter(({ state }) => state !== 'running')
  const name = limitName(data)
  return (
    <Page
      before={
        <nav class="crumbs" aria-label="Where this page lies">
          <a href={to('/limits')}>Limits</a>
          <Icon name="chevron-right" size={12} />
          <span>{shown(name)}</span>
        </nav>
      }
      title={
        <>
          {shown(name)}
          {title(data)}
        </>
      }
      lede={`Bound: ${boundWords(data)}${data.isSet ? ', set at run time' : ''}.`}
      acts={
        may('set-limit') && (
          <>
            <button type="button" class="button" data-key="e" onClick={() => setSetting(true)}>
              <Icon name="pencil" /> Set…
            </button>
            {data.isSet && (
              <button
                type="button"
                class="button"
                onClick={() =>
                  setAsked({
                    title: `Take back what was set of ${shown(name)}?`,
                    does: 'The bounds that tasks declare apply again from the next start on. Running jobs continue.',
                    verb: 'Take it back',
                    path: `limits/${segments(data.name)}/clear`,
                    body: data.key === null ? {} : { key: data.key },
                  })
                }
              >
                <Icon name="undo-2" /> Take back…
              </button>
            )}
          </>
        )
      }
    >
      <div class="columns">
        <div>
          <Section title="Has a place" remark={`${number(data.running)} ${data.running === 1 ? 'job' : 'jobs'}`}>
            <Table
              label="Jobs that have a place"
              columns={holderColumns(data.nowMs)}
              rows={holders}
              keyOf={keyOf}
              open={({ jobId }) => to('/job', { id: jobId })}
              empty={<p class="muted">Nobody has a place now.</p>}
            />
          </Section>
          <Section title="Waits, in turn" remark={`${number(data.waiting)} ${data.waiting === 1 ? 'job' : 'jobs'}`}>
            <Table
              label="Jobs that wait for a place"
              columns={waitingColumns}
              rows={waiting}
              keyOf={keyOf}
              open={({ jobId, queueName }) => to('/job', { id: jobId, queue: queueName })}
              empty={<p class="muted">Nobody waits.</p>}
            />
          </Section>
          <Remarks
            of={[
              (holders.length < data.running || waiting.length < data.waiting) &&
                'Lists at most 100 of each, and only jobs that you may see',
              'A held job waits without a slot and without a try; removing it or running it now ends its hold',
            ]}
          />
        </div>
        <aside>
          <Section title="Facts">
            <Facts
              of={[
                ['State', <LimitState key="s" of={data} />],
                ['Places', data.concurrency === null ? 'any number' : <Places key="p" of={data} />],
                ['Rate', data.rate ? rateWords(data.rate) : 'no bound'],
                ['Declared by', data.functions.length > 0 && <code key="f">{list(data.functions, 6)}</code>],
                ['Set', data.isSet ? 'at run time' : 'by its task'],
                ['Key', data.key !== null && shown(data.key)],
              ]}
            />
          </Section>
        </aside>
      </div>
      {setting && <LimitSheet of={data} close={() => setSetting(false)} />}
      {asked && <Confirm of={asked} close={() => setAsked(null)} />}
    </Page>
  )
}

const keyOf = ({ jobId, queueName, state }: LimitJobRow): string => `${state} ${queueName} ${jobId}`

const holderColumns = (now: number): Column<LimitJobRow>[] => [
  { name: 'Job', names: true, tone: 'mono anywhere', cell: ({ jobId }) => jobId },
  { name: 'Worker', hide: 'wide', tone: 'fade anywhere', cell: ({ workerId }) => workerId ?? '–' },
  {
    name: 'Lease ends',
    number: true,
    tone: 'fade',
    cell: ({ untilMs }) => (untilMs === null ? '–' : `in ${brief(Math.max(0, untilMs - now))}`),
  },
]

const waitingColumns: Column<LimitJobRow>[] = [
  { name: 'Job', names: true, tone: 'mono anywhere', cell: ({ jobId }) => jobId },
  { name: 'State', cell: ({ state }) => <Status shape={states[state][0]}>{states[state][1]}</Status> },
  { name: 'Queue', tone: 'name fade', cell: ({ queueName }) => queueName },
]
