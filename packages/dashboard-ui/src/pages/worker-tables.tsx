import type { PythonWorkerRow, WorkerRow } from '@arq-ts/dashboard/api'
import { bytes, digits, list, number } from '../format/number.ts'
import { brief, duration } from '../format/duration.ts'
import { full } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { Limits } from '../ui/parts.tsx'
import { Languages, Status } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'

/** Slots of a worker as a bar: taken ones are filled. */
function Slots({ taken, of }: { taken: number; of: number }) {
  const width = 64
  return (
    <svg class="slots" width={width} height={8} role="img" aria-label={`${taken} of ${of} slots taken`}>
      <rect class="room" width={width} height={8} rx={2} />
      <rect class="taken" width={of > 0 ? Math.min(width, (taken / of) * width) : 0} height={8} rx={2} />
    </svg>
  )
}

/** Workers of arq-ts, one per row. `order`: the part of the address that keeps its order. */
export function WorkerTable({ workers, now, order }: { workers: WorkerRow[]; now: number; order?: string }) {
  return (
    <Table
      label="TypeScript workers"
      columns={workerColumns(now)}
      rows={workers}
      keyOf={({ id }) => id}
      {...(order !== undefined && { order })}
    />
  )
}

const workerColumns = (now: number): Column<WorkerRow>[] => [
  {
    name: 'Worker',
    names: true,
    tone: 'name',
    by: ({ name }) => name,
    title: ({ id }) => id,
    cell: ({ name }) => name,
    adjacent: () => <Languages of={['arq-ts']} />,
    under: ({ host, pid, version }) => `${shown(host)}, pid ${pid}, ${version}`,
  },
  {
    name: 'State',
    cell: ({ state }) =>
      state === 'running' ? (
        <Status shape="on-time" calm>
          runs
        </Status>
      ) : (
        <Status shape="paused">{state === 'quiet' ? 'quiet' : 'drains'}</Status>
      ),
  },
  {
    name: 'Slots',
    tone: 'num name',
    by: ({ maxJobs, ongoing }) => (maxJobs > 0 ? ongoing / maxJobs : 0),
    cell: ({ maxJobs, ongoing }) => (
      <>
        <Slots taken={ongoing} of={maxJobs} /> {ongoing} of {maxJobs}
      </>
    ),
  },
  { name: 'Queues', hide: 'wide', tone: 'fade', cell: ({ queues }) => <>{list(queues)}</> },
  {
    name: 'Complete',
    number: true,
    hide: 'minor',
    tone: 'fade',
    by: ({ complete }) => complete,
    cell: ({ complete }) => number(complete),
  },
  {
    name: 'Failed',
    number: true,
    hide: 'minor',
    tone: 'fade',
    by: ({ failed }) => failed,
    cell: ({ failed }) => number(failed),
  },
  {
    name: 'Memory',
    number: true,
    hide: 'wide',
    tone: 'fade',
    by: ({ rssBytes }) => rssBytes,
    cell: ({ rssBytes }) => bytes(rssBytes),
  },
  {
    name: 'Up',
    number: true,
    tone: 'fade',
    by: ({ startedAtMs }) => now - startedAtMs,
    title: ({ startedAtMs }) => full(startedAtMs),
    cell: ({ startedAtMs }) => brief(now - startedAtMs),
  },
]

/** Running jobs that are listed. */
const MAX_RUNNING = 20

type Running = WorkerRow['running'][number] & { worker: string }

/** Jobs at work in workers of arq-ts, the longest first. */
export function RunningTable({ workers, now }: { workers: WorkerRow[]; now: number }) {
  const running = workers
    .flatMap((worker): Running[] => worker.running.map((job) => ({ ...job, worker: worker.name })))
    .sort((a, b) => a.startedAtMs - b.startedAtMs)
  const rest = running.length - MAX_RUNNING
  return (
    <>
      <Table
        label="Running jobs"
        columns={runningColumns(now)}
        rows={running.slice(0, MAX_RUNNING)}
        keyOf={({ jobId, queueName }) => `${queueName} ${jobId}`}
        open={({ jobId, queueName }) => to('/job', { id: jobId, queue: queueName })}
        empty={<p class="muted">No job runs in a TypeScript worker now.</p>}
      />
      <Limits of={[rest > 0 && `${digits(rest, 'more job')} ${rest === 1 ? 'runs' : 'run'} for a shorter time`]} />
    </>
  )
}

const runningColumns = (now: number): Column<Running>[] => [
  {
    name: 'Job',
    names: true,
    tone: 'name',
    cell: ({ functionName }) => <code>{shown(functionName)}</code>,
    under: ({ jobId }) => <span class="mono">{shown(jobId)}</span>,
  },
  { name: 'Worker', tone: 'fade', cell: ({ worker }) => worker },
  { name: 'Try', number: true, hide: 'minor', tone: 'fade', cell: ({ jobTry }) => jobTry },
  { name: 'Runs for', number: true, cell: ({ startedAtMs }) => duration(Math.max(0, now - startedAtMs)) },
]

/** Python workers by queue: their health line is shared. */
export function PythonTable({ rows }: { rows: PythonWorkerRow[] }) {
  return <Table label="Python workers" columns={pythonColumns} rows={rows} keyOf={({ queueName }) => queueName} />
}

const pythonColumns: Column<PythonWorkerRow>[] = [
  {
    name: 'Queue',
    names: true,
    tone: 'name',
    title: ({ line }) => line,
    cell: ({ queueName }) => queueName,
    adjacent: () => <Languages of={['python']} />,
  },
  { name: 'Running', number: true, cell: ({ ongoing }) => number(ongoing) },
  { name: 'Complete', number: true, tone: 'fade', cell: ({ complete }) => number(complete) },
  { name: 'Failed', number: true, tone: 'fade', cell: ({ failed }) => number(failed) },
  { name: 'Retried', number: true, hide: 'wide', tone: 'fade', cell: ({ retried }) => number(retried) },
  {
    name: 'Line expires',
    number: true,
    hide: 'wide',
    tone: 'fade',
    cell: ({ expiresInMs }) => `in ${brief(expiresInMs)}`,
  },
]
