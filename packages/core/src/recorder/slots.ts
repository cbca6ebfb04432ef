/** The grid of time: slots of one minute, ten minutes and one hour, 40 of them in the hash of a block. */

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Slots in one hash: three fields each stay below every default of `hash-max-listpack-entries` (128 and more). */
export const SLOTS_PER_BLOCK = 40

export interface Resolution {
  /** Part of the key's name. */
  readonly name: '1m' | '10m' | '1h'
  readonly slotMs: number
  /** Time after the last write of a block for which it is kept. */
  readonly ttlMs: number
}

/** Every resolution, the finest first. Each slot lies within one slot of the next. */
export const RESOLUTIONS: readonly [Resolution, Resolution, Resolution] = [
  { name: '1m', slotMs: MINUTE_MS, ttlMs: 3 * HOUR_MS },
  { name: '10m', slotMs: 10 * MINUTE_MS, ttlMs: 3 * DAY_MS },
  { name: '1h', slotMs: HOUR_MS, ttlMs: 35 * DAY_MS },
]

/** The slot that a time lies in, as block and place within. */
export function placeOf({ slotMs }: Resolution, atMs: number): { block: number; slot: number } {
  const number = Math.floor(atMs / slotMs)
  const block = Math.floor(number / SLOTS_PER_BLOCK)
  return { block, slot: number - block * SLOTS_PER_BLOCK }
}

/** Begin of the finest slot that a time lies in, in unix ms. */
export function minuteOf(atMs: number): number {
  return Math.floor(atMs / MINUTE_MS) * MINUTE_MS
}
