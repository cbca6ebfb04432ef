/**
 * Time that does not count for a stage: nobody looked, or Redis's clock jumped. Pure.
 *
 * A clock that goes forward by an hour looks like an hour in which nobody looked. Neither may end a stage, its warming, its
 * waiting for more, or the attempts of a roll-back: each is longer by that time. A clock that goes back makes minutes
 * come twice, and their counts with them: the stage begins anew, and what was counted before is not its own.
 */
import { noted } from './state.ts'
import type { Deployment } from './types.ts'

/** A look may be so late without a loss: queues are. */
const LATE_MS = 30_000
/** Largest expected difference between the clocks of a Redis and its replica. */
const APART_MS = 5_000
/** Looks are planned at most so far ahead, unless the deployment is paused. */
const AHEAD_MS = 60_000

/** The state as a look has to take it at this time. */
export function withLostTime(state: Deployment, nowMs: number): Deployment {
  if (state.status !== 'running') return state // a queued or paused deployment restarts its stage
  const lateMs = nowMs - state.nextTickAtMs - LATE_MS
  if (lateMs > 0) return shifted(state, lateMs)
  const backMs = backBy(state, nowMs)
  if (backMs === 0) return state
  const back = shifted(state, -backMs)
  if (state.ending !== null || state.warmingUntilMs !== null || state.stageStartedAtMs === null) return back
  const words = `the clock went back by ${Math.round(backMs / 1_000)} s: the stage begins anew`
  return noted({ ...back, stageStartedAtMs: null }, 'held', words, nowMs)
}

/** Time by which the clock is behind the one seen last, in ms; 0 unless that is certain. */
export function backBy({ nextTickAtMs, status }: Deployment, nowMs: number): number {
  if (status === 'paused') return 0 // it is looked at rarely
  const backMs = nextTickAtMs - AHEAD_MS - nowMs
  return backMs > APART_MS ? backMs : 0
}

function shifted(state: Deployment, byMs: number): Deployment {
  const later = (time: number | null) => (time === null ? null : time + byMs)
  return {
    ...state,
    lostMs: state.lostMs + Math.max(0, byMs),
    heldSince:
      state.heldSince && Object.fromEntries(Object.entries(state.heldSince).map(([name, ms]) => [name, ms + byMs])),
    warmingUntilMs: later(state.warmingUntilMs),
    endingSinceMs: later(state.endingSinceMs),
  }
}
