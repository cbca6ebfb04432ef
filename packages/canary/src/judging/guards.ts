/** Guards: bounds on the mean of any number that services record. Pure. */
import { found, number, percent } from './findings.ts'
import type { Check } from './findings.ts'
import type { Guard } from './rules.ts'
import { meanMargin } from './statistics.ts'
import type { Moments } from './statistics.ts'

/** A mean and the interval it surely lies in. */
interface Mean {
  low: number
  mean: number
  high: number
}

/** One bound of a guard. `old` is null where the old collection recorded too little. */
interface Bound {
  side: 'at least' | 'at most'
  isBeyond: (mean: number, oldMean: number | null) => boolean
  reason: (mean: number, oldMean: number | null) => string
}

/** The check of a guard: a breach is a bound that the whole interval of the mean lies beyond. */
export function guardCheck(guard: Guard, weight: number, minSamples: number): Check {
  const bounds = boundsOf(guard)
  return {
    name: guard.metric,
    weight,
    breach(window, alpha) {
      const [seen, old] = [window.new.values[guard.metric], window.old.values[guard.metric]]
      if (!seen) return null
      const fresh = intervalOf(seen, alpha / 2 / bounds.length)
      const theirs = old ? intervalOf(old, alpha / 2 / bounds.length) : null
      for (const { isBeyond, reason, side } of bounds) {
        // The bound of the interval that is nearest to the limit has to be beyond it.
        const nearest = side === 'at most' ? fresh.high : fresh.low
        if (!isBeyond(fresh.mean, theirs?.mean ?? null) || !isBeyond(nearest, theirs?.low ?? null)) continue
        return found(
          guard.metric,
          reason(fresh.mean, theirs?.mean ?? null),
          `${seen.count} values`,
          window,
          number(nearest),
          alpha,
          side,
        )
      }
      return null
    },
    doubt(window) {
      const [seen, old] = [window.new.values[guard.metric], window.old.values[guard.metric]]
      if (!seen || seen.count < minSamples) return null
      const mean = seen.sum / seen.count
      if (!Number.isFinite(mean)) return `mean ${guard.metric} is not a finite number`
      const oldMean = old && old.count >= minSamples ? old.sum / old.count : null
      return bounds.find(({ isBeyond }) => isBeyond(mean, oldMean))?.reason(mean, oldMean) ?? null
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
      isBeyond: (mean, oldMean) => oldMean !== null && mean < oldMean - maxDropFromOld * Math.abs(oldMean),
      reason: (mean, oldMean) =>
        `${named(mean)} is more than ${percent(maxDropFromOld)} below the old collection's ${number(oldMean!)}`,
    })
  }
  return bounds
}

function intervalOf(seen: Moments, alpha: number): Mean {
  const mean = seen.sum / seen.count
  const margin = meanMargin(seen, alpha)
  return { low: mean - margin, mean, high: mean + margin }
}
