/** Offsets of IANA zones from Intl, asked as Python's zoneinfo answers (PEP 495). */

const DAY_MS = 86_400_000
const MAX_FORMATS = 200

const formats = new Map<string, Intl.DateTimeFormat | null>()

/**
 * The offset from UTC of a wall clock in a zone, in ms; 0 for a zone that is not known here.
 * @param wallMs the wall clock read as UTC
 * @param fold 1 for the second of two equal wall times; in the gap of spring it asks for the time after it
 */
export function zoneOffsetMs(zone: string, wallMs: number, fold: number): number {
  const format = formatOf(zone)
  if (format === null) return 0
  const before = offsetAt(format, wallMs - DAY_MS)
  const after = offsetAt(format, wallMs + DAY_MS)
  if (before === after) return before
  const isBefore = offsetAt(format, wallMs - before) === before
  const isAfter = offsetAt(format, wallMs - after) === after
  if (isBefore === isAfter) return fold === 0 ? before : after
  return isBefore ? before : after
}

function formatOf(zone: string): Intl.DateTimeFormat | null {
  const known = formats.get(zone)
  if (known !== undefined) return known
  let format: Intl.DateTimeFormat | null = null
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    // Python knows a zone that this machine does not.
  }
  if (formats.size >= MAX_FORMATS) formats.clear()
  formats.set(zone, format)
  return format
}

/** "2/29/2024 A, 13:30:00": month, day, year, era, hour, minute, second. */
const PARTS = /^(\d+)\/(\d+)\/(\d+) (\w)\w*, (\d+):(\d+):(\d+)$/

function offsetAt(format: Intl.DateTimeFormat, instantMs: number): number {
  const [, month, day, year, era, hour, minute, second] = PARTS.exec(format.format(instantMs)) ?? []
  if (month === undefined) return 0
  const date = new Date(0)
  date.setUTCFullYear(era === 'B' ? 1 - Number(year) : Number(year), Number(month) - 1, Number(day))
  return date.setUTCHours(Number(hour), Number(minute), Number(second)) - Math.floor(instantMs / 1_000) * 1_000
}
