import { useState } from 'preact/hooks'
import type { FunctionMap, FunctionRow, HeatmapAnswer } from '@arq-ts/dashboard/api'
import { withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { redisNow } from '../api/stream.ts'
import { cellWords, HeatMap, HeatScale, type Cell } from '../charts/heat-map.tsx'
import { trimmed } from '../charts/heat.ts'
import { capital, count, digits, list } from '../format/number.ts'
import { duration } from '../format/duration.ts'
import { short, shown } from '../format/names.ts'
import { about } from '../format/chips.ts'
import { place, setQuery, to } from '../router.ts'
import { range, ranges, rangeWords } from '../state/range.ts'
import { Empty, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { CapabilityMap } from './capability-map.tsx'
import { useMarks } from './recorded-charts.tsx'

const waiting = (row: FunctionRow): number => row.queues.reduce((sum, queue) => sum + queue.waiting, 0)

/** Functions: the workers that run them, and how long they take. */
export function Functions() {
  const functions = useResource<FunctionMap>('functions', { everyMs: 15_000 })
  return <Loaded of={functions}>{(data) => <Shown data={data} />}</Loaded>
}

function Shown({ data }: { data: FunctionMap }) {
  const unserved = data.functions.filter((row) => row.unserved)
  const sorted = [...data.functions].sort(
    (a, b) =>
      Number(b.unserved ?? 0) - Number(a.unserved ?? 0) ||
      waiting(b) - waiting(a) ||
      a.functionName.localeCompare(b.functionName),
  )
  const wanted = place.value.query.get('function')
  const chosen =
    data.functions.find(({ functionName }) => functionName === wanted) ??
    sorted.find((row) => row.unserved !== true && (row.workers.length > 0 || row.python === 'seen')) ??
    sorted[0]
  const first = unserved[0]
  return (
    <Page
      title={
        first ? (
          <>
            <code>{shown(first.functionName)}</code>{' '}
            {unserved.length > 1 ? `and ${count(unserved.length - 1, 'more function')} are` : 'is'} queued, but no live
            worker has {unserved.length > 1 ? 'them' : 'it'}.
          </>
        ) : data.functions.length === 0 ? (
          'No function is known yet.'
        ) : (
          calm(data.functions)
        )
      }
      lede={
        first ? (
          <>
            {capital(digits(waiting(first), 'job'))} {waiting(first) === 1 ? 'waits' : 'wait'} in{' '}
            {list(first.queues.map((queue) => queue.queueName))}. Start a worker that has the function, or{' '}
            <a href={to('/jobs', { q: about('function', first.functionName) })}>move the jobs out</a>.
          </>
        ) : (
          without(data.functions)
        )
      }
    >
      {data.functions.length === 0 ? (
        <div class="section">
          <Empty title="A function appears with its first worker or job.">
            <p>TypeScript workers declare theirs. Python workers declare none; theirs appear as they run.</p>
          </Empty>
        </div>
      ) : (
        <>
          <CapabilityMap
            rows={sorted}
            chosen={chosen?.functionName ?? null}
            pick={(name) => setQuery({ function: name }, { replace: true })}
          />
          <Limits of={data.limits} />
          {chosen && <RunTimes row={chosen} />}
        </>
      )}
    </Page>
  )
}

/** Functions that no live worker has, though nothing waits for them now. */
const orphans = (rows: FunctionRow[]): FunctionRow[] =>
  rows.filter((row) => row.workers.length === 0 && row.python === 'none')

function calm(rows: FunctionRow[]): string {
  return orphans(rows).length > 0
    ? 'All that is queued has a worker.'
    : `Each of ${count(rows.length, 'function')} has a worker.`
}

function without(rows: FunctionRow[]): string {
  const names = orphans(rows).map(({ functionName }) => functionName)
  if (names.length === 0) return 'Declared by workers, seen in results, or queued.'
  return `${list(names)} ${names.length === 1 ? 'has' : 'have'} no live worker; no job waits for ${names.length === 1 ? 'it' : 'them'} now.`
}

const columns = { '1h': 60, '6h': 36, '24h': 72, '7d': 84 } as const

function RunTimes({ row }: { row: FunctionRow }) {
  const [cell, setCell] = useState<Cell | null>(null)
  const marks = useMarks()
  const span = ranges[range.value]
  const stepMs = Math.max(60_000, span / columns[range.value])
  const heat = useResource<HeatmapAnswer>(
    withQuery('heatmap', {
      function: row.functionName,
      from: Math.floor((redisNow() - span) / stepMs) * stepMs,
      step: stepMs >= 3_600_000 ? 3_600_000 : stepMs >= 600_000 ? 600_000 : 60_000,
    }),
    { everyMs: 60_000 },
  )
  const title = (
    <>
      Run time of <code>{shown(row.functionName)}</code>
    </>
  )
  if (!heat.data) return null
  if (!heat.data.available || heat.data.counts.every((column) => column.every((n) => n === 0))) {
    return (
      <Section title={title} remark={rangeWords[range.value]}>
        <p class="muted">
          {heat.data.available ? `No run of it was recorded within the ${rangeWords[range.value]}.` : heat.data.why}
        </p>
      </Section>
    )
  }
  const data = heat.data
  const { most } = trimmed(data)
  const picked = cell && data.counts[cell.column] ? cell : busiest(data.counts, data.samples)
  return (
    <div class="columns">
      <Section title={title} remark={`${rangeWords[range.value]}, log scale`} more={<HeatScale most={most} />}>
        <HeatMap of={data} cell={picked} pick={setCell} marks={marks} key={row.functionName} />
      </Section>
      <aside>
        <Section title={picked ? capital(cellWords(data, picked)) : 'Jobs'}>
          {picked && <Samples data={data} cell={picked} name={row.functionName} />}
        </Section>
      </aside>
    </div>
  )
}

/** The slowest cell that has a sample, else the fullest one. */
function busiest(counts: number[][], samples: (Cell & { runMs: number })[]): Cell | null {
  const slowest = samples.reduce<(Cell & { runMs: number }) | null>(
    (most, one) => (most === null || one.runMs > most.runMs ? one : most),
    null,
  )
  if (slowest) return slowest
  let best: Cell | null = null
  counts.forEach((column, c) =>
    column.forEach(
      (n, row) => n > 0 && (best === null || n >= counts[best.column]![best.row]!) && (best = { column: c, row }),
    ),
  )
  return best
}

function Samples({ data, cell, name }: { data: HeatmapAnswer & { available: true }; cell: Cell; name: string }) {
  const jobs = data.samples.filter(({ column, row }) => column === cell.column && row === cell.row)
  const total = data.counts[cell.column]?.[cell.row] ?? 0
  return (
    <>
      <p class="muted">
        {capital(digits(total, 'job'))} fell in this cell.{' '}
        {jobs.length
          ? `${capital(count(jobs.length, 'was sampled', 'were sampled'))}.`
          : total
            ? 'None was sampled.'
            : ''}
      </p>
      {jobs.length > 0 && (
        <Table
          label="Sampled jobs"
          columns={sampleColumns}
          rows={jobs.slice(0, 8)}
          keyOf={({ jobId }) => jobId}
          open={({ jobId }) => to('/job', { id: jobId })}
        />
      )}
      <p class="limits">
        <a href={to('/jobs', { q: about('function', name) })}>Jobs of this function that have not ended</a>
      </p>
    </>
  )
}

const sampleColumns: Column<{ jobId: string; runMs: number }>[] = [
  { name: 'Job', names: true, tone: 'mono', title: ({ jobId }) => jobId, cell: ({ jobId }) => <>{short(jobId)}</> },
  { name: 'Ran', number: true, cell: ({ runMs }) => duration(runMs) },
]
