import { useEffect, useState } from 'preact/hooks'
import type { JobPage, JobRow, PlanRequest } from '@arq-ts/dashboard/api'
import { type ApiFailure, get, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { valueOf, withChip, without, write, parse } from '../format/chips.ts'
import { capital, digits, list, number } from '../format/number.ts'
import { duration } from '../format/duration.ts'
import { shown } from '../format/names.ts'
import { place, setQuery, to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { openPlan } from '../state/plan.ts'
import { may } from '../state/session.ts'
import { views } from '../state/settings.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty, Failure, Limits, Loaded, Page, Segmented } from '../ui/parts.tsx'
import { JobTable } from './job-table.tsx'
import { Filters } from './job-filters.tsx'

const tabs = [
  ['', 'Not ended'],
  ['running', 'Running'],
  ['retrying', 'Retrying'],
  ['failed', 'Failed'],
  ['dead', 'Dead'],
  ['complete', 'Complete'],
] as const

/** Jobs by a filter that stands in the address, and acts on all or some of them by a frozen plan. */
export function Jobs() {
  const q = place.value.query.get('q') ?? ''
  const [more, setMore] = useState<JobPage[]>([])
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
  const [failure, setFailure] = useState<ApiFailure | null>(null)
  const path = withQuery('jobs', { q, limit: 50 })
  const quiet = more.length === 0 && picked.size === 0
  const first = useResource<JobPage>(path, quiet ? { everyMs: 5_000 } : {})

  useEffect(() => {
    setMore([])
    setPicked(new Set())
    setFailure(null)
  }, [path])
  useChanged(() => {
    setPicked(new Set())
    setMore([])
    first.reload()
  })

  const search = (next: string) => setQuery({ q: next || null })
  const status = valueOf(q, 'status') ?? ''
  const known = tabs.some(([name]) => name === status)
  return (
    <Loaded of={first}>
      {(data) => {
        const pages = [data, ...more]
        const last = pages.at(-1)!
        const jobs = unique(pages.flatMap((page) => page.jobs))
        const goOn = () => {
          setFailure(null)
          get<JobPage>(withQuery('jobs', { q, limit: 50, cursor: last.cursor })).then(
            (page) => setMore((all) => [...all, page]),
            (error: unknown) => setFailure(error as ApiFailure),
          )
        }
        return (
          <Page
            title={title(data, jobs, last.exhausted)}
            lede={`${digits(last.scannedTotal, 'job')}${last.of === null ? '' : ` of ${number(last.of)}`} searched in ${duration(data.cost.tookMs)}, for ${digits(data.cost.commands, 'command')} of Redis.`}
          >
            <div class="chips">
              <Segmented
                label="State"
                options={tabs}
                value={(known ? status : '~') as ''}
                pick={(name) =>
                  search(
                    name
                      ? withChip(q, { key: 'status', value: name })
                      : write(parse(q).filter(({ key }) => key !== 'status')),
                  )
                }
              />
              <Filters q={q} search={search} remove={(at) => search(without(q, at))} />
              <SaveView q={q} />
            </div>
            <Limits of={data.filter.problems} />
            <Acts q={q} picked={picked} any={jobs.length > 0} data={data} />
            {jobs.length === 0 && last.exhausted ? (
              <Nothing q={q} />
            ) : (
              <JobTable
                label="Jobs"
                jobs={jobs}
                now={data.nowMs}
                {...(bulk.some(({ action }) => may(action)) && { picked, pick: setPicked })}
              />
            )}
            {failure && <Failure of={failure} retry={goOn} />}
            {!last.exhausted && (
              <p class="section">
                {number(last.scannedTotal)}
                {last.of === null ? ' jobs' : ` of ${number(last.of)}`} searched, {number(jobs.length)} found.{' '}
                <button type="button" class="link" onClick={goOn} data-row>
                  Continue
                </button>
              </p>
            )}
          </Page>
        )
      }}
    </Loaded>
  )
}

/** Jobs without those that moved from one page to the next while they were read. */
function unique(jobs: JobRow[]): JobRow[] {
  return [...new Map(jobs.map((job) => [`${job.queueName} ${job.jobId}`, job])).values()]
}

const named: Record<string, string> = {
  queued: 'is queued',
  deferred: 'is deferred',
  retrying: 'waits to retry',
  running: 'is running',
  complete: 'is complete',
  failed: 'has failed',
  aborted: 'was aborted',
  dead: 'is a dead letter',
}
const several: Record<string, string> = {
  queued: 'are queued',
  deferred: 'are deferred',
  retrying: 'wait to retry',
  running: 'are running',
  complete: 'are complete',
  failed: 'have failed',
  aborted: 'were aborted',
  dead: 'are dead letters',
}

function title({ filter, of }: JobPage, jobs: JobRow[], exhausted: boolean): string {
  const one = jobs.length === 1 && exhausted
  const states = (one ? named : several) as Record<string, string>
  const open = ['queued', 'deferred', 'retrying', 'running']
  const all = filter.statuses.length === 0 || open.every((name) => filter.statuses.includes(name as never))
  const what = all
    ? one
      ? 'has not ended'
      : 'have not ended'
    : list(
        filter.statuses.map((name) => states[name] ?? name),
        4,
      )
  const bare = !filter.functionName && !filter.text && !filter.error && !filter.jobId && filter.olderThanMs === null
  const many = exhausted ? jobs.length : bare && of !== null ? of : null
  const where = filter.queueNames.length ? ` in ${list(filter.queueNames)}` : ''
  const which = filter.functionName ? `${shown(filter.functionName)} job` : 'job'
  if (many === 0)
    return `No ${which}${where} ${(one ? named : several)[filter.statuses[0] ?? ''] && !all ? what.replace('are', 'is').replace('have', 'has').replace('wait ', 'waits ').replace('were', 'was').replace('dead letters', 'a dead letter') : 'is left to run'}.`
  return many === null ? `${capital(which)}s that ${what}${where}.` : `${digits(many, which)} ${what}${where}.`
}

const bulk: {
  action: PlanRequest['action'] & ('retry' | 'abort' | 'remove' | 'run-now' | 'move')
  verb: string
  icon: string
  key: string
  on: string[]
}[] = [
  { action: 'retry', verb: 'Retry', icon: 'rotate-cw', key: 'r', on: ['failed', 'dead', 'aborted'] },
  { action: 'run-now', verb: 'Run now', icon: 'play', key: 'n', on: ['deferred', 'retrying'] },
  { action: 'move', verb: 'Move', icon: 'arrow-right', key: 'm', on: ['queued', 'deferred', 'retrying'] },
  { action: 'abort', verb: 'Abort', icon: 'ban', key: 'a', on: ['queued', 'deferred', 'retrying', 'running'] },
  {
    action: 'remove',
    verb: 'Remove',
    icon: 'trash-2',
    key: 'd',
    on: ['queued', 'deferred', 'retrying', 'complete', 'failed', 'aborted', 'dead'],
  },
]

/** The acts on the picked jobs, or on all that fit. Each opens a plan first. */
function Acts({ q, picked, any, data }: { q: string; picked: ReadonlySet<string>; any: boolean; data: JobPage }) {
  const statuses = new Set<string>(data.jobs.map(({ status }) => status))
  const fitting = bulk.filter(({ action, on }) => may(action) && on.some((status) => statuses.has(status)))
  if (!any || fitting.length === 0) return null
  return (
    <div class="chips acts-line" role="group" aria-label="Acts on jobs">
      <span class="muted">{picked.size ? `${digits(picked.size, 'job')} selected:` : 'All that fit:'}</span>
      {fitting.map(({ action, verb, icon, key }) => (
        <button
          key={action}
          type="button"
          class="button"
          data-key={key}
          onClick={() => openPlan(picked.size ? { action, jobIds: [...picked] } : { action, q }, verb)}
        >
          <Icon name={icon} /> {verb}…
        </button>
      ))}
    </div>
  )
}

function SaveView({ q }: { q: string }) {
  const saved = views.value
  const known = saved.some((view) => view.q === q)
  return (
    <>
      {q && (
        <button
          type="button"
          class="button plain more"
          aria-pressed={known}
          onClick={() => (views.value = known ? saved.filter((view) => view.q !== q) : [...saved, { name: q, q }])}
        >
          <Icon name="star" /> {known ? 'Forget view' : 'Save view'}
        </button>
      )}
      {saved.length > 0 && (
        <nav class="views" aria-label="Saved views">
          {saved.map((view) => (
            <a key={view.q} href={to('/jobs', { q: view.q })} aria-current={view.q === q ? 'true' : undefined}>
              {view.name}
            </a>
          ))}
        </nav>
      )}
    </>
  )
}

function Nothing({ q }: { q: string }) {
  return (
    <Empty title={q ? 'No job fits this filter.' : 'Nothing waits and nothing runs.'}>
      <p>
        {q
          ? 'Results and dead letters are kept for a limited time; a job that ended longer ago leaves no trace here.'
          : 'Jobs appear here as soon as a producer of either language enqueues them.'}{' '}
        Search by chips: <code>status:failed</code>, <code>function:send_mail</code>, <code>queue:mail</code>,{' '}
        <code>older:10m</code>, <code>error:Timeout</code>; other words are searched in the arguments.
      </p>
    </Empty>
  )
}
