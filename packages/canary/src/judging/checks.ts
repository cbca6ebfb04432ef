/** The checks of one window, each with the evidence for a breach. Pure. */
import { SLOW } from './accumulation.ts'
import { found, ms, percent } from './findings.ts'
import type { Check } from './findings.ts'
import { countAbove, lowestMsOf, p95 } from './latency.ts'
import type { Latencies } from './latency.ts'
import { guardCheck } from './guards.ts'
import type { JudgingRules, Stage } from './rules.ts'
import { binomialTail, isShareAbove, shareUpperBound, wilson } from './statistics.ts'
import type { Tally } from './tally.ts'
import type { Window } from './windows.ts'

/**
 * Errors come in bursts: if requests of a collection fail at 60 % of the limit, half of its minutes may lie above the limit.
 * So a window of a few minutes is a breach only if its share exceeds this multiple of the limit. Longer windows are compared
 * with the limit itself, so that no excess stays unseen.
 */
const BURST = { upToMinutes: 3, times: 1.25 }
/** A difference that only delays is looked for in this many times `minSamples`: the difference of two small samples is noise. */
const COMPARED = 10

/** The checks of a stage. Weights add up to 1. */
export function checksOf(stage: Stage, rules: JudgingRules): Check[] {
  const { baseline, guards, minSamples } = rules
  const relative =
    baseline === null ? [] : [errorsVersusOld(baseline, minSamples), latencyVersusOld(baseline, minSamples)]
  return [
    errorRate(stage.errorThreshold),
    latency(stage.latencyThreshold),
    ...relative,
    ...guards.map((guard) => guardCheck(guard, { weight: 0.1 / guards.length, minSamples, among: guards.length })),
  ]
}

/** The share that a breach in this window exceeds. */
function shareIn({ ageMinutes }: Window, limit: number): number {
  if (ageMinutes > BURST.upToMinutes) return limit
  return Math.min(limit * BURST.times, (1 + limit) / 2) // below 1 for a limit below 1: failures alone are a breach
}

function errorRate(limit: number): Check {
  const above = ({ errors, requests }: Tally) => `error rate ${percent(errors / requests)} is above ${percent(limit)}`
  return {
    name: 'error rate',
    weight: 0.4,
    breach(window, alpha) {
      const { errors, requests } = window.new
      if (!isShareAbove(errors, requests, shareIn(window, limit), alpha)) return null
      const atLeast = wilson(errors, requests, alpha).low
      const counted = `${errors} of ${requests} requests failed`
      return found(this.name, above(window.new), counted, window, percent(atLeast), alpha)
    },
    doubt: ({ new: seen }) => (seen.requests > 0 && seen.errors / seen.requests > limit ? above(seen) : null),
  }
}

function latency(limit: number): Check {
  const above = (seen: Latencies) => `p95 latency ${ms(p95(seen))} is above ${ms(limit)}`
  return {
    name: 'p95 latency',
    weight: 0.4,
    breach(window, alpha) {
      const seen = window.new.latency
      const slow = countAbove(seen, limit)
      if (!isShareAbove(slow, seen.count, shareIn(window, SLOW), alpha)) return null
      const counted = `${slow} of ${seen.count} requests took longer`
      return found(this.name, above(seen), counted, window, ms(quantileAtLeast(seen, limit, alpha)), alpha)
    },
    doubt: ({ new: { latency: seen } }) => (countAbove(seen, limit) > SLOW * seen.count ? above(seen) : null),
  }
}

/** The lower bound of the 95th percentile by order statistics: the highest latency that surely more than 5 % exceed. */
function quantileAtLeast(seen: Latencies, from: number, alpha: number): number {
  let bound = from
  for (let i = 0; i < seen.buckets.length; i++) {
    const edge = lowestMsOf(i)
    if (edge <= from || seen.buckets[i] === 0) continue
    if (!isShareAbove(countAbove(seen, edge), seen.count, SLOW, alpha)) break
    bound = edge
  }
  return bound
}

