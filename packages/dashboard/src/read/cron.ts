import type { CronCalendar, CronRow } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { numberIn } from './recorded.ts'
import { snapshot } from './queues.ts'
import { timeOf } from './show.ts'
import { cronOf, ticksBetween } from './ticks.ts'

const DAY_MS = 86_400_000
const MAX_SPAN_MS = 62 * DAY_MS
const MAX_TICKS = 200
/** Kept results that are looked at: 20 steps of a scan. */
const BUDGET = 10_000
/** arq's id of a tick: the name of the cron job and the unix ms of the tick. */
const TICK_ID = /^(.+):(\d{12,14})$/

type Tick = CronRow['past'][number]

/** The calendar of cron jobs: coming ticks, and what is left of past ones, of both languages. */
export async function cronCalendar(board: Board, query: URLSearchParams): Promise<Omit<CronCalendar, 'cost'>> {
  const { nowMs, workers } = await snapshot(board)
  const fromMs = numberIn(query, 'from') ?? nowMs - DAY_MS
  const toMs = numberIn(query, 'to') ?? nowMs + DAY_MS
  if (!(toMs > fromMs) || toMs - fromMs > MAX_SPAN_MS) {
    throw new Refusal('invalid_request', '`from` and `to` must be in order and at most 62 days apart')
  }
  const { ticks, complete } = await pastTicks(board, fromMs, toMs)
  const served = cronOf(workers)
  const jobs = served.map((job): CronRow => {
    const past = (ticks.get(job.name) ?? []).sort((a, b) => a.atMs - b.atMs)
    return {
      name: job.name,
      language: 'arq-ts',
      schedule: job.schedule,
      queues: job.queues,
      workers: job.workers,
      nextMs: job.nextMs,
      coming: ticksBetween(job, Math.max(nowMs, fromMs), toMs).ticks.slice(0, MAX_TICKS),
      past: past.slice(-MAX_TICKS),
      missed: missedOf(job, past),
    }
  })
  // A tick that no worker of ours has a schedule for is a Python worker's.
  for (const [name, past] of ticks) {
    if (served.some((job) => job.name === name)) continue
    const sorted = past.sort((a, b) => a.atMs - b.atMs).slice(-MAX_TICKS)
    const coming = sorted.filter(({ atMs }) => atMs >= nowMs).map(({ atMs }) => atMs)
    const row = { schedule: null, queues: [], workers: [], nextMs: coming[0] ?? null, coming, missed: [] }
    jobs.push({ name, language: 'python', ...row, past: sorted })
  }
  const limits = [
    'Past ticks are seen while their results are kept; arq keeps none of a cron job unless told to.',
    'A Python cron job is seen by its ticks alone: its schedule is not known.',
  ]
  if (!complete) limits.push(`Only ${BUDGET.toLocaleString('en-US')} kept results were looked at.`)
  return { nowMs, fromMs, toMs, jobs, limits }
}

/** Ticks by the name of their cron job: those queued or running, and those with a kept result or a dead letter. */
async function pastTicks(
  board: Board,
  fromMs: number,
  toMs: number,
): Promise<{ ticks: Map<string, Tick[]>; complete: boolean }> {
  const ticks = new Map<string, Tick[]>()
  const { names } = await board.names.known()
  const { jobs, cursor } = await board.client.jobs.page({
    queueNames: names,
    statuses: ['queued', 'deferred', 'retrying', 'running', 'dead', 'complete', 'failed', 'aborted'],
    fits: ({ jobId }) => TICK_ID.test(jobId),
    limit: BUDGET,
    budget: BUDGET,
  })
  for (const { jobId, status, info, finishTime } of jobs) {
    const [, name, at] = TICK_ID.exec(jobId)!
    const atMs = Number(at)
    // Another id may end in digits as well: a tick runs the function that it is named after.
    if (atMs < fromMs || atMs >= toMs || (info && info.functionName !== name)) continue
    const started = (info as { startTime?: Date } | null)?.startTime ?? null
    const [from, to] = [timeOf(started), timeOf(finishTime)]
    const tick: Tick = { atMs, jobId, status, tookMs: from === null || to === null ? null : to - from }
    const list = ticks.get(name!)
    if (list) list.push(tick)
    else ticks.set(name!, [tick])
  }
  return { ticks, complete: cursor === null }
}

/** Ticks of the schedule between two that left a trace, and left none: results of a job are kept equally long. */
function missedOf(job: Parameters<typeof ticksBetween>[0], past: readonly Tick[]): number[] {
  const [first, last] = [past[0], past.at(-1)]
  if (!first || !last || first === last) return []
  const seen = new Set(past.map(({ atMs }) => atMs))
  const due = ticksBetween(job, first.atMs + 1, last.atMs)
  return due.complete ? due.ticks.filter((atMs) => !seen.has(atMs)).slice(0, MAX_TICKS) : []
}
