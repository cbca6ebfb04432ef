/**
 * The correction for looking every minute: an alpha-spending function (Lan & DeMets, "Discrete sequential boundaries for
 * clinical trials", Biometrika 70, 1983) of the linear kind (Kim & DeMets 1987, rho = 1).
 *
 * A deployment may be wrong with a probability of `TOTAL_ALPHA` over all its looks, however many there are. Most of that is
 * spent evenly on the looks its stages plan. A part is left for looks beyond them, each of which gets less than the one
 * before, and a part for what accumulates over the stage. What a look may spend is divided among its checks and windows
 * (Bonferroni), so that the sum never exceeds the total.
 */

/** The probability that a collection exactly at its limits is rolled back by chance, over a whole deployment. */
export const TOTAL_ALPHA = 0.01
/** The parts of it for planned looks and for looks beyond them. */
const [PLANNED, BEYOND] = [0.8, 0.1]
/** The rest: the probability that accumulated evidence is ever wrong. */
export const ACCUMULATED_ALPHA = TOTAL_ALPHA * (1 - PLANNED - BEYOND)

/** The share of the total that one look may spend. `look` counts from 1. */
export function alphaOfLook(look: number, plannedLooks: number): number {
  if (look <= plannedLooks) return (TOTAL_ALPHA * PLANNED) / plannedLooks
  return (TOTAL_ALPHA * BEYOND * plannedLooks) / ((look - 1) * look)
}

/** Looks that stages of these lengths plan: one a minute, and one at the end of each. */
export function plannedLooks(stages: readonly { durationMinutes: number }[]): number {
  return stages.reduce((looks, { durationMinutes }) => looks + Math.ceil(durationMinutes) + 1, 0)
}
