/** A deployment's state: what follows from it, and the small changes that plan and people make. Pure. */
import { plannedLooks } from './judging/spending.ts'
import type { Deployment, EventType, Stage } from './types.ts'

const MAX_DECISIONS = 100

export function isOver(state: Deployment): boolean {
  return ['completed', 'failed', 'rolled_back', 'rollback_failed'].includes(state.status)
}

/** The current stage as it is carried out: a dry run asks the new collection in the shadow, and sends no user there. */
export function stageOf(state: Deployment): Stage {
  const stage = state.stages[state.currentStage]!
  if (!state.rules.dryRun) return stage
  return { ...stage, percentage: 0, shadow: Math.max(stage.shadow ?? 0, stage.percentage), approval: false }
}

/** The share of the traffic that goes to the new collection, in percent; null where the alias alone decides. */
export function shareOf(state: Deployment): number | null {
  const isRouted = state.begunAtMs !== null && !isOver(state) && state.ending !== 'rollback'
  return isRouted ? stageOf(state).percentage : null
}

/** Looks that the deployment plans, over all its stages. */
export function looksOf(state: Deployment): number {
  return plannedLooks(state.stages)
}

/** True if no judged stage follows the current one; a stage without a duration is not judged. */
export function isLastStage({ currentStage, stages }: Deployment): boolean {
  return stages.slice(currentStage + 1).every(({ durationMinutes }) => durationMinutes === 0)
}

/** Adds to what was decided; each decision is an event. */
export function noted(state: Deployment, event: EventType, decision: string, atMs: number): Deployment {
  const decisions = [...state.decisions, { atMs, stage: state.currentStage, event, decision }].slice(-MAX_DECISIONS)
  return { ...state, decisions }
}

/** Decisions that `next` has and `before` has not. */
export function newDecisions(before: Deployment | null, next: Deployment): Deployment['decisions'] {
  const known = new Set(before?.decisions)
  return next.decisions.filter((decision) => !known.has(decision))
}

/** A paused deployment that resumes: its stage begins anew. */
export function resumed(state: Deployment, nowMs: number): Deployment {
  const status = state.begunAtMs === null ? ('queued' as const) : ('running' as const)
  return noted({ ...state, status, stageStartedAtMs: null, reason: null }, 'resumed', 'resumed', nowMs)
}

/** A deployment whose stages rest; its share stays. */
export function paused(state: Deployment, reason: string | null, nowMs: number): Deployment {
  const decision = reason === null ? 'paused' : `paused: ${reason}`
  return noted({ ...state, status: 'paused', reason }, 'paused', decision, nowMs)
}

/** The current stage may be left at its end. One that is approved already stays as it is. */
export function approved(state: Deployment, nowMs: number): Deployment {
  if (state.approvedStage === state.currentStage) return state
  const { percentage } = state.stages[state.currentStage]!
  const next = { ...state, approvedStage: state.currentStage, reason: null }
  return noted(next, 'approved', `stage of ${percentage} % approved`, nowMs)
}

/** The ending written down; the next tick, at once, goes about it. */
export function ending(
  state: Deployment,
  kind: 'promote' | 'rollback',
  reason: string | null,
  nowMs: number,
  evidence?: string,
): Deployment {
  const isPromotion = kind === 'promote'
  const open = { ...state, status: 'running' as const, finishedAtMs: null, reason, final: null }
  const next = { ...open, ending: kind, endingSinceMs: nowMs, endingFailures: 0 }
  const words = [isPromotion ? 'promote' : 'roll back', reason, evidence].filter(Boolean).join(': ')
  return noted(next, isPromotion ? 'promoting' : 'rolling_back', words, nowMs)
}

/** The next state as it is written: one change on, with its new decisions to notify of. */
export function sealed(before: Deployment, next: Deployment, nextTickAtMs: number): Deployment {
  return { ...next, tick: before.tick + 1, nextTickAtMs, outbox: newDecisions(before, next) }
}
