/** Decides which ticks of a schedule are enqueued at one look at the clock. Pure. */

import { latestTick } from '@arq-ts/protocol/cron'
import type { NextTick } from './rule.ts'

/** Delay up to which a tick is late and runs all the same, in ms; past it, it was missed. As for cron jobs. */
export const LATE_MS = 60_000
/** Missed ticks that `missed: 'all'` makes up for at most: the newest. */
export const MAX_MISSED = 100

/** The time up to which ticks are decided. One that lies far ahead was written by a clock that was wrong: it counts as now. */
export function believed(doneMs: number, nowMs: number): number {
  return doneMs >= 0 && doneMs <= nowMs + LATE_MS ? doneMs : nowMs
}

/** Missed ticks that are made up for. */
export type Missed = 'skip' | 'latest' | 'all'

/** The outcome of one look at the clock. */
export interface TickPlan {
  /** Ticks to enqueue, in unix ms, the oldest first. */
  ticks: number[]
  /** Time up to which all ticks are decided now, in unix ms. */
  doneMs: number
  /** The next tick in unix ms; null when none will come. */
  nextMs: number | null
  /** The first tick that was missed, in unix ms; null when none was. */
  missedMs: number | null
}

/**
 * Plans the ticks after `doneMs` that are due by now. A clock that was set back has none, and none twice.
 */
export function planTicks(next: NextTick, doneMs: number, nowMs: number, missed: Missed): TickPlan {
  const firstMs = next(doneMs)
  if (firstMs === null || firstMs > nowMs) return { ticks: [], doneMs, nextMs: firstMs, missedMs: null }
  const missedMs = nowMs - firstMs > LATE_MS ? firstMs : null
  const ticks = missedMs === null ? between(next, doneMs, nowMs) : madeUp(next, doneMs, nowMs, missed)
  return { ticks, doneMs: nowMs, nextMs: next(nowMs), missedMs }
}

function madeUp(next: NextTick, doneMs: number, nowMs: number, missed: Missed): number[] {
  if (missed === 'skip') return between(next, nowMs - LATE_MS - 1, nowMs)
  return newest(next, doneMs, nowMs, missed === 'latest' ? 1 : MAX_MISSED)
}

function between(next: NextTick, afterMs: number, untilMs: number): number[] {
  const ticks: number[] = []
  for (let at = next(afterMs); at !== null && at <= untilMs; at = next(at)) ticks.push(at)
  return ticks
}

function newest(next: NextTick, afterMs: number, untilMs: number, most: number): number[] {
  const ticks: number[] = []
  for (let until = untilMs; ticks.length < most; until = ticks[0]! - 1) {
    const tick = latestTick(next, afterMs, until)
    if (tick === null) break
    ticks.unshift(tick)
  }
  return ticks
}
