/**
 * What a tick of a deployment comes to, decided without Redis, Qdrant or clock: `decide(state, observed, now)`.
 *
 * queued → running (a stage after the other; paused and resumed) → completed, failed, rolled_back or rollback_failed
 *
 * Between running and completed or rolled_back stands an ending, `promote` or `rollback`, written down before its first
 * step is taken: whoever comes after a crash finishes it. The share of the traffic follows from the state (`shareOf`) and
 * is stored with it, so that there is no moment in which the two differ. What is left to do outside is one call, `switchTo`.
 */
import type { Deployment, DeploymentEvent, Metrics, Observed, QdrantView, Stage } from './types.ts'

/** How often a deployment that is watched is looked at. */
export const CHECK_MS = 60_000
/** A paused one: whether it can still go on. */
export const PAUSED_CHECK_MS = 600_000
/** Until Qdrant is asked again; doubles with each failure of an ending, up to a minute. */
const QDRANT_RETRY_MS = 5_000
/** A roll-back that failed for so long is given up. */
export const ROLLBACK_GIVEN_UP_MS = 3_600_000
const MAX_DECISIONS = 100

/** What comes of a tick: a call to Qdrant, then the next state and what is told with it. */
export interface Plan {
  next: Deployment
  /** The collection the alias is moved to, before `next` is written; null for none. Moving it twice does no harm. */
  switchTo: string | null
  events: DeploymentEvent[]
  /** When to look again, in ms from now. */
  againMs: number
}

export function isOver(state: Deployment): boolean {
  return ['completed', 'failed', 'rolled_back', 'rollback_failed'].includes(state.status)
}

/** The share of the traffic that goes to the new collection, in percent; null where the alias alone decides. */
export function shareOf(state: Deployment): number | null {
  const isRouted = state.begunAtMs !== null && !isOver(state) && state.ending !== 'rollback'
  return isRouted ? state.stages[state.currentStage]!.percentage : null
}

/** Pure: what to do now. */
export function decide(state: Deployment, observed: Observed, nowMs: number): Plan {
  if (isOver(state)) return plan(state, 0)
  const { qdrant } = observed
  if (state.ending !== null) {
    return qdrant instanceof Error ? endingFailed(state, qdrant.message, nowMs) : finish(state, qdrant, nowMs)
  }
  const trouble = qdrant instanceof Error ? null : troubleOf(state, qdrant)
  if (trouble !== null) return fail(state, trouble, nowMs)
  if (state.status === 'paused') return plan(state, PAUSED_CHECK_MS)
  if (state.stageStartedAtMs !== null) return watch(state, state.stageStartedAtMs, observed, nowMs)
  return qdrant instanceof Error ? waitForQdrant(state, nowMs) : begin(state, observed, nowMs)
}

/** What makes it impossible to go on. */
function troubleOf(state: Deployment, { aliasCollection, newCollectionExists }: QdrantView): string | null {
  if (aliasCollection !== state.oldCollection && aliasCollection !== state.newCollection) {
    return `alias ${state.alias} points to ${aliasCollection ?? 'nothing'} by now, not to ${state.oldCollection}`
  }
  return newCollectionExists ? null : `collection ${state.newCollection} is gone`
}

/** The current stage, from its start: the first time, after another stage, or after a pause. */
function begin(state: Deployment, { marks }: Observed, nowMs: number): Plan {
  const stage = state.stages[state.currentStage]!
  const started = { status: 'running' as const, stageStartedAtMs: nowMs, stageMarks: marks, reason: null }
  const moved = { ...state, ...started, begunAtMs: state.begunAtMs ?? nowMs }
  const next = noted(moved, `stage begins at ${stage.percentage} %`, nowMs)
  const events: DeploymentEvent[] = state.begunAtMs === null ? [{ type: 'deployment_started' }] : []
  return { ...plan(next, untilNextLook(stage, nowMs, nowMs)), events }
}

