import { Sparkbars } from '../charts/spark.tsx'
import { percent } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { range, rangeWords } from '../state/range.ts'
import { to } from '../router.ts'
import { Section } from '../ui/parts.tsx'
import { Languages } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import type { Language, SeriesAnswer } from '@arq-ts/dashboard/api'
import { useSeries } from './recorded-charts.tsx'

/** Functions by the share of their jobs that failed within the range. */
export function FailingFunctions() {
  const failed = useSeries('failed', 'function')
  const ended = useSeries('ended', 'function')
  if (!failed?.available || !ended?.available) return null
  const rows = worst(failed, ended)
  return (
    <Section title="Failing functions" remark={rangeWords[range.value]} more={<a href={to('/errors')}>All errors</a>}>
      <Table
        label="Failing functions"
        columns={columns}
        rows={rows}
        keyOf={({ name }) => name}
        open={({ name }) => to('/functions', { function: name === '*' ? null : name })}
        empty={<p class="muted">No job failed for good within the {rangeWords[range.value]}.</p>}
      />
    </Section>
  )
}

const columns: Column<Row>[] = [
  {
    name: 'Function',
    names: true,
    tone: 'name',
    cell: ({ name }) => (name === '*' ? 'other functions' : <code>{shown(name)}</code>),
    adjacent: ({ languages }) => <Languages of={languages} />,
  },
  {
    name: 'Failures',
    cell: ({ bars, name, share }) => (
      <Sparkbars
        values={bars}
        tone={share >= 0.05 ? 'failing' : 'other'}
        label={`Failures of ${shown(name)}`}
        width={96}
      />
    ),
  },
  {
    name: 'Jobs failed',
    number: true,
    tone: ({ share }) => (share >= 0.05 ? 'failing strong' : 'fade'),
    cell: ({ share }) => percent(share),
  },
]

interface Row {
  name: string
  languages: Language[]
  bars: (number | null)[]
  share: number
}

/** The five functions with the largest share of failures. */
function worst(failed: SeriesAnswer & { available: true }, ended: SeriesAnswer & { available: true }): Row[] {
  const rows = new Map<string, Row & { failures: number; tries: number }>()
  const sum = (values: (number | null)[]) => values.reduce<number>((a, b) => a + (b ?? 0), 0)
  const row = (name: string) => {
    const known = rows.get(name) ?? { name, languages: [], bars: [], share: 0, failures: 0, tries: 0 }
    rows.set(name, known)
    return known
  }
  for (const { name, language, values } of failed.series) {
    const one = row(name)
    one.failures += sum(values)
    one.bars = values.map((value, i) => (value ?? 0) + (one.bars[i] ?? 0))
    if (language && !one.languages.includes(language)) one.languages.push(language)
  }
  for (const { name, values } of ended.series) row(name).tries += sum(values)
  return [...rows.values()]
    .filter(({ failures }) => failures > 0)
    .map((one) => ({ ...one, bars: fold(one.bars, 36), share: one.failures / Math.max(one.tries, one.failures) }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 5)
}

/** The values summed into at most `most` bars. */
export function fold(values: (number | null)[], most: number): number[] {
  const per = Math.ceil(values.length / most)
  return Array.from({ length: Math.ceil(values.length / per) }, (_, i) =>
    values.slice(i * per, (i + 1) * per).reduce<number>((a, b) => a + (b ?? 0), 0),
  )
}
