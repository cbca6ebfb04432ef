/** Prometheus metrics of deployments, read from Redis when they are scraped: the same from each process. */
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'
import type { RequestCounts } from './requests.ts'
import { countStage, figuresOf } from './stage-counts.ts'
import { shareOf, stageOf } from './state.ts'
import type { DeploymentStore } from './store.ts'

const HELP = {
  arq_canary_running: '1 for each deployment that has not ended, by its status.',
  arq_canary_stage: 'The current stage, counted from 0.',
  arq_canary_share_configured_ratio: 'Share of the traffic that the stage gives the new collection.',
  arq_canary_share_observed_ratio: "Share of the users' requests that the new collection answered in the stage.",
  arq_canary_stage_requests: 'Requests of the stage, by collection.',
  arq_canary_stage_errors: 'Failed requests of the stage, by collection.',
  arq_canary_stage_latency_p95_seconds: 'The 95th percentile of latencies of the stage, by collection.',
  arq_canary_value_mean: 'Mean of a number that services record, in the stage, by collection.',
  arq_canary_waiting: '1 while a deployment holds, waits for approval or is paused.',
  arq_canary_overdue_seconds: 'How long the next look of a deployment is overdue.',
} as const

/** A metric with its series. */
export interface CanaryMetric {
  name: string
  help: string
  type: 'gauge' | 'counter'
  values: readonly { labels: Readonly<Record<string, string>>; value: number }[]
}

/** Sources of the metrics. */
export interface MetricsSource {
  redis: Redis
  keys: Keys
  store: DeploymentStore
  counts: RequestCounts
  now: () => Promise<number>
}

/** Reads everything at once. @throws what Redis throws. */
export async function readMetrics({ counts, keys, now, redis, store }: MetricsSource): Promise<CanaryMetric[]> {
  const series = new Map<string, { labels: Record<string, string>; value: number }[]>()
  const add = (name: keyof typeof HELP, labels: Record<string, string>, value: number | null) => {
    if (value !== null) series.set(name, [...(series.get(name) ?? []), { labels, value }])
  }
  const nowMs = await now()
  const { damaged, states } = await store.readMany(await store.active())
  for (const { id } of damaged) add('arq_canary_running', { alias: '', deployment: id, status: 'unreadable' }, 1)
  for (const state of states) {
    const figures = figuresOf((await countStage(counts, state, nowMs)).minutes)
    const labels = { alias: state.alias, deployment: state.id }
    add('arq_canary_running', { ...labels, status: state.status }, 1)
    add('arq_canary_stage', labels, state.currentStage)
    add('arq_canary_share_configured_ratio', labels, (shareOf(state) ?? 0) / 100)
    const observed = figures.observedShare
    if (stageOf(state).percentage > 0)
      add('arq_canary_share_observed_ratio', labels, observed === null ? null : observed / 100)
    add('arq_canary_waiting', labels, state.reason !== null || state.status === 'paused' ? 1 : 0)
    add('arq_canary_overdue_seconds', labels, Math.max(0, nowMs - state.nextTickAtMs) / 1_000)
    for (const side of ['new', 'old'] as const) {
      const of = { ...labels, collection: side }
      const { p95LatencyMs, totalErrors, totalRequests } = figures[side]
      add('arq_canary_stage_requests', of, totalRequests)
      add('arq_canary_stage_errors', of, totalErrors)
      add('arq_canary_stage_latency_p95_seconds', of, p95LatencyMs === null ? null : p95LatencyMs / 1_000)
      for (const [value, { count, sum }] of Object.entries(figures.values[side])) {
        add('arq_canary_value_mean', { ...of, value }, sum / count)
      }
    }
  }
  const decided = await redis.hgetall(keys.decided)
  const decisions = Object.entries(decided).map(([field, count]) => {
    const at = field.lastIndexOf(':')
    return { labels: { alias: field.slice(0, at), event: field.slice(at + 1) }, value: Number(count) }
  })
  return [
    // Those without a series too, so that a scrape names all there are.
    ...Object.entries(HELP).map(([name, help]) => ({
      name,
      help,
      type: 'gauge' as const,
      values: series.get(name) ?? [],
    })),
    {
      name: 'arq_canary_decisions_total',
      help: 'Decisions on deployments, by alias and event.',
      type: 'counter' as const,
      values: decisions,
    },
  ]
}

/** The text of a scrape, for services that have an endpoint of their own. */
export function prometheusText(metrics: readonly CanaryMetric[]): string {
  const escaped = (text: string) =>
    text
      .replaceAll('\\', String.raw`\\`)
      .replaceAll('"', String.raw`\"`)
      .replaceAll('\n', String.raw`\n`)
  return metrics
    .flatMap(({ help, name, type, values }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...values.map(({ labels, value }) => {
        const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
        return `${name}{${pairs.join(',')}} ${value}`
      }),
    ])
    .map((line) => `${line}\n`)
    .join('')
}
