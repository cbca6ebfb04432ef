/**
 * Deaths in scores. A score that a claim of arq-ts wrote ends in a fraction of 1/128 ms units: odd while a lease is on
 * the job, and the half of it the number of tries that ended with the death of their worker. Python, and whoever else
 * reads scores, takes whole milliseconds.
 */

/** Reads the number of tries that ended with the death of their worker from a job's score; 0 for a score without end. */
export function deathsOf(score: number): number {
  if (!Number.isFinite(score)) return 0
  return Math.floor(Math.round((score - Math.floor(score)) * 128) / 2)
}

/** The due time of a job, or the end of its lease, in whole unix ms; infinite scores stay as they are. */
export function dueTimeOf(score: number): number {
  return Math.floor(score)
}
