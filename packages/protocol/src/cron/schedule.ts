/** When a cron job is due: arq's options or a cron expression, on the wall clock of a zone. Pure. */

import { Cron } from 'croner'
import { OptionsError } from '../errors.ts'
import { changeBetween, instantOf, offsetAt } from '../time/time-zone.ts'

const WEEKDAYS = ['mon', 'tues', 'wed', 'thurs', 'fri', 'sat', 'sun'] as const
const WEEKDAY_ALIASES: Readonly<Record<string, number>> = { tue: 1, thu: 3 }

/** A name of arq's (`tues`, `thurs`), or of three letters. */
export type Weekday = (typeof WEEKDAYS)[number] | 'tue' | 'thu'

type OneOrMore<T> = T | readonly T[] | ReadonlySet<T>

/** arq's options of `cron()`: what is not given matches always, but `second` is 0 and `microsecond` 123,456. */
export interface CronOptions {
  /** 1 to 12. */
  month?: OneOrMore<number>
  /** 1 to 31. */
  day?: OneOrMore<number>
  /** 0 (Monday) to 6 (Sunday), or a name. */
  weekday?: OneOrMore<number | Weekday>
  /** 0 to 23. */
  hour?: OneOrMore<number>
  /** 0 to 59. */
  minute?: OneOrMore<number>
  /** 0 to 59. Default 0; null for every second. */
  second?: OneOrMore<number> | null
  /** 0 to 999,999. Default 123,456, as arq: the world is busier at the top of a second. */
  microsecond?: number
}

/** Ticks on a wall clock, regardless of zones. */
export interface WallSchedule {
  /** The first tick at or after a wall time (whole seconds), or null when there is none. */
  next(wallMs: number): number | null
  /** True where ticks follow elapsed time (each minute, say) and not a time of day. */
  isInterval: boolean
  /** How far a tick lies behind its whole second. */
  microsecond: number
}

const RANGES = {
  month: [1, 12],
  day: [1, 31],
  weekday: [0, 6],
  hour: [0, 23],
  minute: [0, 59],
  second: [0, 59],
} as const
type Field = keyof typeof RANGES

/** Feb 29 on a given weekday comes within 40 years. */
const MAX_DAYS = 40 * 366
const DAY_MS = 86_400_000

/** @throws OptionsError */
export function parseSchedule(schedule: CronOptions | string): WallSchedule {
  return typeof schedule === 'string' ? expressionSchedule(schedule) : optionsSchedule(schedule)
}

function expressionSchedule(expression: string): WallSchedule {
  let cron: Cron
  try {
    // In UTC: the zone is our own affair, so that both kinds of schedule keep the same rules.
    cron = new Cron(expression, { timezone: 'UTC', paused: true })
  } catch (error) {
    throw new OptionsError(
      `cron: expected a cron expression such as '0 2 * * *', got \`${expression}\`: ${(error as Error).message}`,
    )
  }
  const fields = expression.trim().split(/\s+/)
  const [minute = '*', hour = '*'] = fields.length >= 6 ? fields.slice(1) : fields
  const isInterval = expression.startsWith('@') ? expression === '@hourly' : /^[*?]/.test(hour) || /^[*?]/.test(minute)
  const next = (wallMs: number) => cron.nextRun(new Date(wallMs - 1000))?.getTime() ?? null
  if (next(Date.UTC(2000, 0, 1)) === null) throw new OptionsError(`cron: \`${expression}\` never comes`)
  return { next, isInterval, microsecond: 0 }
}

function optionsSchedule(options: CronOptions): WallSchedule {
  const known = new Set<string>([...Object.keys(RANGES), 'microsecond'])
  for (const key of Object.keys(options)) {
    if (!known.has(key)) throw new OptionsError(`cron: unknown option \`${key}\`; known are ${[...known].join(', ')}`)
  }
  const { microsecond = 123_456 } = options
  if (!Number.isInteger(microsecond) || microsecond < 0 || microsecond > 999_999) {
    throw new OptionsError(`cron: expected \`microsecond\` to be an integer from 0 to 999999, got \`${microsecond}\``)
  }
  const month = allowed('month', options.month)
  const day = allowed('day', options.day)
  const weekday = allowed('weekday', options.weekday)
  const hours = sorted('hour', options.hour)
  const minutes = sorted('minute', options.minute)
  const seconds = sorted('second', options.second === undefined ? 0 : (options.second ?? undefined))

  const matchesDay = (date: Date) =>
    (!month || month.has(date.getUTCMonth() + 1)) &&
    (!day || day.has(date.getUTCDate())) &&
    (!weekday || weekday.has((date.getUTCDay() + 6) % 7))

  const next = (wallMs: number): number | null => {
    let dayStart = Math.floor(wallMs / DAY_MS) * DAY_MS
    let from = Math.ceil((wallMs - dayStart) / 1000)
    for (let i = 0; i < MAX_DAYS; i++, dayStart += DAY_MS, from = 0) {
      if (!matchesDay(new Date(dayStart))) continue
      const second = firstSecond(from, hours, minutes, seconds)
      if (second !== null) return dayStart + second * 1000
    }
    return null
  }
  if (next(Date.UTC(2000, 0, 1)) === null)
    throw new OptionsError('cron: these options never come; look at `month` and `day`')
  const isInterval = options.hour === undefined || options.minute === undefined
  return { next, isInterval, microsecond }
}

