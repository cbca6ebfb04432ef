import type { JobRecord } from '@arq-ts/protocol/jobs'

/** The due time of a try in unix ms: its score, or later where a head start had lowered the score. */
export function dueTimeOf(score: number, { mark }: Pick<JobRecord, 'mark'>): number {
  const due = mark?.['due']
  return typeof due === 'number' && due > score ? due : score
}
