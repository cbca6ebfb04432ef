/** Guards: bounds on the mean of any number that services record. Pure. */
import { found, number, percent } from './findings.ts'
import type { Check } from './findings.ts'
import type { Guard } from './rules.ts'
import { meanInterval, normalQuantile, standardError } from './statistics.ts'

/** One bound of a guard. `old` is null where the old collection recorded too little. */
interface Bound {
  side: 'at least' | 'at most'
  /** It depends on the old collection's mean. */
  isRelative?: true
  isBeyond: (mean: number, oldMean: number | null) => boolean
  reason: (mean: number, oldMean: number | null) => string
}

/** Context in which a guard is checked. */
interface GuardSetting {
  weight: number
  minSamples: number
  /** Number of guards of the deployment, this one included. */
  among: number
}

/**
 * The check of a guard: a breach is a bound that the whole interval of the mean lies beyond.
 *
 * One mean beyond its bound is a doubt. Of twenty healthy ones some mean of a few minutes always is, and a stage would never
 * be passed: with more guards, such a mean has to be further off, so that all together cast doubt on a collection at their
 * bounds half the time. The mean of the whole stage counts as it was observed: what lies beyond a bound there is not
 * promoted. Where the old collection's mean is the bound, the margin stays: that is a difference of two samples.
 */
export function guardCheck(guard: Guard, { among, minSamples, weight }: GuardSetting): Check {
  const bounds = boundsOf(guard)
  const errors = normalQuantile(0.5 / among)
  return {
    name: guard.metric,
    weight,
    breach(window, alpha) {
      const [seen, old] = [window.new.values[guard.metric], window.old.values[guard.metric]]
      if (!seen) return null
      const mean = seen.sum / seen.count
      const oldMean = old ? old.sum / old.count : null
      for (const { isBeyond, reason, side } of bounds) {
        if (!isBeyond(mean, oldMean)) continue
        const part = alpha / 2 / bounds.length
        const fresh = meanInterval(seen, part)
        // The bound of the interval that is nearest to the limit has to be beyond it.
        const nearest = side === 'at most' ? fresh.high : fresh.low
        if (!isBeyond(nearest, old ? meanInterval(old, part).low : null)) continue
        return found(guard.metric, reason(mean, oldMean), `${seen.count} values`, window, number(nearest), alpha, side)
      }
      return null
    },
    doubt(window) {
      const [seen, old] = [window.new.values[guard.metric], window.old.values[guard.metric]]
      if (!seen || seen.count < minSamples) return null
      const mean = seen.sum / seen.count
      if (!Number.isFinite(mean)) return `mean ${guard.metric} is not a finite number`
      const theirs = old && old.count >= minSamples ? old : null
      const oldMean = theirs ? theirs.sum / theirs.count : null
      const isDoubtful = ({ isBeyond, isRelative, side }: Bound) => {
        const error = Math.hypot(standardError(seen), isRelative && theirs ? standardError(theirs) : 0)
        const margin = window.isWhole && !isRelative ? 0 : errors * error
        // A number so large that its square is none has no known error, and its mean alone counts.
        const known = Number.isFinite(margin) ? margin : 0
        return isBeyond(side === 'at most' ? mean + known : mean - known, oldMean)
      }
      return bounds.find(isDoubtful)?.reason(mean, oldMean) ?? null
    },
  }
}

function boundsOf({ max, maxDropFromOld, metric, min }: Guard): Bound[] {
  const bounds: Bound[] = []
  const named = (mean: number) => `mean ${metric} ${number(mean)}`
  if (min !== undefined) {
    bounds.push({
      side: 'at most',
      isBeyond: (mean) => mean < min,
      reason: (mean) => `${named(mean)} is below ${number(min)}`,
    })
  }
  if (max !== undefined) {
    bounds.push({
      side: 'at least',
      isBeyond: (mean) => mean > max,
      reason: (mean) => `${named(mean)} is above ${number(max)}`,
    })
  }
  if (maxDropFromOld !== undefined) {
    bounds.push({
      side: 'at most',
      isRelative: true,
      isBeyond: (mean, oldMean) => oldMean !== null && mean < oldMean - maxDropFromOld * Math.abs(oldMean),
      reason: (mean, oldMean) =>
        `${named(mean)} is more than ${percent(maxDropFromOld)} below the old collection's ${number(oldMean!)}`,
    })
  }
  return bounds
}
