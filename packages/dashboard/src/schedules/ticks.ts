import { OptionsError } from '@arq-ts/core'
import { nextTick, parseSchedule } from '@arq-ts/protocol/cron'
import { isTimeZone } from '@arq-ts/protocol/time'
import type { ScheduleRule } from '../api/schedules.ts'

type NextTick = (afterMs: number) => number | null

/** The ticks of a rule after one instant and before another, at most `most`. @throws OptionsError for an invalid rule */
export function ticksOf(rule: ScheduleRule, afterMs: number, untilMs: number, most: number): number[] {
  const next = nextOf(rule)
  const ticks: number[] = []
  for (let at = next(afterMs); at !== null && at < untilMs && ticks.length < most; at = next(at)) ticks.push(at)
  return ticks
}

function nextOf({ atMs, cron, everyMs, startAtMs, timeZone }: ScheduleRule): NextTick {
  if (atMs !== null) return (afterMs) => (atMs > afterMs ? atMs : null)
  if (everyMs !== null) {
    const startMs = startAtMs ?? 0
    return (afterMs) => startMs + Math.max(0, Math.floor((afterMs - startMs) / everyMs) + 1) * everyMs
  }
  if (cron === null) throw new OptionsError('expected a cron expression, a distance or an instant')
  const wall = parseSchedule(cron)
  const zone = timeZone ?? 'UTC'
  if (!isTimeZone(zone))
    throw new OptionsError(`expected an IANA name such as "Europe/Berlin" for the zone, got "${zone}"`)
  return (afterMs) => nextTick(wall, afterMs, zone)
}
