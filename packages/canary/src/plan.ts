/**
 * What a tick of a deployment comes to, decided without Redis, Qdrant or clock: `decide(state, observed, now)`.
 *
 * queued → running (a stage after the other; paused and resumed) → ending: promote → completed,
 * or rollback → rolled_back or rollback_failed, or fail → failed
 *
 * An ending is written down before its first action is done. Whoever comes after a crash finishes it.
 */
import type { Action, Deployment, DeploymentEvent, Metrics, Observed, Stage } from './types.ts'

/** How often a deployment that is watched is looked at. */
export const CHECK_MS = 60_000
/** Between tries to finish an ending. */
const ENDING_RETRY_MS = 5_000
/** After so many failures in a row a roll-back is given up. */
export const MAX_ENDING_FAILURES = 10
const MAX_DECISIONS = 100

/** What comes of a tick: the next state, what is to be done before it is written, and what is told with it. */
export interface Plan {
  next: Deployment
  actions: Action[]
  events: DeploymentEvent[]
  /** When to look again, in ms from now; null where the deployment has ended or rests. */
  againMs: number | null
}

export function isOver(state: Deployment): boolean {
  return ['completed', 'failed', 'rolled_back', 'rollback_failed'].includes(state.status)
}

/** Pure: what to do now. */
export function decide(state: Deployment, observed: Observed, nowMs: number): Plan {
  if (isOver(state) || (state.status === 'paused' && state.ending === null)) {
    return { next: state, actions: [], events: [], againMs: null }
  }
  if (state.ending !== null) return finish(state, observed, nowMs)
  const trouble = troubleOf(state, observed)
  if (trouble !== null) return end(state, 'fail', trouble, nowMs)
  if (state.status !== 'running') return begin(state, nowMs)
  return watch(state, observed, nowMs)
}

/** What makes it impossible to go on. */
function troubleOf(state: Deployment, { aliasCollection, newCollectionExists }: Observed): string | null {
  if (aliasCollection !== state.oldCollection && aliasCollection !== state.newCollection) {
    return `alias ${state.alias} points to ${aliasCollection ?? 'nothing'} by now, not to ${state.oldCollection}`
  }
  return newCollectionExists ? null : `collection ${state.newCollection} is gone`
}

function begin(state: Deployment, nowMs: number): Plan {
  const stage = state.stages[state.currentStage]!
  const next = noted(
    { ...state, status: 'running', stageStartedAtMs: nowMs },
    `stage begins at ${stage.percentage} %`,
    nowMs,
  )
  return {
    next,
    actions: [{ kind: 'route', percentage: stage.percentage }],
    events: [{ type: 'deployment_started' }],
    againMs: untilNextLook(next, nowMs),
  }
}

function watch(state: Deployment, observed: Observed, nowMs: number): Plan {
  const stage = state.stages[state.currentStage]!
  const breach = breachOf(state, stage, observed)
  if (breach !== null) return end(state, state.autoRollback ? 'rollback' : 'fail', breach, nowMs)
  const endsAtMs = state.stageStartedAtMs + stage.durationMinutes * 60_000
  // The route is written at every look: a cache that lost it has it back within a minute.
  const route: Action = { kind: 'route', percentage: stage.percentage }
  if (nowMs < endsAtMs) return { next: state, actions: [route], events: [], againMs: untilNextLook(state, nowMs) }

  const { totalRequests } = observed.newMetrics
  const { holdMinutes, minSamples, onNoTraffic } = state.rules
  if (totalRequests < minSamples && stage.durationMinutes > 0 && onNoTraffic !== 'proceed') {
    const seen = `${totalRequests} of ${minSamples} requests seen at ${stage.percentage} %`
    if (onNoTraffic === 'fail') return end(state, state.autoRollback ? 'rollback' : 'fail', seen, nowMs)
    if (nowMs >= endsAtMs + holdMinutes * 60_000) {
      const waited = `${seen}, after ${holdMinutes} minutes of waiting for more`
      return end(state, state.autoRollback ? 'rollback' : 'fail', waited, nowMs)
    }
    const next = state.reason === seen ? state : noted({ ...state, reason: seen }, `holds: ${seen}`, nowMs)
    return { next, actions: [route], events: [], againMs: CHECK_MS }
  }
  return advance(state, observed.newMetrics, nowMs)
}

function advance(state: Deployment, metrics: Metrics, nowMs: number): Plan {
  const stage = state.stages[state.currentStage]!
  const passed = `stage of ${stage.percentage} % passed${told(metrics)}`
  const following = state.stages[state.currentStage + 1]
  if (!following) return end(noted(state, passed, nowMs), 'promote', null, nowMs)
  const moved = { ...state, currentStage: state.currentStage + 1, stageStartedAtMs: nowMs, reason: null }
  const next = noted(noted(moved, passed, nowMs), `stage begins at ${following.percentage} %`, nowMs)
  return {
    next,
    actions: [{ kind: 'route', percentage: following.percentage }],
    events: [],
    againMs: untilNextLook(next, nowMs),
  }
}

