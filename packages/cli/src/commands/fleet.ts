import { showId } from '@arq-ts/protocol/jobs'
import type { PythonWorker, WorkerInfo, WorkerEventMessage } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { EXIT } from '../exit.ts'
import { counted, countText, preciseClockText, spanText } from '../output.ts'
import { jsonText } from '../json-value.ts'
import type { Column } from '../output.ts'
import { searchOf, UNSEEN_QUEUES, withSession } from '../session.ts'

/** A worker of either language as a row; null where a Python worker does not report it. */
interface WorkerRow {
  worker: string
  language: 'arq-ts' | 'python'
  state: string
  queues: readonly string[]
  running: number
  maxJobs: number | null
  complete: number
  failed: number
  retried: number
  rssBytes: number | null
  startedAtMs: number | null
  version: string | null
  functions: readonly string[] | null
  /** Fields of a Python worker: its health line, and when that expires. */
  line: string | null
  expiresInMs: number | null
}

function rowOf(worker: WorkerInfo): WorkerRow {
  const { id, state, queues, counters, maxJobs, rssBytes, startedAtMs, version, functions } = worker
  const { complete, failed, retried, ongoing } = counters
  const counts = { running: ongoing, maxJobs, complete, failed, retried }
  const about = { rssBytes, startedAtMs, version, functions, line: null, expiresInMs: null }
  return { worker: id, language: 'arq-ts', state, queues, ...counts, ...about }
}

function pythonRowOf({ queueName, counts, line, expiresInMs }: PythonWorker): WorkerRow {
  const { complete, failed, retried, ongoing } = counts
  const numbers = { running: ongoing, maxJobs: null, complete, failed, retried }
  const unknown = { rssBytes: null, startedAtMs: null, version: null, functions: null }
  const worker = `Python on ${queueName}`
  return { worker, language: 'python', state: 'alive', queues: [queueName], ...numbers, ...unknown, line, expiresInMs }
}

const workerColumns = (nowMs: number): readonly Column<WorkerRow>[] => [
  { title: 'worker', cell: (row) => showId(row.worker), min: 12 },
  { title: 'state', cell: (row) => row.state },
  { title: 'queues', cell: (row) => row.queues.map(showId).join(', '), min: 6 },
  { title: 'running', cell: (row) => `${row.running}/${row.maxJobs ?? '?'}`, align: 'right' },
  { title: 'complete', cell: (row) => countText(row.complete), align: 'right' },
  { title: 'failed', cell: (row) => countText(row.failed), align: 'right' },
  { title: 'retried', cell: (row) => countText(row.retried), align: 'right', drop: 2 },
  {
    title: 'memory',
    cell: (row) => (row.rssBytes === null ? '–' : `${Math.round(row.rssBytes / 1_048_576)} MB`),
    align: 'right',
    drop: 3,
  },
  {
    title: 'up',
    cell: (row) => (row.startedAtMs === null ? '–' : spanText(nowMs - row.startedAtMs)),
    align: 'right',
    drop: 1,
  },
  { title: 'version', cell: (row) => row.version ?? '–', align: 'right', drop: 4 },
]

/** `workers` */
export function workers(
  args: GlobalArgs & { functions?: boolean | undefined; deep?: boolean | undefined },
): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, address, nowMs } = session
    const { names, complete } = await client.queues.names({ ...searchOf(session, args), only: 'served' })
    const fleet = await client.workers.fleet(names)
    const rows = [...fleet.workers.map(rowOf), ...fleet.python.map(pythonRowOf)]
    const functions: Column<WorkerRow> = {
      title: 'functions',
      cell: (row) => row.functions?.join(', ') ?? '?',
      min: 12,
    }
    const columns = args.functions ? [...workerColumns(nowMs), functions] : workerColumns(nowMs)
    const incomplete = complete ? [] : [`${UNSEEN_QUEUES}, and with them their Python workers; --deep looks at all`]
    for (const { workerId, reason } of fleet.unreadable) {
      incomplete.push(`the worker ${showId(workerId)} is registered, and ${reason}; arq-ts doctor --fix removes it`)
    }
    const none = `no live worker of either language at ${address}`
    out.list(rows, columns, { name: 'workers', none, incomplete })
    if (!out.json && fleet.python.length > 0) {
      out.note('Python workers of one queue share one health line, and nobody knows their number')
    }
    return EXIT.ok
  })
}

/** `events`: until a signal, or after `--count` of them. */
export function events(
  args: GlobalArgs & { queue?: string | undefined; function?: string | undefined; count?: number | undefined },
): Promise<number> {
  return withSession(args, async ({ client, out }) => {
    await new Promise<void>((resolve, reject) => {
      let left = args.count ?? Infinity
      const onEvent = (event: WorkerEventMessage) => {
        if (args.queue !== undefined && event.queueName !== args.queue) return
        if (args.function !== undefined && event.functionName !== args.function) return
        if (left <= 0) return
        if (out.json) out.raw(jsonText(event))
        else out.line(eventLine(event, out.colors))
        if (--left <= 0) resolve()
      }
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
      client.workers.listen(onEvent).then(() => out.note('listening; Ctrl-C ends'), reject)
    })
    const ignored = client.workers.ignoredMessages
    if (ignored > 0) out.note(`${counted(ignored, 'message')} on the channel that no worker of ours had sent`)
    return EXIT.ok
  })
}

const EVENT_NAMES: Readonly<Record<WorkerEventMessage['event'], string>> = {
  jobStarted: 'started',
  jobFinished: 'finished',
  jobRetried: 'retried',
  jobReleased: 'released',
  jobAbandoned: 'abandoned',
  leaseLost: 'lease lost',
  deadLettered: 'dead',
}

/** One event in one line. */
export function eventLine(
  event: WorkerEventMessage,
  colors: { dim: (text: string) => string; red: (text: string) => string },
): string {
  const at = preciseClockText(event.atMs)
  const name = event.outcome && event.outcome !== 'complete' ? event.outcome : EVENT_NAMES[event.event]
  const details = [
    event.jobTry !== undefined && event.jobTry > 1 && `try ${event.jobTry}`,
    event.waitMs !== undefined && `waited ${spanText(event.waitMs)}`,
    event.runMs !== undefined && `ran ${spanText(event.runMs)}`,
    event.delayMs !== undefined && `again in ${spanText(event.delayMs)}`,
    event.reason,
    event.error && colors.red(event.error),
    event.missed && colors.red(`${event.missed} events were left out before this one`),
  ].filter((detail) => typeof detail === 'string')
  return [
    colors.dim(at),
    name.padEnd(10),
    `${showId(event.jobId)}:${event.functionName}`,
    colors.dim(showId(event.queueName)),
    details.join(', '),
  ]
    .join('  ')
    .trimEnd()
}
