import { ticksBetween } from '@arq-ts/core'
import type { CronHistory } from '@arq-ts/core'
import type { CronCalendar, CronRow } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
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
  const jobs = (await board.history.cron()).map((job) => rowOf(job, { nowMs, fromMs, toMs }))
  return { nowMs, fromMs, toMs, jobs, limits: LIMITS }
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

function rowOf(job: CronHistory, { nowMs, fromMs, toMs }: { nowMs: number; fromMs: number; toMs: number }): CronRow {
  const { name, schedule, queues, workers, nextMs } = job
  const isWithin = (atMs: number) => atMs >= fromMs && atMs < toMs
  const within = job.ticks.filter(({ atMs }) => isWithin(atMs))
  const past = within.flatMap(({ atMs, jobId, outcome, tookMs, delayMs, isLate, overlaps }) =>
    outcome === 'overlap' || outcome === 'late' || outcome === 'paused'
      ? []
      : [{ atMs, jobId, status: outcome, tookMs, delayMs, isLate, overlaps }],
  )
  const coming =
    schedule === null ? [] : ticksBetween({ schedule, nextMs }, Math.max(nowMs, fromMs), toMs).ticks.slice(0, MAX_TICKS)
  return {
    name,
    language: job.language === 'python' ? 'python' : 'arq-ts',
    schedule,
    queues,
    workers,
    nextMs,
    coming,
    past,
    leftOut: within.flatMap(({ atMs, outcome: why }) =>
      why === 'overlap' || why === 'late' || why === 'paused' ? [{ atMs, why }] : [],
    ),
    missed: job.missed.filter(isWithin),
  }
}