/** Why the stage has failed; null while it has not. Too few requests say nothing. */
export function breachOf(state: Deployment, stage: Stage, { newMetrics, oldMetrics }: Observed): string | null {
  const { baseline, minSamples } = state.rules
  if (newMetrics.totalRequests < minSamples) return null
  if (newMetrics.errorRate > stage.errorThreshold) {
    return `error rate ${percent(newMetrics.errorRate)} is above ${percent(stage.errorThreshold)}`
  }
  if (newMetrics.p95LatencyMs > stage.latencyThreshold) {
    return `p95 latency ${ms(newMetrics.p95LatencyMs)} is above ${ms(stage.latencyThreshold)}`
  }
  if (baseline === null || oldMetrics.totalRequests < minSamples) return null
  if (newMetrics.errorRate > oldMetrics.errorRate + baseline.maxErrorRateIncrease) {
    return `error rate ${percent(newMetrics.errorRate)} is more than ${percent(baseline.maxErrorRateIncrease)} above the old collection's ${percent(oldMetrics.errorRate)}`
  }
  if (newMetrics.p95LatencyMs > oldMetrics.p95LatencyMs * baseline.maxLatencyRatio) {
    return `p95 latency ${ms(newMetrics.p95LatencyMs)} is more than ${baseline.maxLatencyRatio} times the old collection's ${ms(oldMetrics.p95LatencyMs)}`
  }
  return null
}

/** Writes the ending down; the next tick, at once, begins with it. */
export function end(
  state: Deployment,
  ending: 'promote' | 'rollback' | 'fail',
  reason: string | null,
  nowMs: number,
): Plan {
  const words = { promote: 'promote', rollback: 'roll back', fail: 'fail' }[ending]
  const next = noted(
    { ...state, ending, endingFailures: 0, reason },
    reason === null ? words : `${words}: ${reason}`,
    nowMs,
  )
  return { next, actions: [], events: [], againMs: 0 }
}

function finish(state: Deployment, { aliasCollection }: Observed, nowMs: number): Plan {
  const { oldCollection, newCollection } = state
  const done = (status: Deployment['status'], actions: Action[], event: DeploymentEvent): Plan => ({
    next: noted({ ...state, status, ending: null, finishedAtMs: nowMs }, status.replace('_', ' '), nowMs),
    actions,
    events: [event],
    againMs: null,
  })
  const failed: DeploymentEvent = { type: 'deployment_failed', error: state.reason ?? 'failed' }
  if (state.ending === 'promote') {
    const actions: Action[] = aliasCollection === newCollection ? [] : [{ kind: 'switch', collection: newCollection }]
    return done('completed', [...actions, { kind: 'unroute' }], { type: 'deployment_completed' })
  }
  if (state.ending === 'fail') return done('failed', [{ kind: 'unroute' }], failed)
  // Only what this deployment moved is moved back.
  const back: Action[] = aliasCollection === newCollection ? [{ kind: 'switch', collection: oldCollection }] : []
  return done('rolled_back', [...back, { kind: 'unroute' }], failed)
}

/** What comes of an ending whose actions failed: it is tried again, and a roll-back is given up in the end. */
export function endingFailed(state: Deployment, error: string, nowMs: number): Plan {
  const endingFailures = state.endingFailures + 1
  if (state.ending === 'rollback' && endingFailures >= MAX_ENDING_FAILURES) {
    const reason = `${state.reason ?? 'rolled back'}; the roll-back failed: ${error}`
    return {
      next: noted({ ...state, status: 'rollback_failed', ending: null, finishedAtMs: nowMs, reason }, reason, nowMs),
      actions: [],
      events: [{ type: 'deployment_failed', error: reason }],
      againMs: null,
    }
  }
  return { next: { ...state, endingFailures }, actions: [], events: [], againMs: ENDING_RETRY_MS }
}

/** Adds to what was decided. */
export function noted(state: Deployment, decision: string, atMs: number): Deployment {
  const decisions = [...state.decisions, { atMs, stage: state.currentStage, decision }].slice(-MAX_DECISIONS)
  return { ...state, decisions }
}

/** A minute, or less when the stage ends before. */
function untilNextLook(state: Deployment, nowMs: number): number {
  const stage = state.stages[state.currentStage]!
  const leftMs = state.stageStartedAtMs + stage.durationMinutes * 60_000 - nowMs
  return Math.max(0, Math.min(CHECK_MS, leftMs))
}

function told({ errorRate, p95LatencyMs, totalRequests }: Metrics): string {
  return totalRequests === 0
    ? ', without a request'
    : `: ${totalRequests} requests, ${percent(errorRate)} errors, p95 ${ms(p95LatencyMs)}`
}

function percent(share: number): string {
  return `${Math.round(share * 10_000) / 100} %`
}

function ms(value: number): string {
  return `${Math.round(value * 10) / 10} ms`
}
