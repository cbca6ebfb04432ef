/** A deployment in detail: windows as the judge reads them, guards with their values, and its last hour. Pure. */
import { judge } from '../judging/judge.ts'
import { alphaOfLook } from '../judging/spending.ts'
import { emptyTally } from '../judging/tally.ts'
import type { Minute } from '../judging/tally.ts'
import { visitWindows, WINDOWS } from '../judging/windows.ts'
import type { Window } from '../judging/windows.ts'
import { isLastStage, looksOf, stageOf } from '../state.ts'
import type { Deployment } from '../types.ts'
import { boundsOf, judged } from './guard-views.ts'
import type { GuardView } from './guard-views.ts'
import { sideOf } from './sides.ts'
import type { SideView } from './sides.ts'

/** Minutes of the chart. */
export const SHOWN_MINUTES = 60

/** A window the judge looks at. */
export interface WindowView {
  /** Whole minutes before the current one; null for the stage so far. */
  minutes: number | null
  new: SideView
  old: SideView
}

/** One minute of both collections. */
export interface MinuteView {
  /** Its beginning. */
  atMs: number
  new: SideView
  old: SideView
  /** Requests that were repeated in the shadow, and the means of how alike both answers were. */
  shadow: { requests: number; overlap: number | null; rankCorrelation: number | null }
}

/** The part of a deployment's details that follows from what was counted. */
export interface CountedDetails {
  /** Every bound of the stage with its present value, as the next look would judge it. */
  guards: GuardView[]
  /** Shortest first; one that has nothing more than a shorter one is left out. */
  windows: WindowView[]
  /** The last 60 minutes, those without a request included, oldest first; of an ended one those before its end. */
  minutes: MinuteView[]
  /** Measures with too few samples to pass the stage. */
  missing: string | null
  /** Measures that look bad without proof; the stage is not passed meanwhile. */
  doubt: string | null
}

/** @param stage - what was counted in the stage; `hour`: in the last hour, whatever the stage was. */
export function countedDetails(
  state: Deployment,
  { hour, stage }: { stage: readonly Minute[]; hour: readonly Minute[] },
  nowMs: number,
): CountedDetails {
  const rules = stageOf(state)
  const nowMinute = Math.floor(nowMs / 60_000)
  const look = { look: state.looks + 1, plannedLooks: looksOf(state) }
  const alpha = alphaOfLook(look.look, look.plannedLooks) / WINDOWS
  const bounds = boundsOf(rules, state.rules).map((bound) => ({
    bound,
    found: { verdict: 'ok', text: null } as Pick<GuardView, 'verdict' | 'text'>,
  }))
  const windows: WindowView[] = []
  const whole = visitWindows(stage, nowMinute, (window) => {
    windows.push({ minutes: window.minutes, new: sideOf(window.new), old: sideOf(window.old) })
    for (const each of bounds) each.found = judged(each.found, each.bound, window, alpha)
  })
  const { doubt, missing } = judge(rules, state.rules, {
    minutes: stage,
    nowMinute,
    ...look,
    accumulated: state.accumulated,
    isLastStage: isLastStage(state),
  })
  return {
    guards: bounds.map(({ bound, found }) => {
      const figures = bound.figures(whole)
      const isUnseen = found.verdict === 'ok' && figures.samples < state.rules.minSamples
      return { name: bound.check.name, ...figures, ...found, ...(isUnseen ? { verdict: 'unseen' as const } : {}) }
    }),
    windows,
    minutes: minutesOf(hour, nowMinute),
    missing,
    doubt,
  }
}

function minutesOf(counted: readonly Minute[], nowMinute: number): MinuteView[] {
  const byMinute = new Map(counted.map((each) => [each.minute, each]))
  return Array.from({ length: SHOWN_MINUTES }, (_, i) => {
    const minute = nowMinute - SHOWN_MINUTES + 1 + i
    const { new: fresh, old }: Pick<Window, 'new' | 'old'> = byMinute.get(minute) ?? {
      new: emptyTally(),
      old: emptyTally(),
    }
    const mean = (name: string) => {
      const seen = fresh.values[name]
      return seen ? seen.sum / seen.count : null
    }
    const shadow = { requests: fresh.shadowed, overlap: mean('overlap'), rankCorrelation: mean('rankCorrelation') }
    return { atMs: minute * 60_000, new: sideOf(fresh), old: sideOf(old), shadow }
  })
}
