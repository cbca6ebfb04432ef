/**
 * The judge of a stage: a pure function of what was counted. It never acts; `plan.ts` does.
 *
 * - **Breach**: a bound is exceeded beyond reasonable doubt in some window, by the last minutes or by the stage so far.
 *   It takes as many requests as the proof needs: five failures in a row of an error rate that may be 5 %. What a trickle
 *   shows adds up over the stage (`accumulation.ts`).
 * - **Passable**: enough was seen, and no window, the shortest included, lies above a bound as it was observed. Doubt only
 *   delays: another look comes a minute later.
 * - Neither: inconclusive.
 */
import { accumulate, accumulatedBreach } from './accumulation.ts'
import type { Accumulated } from './accumulation.ts'
import { checksOf } from './checks.ts'
import { spanOf } from './findings.ts'
import type { Breach, Check, Trouble } from './findings.ts'
import { grossFailureOf } from './last-requests.ts'
import type { JudgingRules, Stage } from './rules.ts'
import { alphaOfLook } from './spending.ts'
import { wilson } from './statistics.ts'
import { observedShare } from './tally.ts'
import type { Minute } from './tally.ts'
import { visitWindows, WINDOWS } from './windows.ts'
import type { Window } from './windows.ts'

/** The error of calling an observed share too low. It only delays. */
const SHARE_ALPHA = 0.01
/** The least part of its configured share that any deployment takes for a share. */
const LEAST_SHARE = 0.1

export interface Evidence {
  /** Counts of this stage, by the minute. */
  minutes: readonly Minute[]
  /** The minute it is now. */
  nowMinute: number
  /** Number of looks in this deployment, this one included. */
  look: number
  plannedLooks: number
  /** Evidence over the whole stage, as the last look left it. */
  accumulated: Accumulated
  /** True if no judged stage follows: a collection that passes this one is promoted. */
  isLastStage: boolean
}

export interface Verdict {
  breach: Breach | null
  /** Measures with too few samples to pass the stage; null where there are enough. */
  missing: string | null
  /** All that is missing is traffic of the services as a whole: the new collection gets its share of what there is. */
  isQuiet: boolean
  /** Observation that looks bad, without proof: the stage is not passed meanwhile. Null when all looks well. */
  doubt: string | null
  /** Nothing looks bad but that the newest requests are too few to rule a gross failure out before a promotion. */
  isDelaying: boolean
  /** Everything missing, and every check in doubt: a stage that waits gives up on one that lasts. */
  troubles: Trouble[]
  /** Evidence over the whole stage, for the next look. */
  accumulated: Accumulated
}

/** Judges a stage. */
export function judge(stage: Stage, rules: JudgingRules, evidence: Evidence): Verdict {
  const { minutes, nowMinute } = evidence
  const checks = checksOf(stage, rules)
  const alpha = alphaOfLook(evidence.look, evidence.plannedLooks) / WINDOWS
  const doubts = new Map<string, string>()
  const found = { breach: null as Breach | null, blind: null as string | null, share: null as string | null }
  let isLastSeen = false
  const whole = visitWindows(minutes, nowMinute, (window) => {
    found.breach ??= first(checks, (check) => check.breach(window, alpha * check.weight))
    for (const check of checks) {
      const doubt = doubts.has(check.name) ? null : check.doubt(window)
      if (doubt !== null) doubts.set(check.name, `${doubt} ${spanOf(window.minutes)}`)
    }
    found.share ??= lowShare(stage, rules, window)
    if (isLastSeen || window.new.requests < rules.minSamples) return
    isLastSeen = true
    if (window.new.latency.count === 0) found.blind = `no request ${spanOf(window.minutes)} has its latency`
  })
  const { kept, latest } = accumulate(evidence.accumulated, stage, minutes, nowMinute)
  const breach = found.breach ?? accumulatedBreach(latest, stage, nowMinute)
  if (breach !== null) {
    const { reason } = breach
    return { breach, missing: null, isQuiet: false, doubt: reason, isDelaying: false, troubles: [], accumulated: kept }
  }
  if (found.blind !== null && whole.new.latency.count > 0 && doubts.size === 0) doubts.set('no latencies', found.blind)
  const share = lowShare(stage, rules, whole) ?? found.share
  const lacking = [...missingOf(stage, rules, whole), ...trouble('low share', share)]
  const troubles = [...lacking, ...[...doubts].map(([name, reason]) => ({ name, reason }))]
  const unsafe = evidence.isLastStage ? grossFailureOf(minutes, stage.errorThreshold) : null
  return {
    breach: null,
    missing: lacking[0]?.reason ?? null,
    isQuiet: lacking.length > 0 && share === null && hasLittleTraffic(stage, rules, whole),
    doubt: doubts.values().next().value ?? unsafe,
    isDelaying: troubles.length === 0 && unsafe !== null,
    troubles,
    accumulated: kept,
  }
}

