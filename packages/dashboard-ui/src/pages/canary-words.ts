/** The sentences of a canary deployment. Pure. */

import type { DeploymentGuard, DeploymentRow } from '@arq-ts/dashboard/api'
import { duration } from '../format/duration.ts'
import { number, percent } from '../format/number.ts'
import type { Shape } from '../ui/status.tsx'

/** Shape and word of a state. */
export const states: Record<DeploymentRow['status'], [Shape, string]> = {
  pending: ['deferred', 'pending'],
  queued: ['open', 'waits for a worker'],
  running: ['running', 'running'],
  paused: ['paused', 'paused'],
  completed: ['on-time', 'promoted'],
  failed: ['failing', 'failed'],
  rolled_back: ['failing', 'rolled back'],
  rollback_failed: ['failing', 'rollback failed'],
}

/** True while the deployment is under way. */
export const isOpen = ({ finishedAtMs }: DeploymentRow): boolean => finishedAtMs === null

/** Future of a deployment, in one sentence. */
export function canaryTitle({
  alias,
  newCollection,
  status,
  ending,
  share,
  stages,
  currentStage,
}: DeploymentRow): string {
  const stage = `stage ${currentStage + 1} of ${stages.length}`
  if (ending === 'promote' && status !== 'completed') return `${alias} is being switched to ${newCollection}.`
  if (ending === 'rollback' && status !== 'rolled_back' && status !== 'rollback_failed')
    return `${alias} is being rolled back from ${newCollection}.`
  switch (status) {
    case 'completed':
      return `${alias} is ${newCollection} now.`
    case 'rolled_back':
      return `${alias} was rolled back from ${newCollection}.`
    case 'rollback_failed':
      return `The rollback of ${alias} failed.`
    case 'failed':
      return `The deployment of ${newCollection} failed.`
    case 'paused':
      return `${alias} is paused at ${percent(share.configured / 100)} for ${newCollection}, ${stage}.`
    case 'running':
      return `${newCollection} gets ${percent(share.configured / 100)} of ${alias}, ${stage}.`
    default:
      return `${newCollection} waits for a worker that moves ${alias}.`
  }
}

/** A measured value in the unit of its guard. */
export function measured({ unit }: Pick<DeploymentGuard, 'unit'>, value: number | null): string {
  if (value === null) return '–'
  if (unit === 'ratio') return percent(value)
  if (unit === 'ms') return value < 1_000 ? `${Math.round(value)} ms` : duration(value)
  return Math.abs(value) >= 1_000 ? number(value) : String(Number(value.toPrecision(3)))
}

/** The interval of a guard's value; empty where it is unknown. */
export function interval(guard: DeploymentGuard): string {
  return guard.low === null || guard.high === null
    ? ''
    : `${measured(guard, guard.low)} to ${measured(guard, guard.high)}`
}

/** Shape and word of a verdict. */
export const verdicts: Record<DeploymentGuard['verdict'], [Shape, string]> = {
  ok: ['on-time', 'holds'],
  doubt: ['warning', 'in doubt'],
  breach: ['failing', 'broken'],
  unseen: ['open', 'not seen enough'],
}
