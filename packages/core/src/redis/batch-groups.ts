import type { Finish, FinishOutcome } from './broker-calls.ts'
import type { ScriptValue } from './scripts.ts'

/** Number of earlier groups that are compared with a new one: equal jobs stand together. */
const LOOK_BACK = 8

type Group = readonly ScriptValue[]

/** Arguments that jobs of a batch have in common, sent once for each group of them. */
export class BatchGroups {
  readonly #all: Group[] = []

  get count(): number {
    return this.#all.length
  }

  /** The number of the group that has these values, from 1. */
  numberOf(group: Group): number {
    const all = this.#all
    for (let i = all.length - 1; i >= 0 && i >= all.length - LOOK_BACK; i--) {
      if (group.every((value, at) => all[i]![at] === value)) return i + 1
    }
    return all.push(group)
  }

  /** In a batch the groups come before the jobs. */
  args(): ScriptValue[] {
    return this.#all.flat()
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
