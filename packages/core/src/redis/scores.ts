import { deathsOf, dueTimeOf } from '@arq-ts/protocol/jobs'

/** Reads a score as Redis writes it: `inf` and `-inf` where it is infinite. */
export function readScore(text: string): number {
  return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text)
}

/** Reads the due time in a job's score, in whole unix ms. */
export function dueTimeIn(score: string): number {
  return dueTimeOf(readScore(score))
}

/** Reads the number of tries that ended with the death of their worker; 0 for a job in no queue. */
export function deathsIn(score: string | null): number {
  return score === null ? 0 : deathsOf(readScore(score))
}
