import { addTally, emptyTally } from './tally.ts'
import type { Minute, Tally } from './tally.ts'

/** Whole minutes before the current one that windows reach back; the stage so far is one more. */
const SPANS = [0, 1, 2, 3, 8, 30]
/** Number of windows: judging by several needs a correction. */
export const WINDOWS = SPANS.length + 1

/** The last minutes of a stage, up to now. */
export interface Window {
  /** Whole minutes before the current one; null for the stage so far. */
  minutes: number | null
  /** Whole minutes between its oldest request and the current minute. */
  ageMinutes: number
  /** It holds every request of the stage that is still counted, whatever its length. */
  isWhole: boolean
  new: Tally
  old: Tally
}

/**
 * Visits the windows of a stage, shortest first; one that has nothing more than a shorter one is left out. Returns the
 * whole stage. The sums are the same objects in each visit, so that a look allocates little.
 */
export function visitWindows(minutes: readonly Minute[], nowMinute: number, visit: (window: Window) => void): Window {
  const newestFirst = [...minutes].sort((a, b) => b.minute - a.minute)
  const sum: Window = { minutes: null, ageMinutes: 0, isWhole: true, new: emptyTally(), old: emptyTally() }
  let at = 0
  for (const span of [...SPANS, null]) {
    const before = at
    for (; at < newestFirst.length && (span === null || newestFirst[at]!.minute >= nowMinute - span); at++) {
      addTally(sum.new, newestFirst[at]!.new)
      addTally(sum.old, newestFirst[at]!.old)
    }
    if (at === before) continue
    sum.ageMinutes = nowMinute - newestFirst[at - 1]!.minute
    // A window that reaches back further than the stage is the stage.
    const isStage = span !== null && at === newestFirst.length && newestFirst.at(-1)!.minute > nowMinute - span
    visit({ ...sum, minutes: isStage ? null : span, isWhole: at === newestFirst.length })
  }
  return sum
}