function watch(state: Deployment, stageStartedAtMs: number, observed: Observed, nowMs: number): Plan {
  const stage = state.stages[state.currentStage]!
  const breach = breachOf(state, stage, observed)
  if (breach !== null) return giveUp(state, breach, nowMs)
  const endsAtMs = stageStartedAtMs + stage.durationMinutes * 60_000
  if (nowMs < endsAtMs) return plan({ ...state, reason: null }, untilNextLook(stage, stageStartedAtMs, nowMs))
  if (observed.qdrant instanceof Error) return waitForQdrant(state, nowMs)

  const missing = missingOf(state, stage, observed.newMetrics)
  const { holdMinutes, onNoTraffic } = state.rules
  if (missing === null || onNoTraffic === 'proceed') return advance(state, observed, nowMs)
  if (onNoTraffic === 'fail') return giveUp(state, missing, nowMs)
  if (nowMs < endsAtMs + holdMinutes * 60_000) return plan(holding(state, missing, nowMs), CHECK_MS)
  return giveUp(state, `${missing}, after ${holdMinutes} minutes of waiting for more`, nowMs)
}

/** What a stage that is at its end has not seen; null where it has seen enough. One without a duration needs nothing. */
function missingOf(state: Deployment, stage: Stage, { p95LatencyMs, totalRequests }: Metrics): string | null {
  const { minSamples } = state.rules
  if (stage.durationMinutes === 0) return null
  if (totalRequests < minSamples) return `${totalRequests} of ${minSamples} requests seen at ${stage.percentage} %`
  return p95LatencyMs === null ? `${totalRequests} requests seen at ${stage.percentage} %, none with its latency` : null
}

function advance(state: Deployment, observed: Observed, nowMs: number): Plan {
  const stage = state.stages[state.currentStage]!
  const passed = noted(state, `stage of ${stage.percentage} % passed${told(observed.newMetrics)}`, nowMs)
  if (state.currentStage === state.stages.length - 1) return plan(ending(passed, 'promote', null, nowMs), 0)
  return begin({ ...passed, currentStage: state.currentStage + 1 }, observed, nowMs)
}

/** Why the stage has failed; null while it has not. Too few requests say nothing. */
export function breachOf(
  state: Deployment,
  stage: Stage,
  { newMetrics: seen, oldMetrics: old }: Pick<Observed, 'newMetrics' | 'oldMetrics'>,
): string | null {
  const { baseline, minSamples } = state.rules
  if (seen.totalRequests < minSamples) return null
  const isAbove = (value: number | null, bound: number | null) => value !== null && bound !== null && value > bound
  if (isAbove(seen.errorRate, stage.errorThreshold)) {
    return `error rate ${percent(seen.errorRate)} is above ${percent(stage.errorThreshold)}`
  }
  if (isAbove(seen.p95LatencyMs, stage.latencyThreshold)) {
    return `p95 latency ${ms(seen.p95LatencyMs)} is above ${ms(stage.latencyThreshold)}`
  }
  if (baseline === null || old.totalRequests < minSamples) return null
  const { maxErrorRateIncrease, maxLatencyRatio } = baseline
  if (isAbove(seen.errorRate, (old.errorRate ?? 0) + maxErrorRateIncrease)) {
    return `error rate ${percent(seen.errorRate)} is more than ${percent(maxErrorRateIncrease)} above the old collection's ${percent(old.errorRate)}`
  }
  if (isAbove(seen.p95LatencyMs, old.p95LatencyMs && old.p95LatencyMs * maxLatencyRatio)) {
    return `p95 latency ${ms(seen.p95LatencyMs)} is more than ${maxLatencyRatio} times the old collection's ${ms(old.p95LatencyMs)}`
  }
  return null
}

function giveUp(state: Deployment, reason: string, nowMs: number): Plan {
  return state.autoRollback ? plan(ending(state, 'rollback', reason, nowMs), 0) : fail(state, reason, nowMs)
}

/** Over, with the alias as it is. */
export function fail(state: Deployment, reason: string, nowMs: number): Plan {
  const told = noted({ ...state, reason }, `fail: ${reason}`, nowMs)
  return over(told, 'failed', nowMs, { type: 'deployment_failed', error: reason })
}

