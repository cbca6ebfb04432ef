import { ticksBetween } from '@arq-ts/core'
import type { CronHistory, CronPause } from '@arq-ts/core'
import type { CronCalendar, CronRow } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Sight } from '../users/sight.ts'
import { snapshot, snapshotSeen } from './queues.ts'
import { numberIn } from './recorded.ts'

const DAY_MS = 86_400_000
const MAX_SPAN_MS = 62 * DAY_MS
const MAX_TICKS = 200

const LIMITS = [
  'Of each cron job the last 50 ticks are kept.',
  'A Python cron job is seen by the results that its ticks leave, once an arq-ts worker of the database has read them. arq keeps none by default. Its schedule is not known.',
]

/** The calendar of cron jobs of both languages: coming ticks, and what became of the last ones. */
export async function cronCalendar(board: Board, query: URLSearchParams): Promise<Omit<CronCalendar, 'cost'>> {
  const nowMs = await board.client.now()
  const { fromMs, toMs } = rangeIn(query, nowMs)
  const [history, listed] = await Promise.all([board.history.cron(), board.client.cron.list()])
  const pauses = new Map(listed.flatMap(({ name, pause }) => (pause === null ? [] : [[name, pause]])))
  const jobs = history.map((job) => rowOf(job, { nowMs, fromMs, toMs, pause: pauses.get(job.name) ?? null }))
  // A paused cron job is listed even if no worker has it and no tick of it is known.
  for (const [name, pause] of pauses) if (!jobs.some((job) => job.name === name)) jobs.push(absent(name, pause))
  return { nowMs, fromMs, toMs, jobs, limits: LIMITS }
}

/** The cron jobs of a calendar that a user may see, with the queues and the workers of each that the user may see. */
export async function cronSeen<T extends { jobs: CronRow[] }>(board: Board, calendar: T, sight: Sight): Promise<T> {
  if (sight.isWhole) return calendar
  const { workers } = await snapshotSeen(await snapshot(board), sight)
  const ids = new Set(workers.map(({ id }) => id))
  const inQueues = await sight.withQueues(calendar.jobs)
  const jobs = await sight.own(inQueues, ({ name }) => ({ type: 'cron', name }))
  return { ...calendar, jobs: jobs.map((job) => ({ ...job, workers: job.workers.filter((id) => ids.has(id)) })) }
}

/** The range of a calendar: by default the last and the next 24 hours. @throws Refusal */
export function rangeIn(query: URLSearchParams, nowMs: number): { fromMs: number; toMs: number } {
  const fromMs = numberIn(query, 'from') ?? nowMs - DAY_MS
  const toMs = numberIn(query, 'to') ?? nowMs + DAY_MS
  if (!(toMs > fromMs) || toMs - fromMs > MAX_SPAN_MS) {
    throw new Refusal('invalid_request', '`from` and `to` must be in order and at most 62 days apart')
  }
  return { fromMs, toMs }
}

function pauseOf({ because, since }: CronPause): CronRow['pause'] {
  return { sinceMs: since?.getTime() ?? null, advisory: because }
}

function absent(name: string, pause: CronPause): CronRow {
  const nothing = { queues: [], workers: [], coming: [], past: [], leftOut: [], missed: [] }
  return { ...nothing, name, language: 'arq-ts', schedule: null, nextMs: null, pause: pauseOf(pause) }
}

function rowOf(
  job: CronHistory,
  { nowMs, fromMs, toMs, pause }: { nowMs: number; fromMs: number; toMs: number; pause: CronPause | null },
): CronRow {
  const { name, schedule, queues, workers, nextMs } = job
  const isWithin = (atMs: number) => atMs >= fromMs && atMs < toMs
  const within = job.ticks.filter(({ atMs }) => isWithin(atMs))
  const past = within.flatMap(({ atMs, jobId, outcome, tookMs, delayMs, isLate, overlaps }) =>
    outcome === 'overlap' || outcome === 'late' || outcome === 'paused'
      ? []
      : [{ atMs, jobId, status: outcome, tookMs, delayMs, isLate, overlaps }],
  )
  const coming =
    schedule === null || pause !== null
      ? []
      : ticksBetween({ schedule, nextMs }, Math.max(nowMs, fromMs), toMs).ticks.slice(0, MAX_TICKS)
  return {
    name,
    language: job.language === 'python' ? 'python' : 'arq-ts',
    schedule,
    queues,
    workers,
    nextMs: pause === null ? nextMs : null,
    pause: pause && pauseOf(pause),
    coming,
    past,
    leftOut: within.flatMap(({ atMs, outcome: why }) =>
      why === 'overlap' || why === 'late' || why === 'paused' ? [{ atMs, why }] : [],
    ),
    missed: job.missed.filter(isWithin),
  }
}
