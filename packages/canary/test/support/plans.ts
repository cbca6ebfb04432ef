import { newDeployment, rulesOf, rulesSchema } from '../../src/config.ts'
import type { RulesInput } from '../../src/config.ts'
import type { Plan } from '../../src/plan.ts'
import { shareOf } from '../../src/state.ts'
import type { Deployment, Observed, QdrantView, Rules, Stage } from '../../src/types.ts'
import { minute, tally } from './tallies.ts'
import type { TallyOf } from './tallies.ts'

export const MINUTE = 60_000
export const stage = (percentage: number, durationMinutes: number): Stage => ({
  percentage,
  durationMinutes,
  errorThreshold: 0.05,
  latencyThreshold: 200,
})
export const rulesWith = (given: RulesInput = {}): Rules =>
  rulesOf(rulesSchema.parse({ holdMinutes: 60, baseline: null, ...given }))
const asked = {
  id: 'canary_1',
  alias: 'products',
  oldCollection: 'v1',
  newCollection: 'v2',
  stages: [stage(10, 30), stage(50, 60), stage(100, 0)],
  currentStage: 0,
  autoRollback: true,
  rules: rulesWith(),
}
export const fresh = newDeployment(asked, 'canary_1', 0)
export const running: Deployment = { ...fresh, status: 'running', begunAtMs: 0, stageStartedAtMs: 0 }
export const good: TallyOf = { requests: 100, errors: 1, latencyMs: 50 }
export const bad: TallyOf = { requests: 100, errors: 50, latencyMs: 50 }
export const marks = [
  {
    minute: 1,
    new: { ...tally({ requests: 5 }), latency: { sumMs: 0, maxMs: 0, buckets: [] } },
    old: { ...tally({}), latency: { sumMs: 0, maxMs: 0, buckets: [] } },
  },
]
export interface Seen extends Partial<QdrantView>, Partial<Pick<Observed, 'qdrant' | 'checks'>> {
  new?: TallyOf
  old?: TallyOf
}
export const seen = ({
  aliasCollection = 'v1',
  newCollectionExists = true,
  new: fresh = good,
  old = good,
  ...rest
}: Seen = {}): Observed => ({
  qdrant: { aliasCollection, newCollectionExists },
  minutes: [minute(0, fresh, { ...old, requests: (old.requests ?? 0) * 9, errors: (old.errors ?? 0) * 9 })],
  marks,
  checks: [],
  ...rest,
})
export const summary = ({ next, switchTo, againMs }: Plan) => ({
  status: next.status,
  stage: next.currentStage,
  ending: next.ending,
  share: shareOf(next),
  switchTo,
  againMs,
})
