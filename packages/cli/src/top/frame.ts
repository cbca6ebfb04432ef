import { showId } from '@arq-ts/protocol/jobs'
import type { DeadLetter, QueueStats } from '@arq-ts/core'
import { jobsIn } from '../commands/queue.ts'
import { clockText, countText, spanText, whenText } from '../output.ts'
import type { Column } from '../output.ts'
import { styles } from '../style.ts'
import { cut, layOut } from '../table.ts'
import { shownRows } from './model.ts'
import type { RunningJob, Section, Snapshot, View } from './model.ts'

type Part = Section | 'workers'
/** Order of service where there is little room: keys act on sections, not on workers. */
const PARTS: readonly Part[] = ['queues', 'running', 'dead', 'workers']
/** The title with its empty line, messages and keys. */
const FRAME_ROWS = 4

const KEYS = 'tab section · ↑ ↓ point · enter detail · / filter · p pause · a abort · r retry · ? help · q quit'

const HELP = [
  'tab            next section: queues, running jobs, dead letters',
  '↑ ↓  j k       point at a row; page up and down, home and end',
  'enter          everything about the queue, job or dead letter pointed at',
  '/              filter: type a part of an id, function, queue or error; enter keeps it, escape clears it',
  'p              pause the queue pointed at, or resume it; asks first',
  'a              abort the running job pointed at; asks first',
  'r              retry the dead letter pointed at; asks first',
  'q, escape      quit',
  '',
  'Numbers are of both languages. Running jobs are those that arq-ts workers name;',
  'Python workers name none, and are shown with their counts.',
]

/**
 * Rows of each part on a screen of `height`: fair shares, and what one does not need goes to the others. A section has
 * one at least.
 */
export function roomOf(height: number, wanted: Readonly<Record<Part, number>>): Record<Part, number> {
  const one = (part: Section) => Math.min(1, wanted[part])
  const given: Record<Part, number> = { queues: one('queues'), running: one('running'), dead: one('dead'), workers: 0 }
  // Each has a head and an empty line, and the names of its columns where there is a row.
  let left = height - FRAME_ROWS
  for (const part of PARTS) left -= 2 + (wanted[part] > 0 ? 1 : 0) + given[part]
  while (left > 0) {
    const hungry = PARTS.filter((part) => given[part] < wanted[part])
    if (hungry.length === 0) break
    for (const part of hungry.slice(0, left)) {
      given[part]++
      left--
    }
  }
  return given
}

/** The whole screen, line by line, no larger than it; styled as `rendered` reads it. */
export function frame(view: View, size: { rows: number; columns: number }): string[] {
  const { now } = view
  const clock = clockText(now.atMs)
  const filter = view.filter === '' && view.mode !== 'filter' ? '' : `  filter: ${showId(view.filter)}`
  const lines = [`${styles.bold('arq-ts top')}  ${view.address}  ${styles.dim(clock)}${styles.cyan(filter)}`, '']
  if (view.mode === 'help') lines.push(...HELP)
  else if (view.mode === 'detail') lines.push(...view.detail)
  else lines.push(...sections(view, size))
  const body = lines.slice(0, Math.max(1, size.rows - 2)).map((line) => cut(line, size.columns))
  return [...body, styles.yellow(cut(messageOf(view), size.columns)), styles.dim(cut(keysOf(view), size.columns))]
}

function messageOf({ message, now }: View): string {
  return message === '' && now.incomplete.length > 0 ? `incomplete: ${now.incomplete[0]}` : message
}

function keysOf({ mode }: View): string {
  if (mode === 'help' || mode === 'detail') return 'any key goes back · ctrl-c quit'
  if (mode === 'filter') return 'type to filter · enter keep it · escape clear it'
  return mode === 'ask' ? 'y yes · any other key no' : KEYS
}

function sections(view: View, size: { rows: number; columns: number }): string[] {
  const { now } = view
  const shown = shownRows(view)
  const workers = workerRows(now)
  const wanted = { queues: shown.queues.length, running: shown.running.length, dead: shown.dead.length }
  const rows = roomOf(size.rows, { ...wanted, workers: workers.length })
  const lines: string[] = []
  const put = <T>(section: Section, title: string, items: readonly T[], columns: readonly Column<T>[]) => {
    lines.push(
      ...sectionLines(view, section, title, items, columns, { rows: rows[section], columns: size.columns }),
      '',
    )
  }
  put('queues', `queues ${shown.queues.length}`, shown.queues, queueColumns(view))
  const left = workers.length - rows.workers
  lines.push(styles.bold(`workers ${workers.length}`) + (left > 0 ? styles.dim(`  ${left} not shown`) : ''))
  if (rows.workers > 0) lines.push(...layOut(workers.slice(0, rows.workers), WORKER_COLUMNS, size.columns).lines)
  lines.push('')
  put('running', `running ${countText(shown.running.length)}`, shown.running, runningColumns(now.atMs))
  put('dead', `dead letters ${countText(now.countDead)}`, shown.dead, deadColumns(now.atMs))
  return lines
}

