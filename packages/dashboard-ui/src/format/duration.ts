/** Durations as text. Pure. */

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** A duration in its two largest units, as short as it stays true: "9 ms", "2.41 s", "4 min 22 s", "3 h 5 min". */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–'
  if (ms < 0) return `−${duration(-ms)}`
  if (ms < 100) return `${Math.round(ms)} ms`
  if (ms < 10 * second) return `${(ms / second).toFixed(ms < second ? 1 : 2)} s`
  if (ms < 59.95 * second) return `${(ms / second).toFixed(1)} s`
  if (ms < hour) return pair(ms, minute, 'min', second, 's')
  if (ms < day) return pair(ms, hour, 'h', minute, 'min')
  return pair(ms, day, 'd', hour, 'h')
}

/** A duration in one unit: "11 min", "0.3 s". For axes and columns. */
export function brief(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–'
  if (ms < 100) return `${Math.round(ms)} ms`
  if (ms < 10 * second) return `${trim((ms / second).toFixed(1))} s`
  if (ms < minute) return `${Math.round(ms / second)} s`
  if (ms < 100 * minute) return `${Math.round(ms / minute)} min`
  if (ms < 2 * day) return `${Math.round(ms / hour)} h`
  return `${Math.round(ms / day)} d`
}

const trim = (text: string): string => text.replace(/\.?0+$/, '')

function pair(ms: number, large: number, name: string, small: number, smallName: string): string {
  const whole = Math.round(ms / small) * small
  const rest = Math.round((whole % large) / small)
  return `${Math.floor(whole / large)} ${name}${rest ? ` ${rest} ${smallName}` : ''}`
}
