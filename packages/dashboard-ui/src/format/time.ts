import { zone } from '../state/settings.ts'
import { brief } from './duration.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The moment in the chosen zone, to be read by UTC getters. */
function shifted(ms: number): Date {
  return new Date(zone.value === 'utc' ? ms : ms - new Date(ms).getTimezoneOffset() * minute)
}

/** The shift of the chosen zone at a moment, in ms. */
export function zoneShift(ms: number): number {
  return zone.value === 'utc' ? 0 : -new Date(ms).getTimezoneOffset() * minute
}

/** Name of the chosen zone. */
export function zoneName(): string {
  return zone.value === 'utc' ? 'UTC' : 'local'
}

/** Time of day: "02:14". */
export function clock(ms: number): string {
  return shifted(ms).toISOString().slice(11, 16)
}

/** Time of day with seconds: "02:14:07". */
export function clockSeconds(ms: number): string {
  return shifted(ms).toISOString().slice(11, 19)
}

/** Time of day with milliseconds. */
export function clockMillis(ms: number): string {
  return shifted(ms).toISOString().slice(11, 23)
}

/** Day and month: "12 Nov". */
export function dayMonth(ms: number): string {
  const date = shifted(ms)
  return `${date.getUTCDate()} ${months[date.getUTCMonth()]}`
}

/** A moment near `now` as a time of day, another as its day: "02:14", "12 Nov 02:14", "12 Nov 2024". */
export function moment(ms: number, now: number): string {
  if (Math.abs(ms - now) < 20 * hour) return clock(ms)
  const date = shifted(ms)
  const year = date.getUTCFullYear() === shifted(now).getUTCFullYear()
  return year ? `${dayMonth(ms)} ${clock(ms)}` : `${dayMonth(ms)} ${date.getUTCFullYear()}`
}

/** A moment in full, for titles: "2026-11-28 02:14:07.512 UTC". */
export function full(ms: number): string {
  return `${shifted(ms).toISOString().slice(0, 23).replace('T', ' ')} ${zoneName()}`
}

/** Time since a moment, in one unit: "23 min ago", "now". */
export function ago(ms: number, now: number): string {
  return now - ms < 2 * second ? 'now' : `${brief(now - ms)} ago`
}

/** A moment as a time of day, with its day where that is another. */
export function timeZoneDay(ms: number, now: number): string {
  return dayMonth(ms) === dayMonth(now) ? clock(ms) : `${dayMonth(ms)} ${clock(ms)}`
}
