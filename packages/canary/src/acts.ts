/** Acts by which people change a deployment. Pure. */
import { approved, ending, isOver, paused, resumed, stageOf } from './state.ts'
import type { Deployment, DeploymentStatus } from './types.ts'

/** Acts of people on a deployment. */
export const ACTS = ['approve', 'pause', 'resume', 'promote', 'rollback'] as const
/** An act of people on a deployment; the methods of `CanaryDeployments` have the same names. */
export type Act = (typeof ACTS)[number]

interface ActRule {
  from: readonly DeploymentStatus[]
  next: (state: Deployment, nowMs: number, reason: string | undefined) => Deployment
}

/** Statuses an act starts from, and the state it leads to. */
export const ACT_RULES: Readonly<Record<Act, ActRule>> = {
  approve: { from: ['queued', 'running'], next: approved },
  pause: { from: ['queued', 'running'], next: (state, nowMs) => paused(state, null, nowMs) },
  resume: { from: ['paused'], next: resumed },
  promote: {
    from: ['queued', 'running', 'paused'],
    next: (state, nowMs) => ending(state, 'promote', 'promoted by hand', nowMs),
  },
  rollback: {
    from: ['queued', 'running', 'paused', 'rollback_failed'],
    next: (state, nowMs, reason = 'rolled back by hand') => ending(state, 'rollback', reason, nowMs),
  },
}

/** Reason to refuse an act in this state; null where it is allowed. */
export function refusalOf(state: Deployment, act: Act): string | null {
  if (act === 'promote' && state.rules.dryRun) {
    return `deployment ${state.id} is a dry run, which moves no alias; start one without \`dryRun\``
  }
  const { from } = ACT_RULES[act]
  const mayFollow = state.ending === null || (state.ending === 'promote' && act === 'rollback')
  if (from.includes(state.status) && mayFollow) return null
  const what = isOver(state) || mayFollow ? words(state.status) : `on its way to ${state.ending}`
  return `deployment ${state.id} is ${what}; this is for one that is ${from.map(words).join(', ')}`
}

/** Acts that make sense now. A stage that needs no approval, or has it, is not offered for it. */
export function actsOf(state: Deployment): Act[] {
  const isApprovable = stageOf(state).approval === true && state.approvedStage !== state.currentStage
  return ACTS.filter((act) => refusalOf(state, act) === null && (act !== 'approve' || isApprovable))
}

function words(status: DeploymentStatus): string {
  return status.replace('_', ' ')
}
