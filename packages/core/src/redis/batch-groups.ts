import type { Finish, FinishOutcome } from './broker-calls.ts'
import type { ScriptValue } from './scripts.ts'

/** Number of earlier groups that are compared with a new one: equal jobs stand together. */
const LOOK_BACK = 8

/** Values of a group. */
const WIDTH = 4

/** Arguments that jobs of a batch have in common, sent once for each group: due time and destination. */
export class BatchGroups {
  /** In a batch the groups come before the jobs. */
  readonly args: ScriptValue[] = []

  get count(): number {
    return this.args.length / WIDTH
  }

  /** The number of the group that has these values, from 1. */
  numberOf(kind: 'at' | 'in', due: number, expiresMs: number | '', channel: string): number {
    const all = this.args
    const end = all.length
    for (let at = end - WIDTH; at >= 0 && at >= end - WIDTH * LOOK_BACK; at -= WIDTH) {
      const isSame = all[at] === kind && all[at + 1] === due && all[at + 2] === expiresMs
      if (isSame && all[at + 3] === channel) return at / WIDTH + 1
    }
    return all.push(kind, due, expiresMs, channel) / WIDTH
  }
}

/** Jobs of a batch that ended alike, and their ending. */
export interface FinishGroup {
  token: string
  jobTry: number
  outcome: FinishOutcome
  ttlMs: number
  keepMs: number
  jobs: number[]
}

/** The group of jobs that ended like this one; a new one where there is none. */
export function finishGroupOf(groups: FinishGroup[], job: Finish): FinishGroup {
  const { token, jobTry, outcome, result, resultTtlMs, keepInProgressMs: keepMs } = job
  const ttlMs = result === null ? -1 : resultTtlMs
  for (let i = groups.length - 1; i >= 0; i--) {
    const group = groups[i]!
    const isSame = group.token === token && group.jobTry === jobTry && group.outcome === outcome
    if (isSame && group.ttlMs === ttlMs && group.keepMs === keepMs) return group
  }
  const group: FinishGroup = { token, jobTry, outcome, ttlMs, keepMs, jobs: [] }
  groups.push(group)
  return group
}
