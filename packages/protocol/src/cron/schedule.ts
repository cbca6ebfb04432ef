/** Schedules of cron jobs: arq's options or a cron expression, on a wall clock without a zone. Pure. */

import { Cron } from 'croner'
import { OptionsError } from '../errors.ts'
import { expectArgument, hint, isObject, likely, shown } from '../values/expect-argument.ts'
import { isSet, optionNames } from '../values/realms.ts'

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

/** Ticks on a wall clock, without a zone. */
export interface WallSchedule {
  /** The first tick at or after a wall time (whole seconds), or null when there is none. */
  next(wallMs: number): number | null
  /** True where every hour of a matching day has ticks: they follow elapsed time, not a time of day. */
  isInterval: boolean
  /** The schedule as text: the expression, or the options that were given. */
  text: string
  /** Offset of a tick from its whole second. */
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
const HOUR_MS = 3_600_000
/** The day on which schedules are tried. */
const SOME_DAY_MS = Date.UTC(2000, 0, 1)

/** Parses a cron expression of five or six fields, or arq's options. @throws OptionsError */
export function parseSchedule(schedule: CronOptions | string): WallSchedule {
  const isSchedule = typeof schedule === 'string' || isObject(schedule)
  expectArgument('cron', 'schedule', isSchedule, "a cron expression such as '0 2 * * *', or arq's options", schedule)
  return typeof schedule === 'string' ? expressionSchedule(schedule) : optionsSchedule(schedule)
}

function expressionSchedule(expression: string): WallSchedule {
  let cron: Cron
  // croner also takes an ISO date: a single run, which is a job with `deferUntil` here.
  if (/^\d{4}-/.test(expression.trim())) throw expected(expression, 'a date is not a schedule')
  try {
    // In UTC: the zone is our own affair, so that both kinds of schedule keep the same rules.
    cron = new Cron(expression, { timezone: 'UTC', paused: true })
  } catch (error) {
    throw expected(expression, (error as Error).message)
  }
  const next = (wallMs: number) => cron.nextRun(new Date(wallMs - 1000))?.getTime() ?? null
  if (next(SOME_DAY_MS) === null) throw new OptionsError(`cron: \`${expression}\` never comes`)
  const text = expression.trim().split(/\s+/).join(' ')
  return { next, isInterval: hasEveryHour(text), microsecond: 0, text }
}

function expected(expression: string, reason: string): OptionsError {
  return new OptionsError(`cron: expected a cron expression such as '0 2 * * *', got \`${expression}\`: ${reason}`)
}

/** True where the hour field of an expression matches each hour, however it is written: `*`, `0-23`, `*\/1`. */
function hasEveryHour(expression: string): boolean {
  if (expression.startsWith('@')) return expression.toLowerCase() === '@hourly'
  const fields = expression.split(' ')
  const hour = fields.length >= 6 ? fields[2] : fields[1]
  const hourly = new Cron(`0 ${hour} * * *`, { timezone: 'UTC', paused: true })
  return (
    hourly
      .nextRuns(24, new Date(SOME_DAY_MS - 1000))
      .at(-1)
      ?.getTime() ===
    SOME_DAY_MS + 23 * HOUR_MS
  )
}

function optionsSchedule(options: CronOptions): WallSchedule {
  const known = new Set<string>([...Object.keys(RANGES), 'microsecond'])
  for (const key of optionNames(options)) {
    if (!known.has(key)) throw new OptionsError(`cron: unknown option \`${key}\`${likely(key, [...known])}`)
  }
  const { microsecond = 123_456 } = options
  if (!Number.isInteger(microsecond) || microsecond < 0 || microsecond > 999_999) {
    throw new OptionsError(
      `cron: expected \`microsecond\` to be an integer from 0 to 999999, got \`${shown(microsecond)}\`${hint(microsecond)}`,
    )
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
  if (next(SOME_DAY_MS) === null) throw new OptionsError('cron: these options never come; look at `month` and `day`')
  const isInterval = hours.length === 24
  const text = [
    ...Object.entries({ month, day, weekday }).flatMap(([field, values]) =>
      values ? [`${field}=${spelled(values)}`] : [],
    ),
    ...(isInterval ? [] : [`hour=${spelled(hours)}`]),
    `minute=${minutes.length === 60 ? '*' : spelled(minutes)}`,
    ...(options.second === undefined ? [] : [`second=${seconds.length === 60 ? '*' : spelled(seconds)}`]),
    ...(options.microsecond === undefined ? [] : [`microsecond=${microsecond}`]),
  ].join(' ')
  return { next, isInterval, microsecond, text }
}

function spelled(values: Iterable<number>): string {
  return [...values].sort((a, b) => a - b).join(',')
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
  const isList = Array.isArray(given) || isSet(given)
  const values = isList ? [...(given as Iterable<number | Weekday>)] : [given as number | Weekday]
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
    `cron: expected \`${field}\` to be an integer from ${low} to ${high}${names}, got \`${shown(value)}\`${hint(value)}`,
  )
}

function weekdayNumber(name: string): number {
  const lower = name.toLowerCase()
  return WEEKDAY_ALIASES[lower] ?? (WEEKDAYS as readonly string[]).indexOf(lower)
}
