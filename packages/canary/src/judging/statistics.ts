/** Intervals and tails for counts and means. Pure; each function names its source. */

/** Coefficients of Lanczos's approximation of the gamma function, g = 7, n = 9. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
]

function logGamma(value: number): number {
  const x = value - 1
  const t = x + 7.5
  const series = LANCZOS.reduce((sum, coefficient, i) => (i === 0 ? coefficient : sum + coefficient / (x + i)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (x + 0.5) * Math.log(t) - t + Math.log(series)
}

/** Continued fraction of the incomplete beta function, by Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value)
  let c = 1
  let d = 1 / away(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / away(1 + even * d)
    c = away(1 + even / c)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / away(1 + odd * d)
    c = away(1 + odd / c)
    const step = d * c
    fraction *= step
    if (Math.abs(step - 1) < 1e-12) break
  }
  return fraction
}

/** The regularised incomplete beta function. */
function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x))
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(a, b, x)) / a : 1 - (front * betaFraction(b, a, 1 - x)) / b
}

/** The probability of at least `hits` among `trials` when each is one with probability `p`. */
export function binomialTail(hits: number, trials: number, p: number): number {
  if (hits <= 0) return 1
  if (hits > trials) return 0
  return incompleteBeta(hits, trials - hits + 1, p)
}

/**
 * The standard normal quantile of `1 - alpha`.
 *
 * Acklam's rational approximation of the tail, relative error below 1.2e-9; `alpha` from 1e-300 to 0.5.
 */
export function normalQuantile(alpha: number): number {
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
  ]
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1]
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ]
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1]
  const polynomial = (coefficients: number[], x: number) => coefficients.reduce((sum, each) => sum * x + each, 0)
  if (alpha < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(alpha))
    return -polynomial(c, q) / polynomial(d, q)
  }
  const q = 0.5 - alpha
  return (q * polynomial(a, q * q)) / polynomial(b, q * q)
}

/** Wilson's score interval of a share (Wilson 1927), each bound one-sided at `alpha`. No trials: everything is possible. */
export function wilson(hits: number, trials: number, alpha: number): { low: number; high: number } {
  if (trials === 0) return { low: 0, high: 1 }
  const z = normalQuantile(alpha)
  const share = hits / trials
  const middle = share + (z * z) / (2 * trials)
  const half = z * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials))
  const scale = 1 + (z * z) / trials
  return { low: Math.max(0, (middle - half) / scale), high: Math.min(1, (middle + half) / scale) }
}

/**
 * Tests that a share is above `limit` with an error of at most `alpha`.
 *
 * Wilson's lower bound has to lie above the limit. Wilson's interval is an approximation that is too sure of a handful of
 * trials (two failures of two pass it at any alpha in use), so the exact binomial test (Clopper & Pearson 1934) has to
 * agree.
 */
export function isShareAbove(hits: number, trials: number, limit: number, alpha: number): boolean {
  if (trials === 0 || hits / trials <= limit) return false
  return wilson(hits, trials, alpha).low > limit && binomialTail(hits, trials, limit) <= alpha
}

/** The exact upper bound of a share at `alpha` (Clopper & Pearson 1934). */
export function shareUpperBound(hits: number, trials: number, alpha: number): number {
  if (trials === 0 || hits >= trials) return 1
  let low = hits / trials
  let high = 1
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2
    if (1 - binomialTail(hits + 1, trials, middle) > alpha) low = middle
    else high = middle
  }
  return high
}

/** Moments of a recorded number: enough for its mean and variance. */
export interface Moments {
  count: number
  sum: number
  squares: number
  min: number
  max: number
}

/** The standard error of a mean; 0 for fewer than two values. */
export function standardError({ count, squares, sum }: Moments): number {
  return count < 2 ? 0 : Math.sqrt(Math.max(0, (squares - (sum * sum) / count) / (count - 1) / count))
}

/** An interval that a mean lies in. */
export interface Interval {
  low: number
  high: number
}

/**
 * The confidence interval of a mean, each bound one-sided at `alpha`: the narrower of the empirical Bernstein bound, which
 * is narrower if values vary little, and, for values from 0 to 1, the Chernoff bound (Hoeffding 1963, theorem 1), which is
 * narrower if there are few values. Each uses half of `alpha`.
 */
export function meanInterval(seen: Moments, alpha: number): Interval {
  const mean = seen.sum / seen.count
  const margin = meanMargin(seen, alpha / 2)
  const bernstein = { low: mean - margin, high: mean + margin }
  if (!(seen.min >= 0 && seen.max <= 1)) return bernstein
  const room = Math.log(2 / alpha) / seen.count
  const low = chernoffBound(mean, room, 0)
  const high = chernoffBound(mean, room, 1)
  return { low: Math.max(bernstein.low, low), high: Math.min(bernstein.high, high) }
}

/** The mean nearest to `end` (0 or 1) whose Kullback–Leibler divergence from `mean` is at most `room`. */
function chernoffBound(mean: number, room: number, end: 0 | 1): number {
  const part = (p: number, q: number) => (p === 0 ? 0 : p * Math.log(p / q))
  let [near, far] = [mean, end as number]
  for (let i = 0; i < 40; i++) {
    const middle = (near + far) / 2
    if (part(mean, middle) + part(1 - mean, 1 - middle) <= room) near = middle
    else far = middle
  }
  return far
}

/**
 * Half the width of the confidence interval of a mean, one-sided at `alpha`: the empirical Bernstein bound (Maurer & Pontil
 * 2009), which assumes nothing but the range. The range is 0 to 1, or that of the values where they leave it.
 */
export function meanMargin({ count, max, min, squares, sum }: Moments, alpha: number): number {
  if (count < 2) return Number.POSITIVE_INFINITY
  const variance = Math.max(0, (squares - (sum * sum) / count) / (count - 1))
  const range = Math.max(1, max) - Math.min(0, min)
  const log = Math.log(2 / alpha)
  return Math.sqrt((2 * variance * log) / count) + (7 * range * log) / (3 * (count - 1))
}