/** The ending written down; the next tick, at once, goes about it. */
export function ending(
  state: Deployment,
  kind: 'promote' | 'rollback',
  reason: string | null,
  nowMs: number,
): Deployment {
  const words = kind === 'promote' ? 'promote' : 'roll back'
  const open = { ...state, status: 'running' as const, finishedAtMs: null, reason }
  const next = { ...open, ending: kind, endingSinceMs: nowMs, endingFailures: 0 }
  return noted(next, reason === null ? words : `${words}: ${reason}`, nowMs)
}

function finish(state: Deployment, qdrant: QdrantView, nowMs: number): Plan {
  const isMoved = qdrant.aliasCollection === state.newCollection
  if (state.ending === 'promote') {
    const trouble = troubleOf(state, qdrant)
    if (trouble !== null) return fail(state, trouble, nowMs)
    const done = over(state, 'completed', nowMs, { type: 'deployment_completed' })
    return { ...done, switchTo: isMoved ? null : state.newCollection }
  }
  const done = over(state, 'rolled_back', nowMs, { type: 'deployment_failed', error: state.reason ?? 'rolled back' })
  // Only what this deployment moved is moved back.
  return { ...done, switchTo: isMoved ? state.oldCollection : null }
}

/** What comes of an ending that Qdrant did not let happen: it is tried again, and a roll-back is given up in the end. */
export function endingFailed(state: Deployment, error: string, nowMs: number): Plan {
  const endingFailures = state.endingFailures + 1
  if (state.ending === 'rollback' && nowMs >= (state.endingSinceMs ?? nowMs) + ROLLBACK_GIVEN_UP_MS) {
    const reason = `${state.reason ?? 'rolled back'}; the roll-back failed: ${error}`
    const told = { ...state, reason, endingFailures }
    return over(told, 'rollback_failed', nowMs, { type: 'deployment_failed', error: reason })
  }
  const waitMs = Math.min(CHECK_MS, QDRANT_RETRY_MS * 2 ** Math.min(endingFailures - 1, 10))
  return plan({ ...state, endingFailures }, waitMs)
}

function over(state: Deployment, status: Deployment['status'], nowMs: number, event: DeploymentEvent): Plan {
  const next = { ...state, status, ending: null, finishedAtMs: nowMs }
  return { ...plan(noted(next, status.replace('_', ' '), nowMs), 0), events: [event] }
}

/** Without Qdrant no stage begins. */
function waitForQdrant(state: Deployment, nowMs: number): Plan {
  return plan(holding(state, 'Qdrant does not answer', nowMs), QDRANT_RETRY_MS)
}

/** A paused deployment that goes on: its stage begins anew. */
export function resumed(state: Deployment, nowMs: number): Deployment {
  const status = state.begunAtMs === null ? ('queued' as const) : ('running' as const)
  return noted({ ...state, status, stageStartedAtMs: null, reason: null }, 'resumed', nowMs)
}

/** Says what it waits for; noted once, however often the number changes. */
function holding(state: Deployment, reason: string, nowMs: number): Deployment {
  const next = { ...state, reason }
  return state.reason === null ? noted(next, `holds: ${reason}`, nowMs) : next
}

/** Adds to what was decided. */
export function noted(state: Deployment, decision: string, atMs: number): Deployment {
  const decisions = [...state.decisions, { atMs, stage: state.currentStage, decision }].slice(-MAX_DECISIONS)
  return { ...state, decisions }
}

function plan(next: Deployment, againMs: number): Plan {
  return { next, switchTo: null, events: [], againMs }
}

/** A minute, or less when the stage ends before. */
function untilNextLook(stage: Stage, stageStartedAtMs: number, nowMs: number): number {
  const leftMs = stageStartedAtMs + stage.durationMinutes * 60_000 - nowMs
  return Math.max(0, Math.min(CHECK_MS, leftMs))
}

function told({ errorRate, p95LatencyMs, totalRequests }: Metrics): string {
  if (totalRequests === 0) return ', without a request'
  return `: ${totalRequests} requests, ${percent(errorRate)} errors, p95 ${ms(p95LatencyMs)}`
}

function percent(share: number | null): string {
  return share === null ? 'unknown' : `${Math.round(share * 10_000) / 100} %`
}

function ms(value: number | null): string {
  return value === null ? 'unknown' : `${Math.round(value * 10) / 10} ms`
}
