import { useState } from 'preact/hooks'
import type { ErrorDetails, FunctionMap, JobHistory, JobView } from '@arq-ts/dashboard/api'
import { segments, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { useTopic } from '../api/stream.ts'
import { Timeline } from '../charts/timeline.tsx'
import { callLines } from '../format/call.ts'
import { bytes, digits } from '../format/number.ts'
import { duration } from '../format/duration.ts'
import { full, moment } from '../format/time.ts'
import { short, shown } from '../format/names.ts'
import { about } from '../format/chips.ts'
import { place, to } from '../router.ts'
import { perform, useChanged } from '../shell/toasts.tsx'
import { narrow } from '../state/narrow.ts'
import { session } from '../state/session.ts'
import { Code, ErrorBox } from '../ui/code.tsx'
import { Icon } from '../ui/icon.tsx'
import { Facts, Limits, Loaded, Page, Section, Segmented } from '../ui/parts.tsx'
import { JobStatus, Languages } from '../ui/status.tsx'
import { limitsOf, triesOf } from './job-tries.ts'
import { became, failures, more } from './job-words.ts'
import { Why } from './job-why.tsx'
import { Logs } from './job-logs.tsx'
import { Replay } from './replay.tsx'

const open = new Set(['queued', 'deferred', 'retrying', 'running'])

/** One job: what became of it, its tries, its error, its call, and why it does not run. */
export function Job() {
  const id = place.value.query.get('id') ?? ''
  const queue = place.value.query.get('queue')
  const path = `jobs/${segments(id)}`
  const job = useResource<JobView>(withQuery(path, { queue }), { everyMs: 5_000 })
  const history = useResource<JobHistory>(withQuery(`${path}/history`, { queue }), { everyMs: 5_000 })
  useChanged(() => {
    job.reload()
    history.reload()
  })
  useTopic(job.data && open.has(job.data.status) ? 'events' : null, ({ events }) => {
    if (!events.some((event) => event.jobId === id)) return
    job.reload()
    history.reload()
  })
  if (!job.data && job.failure?.code === 'not_found') {
    return (
      <Page
        title="There is no such job."
        lede="It never was, or its result has expired. arq keeps results for an hour by default; dead letters stay longer."
        before={<Crumbs id={id} queue={queue} />}
      >
        <p class="section">
          <a href={to('/jobs', { q: about('id', id.slice(0, 8)) })}>Search for ids that begin alike</a>
        </p>
      </Page>
    )
  }
  return <Loaded of={job}>{(data) => <Shown job={data} history={history.data} />}</Loaded>
}

function Crumbs({ id, queue }: { id: string; queue: string | null }) {
  return (
    <nav class="crumbs" aria-label="Where this page lies">
      <a href={to('/jobs')}>Jobs</a>
      <Icon name="chevron-right" size={12} />
      {queue && (
        <>
          <a href={to('/queue', { name: queue })}>{shown(queue)}</a>
          <Icon name="chevron-right" size={12} />
        </>
      )}
      <span class="mono">{shown(id)}</span>
    </nav>
  )
}

function Shown({ job, history }: { job: JobView; history: JobHistory | undefined }) {
  const [replaying, setReplaying] = useState(false)
  const waits = open.has(job.status)
  const tries = history ? triesOf(job, history.tries) : []
  const own = history?.tries.findLast(({ stack }) => stack)?.stack ?? null
  // The group keeps the stack of its newest failure, which is the same but for what differs from job to job.
  const group = useResource<ErrorDetails>(job.fingerprint ? `errors/${segments(job.fingerprint)}` : null).data?.group
  const failedTry = tries.findLast(({ outcome }) => outcome === 'failed' || outcome === 'retried' || outcome === 'lost')
  const stack = own ?? group?.stack ?? null
  const error = job.error ?? history?.tries.findLast(({ error }) => error)?.error ?? null
  return (
    <Page
      before={<Crumbs id={job.jobId} queue={job.queueName} />}
      title={
        <>
          <code>{job.functionName === null ? 'A job that cannot be read' : shown(job.functionName)}</code>
          {became(job, failures(job, history))}
        </>
      }
      lede={more(job)}
      acts={<Acts job={job} replay={() => setReplaying(true)} />}
    >
      {job.problems.length > 0 && (
        <p class="section warning" role="note">
          {job.problems.join(' ')}
        </p>
      )}
      {history && tries.length > 0 && (
        <Section title="Timeline" remark="running time is to scale; waits are folded and labelled">
          <Timeline tries={tries} now={job.nowMs} dueMs={job.dueMs} />
          <Limits of={limitsOf(history, tries)} />
        </Section>
      )}
      {waits && narrow.value && <Why job={job} />}
      <div class="columns">
        <div>
          {error && (
            <Section
              title={failedTry ? `Error of try ${failedTry.jobTry}` : 'Error'}
              remark={shared(group?.count, own === null && stack !== null)}
              more={job.fingerprint && <a href={to('/error', { fp: job.fingerprint })}>Open the group</a>}
            >
              <ErrorBox error={error} stack={stack} />
            </Section>
          )}
          <Call job={job} />
          {job.result && (
            <Section title="Result">
              <Code lines={job.result.text.split('\n')} label="Result" />
              <Cut of={job.result} />
            </Section>
          )}
          <Logs id={job.jobId} live={job.status === 'running'} />
        </div>
        <aside>
          {waits && !narrow.value && <Why job={job} />}
          <Section title="Facts">
            <JobFacts job={job} />
          </Section>
          <Section title="Changes" more={<a href={to('/audit')}>Audit log</a>}>
            {history?.changes.length ? (
              <ul class="changes">
                {history.changes.map((change) => (
                  <li key={change.id}>
                    <span class="muted num">{moment(change.atMs, job.nowMs)}</span> {change.user} {change.action}{' '}
                    <span class="muted">{change.detail}</span>
                  </li>
                ))}
              </ul>
            ) : (
              <p class="muted">Nobody has changed this job.</p>
            )}
          </Section>
        </aside>
      </div>
      {replaying && <ReplayOf job={job} close={() => setReplaying(false)} />}
    </Page>
  )
}

/** Number of failures that look alike, and the one whose stack is shown. */
function shared(count: number | undefined, borrowed: boolean): string {
  const parts = [
    count !== undefined && count > 1 && `${digits(count, 'failure')} share it`,
    borrowed && 'the stack is that of the newest',
  ]
  return parts.filter(Boolean).join('; ')
}

function ReplayOf({ job, close }: { job: JobView; close: () => void }) {
  const functions = useResource<FunctionMap>('functions')
  if (!functions.data && !functions.failure) return null
  const schema = functions.data?.functions.find(({ functionName }) => functionName === job.functionName)?.declared
    ?.schema
  return <Replay job={job} schema={schema} close={close} />
}

function Acts({ job, replay }: { job: JobView; replay: () => void }) {
  const path = (action: string) => `jobs/${segments(job.jobId)}/${action}`
  const body = job.queueName === null ? {} : { queueName: job.queueName }
  const has = (action: JobView['actions'][number]) => job.actions.includes(action)
  const main = has('retry') && !open.has(job.status) ? 'retry' : has('run-now') ? 'run-now' : null
  return (
    <>
      {main === 'run-now' && (
        <button type="button" class="button primary" data-key="r" onClick={() => void perform(path('run-now'), body)}>
          <Icon name="play" /> Run now
        </button>
      )}
      {main === 'retry' && (
        <button type="button" class="button primary" data-key="r" onClick={() => void perform(path('retry'))}>
          <Icon name="rotate-cw" /> Retry
        </button>
      )}
      {has('clone') && (
        <button type="button" class="button" data-key="e" onClick={replay}>
          <Icon name="pencil" /> Edit and replay…
        </button>
      )}
      {has('abort') && (
        <button type="button" class="button" data-key="a" onClick={() => void perform(path('abort'), body)}>
          <Icon name="ban" /> Abort
        </button>
      )}
      {has('remove') && (
        <button type="button" class="button" data-key="d" onClick={() => void perform(path('remove'), body)}>
          <Icon name="trash-2" /> Remove
        </button>
      )}
    </>
  )
}

const views = [
  ['code', 'Python'],
  ['json', 'JSON'],
] as const

function Call({ job }: { job: JobView }) {
  const python = job.args.language === 'python'
  const [view, setView] = useState<'code' | 'json'>(python ? 'code' : 'json')
  const lines =
    view === 'json'
      ? JSON.stringify({ args: job.args.json, kwargs: job.kwargs.json }, null, 2).split('\n')
      : callLines(job.functionName ?? 'unknown', job.args.text, job.kwargs.text)
  return (
    <Section
      title="Call"
      remark={python ? 'a pickle, as Python shows it' : `${job.codec ?? 'a payload'}, as JSON shows it`}
      more={
        <Segmented
          label="Notation"
          options={
            python
              ? views
              : ([
                  ['code', 'Call'],
                  ['json', 'JSON'],
                ] as const)
          }
          value={view}
          pick={setView}
        />
      }
    >
      <Code lines={lines} label="Call" />
      <Cut of={job.args} and={job.kwargs} />
    </Section>
  )
}

function Cut({ of, and = of }: { of: JobView['args']; and?: JobView['args'] }) {
  return (
    <Limits
      of={[
        (of.cut || and.cut) && 'It is longer than what is shown',
        (of.redacted || and.redacted) && 'Parts are redacted by this installation',
      ]}
    />
  )
}

function JobFacts({ job }: { job: JobView }) {
  const trace = job.kwargs.json && session.value?.traceUrl ? traceId(job.kwargs.json) : null
  return (
    <Facts
      of={[
        ['State', <JobStatus key="s" status={job.status} />],
        ['Queue', job.queueName !== null && shown(job.queueName)],
        [
          'Enqueued',
          job.enqueuedMs !== null && <time title={full(job.enqueuedMs)}>{moment(job.enqueuedMs, job.nowMs)}</time>,
        ],
        [
          'Started',
          job.startedMs !== null && <time title={full(job.startedMs)}>{moment(job.startedMs, job.nowMs)}</time>,
        ],
        [
          'Ended',
          job.finishedMs !== null && <time title={full(job.finishedMs)}>{moment(job.finishedMs, job.nowMs)}</time>,
        ],
        ['Ran', job.startedMs !== null && job.finishedMs !== null && duration(job.finishedMs - job.startedMs)],
        ['Try', job.jobTry || null],
        ['Lost workers', job.deaths > 0 && job.deaths],
        [
          'Held by',
          job.holder && (
            <>
              {job.holder.workerId === null ? 'a worker' : shown(job.holder.workerId)}
              {job.holder.language !== 'unknown' && <Languages of={[job.holder.language]} />}
            </>
          ),
        ],
        ['Lease ends', job.holder?.expiresInMs ? `in ${duration(job.holder.expiresInMs)}` : null],
        ['Payload', job.codec && `${job.codec}, ${bytes(job.args.text.length + job.kwargs.text.length)} shown`],
        [
          'Payload kept',
          job.payloadExpiresInMs !== null && job.payloadExpiresInMs > 0 && `${duration(job.payloadExpiresInMs)} more`,
        ],
        [
          'Trace',
          trace && (
            <a
              href={session.value!.traceUrl!.replace('{traceId}', encodeURIComponent(trace))}
              target="_blank"
              rel="noreferrer"
            >
              {short(trace, 17)}
            </a>
          ),
        ],
      ]}
    />
  )
}

/** Trace id of a `traceparent` among the keyword arguments. */
function traceId(kwargs: unknown): string | null {
  const found = /"(?:traceparent|_traceparent)":"00-([0-9a-f]{32})-/.exec(JSON.stringify(kwargs))
  return found?.[1] ?? null
}
