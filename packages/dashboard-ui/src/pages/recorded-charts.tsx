import type { EventList, SeriesAnswer, SeriesData } from '@arq-ts/dashboard/api'
import { withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { redisNow } from '../api/stream.ts'
import { LineChart, type Series } from '../charts/line-chart.tsx'
import { range, ranges, steps } from '../state/range.ts'
import { Empty } from '../ui/parts.tsx'

/** The path of a series for the chosen range. It changes with the minute, so that answers are found again. */
export function seriesPath(metric: string, by: string, name = range.value): string {
  const step = steps[name]
  return withQuery('series', { metric, by, step, from: Math.floor((redisNow() - ranges[name]) / step) * step })
}

/** A series of the chosen range, loaded again every 30 s. */
export function useSeries(metric: string, by: string): SeriesAnswer | undefined {
  // The start of the range is fixed when the page opens and moves by whole steps.
  return useResource<SeriesAnswer>(seriesPath(metric, by), { everyMs: 30_000, keep: true }).data
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

/** One chart: its words, and the lines that each of its answers gives. */
export interface RecordedChart {
  title: string
  unit: string
  log?: boolean
  /** True where the lines are counts per minute. */
  counts?: boolean
  format: (value: number) => string
  axis?: (value: number) => string
  lines: readonly (readonly [answer: SeriesAnswer | undefined, lines: (data: SeriesData) => Series[]])[]
}

/** Charts of recorded series over the chosen range, side by side; without a recorder, the reason why there are none. */
export function RecordedCharts({ of, instead = '' }: { of: readonly RecordedChart[]; instead?: string }) {
  const marks = useMarks()
  const first = of[0]?.lines[0]?.[0]
  if (first && !first.available) {
    return (
      <div class="section">
        <Empty title="Charts begin with the recorder.">
          <p>
            {first.why} {instead}
          </p>
        </Empty>
      </div>
    )
  }
  return (
    <div class="section thirds">
      {of.map(({ lines, counts = false, ...chart }) => (
        <LineChart
          key={chart.title}
          {...chart}
          {...frame(lines[0]?.[0])}
          waiting={lines.some(([answer]) => answer === undefined)}
          series={lines.flatMap(([answer, make]) => (answer?.available ? make(counts ? whole(answer) : answer) : []))}
          marks={marks}
        />
      ))}
    </div>
  )
}

/** Counts without the step that is not over yet: its few jobs would look like a fall. */
export function whole(data: SeriesData): SeriesData {
  const last = data.length - 1
  if (data.fromMs + data.length * data.stepMs <= redisNow()) return data
  return { ...data, series: data.series.map((one) => ({ ...one, values: one.values.with(last, null) })) }
}

/** The time that a chart spans; the chosen range while its answer is on the way, so that nothing moves when it comes. */
function frame(answer: SeriesAnswer | undefined): { fromMs: number; stepMs: number; length: number } {
  if (answer?.available) return { fromMs: answer.fromMs, stepMs: answer.stepMs, length: answer.length }
  const [span, stepMs] = [ranges[range.value], steps[range.value]]
  return { fromMs: redisNow() - span, stepMs, length: span / stepMs + 1 }
}

/** Failures take the colour of a finding once they are more than a few: grey until it matters. */
export function failureTone(values: (number | null)[]): 'failing' | 'other' {
  const recent = values.slice(-10).reduce<number>((sum, value) => sum + (value ?? 0), 0)
  return recent >= 10 ? 'failing' : 'other'
}
