/** Wall clocks of time zones. A wall time is written as the unix ms it would be in UTC. */

import { expectArgument, expectNumber } from '../values/expect-argument.ts'

const formatters = new Map<string, Intl.DateTimeFormat>()

/** The system's own zone, as Python's `datetime.now().astimezone()` takes it. */
export function systemTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** @throws RangeError for a zone the system does not know. */
function formatter(zone: string): Intl.DateTimeFormat {
  let known = formatters.get(zone)
  if (!known) {
    known = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formatters.set(zone, known)
  }
  return known
}

/** True for the name of a zone that the system knows, as IANA writes it; false for all else. */
export function isTimeZone(zone: unknown): boolean {
  if (typeof zone !== 'string') return false
  try {
    formatter(zone)
    return true
  } catch {
    return false
  }
}

/** Offset of the zone's wall clock from UTC at an instant, in ms. @throws OptionsError */
export function offsetAt(instantMs: number, zone: string): number {
  if (!Number.isFinite(instantMs)) expectArgument('offsetAt', 'instantMs', false, 'unix ms', instantMs)
  if (zone === 'UTC') return 0
  expectZone('offsetAt', zone)
  const wholeSecond = Math.floor(instantMs / 1000) * 1000
  const fields: Record<string, number> = {}
  for (const { type, value } of formatter(zone).formatToParts(wholeSecond)) fields[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields
  return Date.UTC(year, month - 1, day, hour, minute, second) - wholeSecond
}

/** Refuses what is no name of a zone. @throws OptionsError */
export function expectZone(where: string, zone: unknown): void {
  expectArgument(where, 'zone', isTimeZone(zone), "a time zone such as 'Europe/Berlin'", zone)
}

/**
 * The instant of a wall time: the first of two at a clock set back; for one that a clock set forward leaves out, as
 * much later as the clock jumped. (Temporal's `compatible`.)
 *
 * @throws OptionsError
 */
export function instantOf(wallMs: number, zone: string): number {
  expectNumber('instantOf', 'wallMs', wallMs, 'a wall time in ms')
  expectZone('instantOf', zone)
  const before = offsetAt(wallMs - 86_400_000, zone)
  const after = offsetAt(wallMs + 86_400_000, zone)
  const early = wallMs - before
  if (before === after || offsetAt(early, zone) === before) return early
  const late = wallMs - after
  return offsetAt(late, zone) === after ? late : early
}

/** The first instant after `fromMs` at which the zone's offset is no longer what it was, given that it is not at `toMs`. @throws OptionsError */
export function changeBetween(fromMs: number, toMs: number, zone: string): number {
  expectNumber('changeBetween', 'fromMs', fromMs, 'unix ms')
  expectNumber('changeBetween', 'toMs', toMs, 'unix ms')
  expectZone('changeBetween', zone)
  const before = offsetAt(fromMs, zone)
  let low = Math.floor(fromMs / 1000)
  let high = Math.ceil(toMs / 1000)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle * 1000, zone) === before) low = middle
    else high = middle
  }
  return high * 1000
}
