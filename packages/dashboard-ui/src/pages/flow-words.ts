import type { FlowMemberRow, FlowRow, FlowStateName, FlowView } from '@arq-ts/dashboard/api'
import { capital, count, list, words } from '../format/number.ts'
import type { Shape } from '../ui/shapes.ts'

/** Shape and word of a flow's state. */
export const flowStates: Record<FlowStateName, [Shape, string]> = {
  running: ['running', 'running'],
  cancelling: ['aborted', 'being cancelled'],
  complete: ['on-time', 'complete'],
  failed: ['failing', 'failed'],
  cancelled: ['aborted', 'cancelled'],
}

const memberStates: Record<string, [Shape, string]> = {
  held: ['deferred', 'waits for others'],
  ready: ['open', 'about to start'],
  queued: ['open', 'queued'],
  running: ['running', 'running'],
  success: ['on-time', 'succeeded'],
  failure: ['failing', 'failed'],
  aborted: ['aborted', 'aborted'],
  unknown: ['warning', 'left no trace'],
  skipped: ['skipped', 'not taken'],
  blocked: ['skipped', 'blocked'],
  cancelled: ['aborted', 'cancelled'],
}

/** Shape and word of a member's state. A state of a newer server is shown by its name. */
export const memberState = (state: string): [Shape, string] => memberStates[state] ?? ['open', state]

/** States by importance, the most important first: a node of several members shows that one. */
const weights = [
  'failure',
  'unknown',
  'aborted',
  'running',
  'queued',
  'ready',
  'held',
  'blocked',
  'cancelled',
  'success',
  'skipped',
]

/** The members by state, the state that matters most first. */
export function tally(members: readonly FlowMemberRow[]): [state: string, count: number][] {
  const counts = new Map<string, number>()
  for (const { state } of members) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => weights.indexOf(a) - weights.indexOf(b))
}

/** Orders members by the importance of their states. */
export function byWeight(members: readonly FlowMemberRow[]): FlowMemberRow[] {
  return members.toSorted((a, b) => weights.indexOf(a.state) - weights.indexOf(b.state))
}

const open = new Set(['held', 'ready', 'queued', 'running'])

/** True for a member that has not ended. */
export const isOpen = ({ state }: FlowMemberRow): boolean => open.has(state)

const isFailed = ({ state }: FlowMemberRow): boolean =>
  state === 'failure' || state === 'aborted' || state === 'unknown'

/** The part of the sentence after the flow's name. */
export function flowTitle({ members, state }: FlowView): string {
  const ended = members.filter((member) => !isOpen(member)).length
  const failed = members.filter(isFailed)
  switch (state) {
    case 'running': {
      const done = ended === 0 ? 'has begun' : ended === members.length ? 'is about to end' : ''
      if (failed.length > 0) return ` runs on, though ${which(failed)} did not succeed.`
      return ` ${done || `is running: ${words(ended)} of ${words(members.length)} members ${ended === 1 ? 'has' : 'have'} ended`}.`
    }
    case 'cancelling':
      return ' is being cancelled.'
    case 'failed':
      return failed.length === 0 ? ' failed.' : ` failed: ${which(failed)} did not succeed.`
    default:
      return ` ${state === 'complete' ? 'is complete' : 'was cancelled'}.`
  }
}

function which(members: readonly FlowMemberRow[]): string {
  return members.length > 3 ? count(members.length, 'member') : list(members.map(({ name }) => name))
}

/** The summary of the list. */
export function flowsTitle(flows: readonly FlowRow[]): string {
  const running = flows.filter(({ state }) => state === 'running' || state === 'cancelling')
  const failed = flows.filter(({ state }) => state === 'failed')
  if (flows.length === 0) return 'No flow is known.'
  if (failed.length > 0)
    return `${capital(count(failed.length, 'flow'))} failed${running.length > 0 ? `; ${count(running.length, 'runs', 'run')} now` : ''}.`
  return running.length > 0
    ? `${capital(count(running.length, 'flow'))} ${running.length === 1 ? 'is' : 'are'} running.`
    : 'No flow is running.'
}
