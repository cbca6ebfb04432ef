import type { EventList, QueueRow, SeriesAnswer, SeriesData } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { withQuery } from '../api/client.ts'
import { LineChart, type Series } from '../charts/line-chart.tsx'
import { number, rate } from '../format/number.ts'
import { brief } from '../format/time.ts'
import { range, ranges, steps } from '../state/range.ts'
import { redisNow } from '../api/stream.ts'
import { Empty } from '../ui/parts.tsx'
import { ill } from './queue-table.tsx'

/** The path of a series for the chosen range. It changes with the minute, so that answers are found again. */
export function seriesPath(metric: string, by: string, name = range.value): string {
  const step = steps[name]
  return withQuery('series', { metric, by, step, from: Math.floor((redisNow() - ranges[name]) / step) * step })
}

/** A series of the chosen range, loaded again every 30 s. */
export function useSeries(metric: string, by: string) {
  // The start of the range is fixed when the page opens and moves by whole steps.
  return useResource<SeriesAnswer>(seriesPath(metric, by), { everyMs: 30_000, keep: true })
}

/** Deploys within the recorded events. */
export function useMarks(): { atMs: number; name: string }[] {
  const { data } = useResource<EventList>('events?limit=200', { everyMs: 60_000 })
  return data?.available
    ? data.events
        .filter(({ kind }) => kind === 'deploy')
        .map(({ atMs, subject, detail }) => ({ atMs, name: `${subject} ${detail}`.trim() }))
    : []
}

/** Lines of queues: the ill ones in the colour of a finding, the largest of the others, and the rest in one. */
export function queueLines(data: SeriesData, queues: QueueRow[], fold: 'sum' | 'max', most = 5): Series[] {
  const sick = new Set(queues.filter(ill).map(({ queueName }) => queueName))
  const size = (values: (number | null)[]) => values.findLast((value) => value !== null) ?? -1
  const sorted = data.series
    .filter(({ values }) => values.some((value) => value !== null))
    .sort((a, b) => Number(sick.has(b.name)) - Number(sick.has(a.name)) || size(b.values) - size(a.values))
  const kept = sorted.length > most ? sorted.slice(0, most - 1) : sorted
  const rest = sorted.slice(kept.length)
  const lines: Series[] = kept.map(({ name, values }) => ({ name, values, tone: sick.has(name) ? 'warning' : 'other' }))
  if (rest.length === 0) return lines
  const values = Array.from({ length: data.length }, (_, i) => {
    const column = rest.map((line) => line.values[i]).filter((value) => value !== null && value !== undefined)
    if (column.length === 0) return null
    return fold === 'sum' ? column.reduce((a, b) => a + b, 0) : Math.max(...column)
  })
  return [...lines, { name: `${rest.length} others`, values, tone: 'other' }]
}

/** Jobs ended, wait before start and jobs due, side by side. */
export function OverviewCharts({ queues }: { queues: QueueRow[] }) {
  const ended = useSeries('ended', 'language')
  const failed = useSeries('failed', 'total')
  const wait = useSeries('wait-p95', 'queue')
  const depth = useSeries('depth', 'queue')
  const marks = useMarks()
  if (ended.data && !ended.data.available) {
    return (
      <div class="section">
        <Empty title="Charts begin with the recorder.">
          <p>{ended.data.why} The numbers below are measured now.</p>
        </Empty>
      </div>
    )
  }
  const languages: Series[] = ended.data?.available
    ? ended.data.series.map(({ name, language, values }) => ({
        name: (language ?? name) === 'python' ? 'Python' : (language ?? name) === 'arq-ts' ? 'TypeScript' : name,
        values,
        tone: (language ?? name) === 'python' ? 'python' : 'typescript',
      }))
    : []
  const failures: Series[] = failed.data?.available
    ? failed.data.series.map(({ values }) => ({ name: 'failed', values, tone: failureTone(values), bars: true }))
    : []
  const frame = (data: SeriesAnswer | undefined) =>
    data?.available
      ? { fromMs: data.fromMs, stepMs: data.stepMs }
      : { fromMs: redisNow() - ranges[range.value], stepMs: steps[range.value] }
  return (
    <div class="section thirds">
      <LineChart
        title="Jobs ended"
        unit="per minute"
        {...frame(ended.data)}
        series={[...languages, ...failures]}
        marks={marks}
        format={rate}
        axis={number}
      />
      <LineChart
        title="Wait before start"
        unit="95th percentile, log scale"
        log
        {...frame(wait.data)}
        series={wait.data?.available ? queueLines(wait.data, queues, 'max') : []}
        marks={marks}
        format={brief}
      />
      <LineChart
        title="Jobs due"
        unit="by queue"
        {...frame(depth.data)}
        series={depth.data?.available ? queueLines(depth.data, queues, 'sum') : []}
        marks={marks}
        format={number}
      />
    </div>
  )
}

/** Failures take the colour of a finding once they are more than a few: grey until it matters. */
export function failureTone(values: (number | null)[]): 'failing' | 'other' {
  const recent = values.slice(-10).reduce<number>((sum, value) => sum + (value ?? 0), 0)
  return recent >= 10 ? 'failing' : 'other'
}
