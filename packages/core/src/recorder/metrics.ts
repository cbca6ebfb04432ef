import { gotValue } from '../options/given-value.ts'
import { ArgumentsError } from '../errors.ts'
import { COUNTS, GAUGES, OLDEST_MAX } from './measures.ts'
import type { CountName, Measures } from './measures.ts'
import { countsOf, latencyOf } from './query.ts'
import type { Latency, Numbers } from './query.ts'

const STATISTICS = ['p50', 'p90', 'p95', 'p99', 'mean', 'max'] as const
const GAUGE_METRICS = ['depth', 'due', 'running', 'oldest', 'capacity'] as const

/** Number of tries that ended in one way; `ended` is those that ended a job. */
export type CountMetric = CountName | 'ended'
/** Durations in ms: of runs, and of the wait from the due time to the start. */
export type LatencyMetric = `${'run' | 'wait'}.${(typeof STATISTICS)[number]}`
/** Gauges of queues; `oldest` is the age of the oldest due job, in ms. */
export type GaugeMetric = (typeof GAUGE_METRICS)[number]
export type Metric = CountMetric | LatencyMetric | GaugeMetric

/** Every metric of `History.series`. */
export const METRICS: readonly Metric[] = [
  ...COUNTS,
  'ended',
  ...(['run', 'wait'] as const).flatMap((of) => STATISTICS.map((statistic) => `${of}.${statistic}` as const)),
  ...GAUGE_METRICS,
]

export function isGauge(metric: Metric): metric is GaugeMetric {
  return (GAUGE_METRICS as readonly string[]).includes(metric)
}

/** @throws ArgumentsError for an unknown metric. */
export function checkMetric(metric: string): asserts metric is Metric {
  if ((METRICS as readonly string[]).includes(metric)) return
  throw new ArgumentsError(
    `history.series: Expected \`metric\` to be one of ${METRICS.join(', ')}, ${gotValue(metric)}`,
  )
}

/** The value of a count or latency metric; null for a latency without runs. */
export function valueOf(metric: CountMetric | LatencyMetric, numbers: Numbers): number | null {
  const [of, statistic] = metric.split('.') as ['run' | 'wait', (typeof STATISTICS)[number] | undefined]
  if (statistic !== undefined) return latencyOf(numbers, of)[`${statistic}Ms` satisfies keyof Latency]
  const counts = countsOf(numbers)
  return metric === 'ended' ? counts.complete + counts.failed + counts.aborted : counts[metric as CountName]
}

/** The mean of a gauge over its samples, or the greatest age; null without a sample. */
export function gaugeOf(metric: GaugeMetric, { sums, maxima }: Measures): number | null {
  const samples = sums[0] ?? 0
  if (samples === 0) return null
  if (metric === 'oldest') return maxima[OLDEST_MAX] ?? 0
  return (sums[GAUGES.indexOf(metric)] ?? 0) / samples
}
