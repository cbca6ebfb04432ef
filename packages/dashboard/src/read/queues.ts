import type { PythonWorker, QueueStats, UnreadableWorker, WorkerInfo } from '@arq-ts/core'
import type { PythonWorkerRow, QueueList, QueueRow, WorkerList, WorkerRow } from '../api/types.ts'
import type { Board } from '../board.ts'
import type { Sight } from '../users/sight.ts'
import { emptiesAt } from './pulse.ts'

/** Waiting for longer than this, while more becomes due, is falling behind. */
export const BEHIND_MS = 10_000

/** Everything that is seen of queues and workers at one moment. */
export interface Snapshot {
  nowMs: number
  queues: QueueRow[]
  workers: WorkerInfo[]
  python: PythonWorker[]
  unreadable: UnreadableWorker[]
  /** False where there may be queues that were not found yet. */
  complete: boolean
  /** Known queues that were not counted. */
  omitted: readonly string[]
}

/** Queues that are counted, by name: more would take longer than a page may wait, and nobody reads them. */
const MAX_QUEUES = 2_000

/** Time within which the parts of a page share one look at all queues. */
const SHARED_MS = 1_000

/** Looks at all queues, or at these, and at the workers of both languages. */
export function snapshot(board: Board, only?: readonly string[]): Promise<Snapshot> {
  return only ? look(board, only) : board.shared.of('snapshot', SHARED_MS, () => look(board))
}

async function look(board: Board, only?: readonly string[]): Promise<Snapshot> {
  const { client, pulse } = board
  const known = only ? { names: [...only], complete: true } : await board.names.known()
  const nowMs = await client.now()
  const names = known.names.slice(0, MAX_QUEUES)
  const [stats, fleet] = await Promise.all([client.queues.statsOf(names), client.workers.fleet(names)])
  for (const each of stats) pulse.note(each, nowMs)
  const queues = stats.map((each) => {
    const python = fleet.python.some(({ queueName }) => queueName === each.queueName)
    return rowOf(each, { workers: fleet.workers, python, nowMs, rates: pulse.rates(each.queueName, python) })
  })
  return { nowMs, queues, ...fleet, complete: known.complete, omitted: known.names.slice(MAX_QUEUES) }
}

/** The part of a snapshot that a user may see. */
export async function snapshotSeen(seen: Snapshot, sight: Sight): Promise<Snapshot> {
  if (sight.isWhole) return seen
  const workers = await sight.withQueues(seen.workers)
  return {
    ...seen,
    queues: await sight.inQueues(seen.queues, ({ queueName }) => queueName),
    workers: await Promise.all(
      workers.map(async (worker) => ({
        ...worker,
        running: await sight.inQueues(worker.running, ({ queueName }) => queueName),
      })),
    ),
    python: await sight.inQueues(seen.python, ({ queueName }) => queueName),
    unreadable: sight.isBroad ? seen.unreadable : [],
    omitted: await sight.inQueues(seen.omitted, (queueName) => queueName),
  }
}

interface Around {
  workers: readonly WorkerInfo[]
  python: boolean
  nowMs: number
  rates: QueueRow['rates']
}

/** A queue's numbers with what follows from them. */
export function rowOf(stats: QueueStats, { workers, python, nowMs, rates }: Around): QueueRow {
  const here = workers.filter(({ queues }) => queues.includes(stats.queueName))
  const { queueName, pending, deferred, running, complete, failed, aborted, dead, paused, exact, problems } = stats
  const languages: QueueRow['languages'] = []
  if (python) languages.push('python')
  if (here.length > 0) languages.push('arq-ts')
  const row: QueueRow = {
    queueName,
    pending,
    deferred,
    running,
    complete,
    failed,
    aborted,
    dead,
    paused,
    exact,
    problems,
    languages,
    oldestDueMs: timeOf(stats.oldestDueMs),
    nextDueMs: timeOf(stats.nextDueMs),
    workers: here.length,
    slots: here.filter(({ state }) => state === 'running').reduce((sum, { maxJobs }) => sum + maxJobs, 0),
    python,
    state: 'on-time',
    rates,
    emptiesAt: emptiesAt(pending, rates, nowMs, waitedMs(stats.oldestDueMs, nowMs) > BEHIND_MS),
  }
  return { ...row, state: stateOf(row, nowMs) }
}

function stateOf(row: QueueRow, nowMs: number): QueueRow['state'] {
  if (row.problems.length > 0) return 'damaged'
  if (row.paused) return 'paused'
  if (row.pending > 0 && row.languages.length === 0) return 'unserved'
  if (row.rates && row.rates.netPerMinute > 0 && waitedMs(row.oldestDueMs, nowMs) > BEHIND_MS) return 'falling-behind'
  return row.pending + row.deferred + row.running === 0 ? 'empty' : 'on-time'
}

const waitedMs = (oldestDueMs: number | null, nowMs: number): number => (oldestDueMs === null ? 0 : nowMs - oldestDueMs)

/** A score as a time; null for one that is infinite, or none. */
function timeOf(score: number | null): number | null {
  return score !== null && Number.isFinite(score) ? score : null
}

/** The queues in numbers, for the page. */
export function queuesIn({ nowMs, queues, complete, omitted }: Snapshot): Omit<QueueList, 'cost'> {
  return { nowMs, queues, complete, omitted: omitted.length }
}

/** The workers of both languages, for the page. */
export function workersIn({ nowMs, workers, python, unreadable }: Snapshot): Omit<WorkerList, 'cost'> {
  return { nowMs, workers: workers.map(workerRow), python: python.map(pythonRow), unreadable }
}

/** A worker of ours, for the page. */
export function workerRow(worker: WorkerInfo): WorkerRow {
  const { id, name, host, pid, version, startedAtMs, state, queues, functions, maxJobs, rssBytes, leaseMs } = worker
  const { complete, failed, retried, ongoing } = worker.counters
  return {
    id,
    name,
    host,
    pid,
    version,
    startedAtMs,
    state,
    queues,
    functions,
    maxJobs,
    rssBytes,
    leaseMs,
    language: 'arq-ts',
    complete,
    failed,
    retried,
    ongoing,
    running: worker.running,
  }
}

/** The Python workers of a queue, for the page. */
export function pythonRow({ queueName, counts, line, expiresInMs }: PythonWorker): PythonWorkerRow {
  const { complete, failed, retried, ongoing, queued } = counts
  return { language: 'python', queueName, ongoing, complete, failed, retried, queued, line, expiresInMs }
}