function sectionLines<T>(
  view: View,
  section: Section,
  title: string,
  rows: readonly T[],
  columns: readonly Column<T>[],
  room: { rows: number; columns: number },
): string[] {
  const isHere = view.section === section
  const head = styles.bold(title) + (isHere ? styles.dim('  ◂') : '')
  if (rows.length === 0) return [head]
  // The selected row stays in sight.
  const first = isHere ? Math.max(0, Math.min(view.selected - room.rows + 1, rows.length - room.rows)) : 0
  const [titles = '', ...body] = layOut(rows.slice(first, first + room.rows), columns, room.columns).lines
  return [head, titles, ...body.map((line, i) => (isHere && first + i === view.selected ? styles.inverse(line) : line))]
}

const queueColumns = (view: View): Column<QueueStats>[] => [
  { title: 'queue', cell: (queue) => showId(queue.queueName) + (queue.paused ? ' (paused)' : ''), min: 10 },
  { title: 'queued', cell: (queue) => jobsIn(queue, queue.pending, '≤ '), align: 'right' },
  { title: 'deferred', cell: (queue) => jobsIn(queue, queue.deferred, '≤ '), align: 'right' },
  { title: 'running', cell: (queue) => jobsIn(queue, queue.running, '≥ '), align: 'right' },
  { title: 'jobs/s', cell: (queue) => (view.rates.get(queue.queueName) ?? 0).toFixed(1), align: 'right', drop: 2 },
  { title: 'failed', cell: (queue) => countText(queue.failed), align: 'right', drop: 3 },
  { title: 'oldest due', cell: (queue) => whenText(queue.oldestDueMs, view.now.atMs), align: 'right', drop: 1 },
]

interface WorkerRow {
  name: string
  running: string
  complete: number
  failed: number
  memory: string
  up: string
}

function workerRows({ workers, python, atMs }: Snapshot): WorkerRow[] {
  const ours = workers.map(({ id, counters, maxJobs, rssBytes, startedAtMs, state }) => ({
    name: id + (state === 'running' ? '' : ` (${state})`),
    running: `${counters.ongoing}/${maxJobs}`,
    complete: counters.complete,
    failed: counters.failed,
    memory: `${Math.round(rssBytes / 1_048_576)} MB`,
    up: spanText(atMs - startedAtMs),
  }))
  const theirs = python.map(({ queueName, counts: { ongoing, complete, failed } }) => {
    return { name: `Python on ${queueName}`, running: `${ongoing}/?`, complete, failed, memory: '–', up: '–' }
  })
  return [...ours, ...theirs]
}

const WORKER_COLUMNS: Column<WorkerRow>[] = [
  { title: 'worker', cell: (row) => showId(row.name), min: 10 },
  { title: 'running', cell: (row) => row.running, align: 'right' },
  { title: 'complete', cell: (row) => countText(row.complete), align: 'right' },
  { title: 'failed', cell: (row) => countText(row.failed), align: 'right' },
  { title: 'memory', cell: (row) => row.memory, align: 'right', drop: 2 },
  { title: 'up', cell: (row) => row.up, align: 'right', drop: 1 },
]

const runningColumns = (nowMs: number): Column<RunningJob>[] => [
  { title: 'job', cell: (run) => showId(run.jobId), min: 8 },
  { title: 'function', cell: (run) => run.functionName, min: 8 },
  { title: 'queue', cell: (run) => showId(run.queueName), min: 6, drop: 1 },
  { title: 'try', cell: (run) => String(run.jobTry), align: 'right', drop: 2 },
  { title: 'for', cell: (run) => spanText(nowMs - run.startedAtMs), align: 'right' },
]

const deadColumns = (nowMs: number): Column<DeadLetter>[] => [
  { title: 'job', cell: (letter) => showId(letter.jobId), min: 8 },
  { title: 'function', cell: (letter) => letter.functionName, min: 8 },
  { title: 'failed', cell: (letter) => whenText(letter.failedAt, nowMs), align: 'right', drop: 1 },
  { title: 'error', cell: (letter) => letter.error, min: 10 },
]
