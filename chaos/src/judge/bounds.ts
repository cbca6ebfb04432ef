import type { Case, Verdict } from './judge.ts'

/** Findings of a run, some of which have a bound. */
export interface Findings {
  verdict: Verdict
  /** Processes of ours that ended by themselves, or not when they were asked to. */
  exits: readonly { worker: string; detail: string }[]
  /** Keys that have no reason to be there. */
  keys: readonly { name: string; fault: string }[]
  leaseMs: number
}

/** One promise and what came of it. */
export interface Bound {
  name: string
  limit: number
  /** Undefined where the run had nothing to measure: then the bound is neither kept nor broken. */
  value: number | undefined
  unit: '' | 'ms'
  broken: boolean
}

/** Delay after the lease within which a killed worker's job must run again, in ms. */
const RECOVERY_MARGIN_MS = 500

/** A percentile of fewer samples says more about one of them than about recovery. */
const RECOVERY_SAMPLES = 10

/** Everything that a run promises. A failover excuses what it lost; nothing else is excused. */
export function checkBounds({ verdict, exits, keys, leaseMs }: Findings): Bound[] {
  const unexcused = (cases: readonly { explanation: string | undefined }[]) =>
    cases.filter(({ explanation }) => explanation !== 'failover').length
  const unexplained = (cases: readonly { explanation: string | undefined }[]) =>
    cases.filter(({ explanation }) => explanation === undefined).length
  const none = (name: string, value: number) => ({ name, limit: 0, value, unit: '' as const })
  const bounds = [
    none('lost', unexcused(verdict.lost)),
    none('stuck', verdict.stuck.length),
    none('overwritten results', unexcused(verdict.overwritten)),
    none('missing results', unexcused(verdict.missingResults)),
    none('second ends that no fault explains', unexplained(verdict.secondEnds)),
    none('spontaneous exits', exits.length),
    none('ticks that ran twice', unexplained(verdict.ticks.doubled)),
    none('keys without a reason', keys.length),
    {
      name: 'recovery p99',
      limit: leaseMs + RECOVERY_MARGIN_MS,
      value: verdict.recovery.undisturbed < RECOVERY_SAMPLES ? undefined : verdict.recovery.p99Ms,
      unit: 'ms' as const,
    },
  ]
  return bounds.map((bound) => ({ ...bound, broken: bound.value !== undefined && bound.value > bound.limit }))
}

/** Counts cases by what explains them. */
export function byExplanation(cases: readonly Pick<Case, 'explanation'>[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { explanation = 'unexplained' } of cases) counts[explanation] = (counts[explanation] ?? 0) + 1
  return counts
}
