import { rulesOf, rulesSchema } from '../../src/config.ts'
import type { RulesInput } from '../../src/config.ts'
import { NOTHING_YET } from '../../src/judging/accumulation.ts'
import { judge } from '../../src/judging/judge.ts'
import type { Stage } from '../../src/judging/rules.ts'
import type { Minute } from '../../src/judging/tally.ts'
import { minute } from './tallies.ts'

export const stage: Stage = { percentage: 50, durationMinutes: 120, errorThreshold: 0.05, latencyThreshold: 200 }
export const atLook = { look: 10, plannedLooks: 213, accumulated: NOTHING_YET }
/** The verdict on a stage that is not the last, a minute after the newest of these. */
export const judged = (minutes: Minute[], given: RulesInput = {}, changes: Partial<Stage> = {}) => {
  const rules = rulesOf(rulesSchema.parse(given))
  const nowMinute = Math.max(...minutes.map((each) => each.minute)) + 1
  const { accumulated: _, ...verdict } = judge({ ...stage, ...changes }, rules, {
    ...atLook,
    minutes,
    nowMinute,
    isLastStage: false,
  })
  return verdict
}
export const passable = { breach: null, missing: null, isQuiet: false, doubt: null, isDelaying: false, troubles: [] }
export const healthy = (from: number, to: number, requests = 60) =>
  Array.from({ length: to - from }, (_, i) =>
    minute(from + i, { requests, errors: 0, latencyMs: 50 }, { requests, errors: 0, latencyMs: 50 }),
  )
