/** Scales, ticks and label placement. Pure. */

/** Maps a value to a position. */
export type Scale = (value: number) => number

/** A linear scale from 0 and its ticks: at most `most` steps, the last at or above the largest value. */
export function linear(largest: number, height: number, most = 3): { y: Scale; ticks: number[] } {
  const step = niceStep(Math.max(largest, 1), most)
  const count = Math.max(1, Math.ceil(Math.max(largest, 1) / step - 1e-9))
  const top = step * count
  return { y: (value) => height - (value / top) * height, ticks: Array.from({ length: count + 1 }, (_, i) => i * step) }
}

/** The smallest of 1, 2, 2.5, 3, 4, 5 times a power of ten that reaches `largest` in `most` steps; whole from 1 on. */
function niceStep(largest: number, most: number): number {
  const power = 10 ** Math.floor(Math.log10(largest / most))
  for (const factor of [1, 2, 2.5, 3, 4, 5, 10, 20]) {
    const step = factor * power
    if (step >= 1 && Number.isInteger(step) && step * most >= largest) return step
  }
  return 10 * power
}

const ladder = [1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 259_200_000]

/** A logarithmic scale of durations in ms around the values, with ticks at 1, 10, 100 ms, 1, 10 s, 1, 10 min, 1, 10 h. */
export function logarithmic(values: readonly number[], height: number): { y: Scale; ticks: number[] } {
  const from = Math.max(0.5, Math.min(...values, 1e12) === 1e12 ? 1 : Math.min(...values) * 0.6)
  const to = Math.max(from * 100, Math.max(...values, 1) * 1.3)
  const y: Scale = (value) => {
    const clamped = Math.min(Math.max(value, from), to)
    return height - (Math.log(clamped / from) / Math.log(to / from)) * height
  }
  const ticks: number[] = []
  // A tick needs 15 px of its own.
  for (const tick of ladder)
    if (tick >= from && tick <= to && (ticks.length === 0 || y(ticks.at(-1)!) - y(tick) > 15)) ticks.push(tick)
  return { y, ticks }
}

const minute = 60_000
const strides = [1, 2, 5, 10, 20, 30, 60, 120, 180, 240, 360, 720, 1_440, 2_880, 10_080].map((n) => n * minute)

/** Ticks of time: whole minutes, hours or days of the zone (`shift` in ms), at most `most`, none within `margin` ms of the end. */
export function timeTicks(from: number, to: number, most: number, shift = 0, margin = 0): number[] {
  const stride = strides.find((s) => (to - from) / s <= most) ?? strides.at(-1)!
  const first = Math.ceil((from + shift) / stride) * stride - shift
  const ticks = []
  for (let at = first; at <= to - margin; at += stride) ticks.push(at)
  return ticks
}

/**
 * Places labels so that none overlaps: each keeps its wish as far as `gap` px between neighbours and the bounds allow,
 * and their order stays.
 */
export function place(wishes: number[], gap: number, top: number, bottom: number): number[] {
  const order = wishes.map((_, i) => i).sort((a, b) => wishes[a]! - wishes[b]!)
  const placed = order.map((i) => Math.min(Math.max(wishes[i]!, top), bottom))
  for (let i = 1; i < placed.length; i++) placed[i] = Math.max(placed[i]!, placed[i - 1]! + gap)
  let limit = bottom
  for (let i = placed.length - 1; i >= 0; i--) {
    placed[i] = Math.min(placed[i]!, limit)
    limit = placed[i]! - gap
  }
  const result: number[] = []
  order.forEach((index, i) => (result[index] = placed[i]!))
  return result
}

/** A path through points; unknown values interrupt the line, a lone point becomes a dash. */
export function linePath(values: readonly (number | null)[], x: (i: number) => number, y: Scale): string {
  let path = ''
  let open = false
  values.forEach((value, i) => {
    if (value === null || !Number.isFinite(value)) {
      open = false
      return
    }
    const at = `${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    const alone = !open && (values[i + 1] ?? null) === null
    path += alone ? `M${at}h1` : `${open ? 'L' : 'M'}${at}`
    open = true
  })
  return path
}

/** Width of a label in px at 11 px, about. */
export function labelWidth(text: string): number {
  let width = 0
  for (const letter of text) width += /[il.,:;|'! ]/.test(letter) ? 3.2 : /[mwMW]/.test(letter) ? 9 : 6.15
  return width
}
