/** Rules by which a stage is judged. */

/** One stage: a share of the traffic, for a time, within bounds. */
export interface Stage {
  /** Share of the traffic to the new collection: 0 to 100. */
  percentage: number
  durationMinutes: number
  /** Share of failed requests above which the stage has failed. Default 0.05. */
  errorThreshold: number
  /** 95th percentile in ms above which the stage has failed. Default 200. */
  latencyThreshold: number
  /** Percentage of the requests to the old collection that `CanaryRouter.shadow` also sends to the new one. Default 0. */
  shadow?: number
  /** Waits at its end for `approve`. Default false. */
  approval?: boolean
}

/** A bound on the mean of a number that services record with their requests. */
export interface Guard {
  /** Its name in `record({ values })`; `overlap` and `rankCorrelation` come from shadow traffic. */
  metric: string
  /** The mean must not be below. */
  min?: number
  /** The mean must not be above. */
  max?: number
  /** The mean must not be lower than the old collection's by more than this share of it: 0.05 allows a drop by 5 %. */
  maxDropFromOld?: number
}

/** Bounds relative to the old collection in the same time. */
export interface Baseline {
  /** Allowed increase of the share of failed requests. Default 0.02. */
  maxErrorRateIncrease: number
  /** Allowed multiple of the old collection's 95th percentile. Default 1.5. */
  maxLatencyRatio: number
  /** A 95th percentile higher by less than this, in ms, is never a breach. Default 20. */
  minLatencyIncreaseMs: number
}

/** The part of a deployment's rules that the judge reads. */
export interface JudgingRules {
  /** Requests to the new collection that a stage needs to be passed. A breach needs none: it needs evidence. Default 20. */
  minSamples: number
  /** Comparison with the old collection, where that has traffic; null compares with nothing. */
  baseline: Baseline | null
  guards: readonly Guard[]
  /** The part of its configured share that a stage must have reached to be passed: 0 to 1. Default 0.5. */
  minObservedShare: number
}
