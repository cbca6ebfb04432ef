/** Python's datetime family, exact to the microsecond. All fields are Python's own: months from 1, days from 1. */
import { EncodeError } from '../errors/wire-errors.ts'
import { expectArgument } from '../values/expect-argument.ts'
import { expectInteger, expectThat } from '../values/expect.ts'
import { PyGlobal, PyObject } from '../values/py-object.ts'
import { zoneOffsetMs } from './zone-offset.ts'

/** Possible values of a datetime's `tzinfo`; null for a naive one. */
export type TzInfo = TimeZone | ZoneInfo | PyObject | PyGlobal | null

/** A date and time as a wall clock shows it. */
export interface DateTimeFields extends TimeFields {
  year: number
  month: number
  day: number
}

/** A time of day. `fold` is 1 for the second of two equal wall times, at the end of daylight saving. */
export interface TimeFields {
  hour?: number
  minute?: number
  second?: number
  microsecond?: number
  fold?: 0 | 1
}

const DAY_MS = 86_400_000

/** Examples of each constructor, for the errors of wrong calls. */
const DATETIME = 'new DateTime({ year: 2026, month: 1, day: 2, hour: 3 })'
const DATE = 'new PlainDate({ year: 2026, month: 1, day: 2 })'
const TIME = 'new PlainTime({ hour: 3, minute: 4 })'
const DELTA = 'new TimeDelta(1, 3_600) // days, seconds'

/**
 * A Python datetime as a Date, with the microseconds and the zone that a Date lacks. An aware one is its instant; a
 * naive one, or one whose zone we cannot know, is read as if in UTC. It is written back exactly as it came; one that
 * was changed with a setter of Date is written as its new instant.
 */
export class DateTime extends Date {
  readonly tzinfo: TzInfo
  /** 0 to 999,999. */
  readonly microsecond: number
  /** 1 for the second of two equal wall times, at the end of daylight saving. */
  readonly fold: 0 | 1
  readonly #raw: Uint8Array
  readonly #instant: number

  /** @param fields the wall clock, or Python's ten bytes */
  constructor(fields: DateTimeFields | Uint8Array, tzinfo: TzInfo = null) {
    if (!(fields instanceof Uint8Array)) {
      checkDate(fields, DATETIME)
      checkTime(fields, DATETIME)
    }
    checkZone(tzinfo, DATETIME)
    const raw =
      fields instanceof Uint8Array
        ? checkRaw(fields, 10, DATETIME)
        : Uint8Array.of(...dateBytes(fields), ...timeBytes(fields))
    const wall = wallMs(raw)
    super(Math.floor(wall - offsetMs(wall, at(raw, 2) >> 7, tzinfo)))
    this.tzinfo = tzinfo
    this.microsecond = microseconds(raw, 7)
    this.fold = at(raw, 2) > 0x7f ? 1 : 0
    this.#raw = raw
    this.#instant = this.getTime()
  }

  get isNaive(): boolean {
    return this.tzinfo === null
  }

  /** As Python's `isoformat()`: `2024-02-29T12:30:00.000123+02:00`; a naive one, or one of a named zone, has no offset. */
  isoformat(): string {
    const raw = this.#raw
    const text = `${dateText(raw)}T${timeText(raw, 4)}`
    return this.tzinfo instanceof TimeZone ? text + offsetText(this.tzinfo.offset.totalMs) : text
  }

  /** The wall clock as Python has it. */
  fields(): Required<DateTimeFields> {
    const { raw } = this.wire()
    const month = at(raw, 2)
    return {
      year: (at(raw, 0) << 8) | at(raw, 1),
      month: month & 0x7f,
      day: at(raw, 3),
      hour: at(raw, 4),
      minute: at(raw, 5),
      second: at(raw, 6),
      microsecond: microseconds(raw, 7),
      fold: month > 0x7f ? 1 : 0,
    }
  }

  /** The form in a pickle: ten bytes and the zone. @internal */
  wire(): { raw: Uint8Array; tzinfo: TzInfo } {
    const now = this.getTime()
    if (now === this.#instant) return { raw: this.#raw, tzinfo: this.tzinfo }
    return { raw: dateToBytes(this), tzinfo: this.tzinfo === null ? null : UTC }
  }
}

/** Python's ten bytes for the instant of a Date, in UTC. @throws EncodeError for what lies outside of Python's years. */
export function dateToBytes(date: Date): Uint8Array {
  if (!(date instanceof Date)) expectArgument('dateToBytes', 'date', false, 'a Date', date)
  const year = date.getUTCFullYear()
  // An invalid date has no year.
  if (!(year >= 1 && year <= 9999))
    throw new EncodeError(
      `expected a date of the years 1 to 9999, got ${String(date.getTime())} ms; Python has no others`,
    )
  return Uint8Array.of(
    ...dateBytes({ year, month: date.getUTCMonth() + 1, day: date.getUTCDate() }),
    ...timeBytes({
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
      microsecond: date.getUTCMilliseconds() * 1_000,
    }),
  )
}

/** A Python date. */
export class PlainDate {
  /** Python's four bytes: year, month, day. */
  readonly raw: Uint8Array

