import { setImmediate } from 'node:timers/promises'
import { OptionsError } from '@arq-ts/core'
import type { Schedule } from '@arq-ts/core'
import type { ScheduleList, ScheduleRow, ScheduleRule, ScheduleView, TickPreview } from '../api/schedules.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { rangeIn } from '../read/cron.ts'
import { numberIn } from '../read/recorded.ts'
import { argumentsOf, callText, shown } from '../read/show.ts'
import type { Viewer } from '../users/access.ts'
import { ticksOf } from './ticks.ts'

const MAX_SCHEDULES = 500
/** Schedules that are read to find those that do not tick, and the next ones. */
const MAX_READ = 10_000
const MAX_TICKS = 200
/** Number of schedules whose ticks are computed before other requests have their turn. */
const ROWS_AT_ONCE = 10
const NEXT_TICKS = 10
const PREVIEWED_TICKS = 5

/** `GET /api/schedules`: those that do not tick, then by their next tick. */
export async function scheduleList(board: Board, query: URLSearchParams): Promise<Omit<ScheduleList, 'cost'>> {
  const [nowMs, schedules] = await Promise.all([board.client.now(), board.client.schedules.list({ limit: MAX_READ })])
  const { fromMs, toMs } = rangeIn(query, nowMs)
  const hasTicks = query.get('coming') === '1'
  const rows: ScheduleRow[] = []
  for (const schedule of schedules.sort((a, b) => rankOf(a) - rankOf(b)).slice(0, MAX_SCHEDULES)) {
    rows.push(rowOf(schedule, hasTicks ? { afterMs: Math.max(nowMs, fromMs), untilMs: toMs, most: MAX_TICKS } : null))
    if (hasTicks && rows.length % ROWS_AT_ONCE === 0) await setImmediate()
  }
  return { nowMs, fromMs, toMs, schedules: rows, notes: notesOf(schedules.length) }
}

function notesOf(count: number): string[] {
  if (count <= MAX_SCHEDULES) return []
  const all = count < MAX_READ ? count.toLocaleString('en-US') : `the first ${MAX_READ.toLocaleString('en-US')}`
  return [`Of ${all} schedules ${MAX_SCHEDULES} are shown: those that do not tick, then by the next tick.`]
}

/** The schedules of a list that a user may see, by name and by queue, and of their last jobs those. */
export async function schedulesSeen<T extends Pick<ScheduleList, 'schedules'>>(list: T, viewer: Viewer): Promise<T> {
  const { sight } = viewer
  const inQueues = await sight.inQueues(list.schedules, ({ queueName }) => queueName)
  const seen = await sight.own(inQueues, ({ name }) => ({ type: 'schedule', name }))
  return { ...list, schedules: await Promise.all(seen.map((row) => lastSeen(row, viewer))) }
}

/** A schedule without its last job where the user may not see that. */
export async function lastSeen<T extends Pick<ScheduleRow, 'last'>>(row: T, { access, user }: Viewer): Promise<T> {
  const isSeen = row.last === null || (await access.may(user, 'view', { type: 'job', name: row.last.jobId }))
  return isSeen ? row : { ...row, last: null }
}

/** `GET /api/schedules/:name` @throws Refusal where there is none */
export async function scheduleView(board: Board, name: string): Promise<Omit<ScheduleView, 'cost'>> {
  const [nowMs, schedule] = await Promise.all([board.client.now(), board.client.schedules.get(name)])
  if (!schedule) throw missing(name)
  const { codec, functionName, queueName } = schedule
  const about = { jobId: name, functionName, queueName }
  const call = argumentsOf(board.redaction, about, schedule)
  return {
    ...rowOf(schedule, { afterMs: nowMs, untilMs: Infinity, most: NEXT_TICKS }),
    nowMs,
    call: callText(functionName, call),
    args: shown(call.args, codec, call.redacted.args),
    kwargs: shown(call.kwargs, codec, call.redacted.kwargs),
  }
}

/** `GET /api/ticks` */
export async function tickPreview(board: Board, query: URLSearchParams): Promise<Omit<TickPreview, 'cost'>> {
  const nowMs = await board.client.now()
  const everyMs = numberIn(query, 'everyMs') ?? null
  if (everyMs !== null && !(everyMs >= 1_000))
    throw new OptionsError('expected a distance of at least 1 s between two ticks')
  const rule: ScheduleRule = {
    cron: query.get('cron'),
    timeZone: query.get('timeZone'),
    everyMs,
    startAtMs: numberIn(query, 'startAtMs') ?? null,
    atMs: numberIn(query, 'atMs') ?? null,
  }
  return { nowMs, ticks: ticksOf(rule, nowMs, Infinity, PREVIEWED_TICKS) }
}

/** The refusal for a schedule that does not exist. */
export function missing(name: string): Refusal {
  return new Refusal(
    'not_found',
    `there is no schedule "${name.slice(0, 200)}": it was removed, or its only tick is over`,
  )
}

/** Ticks that an answer has of each schedule. */
interface Wanted {
  afterMs: number
  untilMs: number
  most: number
}

function rowOf(schedule: Schedule, wanted: Wanted | null): ScheduleRow {
  const { codec, functionName, last, missed, name, next, overlap, paused, putAt, queueName } = schedule
  const rule = ruleOf(schedule)
  // A rule of another version is not known here: its schedule says so by its problem.
  const isKnown = schedule.problem === null && !paused && next !== null
  const { coming, problem } = wanted && isKnown ? comingOf(rule, wanted) : { coming: [], problem: null }
  return {
    ...rule,
    name,
    functionName,
    queueName,
    codec,
    overlap,
    missed,
    paused,
    nextMs: next?.getTime() ?? null,
    coming,
    last: last && { jobId: last.jobId, atMs: last.at.getTime() },
    putMs: putAt.getTime(),
    problem: schedule.problem ?? problem,
  }
}

/** Coming ticks of a rule, or the problem with it: one schedule keeps no other from being shown. */
function comingOf(rule: ScheduleRule, wanted: Wanted): Pick<ScheduleRow, 'coming' | 'problem'> {
  try {
    return { coming: ticksOf(rule, wanted.afterMs, wanted.untilMs, wanted.most), problem: null }
  } catch (error) {
    return { coming: [], problem: `its coming ticks cannot be computed: ${(error as Error).message}` }
  }
}

/** Order of schedules: those that do not tick come first, then by the next tick. */
function rankOf({ next, problem }: Schedule): number {
  return problem === null ? (next?.getTime() ?? Number.MAX_VALUE) : 0
}

function ruleOf({ at, cron, everyMs, startAt, timeZone }: Schedule): ScheduleRule {
  return { cron, timeZone, everyMs, startAtMs: startAt?.getTime() ?? null, atMs: at?.getTime() ?? null }
}
