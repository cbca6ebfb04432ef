/** Random numbers that can be repeated by their seed. */

/** Uniform numbers from 0 to below 1: mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A standard normal number: Box and Muller. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** A Poisson count: by multiplication, above 60 by the rounded normal approximation. */
export function poisson(random: () => number, mean: number): number {
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)))
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random(); product > limit; product *= random()) count++
  return count
}

/** A binomial count: exact up to 60 trials and where few hits are expected, above that by the rounded normal approximation. */
export function binomial(random: () => number, trials: number, p: number): number {
  if (p <= 0 || trials <= 0) return 0
  if (p >= 1) return trials
  if (p > 0.5) return trials - binomial(random, trials, 1 - p)
  if (trials * p > 60) {
    const hits = Math.round(trials * p + Math.sqrt(trials * p * (1 - p)) * normal(random))
    return Math.min(trials, Math.max(0, hits))
  }
  // The gaps between hits are geometric.
  let hits = 0
  const log = Math.log(1 - p)
  for (let at = Math.floor(Math.log(1 - random()) / log); at < trials; hits++) {
    at += 1 + Math.floor(Math.log(1 - random()) / log)
  }
  return hits
}