/**
 * The upper bound of the old collection's 95th percentile by order statistics: the lowest edge of a bucket that surely at
 * most 5 % exceed. Null where there are too few for one.
 */
function quantileAtMost(seen: Latencies, alpha: number): number | null {
  if ((1 - SLOW) ** seen.count > alpha) return null
  let above = seen.count
  for (let i = 0; i < seen.buckets.length; i++) {
    above -= seen.buckets[i]!
    if (above / seen.count < SLOW && 1 - binomialTail(above + 1, seen.count, SLOW) <= alpha)
      return Math.min(lowestMsOf(i + 1), seen.maxMs)
  }
  return null
}

function errorsVersusOld({ maxErrorRateIncrease }: { maxErrorRateIncrease: number }, minSamples: number): Check {
  const rate = ({ errors, requests }: Tally) => errors / requests
  const above = ({ new: seen, old }: Window) =>
    `error rate ${percent(rate(seen))} is more than ${percent(maxErrorRateIncrease)} above the old collection's ${percent(rate(old))}`
  return {
    name: 'error rate compared with the old collection',
    weight: 0.05,
    breach(window, alpha) {
      const { new: seen, old } = window
      if (old.requests < minSamples) return null
      // Necessary, and cheap: the bound of the old rate is above the rate itself.
      if (!isShareAbove(seen.errors, seen.requests, rate(old) + maxErrorRateIncrease, alpha / 2)) return null
      const limit = Math.min(1, shareUpperBound(old.errors, old.requests, alpha / 2) + maxErrorRateIncrease)
      if (!isShareAbove(seen.errors, seen.requests, limit, alpha / 2)) return null
      const counted = `${seen.errors} of ${seen.requests} requests failed, of the old collection's ${old.errors} of ${old.requests}`
      const atLeast = percent(wilson(seen.errors, seen.requests, alpha / 2).low)
      return found(this.name, above(window), counted, window, atLeast, alpha)
    },
    doubt: (window) => {
      const { new: seen, old } = window
      const isComparable = Math.min(seen.requests, old.requests) >= COMPARED * minSamples
      return isComparable && rate(seen) > rate(old) + maxErrorRateIncrease ? above(window) : null
    },
  }
}

function latencyVersusOld(
  { maxLatencyRatio, minLatencyIncreaseMs }: { maxLatencyRatio: number; minLatencyIncreaseMs: number },
  minSamples: number,
): Check {
  const allowed = (oldMs: number) => Math.max(oldMs * maxLatencyRatio, oldMs + minLatencyIncreaseMs)
  const above = ({ new: seen, old }: Window) =>
    `p95 latency ${ms(p95(seen.latency))} is more than ${maxLatencyRatio} times the old collection's ${ms(p95(old.latency))}`
  return {
    name: 'p95 latency compared with the old collection',
    weight: 0.05,
    breach(window, alpha) {
      const [seen, old] = [window.new.latency, window.old.latency]
      if (old.count < minSamples || (p95(seen) ?? 0) <= allowed(p95(old)!)) return null
      const oldAtMost = quantileAtMost(old, alpha / 2)
      if (oldAtMost === null) return null
      const slow = countAbove(seen, allowed(oldAtMost))
      if (!isShareAbove(slow, seen.count, SLOW, alpha / 2)) return null
      const counted = `${slow} of ${seen.count} requests took longer than ${ms(allowed(oldAtMost))}`
      const atLeast = ms(quantileAtLeast(seen, allowed(oldAtMost), alpha / 2))
      return found(this.name, above(window), counted, window, atLeast, alpha)
    },
    doubt: (window) => {
      const [seen, old] = [window.new.latency, window.old.latency]
      const isComparable = Math.min(seen.count, old.count) >= COMPARED * minSamples
      return isComparable && p95(seen)! > allowed(p95(old)!) ? above(window) : null
    },
  }
}
