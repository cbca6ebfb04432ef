/** Every bound of a stage with the value it is held against, as people read it. Pure. */
import { checksOf } from '../judging/checks.ts'
import type { Check } from '../judging/findings.ts'
import { spanOf } from '../judging/findings.ts'
import { guardCheck } from '../judging/guards.ts'
import { p95 } from '../judging/latency.ts'
import type { Guard, JudgingRules, Stage } from '../judging/rules.ts'
import { meanInterval, wilson } from '../judging/statistics.ts'
import type { Tally } from '../judging/tally.ts'
import type { Window } from '../judging/windows.ts'
import { quantileInterval, SHOWN_ALPHA } from './sides.ts'

/** A bound of a stage: its limit, the value of the new collection in the stage so far, and the judgement. */
export interface GuardView {
  /** `error rate`, `p95 latency`, the same `compared with the old collection`, or the name of a recorded number. */
  name: string
  unit: 'ratio' | 'ms' | 'number'
  /** The limit is an upper or a lower bound. */
  side: 'max' | 'min'
  value: number | null
  /** The same of the old collection. */
  old: number | null
  /** Null where it depends on the old collection, which has too little traffic. */
  limit: number | null
  /** Bounds of the 95 % interval of `value`; null where too little was seen for one. */
  low: number | null
  high: number | null
  samples: number
  /** `breach`: proven in some window; `doubt`: a window looks bad, without proof; `unseen`: fewer than `minSamples`. */
  verdict: 'ok' | 'doubt' | 'breach' | 'unseen'
  /** Reason for the breach or the doubt. */
  text: string | null
}

/** A bound before it is judged: its check, and its figures from the stage so far. */
export interface Bound {
  check: Check
  figures: (stage: Window) => Omit<GuardView, 'name' | 'verdict' | 'text'>
}

/** The bounds of a stage, in the order of the judge's checks; a guard is one for each of its limits. */
export function boundsOf(stage: Stage, rules: JudgingRules): Bound[] {
  const { baseline, guards, minSamples } = rules
  const figures = [errorFigures(() => stage.errorThreshold), latencyFigures(() => stage.latencyThreshold)]
  if (baseline !== null) {
    const { maxErrorRateIncrease, maxLatencyRatio, minLatencyIncreaseMs } = baseline
    figures.push(
      errorFigures((old) => (old.requests < minSamples ? null : old.errors / old.requests + maxErrorRateIncrease)),
      latencyFigures(({ latency }) => {
        const theirs = latency.count < minSamples ? null : p95(latency)
        return theirs === null ? null : Math.max(theirs * maxLatencyRatio, theirs + minLatencyIncreaseMs)
      }),
    )
  }
  const fixed = checksOf(stage, { ...rules, guards: [] }).map((check, i) => ({ check, figures: figures[i]! }))
  const own = guards.flatMap((guard) => {
    const single = singleBounds(guard)
    return single.map((bound) => ({
      // The judge divides what a guard may spend among its limits.
      check: guardCheck(bound, {
        weight: 0.1 / guards.length / single.length,
        minSamples,
        among: guards.length,
      }),
      figures: meanFigures(bound, minSamples),
    }))
  })
  return [...fixed, ...own]
}

/** Judges a bound by one window; `known` is what shorter windows showed. The graver finding stays. */
export function judged(
  known: Pick<GuardView, 'verdict' | 'text'>,
  { check }: Bound,
  window: Window,
  alpha: number,
): Pick<GuardView, 'verdict' | 'text'> {
  if (known.verdict === 'breach') return known
  const breach = check.breach(window, alpha * check.weight)
  if (breach !== null) return { verdict: 'breach', text: `${breach.reason}: ${breach.evidence}` }
  if (known.verdict === 'doubt') return known
  const doubt = check.doubt(window)
  return doubt === null ? known : { verdict: 'doubt', text: `${doubt} ${spanOf(window.minutes)}` }
}

function errorFigures(limitOf: (old: Tally) => number | null): Bound['figures'] {
  return ({ new: fresh, old }) => {
    const interval = fresh.requests === 0 ? null : wilson(fresh.errors, fresh.requests, SHOWN_ALPHA)
    return {
      unit: 'ratio',
      side: 'max',
      value: fresh.requests === 0 ? null : fresh.errors / fresh.requests,
      old: old.requests === 0 ? null : old.errors / old.requests,
      limit: limitOf(old),
      low: interval?.low ?? null,
      high: interval?.high ?? null,
      samples: fresh.requests,
    }
  }
}

function latencyFigures(limitOf: (old: Tally) => number | null): Bound['figures'] {
  return ({ new: fresh, old }) => ({
    unit: 'ms',
    side: 'max',
    value: p95(fresh.latency),
    old: p95(old.latency),
    limit: limitOf(old),
    ...quantileInterval(fresh.latency, 0.95, SHOWN_ALPHA),
    samples: fresh.latency.count,
  })
}

function meanFigures({ max, maxDropFromOld, metric, min }: Guard, minSamples: number): Bound['figures'] {
  return ({ new: fresh, old }) => {
    const [seen, theirs] = [fresh.values[metric], old.values[metric]]
    const oldMean = theirs ? theirs.sum / theirs.count : null
    const comparable = theirs && theirs.count >= minSamples ? oldMean : null
    const dropped = comparable === null ? null : comparable - (maxDropFromOld ?? 0) * Math.abs(comparable)
    const mean = seen ? seen.sum / seen.count : null
    const { high, low } = seen ? meanInterval(seen, SHOWN_ALPHA) : { low: Number.NaN, high: Number.NaN }
    const isKnown = mean !== null && [mean, low, high].every(Number.isFinite)
    return {
      unit: 'number',
      side: max === undefined ? 'min' : 'max',
      value: mean,
      old: oldMean,
      limit: min ?? max ?? dropped,
      low: isKnown ? low : null,
      high: isKnown ? high : null,
      samples: seen?.count ?? 0,
    }
  }
}

function singleBounds({ max, maxDropFromOld, metric, min }: Guard): Guard[] {
  return [
    ...(min === undefined ? [] : [{ metric, min }]),
    ...(max === undefined ? [] : [{ metric, max }]),
    ...(maxDropFromOld === undefined ? [] : [{ metric, maxDropFromOld }]),
  ]
}