function trouble(name: string, reason: string | null): Trouble[] {
  return reason === null ? [] : [{ name, reason }]
}

function first<T>(checks: readonly Check[], ask: (check: Check) => T | null): T | null {
  for (const check of checks) {
    const answer = ask(check)
    if (answer !== null) return answer
  }
  return null
}

/** The first thing that a stage has too little of; none where it has enough. One without a duration needs nothing. */
function missingOf(stage: Stage, { guards, minSamples }: JudgingRules, whole: Window): Trouble[] {
  if (stage.durationMinutes === 0) return []
  const where =
    stage.percentage === 0 && stage.shadow ? `in the shadow at ${stage.shadow} %` : `at ${stage.percentage} %`
  if (whole.new.requests < minSamples) {
    return trouble('few requests', `${whole.new.requests} of ${minSamples} requests seen ${where}`)
  }
  if (whole.new.latency.count === 0)
    return trouble('no latencies', `${whole.new.requests} requests seen ${where}, none with its latency`)
  for (const { metric } of guards) {
    const count = whole.new.values[metric]?.count ?? 0
    if (count < minSamples)
      return trouble(`few values of ${metric}`, `${count} of ${minSamples} values of ${metric} seen ${where}`)
  }
  return []
}

/**
 * Too little traffic for a judgement: even with all of the share that counts as its own, the new collection would not get
 * enough. Where the services have more than that, something else is wrong: nobody calls `shadow`, say. A number that is
 * recorded rarely has little traffic of its own; one that nobody records is another thing.
 */
function hasLittleTraffic(
  { percentage, shadow = 0 }: Stage,
  rules: JudgingRules,
  { new: fresh, old }: Window,
): boolean {
  if (fresh.requests >= rules.minSamples && fresh.latency.count > 0)
    return rules.guards.every(({ metric }) => (fresh.values[metric]?.count ?? 0) > 0)
  const users = fresh.requests - fresh.shadowed + old.requests
  const planned = (users * percentage + old.requests * shadow) / 100
  const atLeast = planned * Math.max(rules.minObservedShare, LEAST_SHARE)
  return fresh.requests < rules.minSamples && atLeast < rules.minSamples
}

/**
 * A share that is too low beyond chance. In the last minutes it may mean that the new collection hangs: requests that never
 * end are counted by nobody.
 */
function lowShare(
  { durationMinutes, percentage }: Stage,
  { minObservedShare }: Pick<JudgingRules, 'minObservedShare'>,
  { minutes, new: fresh, old }: Window,
): string | null {
  if (durationMinutes === 0) return null
  const share = observedShare(fresh, old)
  const toNew = fresh.requests - fresh.shadowed
  const atMost = wilson(toNew, toNew + old.requests, SHARE_ALPHA).high
  if (share === null || atMost * 100 >= minObservedShare * percentage) return null
  const where = minutes === null ? '' : ` ${spanOf(minutes)}`
  return `the new collection gets ${Math.round(share * 10) / 10} % of the traffic${where}, not ${percentage} %`
}
