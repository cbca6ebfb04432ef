/**
 * The plan of a tick, decided without Redis, Qdrant or clock: `decide(state, observed, now)`.
 *
 * queued → running (a stage after the other; paused and resumed) → completed, failed, rolled_back or rollback_failed
 *
 * Between running and completed or rolled_back stands an ending, `promote` or `rollback`, written down before its first
 * step is taken: whoever comes after a crash finishes it. The share of the traffic follows from the state (`shareOf`) and
 * is stored with it, so that there is no moment in which the two differ. What is left to do outside is one call, `switchTo`.
 */
import { begunAnew } from './judging/accumulation.ts'
import { ms, percent } from './judging/findings.ts'
import type { Trouble } from './judging/findings.ts'
import { judge } from './judging/judge.ts'
import type { Verdict } from './judging/judge.ts'
import { addTally, emptyTally, metricsOf } from './judging/tally.ts'
import { ending, isLastStage, isOver, looksOf, noted, paused, stageOf } from './state.ts'
import type { CheckOutcome, Deployment, DeploymentEvent, Observed, QdrantView, Stage } from './types.ts'

/** Interval of looks at a watched deployment. */
export const CHECK_MS = 60_000
/** Interval of looks at a paused one: it may be impossible to resume. */
export const PAUSED_CHECK_MS = 600_000
/** Until Qdrant is asked again; doubles with each failure of an ending, up to a minute. */
const QDRANT_RETRY_MS = 5_000
/** A roll-back that failed for this long is given up. */
export const ROLLBACK_GIVEN_UP_MS = 3_600_000

/** The outcome of a tick: a call to Qdrant, then the next state and the events that go with it. */
export interface Plan {
  next: Deployment
  /** The collection the alias is moved to, before `next` is written; null for none. Moving it twice does no harm. */
  switchTo: string | null
  events: DeploymentEvent[]
  /** Wait until the next look, in ms. */
  againMs: number
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
  if (state.stageStartedAtMs === null) {
    return qdrant instanceof Error ? waitForQdrant(state, nowMs) : begin(state, observed, nowMs)
  }
  if (state.warmingUntilMs !== null) return warm(state, state.warmingUntilMs, observed, nowMs)
  return watch(state, state.stageStartedAtMs, observed, nowMs)
}

/** Reason why the deployment cannot continue. */
function troubleOf(state: Deployment, { aliasCollection, newCollectionExists }: QdrantView): string | null {
  if (aliasCollection !== state.oldCollection && aliasCollection !== state.newCollection) {
    return `alias ${state.alias} points to ${aliasCollection ?? 'nothing'} by now, not to ${state.oldCollection}`
  }
  return newCollectionExists ? null : `collection ${state.newCollection} is gone`
}

/** The current stage, from its start: the first time, after another stage, or after a pause. */
function begin(state: Deployment, { marks }: Observed, nowMs: number): Plan {
  const { percentage, shadow = 0 } = stageOf(state)
  const delayMs = state.begunAtMs === null ? state.rules.initialDelayMinutes * 60_000 : 0
  const started = {
    status: 'running' as const,
    stageStartedAtMs: nowMs,
    lostMs: 0,
    heldSince: null,
    accumulated: begunAnew(state.accumulated),
    stageMarks: marks,
    failedLooks: 0,
    reason: null,
  }
  const begun = { begunAtMs: state.begunAtMs ?? nowMs, warmingUntilMs: delayMs > 0 ? nowMs + delayMs : null }
  const words = `stage begins at ${percentage} %${shadow > 0 ? `, ${shadow} % in the shadow` : ''}`
  const next = noted({ ...state, ...started, ...begun }, 'stage_began', words, nowMs)
  const events: DeploymentEvent[] = state.begunAtMs === null ? [{ type: 'deployment_started' }] : []
  return { ...plan(next, delayMs > 0 ? Math.min(CHECK_MS, delayMs) : untilNextLook(next, nowMs)), events }
}

/** A collection that may be cold is not judged; the time and the counts of its stage begin when it is warm. */
function warm(state: Deployment, warmingUntilMs: number, { marks }: Observed, nowMs: number): Plan {
  if (nowMs < warmingUntilMs) return plan(state, Math.min(CHECK_MS, warmingUntilMs - nowMs))
  const next = { ...state, warmingUntilMs: null, stageStartedAtMs: nowMs, lostMs: 0, stageMarks: marks }
  return plan(next, untilNextLook(next, nowMs))
}

