import type { CronCalendar, CronRow, ScheduleList, ScheduleRow } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { capital, count, digits } from '../format/number.ts'
import { brief } from '../format/duration.ts'
import { clock, moment, timeZoneDay } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { perform, useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Languages, Mark } from '../ui/status.tsx'
import { Behind } from '../charts/behind.tsx'
import { CronStrip, StripHead, WHY_LEFT_OUT } from '../charts/cron-strip.tsx'
import { ruleWords } from './schedule-words.ts'

/** Cron jobs of both languages, a day back and a day ahead. */
export function Cron() {
  const cron = useResource<CronCalendar>('cron', { everyMs: 30_000 })
  const schedules = useResource<ScheduleList>('schedules?coming=1', { everyMs: 30_000 })
  useChanged(() => {
    cron.reload()
    schedules.reload()
  })
  return <Loaded of={cron}>{(data) => <Shown data={data} made={schedules.data} />}</Loaded>
}

function Shown({ data, made }: { data: CronCalendar; made: ScheduleList | undefined }) {
  const { schedules, notes } = made ?? { schedules: [], notes: [] }
  const missed = data.jobs.filter((job) => job.missed.length > 0)
  const failed = data.jobs.filter((job) => job.past.at(-1)?.status === 'failed')
  const next = data.jobs.filter(({ nextMs }) => nextMs !== null).sort((a, b) => a.nextMs! - b.nextMs!)[0]
  const sorted = [...data.jobs].sort(
    (a, b) => b.missed.length - a.missed.length || (a.nextMs ?? Infinity) - (b.nextMs ?? Infinity),
  )
  const title =
    data.jobs.length === 0
      ? 'No cron job is known.'
      : missed.length
        ? `${capital(count(missed.length, 'cron job'))} missed ${count(
            missed.reduce((sum, job) => sum + job.missed.length, 0),
            'tick',
          )}.`
        : failed.length
          ? `${shown(failed[0]!.name)} failed at its last tick.`
          : 'No tick was missed.'
  return (
    <Page
      title={title}
      lede={
        next
          ? `${shown(next.name)} is next, at ${moment(next.nextMs!, data.nowMs)}, in ${brief(next.nextMs! - data.nowMs)}.`
          : ''
      }
    >
      {data.jobs.length === 0 ? (
        <div class="section">
          <Empty title="Cron jobs belong to workers.">
            <p>
              A TypeScript worker lists its own as{' '}
              <code>cron: [cron('cron:nightly', {'{ hour: 2, minute: 0 }'}, nightly)]</code>. Python’s appear with their
              first tick, whose job id is <code>cron:name:time</code>.
            </p>
          </Empty>
        </div>
      ) : (
        <div class="section">
          <StripHead from={data.fromMs} to={data.toMs} now={data.nowMs} />
          <ul class="crons">
            {sorted.map((job) => (
              <Row key={`${job.language} ${job.name}`} job={job} data={data} />
            ))}
          </ul>
        </div>
      )}
      {schedules.length > 0 && (
        <Section title="Schedules" remark="made at run time" more={<a href={to('/schedules')}>All schedules</a>}>
          {data.jobs.length === 0 && <StripHead from={data.fromMs} to={data.toMs} now={data.nowMs} />}
          <ul class="crons ruled">
            {schedules.map((schedule) => (
              <Schedule key={schedule.name} schedule={schedule} data={data} />
            ))}
          </ul>
        </Section>
      )}
      <Limits of={[...data.limits, ...notes]} />
    </Page>
  )
}

function Row({ job, data }: { job: CronRow; data: CronCalendar }) {
  const last = job.past.at(-1)
  return (
    <li>
      <div class="who">
        <p>
          {job.pause ? <Mark shape="paused" size={14} /> : job.missed.length > 0 && <Mark shape="warning" size={14} />}{' '}
          <b>{shown(job.name)}</b>
          <Languages of={[job.language]} />
        </p>
        <p class="muted">
          {job.schedule ?? 'schedule known to Python alone'}
          {last && (
            <>
              {' · '}
              <a href={to('/job', { id: last.jobId })} data-row>
                last {clock(last.atMs)}
              </a>
              {last.tookMs !== null && `, ${brief(last.tookMs)}`}
            </>
          )}
        </p>
        <Pause of={job.pause} now={data.nowMs} />
        <Verdicts job={job} />
        {job.missed.length > 0 && (
          <p class="warning">
            {digits(job.missed.length, 'tick')} missed, the last at {timeZoneDay(job.missed.at(-1)!, data.nowMs)}
          </p>
        )}
      </div>
      <CronStrip job={job} from={data.fromMs} to={data.toMs} now={data.nowMs} />
      <span class="n next">{job.nextMs === null ? '–' : `in ${brief(job.nextMs - data.nowMs)}`}</span>
      <CronActs job={job} />
      {job.past.length + job.missed.length + job.leftOut.length > 0 && (
        <Behind
          head={['Tick', 'Outcome', 'Began after', 'Took']}
          rows={() => tickRows(job).map((cells) => [moment(cells.atMs, data.nowMs), ...cells.words])}
        />
      )}
    </li>
  )
}