  /** @throws OptionsError for a day that the calendar does not have. */
  constructor(fields: { year: number; month: number; day: number } | Uint8Array) {
    if (!(fields instanceof Uint8Array)) checkDate(fields, DATE)
    this.raw = fields instanceof Uint8Array ? checkRaw(fields, 4, DATE) : Uint8Array.from(dateBytes(fields))
  }

  get year(): number {
    return (at(this.raw, 0) << 8) | at(this.raw, 1)
  }
  get month(): number {
    return at(this.raw, 2)
  }
  get day(): number {
    return at(this.raw, 3)
  }

  toString(): string {
    return dateText(this.raw)
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A Python time of day. */
export class PlainTime {
  /** Python's six bytes: hour (and fold), minute, second, microsecond. */
  readonly raw: Uint8Array
  readonly tzinfo: TzInfo

  /** @throws OptionsError for a time that no clock shows. */
  constructor(fields: TimeFields | Uint8Array, tzinfo: TzInfo = null) {
    if (!(fields instanceof Uint8Array)) checkTime(fields, TIME)
    checkZone(tzinfo, TIME)
    this.raw = fields instanceof Uint8Array ? checkRaw(fields, 6, TIME) : timeWithFold(fields)
    this.tzinfo = tzinfo
  }

  get hour(): number {
    return at(this.raw, 0) & 0x7f
  }
  get minute(): number {
    return at(this.raw, 1)
  }
  get second(): number {
    return at(this.raw, 2)
  }
  get microsecond(): number {
    return microseconds(this.raw, 3)
  }

  get fold(): 0 | 1 {
    return at(this.raw, 0) > 0x7f ? 1 : 0
  }

  toString(): string {
    return timeText(this.raw, 0) + (this.tzinfo instanceof TimeZone ? offsetText(this.tzinfo.offset.totalMs) : '')
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A Python timedelta. */
export class TimeDelta {
  readonly days: number
  readonly seconds: number
  readonly microseconds: number

  /**
   * @param days - From -999,999,999 to 999,999,999, as in Python; `seconds` and `micros` may be any integers.
   * @throws OptionsError
   */
  constructor(days = 0, seconds = 0, micros = 0) {
    expectInteger('days', days, -999_999_999, 999_999_999, DELTA)
    expectInteger('seconds', seconds, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, DELTA)
    expectInteger('micros', micros, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, DELTA)
    this.days = days
    this.seconds = seconds
    this.microseconds = micros
  }

  /** @throws OptionsError unless `ms` is a finite number. */
  static fromMs(ms: number): TimeDelta {
    expectThat(Number.isFinite(ms), 'a number of milliseconds', ms, 'TimeDelta.fromMs(1_500)')
    const days = Math.floor(ms / DAY_MS)
    const rest = ms - days * DAY_MS
    const seconds = Math.floor(rest / 1_000)
    return new TimeDelta(days, seconds, Math.round((rest - seconds * 1_000) * 1_000))
  }

  get totalMs(): number {
    return this.days * DAY_MS + this.seconds * 1_000 + this.microseconds / 1_000
  }

  /** Milliseconds. */
  toJSON(): number {
    return this.totalMs
  }
}

/** Python's `datetime.timezone`: a fixed offset, with or without a name. */
export class TimeZone {
  readonly offset: TimeDelta
  readonly label: string | null

  /** @throws OptionsError unless the offset is less than a day. */
  constructor(offset: TimeDelta, label: string | null = null) {
    const isOffset = offset instanceof TimeDelta && Math.abs(offset.totalMs) < DAY_MS
    expectThat(isOffset, 'an offset of less than a day', offset, "new TimeZone(new TimeDelta(0, 3_600), 'CET')")
    this.offset = offset
    this.label = label
  }
}

export const UTC: TimeZone = new TimeZone(new TimeDelta())

/** Python's `zoneinfo.ZoneInfo`: a zone by its IANA name. */
export class ZoneInfo {
  readonly key: string

  /** @throws OptionsError unless `key` is a string such as `Europe/Berlin`. */
  constructor(key: string) {
    expectThat(typeof key === 'string' && key !== '', "a zone's name", key, "new ZoneInfo('Europe/Berlin')")
    this.key = key
  }
}

function checkRaw(raw: Uint8Array, length: number, example: string): Uint8Array {
  expectThat(raw.length === length, `${length} bytes`, `${raw.length} bytes`, example)
  return raw
}

function checkDate(fields: { year: number; month: number; day: number }, example: string): void {
  expectThat(typeof fields === 'object' && fields !== null, 'an object of fields', fields, example)
  const { day, month, year } = fields
  expectInteger('year', year, 1, 9_999, example)
  expectInteger('month', month, 1, 12, example)
  // The last day of a month is day 0 of the next; years below 100 are not the 20th century's.
  const last = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  expectInteger('day', day, 1, last, example)
}

function checkTime(fields: TimeFields, example: string): void {
  expectThat(typeof fields === 'object' && fields !== null, 'an object of fields', fields, example)
  const { fold = 0, hour = 0, microsecond = 0, minute = 0, second = 0 } = fields
  expectInteger('hour', hour, 0, 23, example)
  expectInteger('minute', minute, 0, 59, example)
  expectInteger('second', second, 0, 59, example)
  expectInteger('microsecond', microsecond, 0, 999_999, example)
  expectInteger('fold', fold, 0, 1, example)
}

function checkZone(tzinfo: unknown, example: string): void {
  const isZone =
    tzinfo === null ||
    tzinfo instanceof TimeZone ||
    tzinfo instanceof ZoneInfo ||
    tzinfo instanceof PyObject ||
    tzinfo instanceof PyGlobal
  expectThat(isZone, '`tzinfo` to be a TimeZone, a ZoneInfo or null', tzinfo, example)
}

function offsetMs(wall: number, fold: number, tzinfo: TzInfo): number {
  if (tzinfo === null) return 0
  if (tzinfo instanceof TimeZone) return tzinfo.offset.totalMs
  if (tzinfo instanceof ZoneInfo) return zoneOffsetMs(tzinfo.key, wall, fold)
  // pytz pickles a localized zone with its offset in seconds: _p('Europe/Berlin', 7200, 3600, 'CEST').
  if (tzinfo instanceof PyObject && tzinfo.module === 'pytz' && typeof tzinfo.args[1] === 'number')
    return tzinfo.args[1] * 1_000
  return 0
}

/** The wall clock as if it were UTC, with a fraction for the microseconds. */
function wallMs(raw: Uint8Array): number {
  const date = new Date(0)
  date.setUTCFullYear((at(raw, 0) << 8) | at(raw, 1), (at(raw, 2) & 0x7f) - 1, at(raw, 3))
  return date.setUTCHours(at(raw, 4), at(raw, 5), at(raw, 6)) + microseconds(raw, 7) / 1_000
}

/** A datetime keeps its fold in the month, a time in the hour. */
function dateBytes({ year, month, day, fold = 0 }: Omit<DateTimeFields, 'hour'>): number[] {
  return [year >> 8, year & 0xff, month | (fold << 7), day]
}

function timeWithFold(fields: TimeFields): Uint8Array {
  const [hour = 0, ...rest] = timeBytes(fields)
  return Uint8Array.of(hour | ((fields.fold ?? 0) << 7), ...rest)
}

function timeBytes({ hour = 0, minute = 0, second = 0, microsecond = 0 }: TimeFields): number[] {
  return [hour, minute, second, (microsecond >> 16) & 0xff, (microsecond >> 8) & 0xff, microsecond & 0xff]
}

function microseconds(raw: Uint8Array, from: number): number {
  return (at(raw, from) << 16) | (at(raw, from + 1) << 8) | at(raw, from + 2)
}

function dateText(raw: Uint8Array): string {
  return `${pad((at(raw, 0) << 8) | at(raw, 1), 4)}-${pad(at(raw, 2) & 0x7f)}-${pad(at(raw, 3))}`
}

function timeText(raw: Uint8Array, from: number): string {
  const micros = microseconds(raw, from + 3)
  return `${pad(at(raw, from) & 0x7f)}:${pad(at(raw, from + 1))}:${pad(at(raw, from + 2))}${micros ? `.${pad(micros, 6)}` : ''}`
}

function offsetText(ms: number): string {
  const minutes = Math.floor(Math.abs(ms) / 60_000)
  const rest = Math.abs(ms) % 60_000
  const seconds = rest === 0 ? '' : `:${pad(Math.floor(rest / 1_000))}`
  return `${ms < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}${seconds}`
}

function at(raw: Uint8Array, index: number): number {
  return raw[index] ?? 0
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0')
}
