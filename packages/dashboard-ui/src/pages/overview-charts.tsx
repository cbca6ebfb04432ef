import type { QueueRow, SeriesData } from '@arq-ts/dashboard/api'
import type { Series } from '../charts/line-chart.tsx'
import { number, rate } from '../format/number.ts'
import { brief } from '../format/duration.ts'
import { ill } from './queue-words.ts'
import { failureTone, RecordedCharts, useSeries } from './recorded-charts.tsx'

/** Lines of queues: the ill ones in the colour of a finding, the largest of the others, and the rest in one. */
export function queueLines(data: SeriesData, sick: ReadonlySet<string>, fold: 'sum' | 'max', most = 5): Series[] {
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

const languages = ({ series }: SeriesData): Series[] =>
  series.map(({ name, language, values }) => {
    const spoken = language ?? name
    return {
      name: spoken === 'python' ? 'Python' : spoken === 'arq-ts' ? 'TypeScript' : name,
      values,
      tone: spoken === 'python' ? 'python' : 'typescript',
    }
  })

const failures = ({ series }: SeriesData): Series[] =>
  series.map(({ values }) => ({ name: 'failed', values, tone: failureTone(values), bars: true }))

/** Jobs ended, wait before start and jobs due, side by side. */
export function OverviewCharts({ queues, now }: { queues: QueueRow[]; now: number }) {
  const sick = new Set(queues.filter((queue) => ill(queue, now)).map(({ queueName }) => queueName))
  const ended = useSeries('ended', 'language')
  const failed = useSeries('failed', 'total')
  const wait = useSeries('wait-p95', 'queue')
  const depth = useSeries('depth', 'queue')
  return (
    <RecordedCharts
      instead="The numbers below are measured now."
      of={[
        {
          title: 'Jobs ended',
          unit: 'per minute',
          counts: true,
          format: rate,
          axis: number,
          lines: [
            [ended, languages],
            [failed, failures],
          ],
        },
        {
          title: 'Wait before start',
          unit: '95th percentile, log scale',
          log: true,
          format: brief,
          lines: [[wait, (data) => queueLines(data, sick, 'max')]],
        },
        {
          title: 'Jobs due',
          unit: 'by queue',
          format: number,
          lines: [[depth, (data) => queueLines(data, sick, 'sum')]],
        },
      ]}
    />
  )
}
