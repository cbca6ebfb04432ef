/**
 * Evidence that adds up over a stage of any length. Counts are kept for two hours, in which a trickle proves nothing.
 *
 * The statistic is Shiryaev's, with a prior on the minute in which a failure begins: each minute with requests adds its
 * part of the prior to the level, and multiplies the level by the likelihood ratio of its counts, a failure of some size to
 * a share at the limit. The level that counts is the weighted mean of those of three sizes. While the share is within its
 * limit, the level and the rest of the prior are a supermartingale that begins at 1. So the level ever reaches `1 / alpha`
 * with a probability of at most `alpha` (Ville 1939), however long the deployment lasts. A failure after a month of health
 * needs a few more requests than one in the first hour, no more.
 */
import { ms, percent, spanOf } from './findings.ts'
import type { Breach } from './findings.ts'
import type { Stage } from './rules.ts'
import { countAbove } from './latency.ts'
import { ACCUMULATED_ALPHA } from './spending.ts'
import type { Minute } from './tally.ts'

/** Share of requests that may be slower than the limit of a 95th percentile. */
export const SLOW = 0.05
/** Nearly all requests fail. */
const NEARLY_ALL = 0.9
/**
 * Sizes of failures, as multiples of the limit and at most nearly all, and their weights. Gross failures are proven soon;
 * one of twice the limit takes many hundred requests, and without its own level would be watched for ever at a trickle.
 */
const SIZES = [
  { timesLimit: 6, weight: 0.45 },
  { timesLimit: Infinity, weight: 0.45 },
  { timesLimit: 2, weight: 0.1 },
]
const SLIGHTEST = 2
/** A limit of 0 has no likelihood. */
const LEAST_LIMIT = 1e-6
/**
 * A level that proves a breach grows no further, so that a breach that is tolerated is over soon after the failures are.
 * Ten times what the level of the least weight needs.
 */
const CAP = 2e5
/** Counts of a minute may arrive this many minutes late. */
const LATE_MINUTES = 2

/** Evidence about one share of the requests. */
export interface FailureRun {
  /** Levels by the size of the failure. A state of an earlier version has fewer: the others begin at 0. */
  levels: readonly number[]
  /**
   * The same without a prior for the slightest failure, as a logarithm and at least 0 (Page's cumulative sum): 0 where no
   * failure is under way.
   */
  sum: number
  /** Counts since that was 0, which is when the failure most probably began. */
  hits: number
  requests: number
  fromMinute: number
}

/** Evidence about a stage. */
export interface Accumulated {
  /** The last minute that is part of it; null before the first. */
  throughMinute: number | null
  /** Minutes with requests, over all stages: the prior is spent by them. */
  minutes: number
  errors: FailureRun
  slow: FailureRun
}

const NO_RUN: FailureRun = { levels: SIZES.map(() => 0), sum: 0, hits: 0, requests: 0, fromMinute: 0 }
export const NOTHING_YET: Accumulated = { throughMinute: null, minutes: 0, errors: NO_RUN, slow: NO_RUN }

/** The evidence of a stage that begins. The spent part of the prior stays spent. */
export function begunAnew({ minutes }: Accumulated): Accumulated {
  return { ...NOTHING_YET, minutes }
}

/**
 * Adds the minutes of the stage that are not part of it yet. `kept` has those whose counts are complete, `latest` all of
 * them.
 */
export function accumulate(
  before: Accumulated,
  { errorThreshold, latencyThreshold }: Pick<Stage, 'errorThreshold' | 'latencyThreshold'>,
  minutes: readonly Minute[],
  nowMinute: number,
): { kept: Accumulated; latest: Accumulated } {
  const from = before.throughMinute ?? Number.NEGATIVE_INFINITY
  const left = minutes.filter(({ minute }) => minute > from).sort((a, b) => a.minute - b.minute)
  let [kept, latest] = [before, before]
  for (const { minute, new: seen } of left) {
    if (seen.requests > 0) {
      const index = latest.minutes + 1
      const at = { minute, prior: 1 / (index * (index + 1)) }
      const slow = countAbove(seen.latency, latencyThreshold)
      latest = {
        throughMinute: minute,
        minutes: index,
        errors: extended(latest.errors, { hits: seen.errors, requests: seen.requests, limit: errorThreshold, ...at }),
        slow: extended(latest.slow, { hits: slow, requests: seen.latency.count, limit: SLOW, ...at }),
      }
    }
    if (minute <= nowMinute - LATE_MINUTES) kept = { ...latest, throughMinute: minute }
  }
  return { kept, latest }
}

interface Counts {
  hits: number
  requests: number
  limit: number
  minute: number
  prior: number
}

function extended(run: FailureRun, { hits, limit, minute, prior, requests }: Counts): FailureRun {
  const usual = Math.max(limit, LEAST_LIMIT)
  if (requests === 0 || usual >= NEARLY_ALL) return run
  const likelihoods = SIZES.map(({ timesLimit }) => {
    const size = Math.min(NEARLY_ALL, timesLimit * usual)
    return hits * Math.log(size / usual) + (requests - hits) * Math.log((1 - size) / (1 - usual))
  })
  const next = (level: number, by: number) => Math.min(CAP, (level + prior) * Math.exp(Math.min(by, 700)))
  const before = run.sum > 0 ? run : { hits: 0, requests: 0, fromMinute: minute }
  return {
    levels: likelihoods.map((by, i) => next(run.levels[i] ?? 0, by)),
    sum: Math.min(Math.log(CAP), Math.max(0, run.sum + likelihoods[SLIGHTEST]!)),
    hits: before.hits + hits,
    requests: before.requests + requests,
    fromMinute: before.fromMinute,
  }
}

/** The level that counts: the weighted mean. */
export function levelOf({ levels }: Pick<FailureRun, 'levels'>): number {
  return SIZES.reduce((sum, { weight }, i) => sum + weight * (levels[i] ?? 0), 0)
}

/** The breach that was proven by what was accumulated, wherever the counts of it are by now. */
export function accumulatedBreach(
  { errors, slow }: Accumulated,
  stage: Pick<Stage, 'errorThreshold' | 'latencyThreshold'>,
  nowMinute: number,
): Breach | null {
  const alpha = ACCUMULATED_ALPHA / 2
  const proven = (run: FailureRun, check: string, reason: string, what: string): Breach | null => {
    if (levelOf(run) * alpha < 1) return null
    const span = spanOf(Math.max(1, nowMinute - run.fromMinute))
    const evidence = `${run.hits} of ${run.requests} requests ${what} ${span}, beyond chance with a confidence of 1 - ${alpha.toExponential(0)}`
    return { check, reason, evidence }
  }
  const share = ({ hits, requests }: FailureRun) => percent(hits / requests)
  return (
    proven(errors, 'error rate', `error rate ${share(errors)} is above ${percent(stage.errorThreshold)}`, 'failed') ??
    proven(slow, 'p95 latency', `p95 latency is above ${ms(stage.latencyThreshold)}`, 'took longer')
  )
}
