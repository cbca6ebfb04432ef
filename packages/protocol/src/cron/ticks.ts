/** Ticks of a schedule in a time zone, across changes of its clock. Pure. */

import { changeBetween, expectZone, instantOf, offsetAt } from '../time/time-zone.ts'
import { expectArgument, expectFunction, expectNumber } from '../values/expect-argument.ts'
import type { WallSchedule } from './schedule.ts'

/** Effects of a clock change last no longer than this: the largest change of all zones is a day (Samoa, 2011). */
const CHANGE_MS = 86_400_000

/**
 * The first tick after an instant, in unix ms; null when there is none.
 *
 * A schedule with a tick in every hour is an interval: it ticks whenever the clock shows a matching time, so an hour
 * that comes twice has its ticks twice and no silence is longer than usual. Any other schedule is a list of times of
 * day, each of which comes exactly once a day: at a clock set back the first time, and at a clock set forward, which
 * leaves it out, as much later as the clock jumped.
 *
 * @throws OptionsError
 */
export function nextTick(schedule: WallSchedule, afterMs: number, zone: string): number | null {
  const isSchedule = typeof (schedule as Partial<WallSchedule> | null)?.next === 'function'
  expectArgument('nextTick', 'schedule', isSchedule, 'what `parseSchedule` gives', schedule)
  expectNumber('nextTick', 'afterMs', afterMs, 'unix ms')
  expectZone('nextTick', zone)
  // arq begins to look one second later than its last tick, which it knows to the microsecond. One of 999,500 and more
  // rounds to the next whole second, whose own tick is still to come.
  const isRoundedUp = afterMs % 1000 === 0 && pythonMs(0, schedule.microsecond) === 1000
  const fromMs = isRoundedUp ? afterMs : Math.floor(afterMs / 1000) * 1000 + 1000
  const tick = schedule.isInterval ? nextInterval(schedule, fromMs, zone) : nextTimeOfDay(schedule, fromMs, zone)
  return tick === null ? null : pythonMs(tick, schedule.microsecond)
}

/**
 * The last tick of a job after one instant and not after another, in unix ms; null when there is none.
 *
 * @param next - The first tick after an instant.
 * @throws OptionsError
 */
export function latestTick(next: (afterMs: number) => number | null, afterMs: number, untilMs: number): number | null {
  expectFunction('latestTick', 'next', next)
  expectNumber('latestTick', 'afterMs', afterMs, 'unix ms')
  expectNumber('latestTick', 'untilMs', untilMs, 'unix ms')
  let found = next(afterMs)
  if (found === null || found > untilMs) return null
  let low = found
  let high = untilMs
  // `next` never comes earlier for a later instant, so the time that is searched can be halved.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const tick = next(middle)
    if (tick !== null && tick <= untilMs) low = found = tick
    else high = middle
  }
  return found
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
  const after = offsetAt(fromMs, zone)
  const before = offsetAt(fromMs - CHANGE_MS, zone)
  if (before === after) return firstAt(schedule, fromMs + after, zone)
  const changeMs = changeBetween(fromMs - CHANGE_MS, fromMs, zone)
  // Set back: the clock shows again what has had its tick.
  if (before > after) return firstAt(schedule, Math.max(fromMs + after, changeMs + before), zone)
  // Set forward: what the clock left out comes among what it shows now.
  const leftOut = schedule.next(fromMs + before)
  const moved = leftOut === null || leftOut >= changeMs + after ? null : leftOut - before
  return earlier(moved, firstAt(schedule, fromMs + after, zone))
}

/** The tick of the first matching wall time, or of a later one that comes before it since the first was moved. */
function firstAt(schedule: WallSchedule, wallMs: number, zone: string): number | null {
  const wall = schedule.next(wallMs)
  if (wall === null) return null
  const instant = instantOf(wall, zone)
  const offset = offsetAt(instant, zone)
  const movedBy = instant + offset - wall
  if (movedBy <= 0) return instant
  const next = schedule.next(changeBetween(instant - movedBy, instant, zone) + offset)
  return earlier(instant, next === null ? null : instantOf(next, zone))
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.min(a, b)
}
