/** One metric as prom-client's `getMetricsAsJSON` gives it. */
export interface ReadMetric {
  name: string
  help: string
  type: string
  aggregator?: string
  values: readonly ReadValue[]
}

interface ReadValue {
  value: number
  labels: Readonly<Record<string, string | number>>
  /** Series of a histogram: `…_bucket`, `…_sum` or `…_count`. */
  metricName?: string
}

/** Counters, which only grow; a gauge describes a process that is alive. */
const GROWS: ReadonlySet<string> = new Set(['counter', 'histogram'])

/** Counters and histograms of the processes of a pool that have ended, added up, so that the pool's never go down. */
export class EndedTotals {
  readonly #metrics = new Map<string, Omit<ReadMetric, 'values'>>()
  /** Values by metric, then by series. */
  readonly #series = new Map<string, Map<string, ReadValue>>()

  /** Adds the last metrics of a process. */
  add(metrics: readonly ReadMetric[]): void {
    for (const { values, ...metric } of metrics) {
      if (!GROWS.has(metric.type)) continue
      this.#metrics.set(metric.name, metric)
      const series = this.#series.get(metric.name) ?? new Map<string, ReadValue>()
      this.#series.set(metric.name, series)
      for (const each of values) {
        const labels = Object.entries(each.labels).sort(([a], [b]) => (a < b ? -1 : 1))
        const key = JSON.stringify([each.metricName, labels])
        series.set(key, { ...each, value: each.value + (series.get(key)?.value ?? 0) })
      }
    }
  }

  /** In the shape that it was given, for `AggregatorRegistry.aggregate`. */
  read(): ReadMetric[] {
    return [...this.#metrics.values()].map((metric) => ({
      ...metric,
      values: [...(this.#series.get(metric.name)?.values() ?? [])],
    }))
  }
}
