import type { WorkerEntry, WorkerEventMessage } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { EXIT } from '../exit.ts'
import { countText, spanText, whenText } from '../output.ts'
import type { Column } from '../output.ts'
import { withSession } from '../session.ts'

const workerColumns = (nowMs: number): readonly Column<WorkerEntry>[] => [
  ['worker', (worker) => worker.id],
  ['state', (worker) => worker.state],
  ['queues', (worker) => worker.queues.join(', ')],
  ['at work', (worker) => `${worker.counters.ongoing}/${worker.maxJobs}`, 'right'],
  ['complete', (worker) => countText(worker.counters.complete), 'right'],
  ['failed', (worker) => countText(worker.counters.failed), 'right'],
  ['retried', (worker) => countText(worker.counters.retried), 'right'],
  ['memory', (worker) => `${Math.round(worker.rssBytes / 1_048_576)} MB`, 'right'],
  ['up', (worker) => spanText(nowMs - worker.startedAtMs), 'right'],
  ['version', (worker) => worker.version],
]

/** `workers` */
export function workers(args: GlobalArgs & { functions?: boolean | undefined }): Promise<number> {
  return withSession(args, async ({ client, out, address, nowMs }) => {
    const entries = await client.inspector.workers()
    const extra: Column<WorkerEntry>[] = args.functions ? [['functions', (worker) => worker.functions.join(', ')]] : []
    out.rows(entries, [...workerColumns(nowMs), ...extra], `no arq-ts worker tells of itself at ${address}`)
    return EXIT.ok
  })
}

interface CronRow {
  name: string
  schedule: string
  next: Date | null
  queueName: string
  workers: number
}

/** `cron ls` */
export function cron(args: GlobalArgs): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const rows = new Map<string, CronRow>()
    for (const worker of await client.inspector.workers()) {
      for (const { name, schedule, nextMs } of worker.cron) {
        const queueName = worker.queues[0]!
        const key = `${queueName}\n${name}\n${schedule}`
        const row = rows.get(key) ?? {
          name,
          schedule,
          next: nextMs === null ? null : new Date(nextMs),
          queueName,
          workers: 0,
        }
        rows.set(key, { ...row, workers: row.workers + 1 })
      }
    }
    const sorted = [...rows.values()].sort((a, b) => (a.next?.getTime() ?? Infinity) - (b.next?.getTime() ?? Infinity))
    out.rows(
      sorted,
      [
        ['cron job', (row) => row.name],
        ['next run', (row) => (row.next ? `${row.next.toISOString()}  ${whenText(row.next, nowMs)}` : 'never')],
        ['queue', (row) => row.queueName],
        ['workers', (row) => String(row.workers), 'right'],
      ],
      'no live arq-ts worker has cron jobs',
    )
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
        if (out.json) out.raw(JSON.stringify(event))
        else out.line(eventLine(event, out.colors))
        if (--left <= 0) resolve()
      }
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
      client.inspector.listen(onEvent).then(() => out.note('listening; Ctrl-C ends'), reject)
    })
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
  const at = new Date(event.atMs).toISOString().slice(11, 23)
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
    `${event.jobId}:${event.functionName}`,
    colors.dim(event.queueName),
    details.join(', '),
  ]
    .join('  ')
    .trimEnd()
}