/** The first second of the day at or after `from` that fits. */
function firstSecond(
  from: number,
  hours: readonly number[],
  minutes: readonly number[],
  seconds: readonly number[],
): number | null {
  for (const hour of hours) {
    if (hour * 3600 + 3599 < from) continue
    for (const minute of minutes) {
      const start = hour * 3600 + minute * 60
      if (start + 59 < from) continue
      const second = seconds.find((value) => start + value >= from)
      if (second !== undefined) return start + second
    }
  }
  return null
}

function allowed(field: Field, given: OneOrMore<number | Weekday> | undefined): ReadonlySet<number> | undefined {
  if (given === undefined) return undefined
  const values = typeof given === 'object' ? [...given] : [given]
  if (values.length === 0) throw new OptionsError(`cron: expected \`${field}\` to have a value, got none`)
  return new Set(values.map((value) => fieldValue(field, value)))
}

function sorted(field: Field, given: OneOrMore<number> | undefined): number[] {
  const values = allowed(field, given)
  const [low, high] = RANGES[field]
  return values ? [...values].sort((a, b) => a - b) : Array.from({ length: high - low + 1 }, (_, i) => low + i)
}

function fieldValue(field: Field, value: number | Weekday): number {
  const [low, high] = RANGES[field]
  const number = field === 'weekday' && typeof value === 'string' ? weekdayNumber(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= low && number <= high) return number
  const names = field === 'weekday' ? `, or ${WEEKDAYS.join(', ')}` : ''
  throw new OptionsError(
    `cron: expected \`${field}\` to be an integer from ${low} to ${high}${names}, got \`${value}\``,
  )
}

function weekdayNumber(name: string): number {
  const lower = name.toLowerCase()
  return WEEKDAY_ALIASES[lower] ?? (WEEKDAYS as readonly string[]).indexOf(lower)
}

/**
 * The first tick after an instant, in unix ms; null when there is none.
 *
 * Times of day (hour and minute given) come once a day, whatever the clock does: at a clock set back the first time, at
 * one set forward as much later as it jumped. Intervals follow elapsed time: an hour that comes twice has its ticks
 * twice, and a job of each minute is never silent.
 */
export function nextTick(schedule: WallSchedule, afterMs: number, zone: string): number | null {
  // arq begins to look one second on.
  const fromMs = Math.floor(afterMs / 1000) * 1000 + 1000
  const tick = schedule.isInterval ? nextInterval(schedule, fromMs, zone) : nextTimeOfDay(schedule, fromMs, zone)
  return tick === null ? null : pythonMs(tick, schedule.microsecond)
}

/** Python's `int(round(timestamp * 1000))`, digit for digit, since ids are made of it: halves go to the even side. */
function pythonMs(wholeSecondMs: number, microsecond: number): number {
  const exact = ((wholeSecondMs * 1000 + microsecond) / 1_000_000) * 1000
  const rounded = Math.round(exact)
  return rounded - exact === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

function nextInterval(schedule: WallSchedule, fromMs: number, zone: string): number | null {
  let start = fromMs
  for (;;) {
    const offset = offsetAt(start, zone)
    const wall = schedule.next(start + offset)
    if (wall === null) return null
    const instant = wall - offset
    if (offsetAt(instant, zone) === offset) return instant
    const change = changeBetween(start, instant, zone)
    if (instant < change) return instant
    start = change
  }
}

function nextTimeOfDay(schedule: WallSchedule, fromMs: number, zone: string): number | null {
  const offset = offsetAt(fromMs, zone)
  // A tick that a clock set forward has moved may lie before this wall time and after this instant.
  const back = offsetAt(fromMs - DAY_MS, zone) === offset ? 0 : DAY_MS
  let wall = schedule.next(fromMs + offset - back)
  while (wall !== null) {
    const instant = instantOf(wall, zone)
    if (instant >= fromMs) return instant
    wall = schedule.next(wall + 1000)
  }
  return null
}
