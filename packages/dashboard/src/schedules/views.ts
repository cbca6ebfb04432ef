import type { Schedule } from '@arq-ts/core'
import type { ScheduleList, ScheduleRow, ScheduleRule, ScheduleView, TickPreview } from '../api/schedules.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { rangeIn } from '../read/cron.ts'
import { numberIn } from '../read/recorded.ts'
import { argumentsOf, callText, shown } from '../read/show.ts'
import { ticksOf } from './ticks.ts'

const MAX_TICKS = 200
const NEXT_TICKS = 10
const PREVIEWED_TICKS = 5

/** `GET /api/schedules` */
export async function scheduleList(board: Board, query: URLSearchParams): Promise<Omit<ScheduleList, 'cost'>> {
  const [nowMs, schedules] = await Promise.all([board.client.now(), board.client.schedules.list()])
  const { fromMs, toMs } = rangeIn(query, nowMs)
  const rows = schedules.map((each) => rowOf(each, Math.max(nowMs, fromMs), toMs, MAX_TICKS))
  return { nowMs, fromMs, toMs, schedules: rows }
}

/** `GET /api/schedules/:name` @throws Refusal where there is none */
export async function scheduleView(board: Board, name: string): Promise<Omit<ScheduleView, 'cost'>> {
  const [nowMs, schedule] = await Promise.all([board.client.now(), board.client.schedules.get(name)])
  if (!schedule) throw missing(name)
  const { codec, functionName, queueName } = schedule
  const about = { jobId: name, functionName, queueName }
  const call = argumentsOf(board.redaction, about, schedule)
  return {
    ...rowOf(schedule, nowMs, Infinity, NEXT_TICKS),
    nowMs,
    call: callText(functionName, call),
    args: shown(call.args, codec, call.redacted.args),
    kwargs: shown(call.kwargs, codec, call.redacted.kwargs),
  }
}

/** `GET /api/ticks` */
export async function tickPreview(board: Board, query: URLSearchParams): Promise<Omit<TickPreview, 'cost'>> {
  const nowMs = await board.client.now()
  const rule: ScheduleRule = {
    cron: query.get('cron'),
    timeZone: query.get('timeZone'),
    everyMs: numberIn(query, 'everyMs') ?? null,
    startAtMs: numberIn(query, 'startAtMs') ?? null,
    atMs: numberIn(query, 'atMs') ?? null,
  }
  return { nowMs, ticks: ticksOf(rule, nowMs, Infinity, PREVIEWED_TICKS) }
}

/** The refusal of a schedule that is not there. */
export function missing(name: string): Refusal {
  return new Refusal(
    'not_found',
    `there is no schedule "${name.slice(0, 200)}": it was removed, or its only tick is over`,
  )
}

function rowOf(schedule: Schedule, afterMs: number, untilMs: number, most: number): ScheduleRow {
  const { codec, functionName, last, missed, name, next, overlap, paused, problem, putAt, queueName } = schedule
  const rule = ruleOf(schedule)
  // A rule of another version is not known here: its schedule says so by its problem.
  const isKnown = problem === null && !paused && next !== null
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
    coming: isKnown ? ticksOf(rule, afterMs, untilMs, most) : [],
    last: last && { jobId: last.jobId, atMs: last.at.getTime() },
    putMs: putAt.getTime(),
    problem,
  }
}

function ruleOf({ at, cron, everyMs, startAt, timeZone }: Schedule): ScheduleRule {
  return { cron, timeZone, everyMs, startAtMs: startAt?.getTime() ?? null, atMs: at?.getTime() ?? null }
}