function watch(before: Deployment, stageStartedAtMs: number, observed: Observed, nowMs: number): Plan {
  const looks = before.looks + 1
  const stage = stageOf(before)
  const verdict = judge(stage, before.rules, {
    minutes: observed.minutes,
    nowMinute: Math.floor(nowMs / CHECK_MS),
    look: looks,
    plannedLooks: looksOf(before),
    accumulated: before.accumulated,
    isLastStage: isLastStage(before),
  })
  const state = { ...before, looks, accumulated: verdict.accumulated }
  const breach = verdict.breach ?? failedCheck(observed.checks)
  if (breach !== null) return breached(state, breach, nowMs)

  const endsAtMs = stageStartedAtMs + stage.durationMinutes * 60_000 + state.lostMs
  if (nowMs < endsAtMs) return plan({ ...state, reason: null }, untilNextLook(state, nowMs))
  const wait = waitOf(state, verdict, observed.checks)
  const held = { ...state, heldSince: heldSinceOf(state, wait, endsAtMs, nowMs) }
  if (observed.qdrant instanceof Error) return waitForQdrant(held, nowMs)
  if (!wait.mayPass) return inconclusiveAt(held, wait, nowMs)
  if (stage.approval && state.approvedStage !== state.currentStage) return waitForApproval(held, nowMs)
  return advance(state, observed, nowMs)
}

/** The things that a stage waits for at its end. */
interface Wait {
  mayPass: boolean
  why: string
  /** True if too few requests were seen; false if those that were seen look bad. */
  isUnseen: boolean
  /** Nothing that was seen is a reason for a roll-back: hardly anybody searches, or the newest requests are too few. */
  isBlameless: boolean
  troubles: readonly Trouble[]
}

function waitOf({ rules }: Deployment, verdict: Verdict, checks: readonly CheckOutcome[]): Wait {
  const { isDelaying, isQuiet } = verdict
  const silent = checks.find((check) => check.verdict === 'unknown')
  const unanswered = silent ? `check ${silent.name} gave no answer${because(silent)}` : null
  const missing = rules.inconclusive === 'proceed' ? null : verdict.missing
  const doubt = verdict.doubt ?? unanswered
  const troubles = verdict.troubles.filter(({ reason }) => missing !== null || reason !== verdict.missing)
  if (silent) troubles.push({ name: `check ${silent.name}`, reason: unanswered! })
  return {
    mayPass: missing === null && doubt === null,
    why: [missing, doubt].filter(Boolean).join('; '),
    isUnseen: doubt === null,
    isBlameless: isQuiet || (isDelaying && !silent),
    troubles,
  }
}

/**
 * Since when each trouble has lasted without a break. Among many healthy numbers, one always looks bad for a while: only a
 * trouble that lasts is a fault. A roll-back needs a reason, and that nobody searches is none.
 */
function heldSinceOf(
  { heldSince }: Deployment,
  { isBlameless, mayPass, troubles }: Wait,
  endsAtMs: number,
  nowMs: number,
): Record<string, number> {
  const sinceMs = (name: string) => (heldSince === null ? endsAtMs : (heldSince[name] ?? nowMs))
  return Object.fromEntries(isBlameless || mayPass ? [] : troubles.map(({ name }) => [name, sinceMs(name)]))
}

/** A stage that has reached its end and cannot be passed yet. */
function inconclusiveAt(state: Deployment, { isUnseen, troubles, why }: Wait, nowMs: number): Plan {
  const { holdMinutes, inconclusive } = state.rules
  if (inconclusive === 'pause') return plan(paused(state, why, nowMs), PAUSED_CHECK_MS)
  if (inconclusive === 'fail' && isUnseen) return giveUp(state, why, nowMs)
  const lasting = troubles.filter(({ name }) => nowMs >= (state.heldSince?.[name] ?? Infinity) + holdMinutes * 60_000)
  if (lasting.length === 0) return plan(holding(state, why, nowMs), untilHeldLook(state))
  const reasons = lasting.map(({ reason }) => reason).join('; ')
  return giveUp(state, `${reasons}, after ${holdMinutes} minutes of waiting for more`, nowMs)
}

function waitForApproval(state: Deployment, nowMs: number): Plan {
  const reason = `stage of ${stageOf(state).percentage} % waits for approval`
  const next = { ...state, reason }
  return plan(state.reason === reason ? next : noted(next, 'waiting_for_approval', reason, nowMs), CHECK_MS)
}

interface FoundBreach {
  reason: string
  evidence: string | undefined
}

function failedCheck(checks: readonly CheckOutcome[]): FoundBreach | null {
  const failed = checks.find(({ verdict }) => verdict === 'fail')
  return failed ? { reason: `check ${failed.name} failed${because(failed)}`, evidence: undefined } : null
}

function because({ reason }: CheckOutcome): string {
  return reason === null ? '' : `: ${reason}`
}

/** A look that found a breach: `failureLimit` of them are tolerated in a stage. */
function breached(before: Deployment, { evidence, reason }: FoundBreach, nowMs: number): Plan {
  const { failureLimit } = before.rules
  const state = { ...before, failedLooks: before.failedLooks + 1 }
  if (state.failedLooks > failureLimit) return giveUp(state, reason, nowMs, evidence)
  const words = `breach ${state.failedLooks} tolerated of at most ${failureLimit}: ${reason}`
  return plan(noted({ ...state, reason }, 'breach_tolerated', words, nowMs), CHECK_MS)
}