function Schedule({ schedule, data }: { schedule: ScheduleRow; data: CronCalendar }) {
  const { coming, last, name, nextMs, paused, problem } = schedule
  const ticks = { name, coming, past: [], leftOut: [], missed: [], enqueued: last ? [last.atMs] : [] }
  return (
    <li>
      <div class="who">
        <p>
          {(paused || problem !== null) && <Mark shape={problem === null ? 'paused' : 'failing'} size={14} />}{' '}
          <a href={to('/schedule', { name })} data-row>
            <b>{shown(name)}</b>
          </a>
        </p>
        <p class="muted">
          {ruleWords(schedule)}
          {paused && ' · paused'}
        </p>
      </div>
      <CronStrip job={ticks} from={data.fromMs} to={data.toMs} now={data.nowMs} />
      <span class="n next">{nextMs === null ? '–' : `in ${brief(Math.max(0, nextMs - data.nowMs))}`}</span>
      <div class="acts">
        {may('run-schedule') && (
          <button
            type="button"
            class="button square"
            title="Run now"
            aria-label={`Run ${shown(name)} now`}
            onClick={() => void perform(`schedules/${segments(name)}/run`)}
          >
            <Icon name="play" />
          </button>
        )}
        {may(paused ? 'resume' : 'pause') && problem === null && (
          <button
            type="button"
            class="button square"
            title={paused ? 'Resume' : 'Pause'}
            aria-label={`${paused ? 'Resume' : 'Pause'} ${shown(name)}`}
            onClick={() => void perform(`schedules/${segments(name)}/${paused ? 'resume' : 'pause'}`)}
          >
            <Icon name={paused ? 'circle-play' : 'pause'} />
          </button>
        )}
      </div>
    </li>
  )
}

function CronActs({ job: { name, pause, queues, workers } }: { job: CronRow }) {
  const path = `cron/${segments(name)}`
  const act = pause ? 'resume' : 'pause'
  return (
    <div class="acts">
      {may('run-cron') && workers.length > 0 && (
        <button
          type="button"
          class="button square"
          title="Run now"
          aria-label={`Run ${shown(name)} now`}
          onClick={() => void perform(`${path}/run`, queues[0] ? { queueName: queues[0] } : {})}
        >
          <Icon name="play" />
        </button>
      )}
      {may(act) && (workers.length > 0 || pause) && (
        <button
          type="button"
          class="button square"
          title={pause ? 'Resume' : 'Pause'}
          aria-label={`${pause ? 'Resume' : 'Pause'} ${shown(name)}`}
          onClick={() => void perform(`${path}/${act}`)}
        >
          <Icon name={pause ? 'circle-play' : 'pause'} />
        </button>
      )}
    </div>
  )
}

/** The pause of a cron job, and the workers that may ignore it. */
function Pause({ of, now }: { of: CronRow['pause']; now: number }) {
  if (!of) return null
  return (
    <p class="warning">
      paused{of.sinceMs !== null && ` since ${timeZoneDay(of.sinceMs, now)}`}
      {of.advisory && `; it may tick all the same: ${of.advisory}`}
    </p>
  )
}

/** Ticks that need a word: late, overlapping, left out. */
function Verdicts({ job }: { job: CronRow }) {
  const late = job.past.filter(({ isLate }) => isLate).length
  const overlapping = job.past.filter(({ overlaps }) => overlaps).length
  const leftOut = (reason: CronRow['leftOut'][number]['why']) => job.leftOut.filter(({ why }) => why === reason).length
  const words = [
    late > 0 && `${digits(late, 'tick')} began late`,
    overlapping > 0 && `${digits(overlapping, 'tick')} began while one ran`,
    ...(['overlap', 'late', 'paused'] as const).map(
      (why) => leftOut(why) > 0 && `${digits(leftOut(why), 'tick')} left out while ${WHY_LEFT_OUT[why]}`,
    ),
  ].filter(Boolean)
  return words.length > 0 ? <p class="muted">{words.join(' · ')}</p> : null
}

/** All that is known of past ticks, the newest first. */
function tickRows(job: CronRow): { atMs: number; words: string[] }[] {
  const span = (ms: number | null) => (ms === null ? '–' : brief(Math.max(0, ms)))
  const ended = job.past.map(({ atMs, status, delayMs, tookMs, isLate, overlaps }) => {
    const marks = [isLate && 'late', overlaps && 'overlapping'].filter(Boolean)
    return { atMs, words: [[status, ...marks].join(', '), span(delayMs), span(tookMs)] }
  })
  const none = ['–', '–']
  const left = job.leftOut.map(({ atMs, why }) => ({
    atMs,
    words: [`left out, ${WHY_LEFT_OUT[why]}`, ...none],
  }))
  const missed = job.missed.map((atMs) => ({ atMs, words: ['missed', ...none] }))
  return [...ended, ...left, ...missed].sort((a, b) => b.atMs - a.atMs)
}
