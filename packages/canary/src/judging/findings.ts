/** Findings of a check, and their wording. */
import type { Window } from './windows.ts'

/** Reason and evidence of a failed stage. */
export interface Breach {
  check: string
  /** For people: `error rate 30 % is above 5 %`. */
  reason: string
  /** For people: `18 of 60 requests in the last 2 minutes, at least 12 % with a confidence of 1 - 5e-6`. */
  evidence: string
}

/** One thing that keeps a stage from being passed: what looks bad, or is missing. */
export interface Trouble {
  /** Identity of a finding while it lasts, whatever its numbers. */
  name: string
  /** For people. */
  reason: string
}

/** One thing a window is judged by. */
export interface Check {
  name: string
  /** Part of a look's alpha that this check may spend. */
  weight: number
  /** Returns the breach that the window proves, with an error of at most `alpha`. */
  breach: (window: Window, alpha: number) => Breach | null
  /** Returns the reason not to call this window healthy; null when there is none. It needs no proof. */
  doubt: (window: Window) => string | null
}

/** A breach with its evidence in words. */
export function found(
  check: string,
  reason: string,
  counted: string,
  { minutes }: Window,
  bound: string,
  alpha: number,
  side = 'at least',
): Breach {
  return {
    check,
    reason,
    evidence: `${counted} ${spanOf(minutes)}, ${side} ${bound} with a confidence of 1 - ${alpha.toExponential(0)}`,
  }
}

/** The name of a window. Null is the stage so far. */
export function spanOf(minutes: number | null): string {
  if (minutes === null) return 'in the stage so far'
  return minutes === 0 ? 'in the current minute' : `in the last ${minutes === 1 ? 'minute' : `${minutes} minutes`}`
}

export function percent(share: number | null): string {
  return share === null ? 'unknown' : `${Math.round(share * 10_000) / 100} %`
}

export function ms(value: number | null): string {
  return value === null ? 'unknown' : `${Math.round(value * 10) / 10} ms`
}

export function number(value: number): string {
  return String(Math.round(value * 10_000) / 10_000)
}