function advance(state: Deployment, observed: Observed, nowMs: number): Plan {
  const words = `stage of ${stageOf(state).percentage} % passed${summary(observed)}`
  const passed = noted(state, 'advanced', words, nowMs)
  if (state.currentStage < state.stages.length - 1) {
    return begin({ ...passed, currentStage: state.currentStage + 1 }, observed, nowMs)
  }
  if (!state.rules.dryRun) return plan(ending(passed, 'promote', null, nowMs), 0)
  const reason = 'dry run: would be promoted, the alias was not moved'
  return over({ ...passed, reason }, 'completed', nowMs, { type: 'deployment_completed' }, reason)
}

function giveUp(state: Deployment, reason: string, nowMs: number, evidence?: string): Plan {
  if (state.rules.dryRun) return fail(state, `dry run: would be rolled back: ${reason}`, nowMs)
  return state.autoRollback ? plan(ending(state, 'rollback', reason, nowMs, evidence), 0) : fail(state, reason, nowMs)
}

/** Over, with the alias as it is. */
export function fail(state: Deployment, reason: string, nowMs: number): Plan {
  return over({ ...state, reason }, 'failed', nowMs, { type: 'deployment_failed', error: reason }, `fail: ${reason}`)
}

function finish(state: Deployment, qdrant: QdrantView, nowMs: number): Plan {
  const isMoved = qdrant.aliasCollection === state.newCollection
  const { dryRun } = state.rules
  if (state.ending === 'promote') {
    const trouble = troubleOf(state, qdrant)
    if (trouble !== null) return fail(state, trouble, nowMs)
    const done = over(state, 'completed', nowMs, { type: 'deployment_completed' })
    return { ...done, switchTo: isMoved || dryRun ? null : state.newCollection }
  }
  const done = over(state, 'rolled_back', nowMs, { type: 'deployment_failed', error: state.reason ?? 'rolled back' })
  // Only what this deployment moved is moved back.
  return { ...done, switchTo: isMoved && !dryRun ? state.oldCollection : null }
}

/** An ending that Qdrant did not let happen: it is tried again, and a roll-back is given up in the end. */
export function endingFailed(state: Deployment, error: string, nowMs: number): Plan {
  const endingFailures = state.endingFailures + 1
  if (state.ending === 'rollback' && nowMs >= (state.endingSinceMs ?? nowMs) + ROLLBACK_GIVEN_UP_MS) {
    const reason = `${state.reason ?? 'rolled back'}; the roll-back failed: ${error}`
    return over({ ...state, reason, endingFailures }, 'rollback_failed', nowMs, {
      type: 'deployment_failed',
      error: reason,
    })
  }
  const waitMs = Math.min(CHECK_MS, QDRANT_RETRY_MS * 2 ** Math.min(endingFailures - 1, 10))
  return plan({ ...state, endingFailures }, waitMs)
}

function over(
  state: Deployment,
  status: 'completed' | 'failed' | 'rolled_back' | 'rollback_failed',
  nowMs: number,
  event: DeploymentEvent,
  words = status.replace('_', ' '),
): Plan {
  const next = { ...state, status, ending: null, finishedAtMs: nowMs }
  return { ...plan(noted(next, status, words, nowMs), 0), events: [event] }
}

/** Without Qdrant no stage begins. */
function waitForQdrant(state: Deployment, nowMs: number): Plan {
  return plan(holding(state, 'Qdrant does not answer', nowMs), QDRANT_RETRY_MS)
}

/** Names what it waits for; noted once, however often the number changes. */
function holding(state: Deployment, reason: string, nowMs: number): Deployment {
  const next = { ...state, reason }
  return state.reason === null ? noted(next, 'held', `holds: ${reason}`, nowMs) : next
}

function plan(next: Deployment, againMs: number): Plan {
  return { next, switchTo: null, events: [], againMs }
}

/** A minute, or less when the stage ends before. */
function untilNextLook(state: Deployment, nowMs: number): number {
  const stage: Stage = stageOf(state)
  const leftMs = (state.stageStartedAtMs ?? nowMs) + stage.durationMinutes * 60_000 + state.lostMs - nowMs
  return Math.max(0, Math.min(CHECK_MS, leftMs))
}

/** A minute, or less for a stage that is shorter. */
function untilHeldLook(state: Deployment): number {
  const durationMs = stageOf(state).durationMinutes * 60_000
  return durationMs === 0 ? CHECK_MS : Math.min(CHECK_MS, Math.max(1_000, durationMs))
}

function summary({ minutes }: Observed): string {
  const sum = emptyTally()
  for (const minute of minutes) addTally(sum, minute.new)
  const { errorRate, p95LatencyMs, totalRequests } = metricsOf(sum)
  if (totalRequests === 0) return ', without a request'
  return `: ${totalRequests} requests, ${percent(errorRate)} errors, p95 ${ms(p95LatencyMs)}`
}
