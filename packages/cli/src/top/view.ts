import type { DeadLetter, QueueStats, WorkerEntry } from '@arq-ts/core'
import { countText, spanText, table, whenText } from '../output.ts'
import { printable } from '../printable.ts'
import type { Column } from '../output.ts'

/** What one look at Redis found. */
export interface Snapshot {
  atMs: number
  queues: readonly QueueStats[]
  workers: readonly WorkerEntry[]
  /** The newest dead letters. */
  dead: readonly DeadLetter[]
  countDead: number
}

export type Section = 'queues' | 'running' | 'dead'
const SECTIONS: readonly Section[] = ['queues', 'running', 'dead']

/** What the person sees and points at. */
export interface View {
  address: string
  now: Snapshot
  /** Ended jobs per second of each queue, since the look before. */
  rates: ReadonlyMap<string, number>
  section: Section
  selected: number
  /** A line of answer, or a question that waits for y or n. */
  message: string
  asks: Action | null
}

/** What a key asks for. */
export type Action =
  | { kind: 'quit' }
  | { kind: 'pause'; queueName: string }
  | { kind: 'resume'; queueName: string }
  | { kind: 'abort'; jobId: string; queueName: string }
  | { kind: 'retry'; jobId: string }

export type RunningJob = WorkerEntry['running'][number] & { workerId: string }

/** Jobs at work, the longest first. */
export function runningJobs(workers: readonly WorkerEntry[]): RunningJob[] {
  return workers
    .flatMap((worker) => worker.running.map((run) => ({ ...run, workerId: worker.id })))
    .sort((a, b) => a.startedAtMs - b.startedAtMs)
}

/** Jobs that ended per second between two looks. */
export function ratesBetween(before: Snapshot | undefined, now: Snapshot): Map<string, number> {
  const ended = (queue: QueueStats | undefined) => (queue ? queue.complete + queue.failed + queue.aborted : 0)
  const seconds = before ? (now.atMs - before.atMs) / 1_000 : 0
  return new Map(
    now.queues.map((queue) => {
      const then = before?.queues.find((each) => each.queueName === queue.queueName)
      return [queue.queueName, then && seconds > 0 ? Math.max(0, (ended(queue) - ended(then)) / seconds) : 0]
    }),
  )
}

/** A key's effect on the view, and what it asks for: nothing where it means nothing. */
export function press(view: View, key: string): { view: View; action: Action | null } {
  if (view.asks) {
    const go = key === 'y' || key === 'return'
    return { view: { ...view, asks: null, message: go ? '' : 'left as it is' }, action: go ? view.asks : null }
  }
  const stay = (changes: Partial<View>) => ({ view: { ...view, message: '', ...changes }, action: null })
  switch (key) {
    case 'q':
    case 'escape':
    case 'ctrl-c':
      return { view, action: { kind: 'quit' } }
    case 'up':
    case 'k':
      return stay({ selected: Math.max(0, view.selected - 1) })
    case 'down':
    case 'j':
      return stay({ selected: Math.min(Math.max(0, sizeOf(view, view.section) - 1), view.selected + 1) })
    case 'tab':
      return stay({ section: SECTIONS[(SECTIONS.indexOf(view.section) + 1) % SECTIONS.length]!, selected: 0 })
    case 'p':
      return pauseOrResume(view, stay)
    case 'a':
      return abortSelected(view, stay)
    case 'r':
      return retrySelected(view, stay)
    default:
      return { view, action: null }
  }
}

type Stay = (changes: Partial<View>) => { view: View; action: null }

function pauseOrResume(view: View, stay: Stay): { view: View; action: Action | null } {
  const queue = view.section === 'queues' ? view.now.queues[view.selected] : undefined
  if (!queue) return stay({ message: 'p: first point at a queue (tab, ↑ ↓)' })
  return { view, action: { kind: queue.paused ? 'resume' : 'pause', queueName: queue.queueName } }
}

function abortSelected(view: View, stay: Stay): { view: View; action: null } {
  const run = view.section === 'running' ? runningJobs(view.now.workers)[view.selected] : undefined
  if (!run) return stay({ message: 'a: first point at a running job (tab, ↑ ↓)' })
  const { jobId, queueName } = run
  return stay({ asks: { kind: 'abort', jobId, queueName }, message: `abort ${jobId}:${run.functionName}? y/n` })
}

function retrySelected(view: View, stay: Stay): { view: View; action: null } {
  const letter = view.section === 'dead' ? view.now.dead[view.selected] : undefined
  if (!letter) return stay({ message: 'r: first point at a dead letter (tab, ↑ ↓)' })
  const { jobId } = letter
  return stay({ asks: { kind: 'retry', jobId }, message: `retry ${jobId}:${letter.functionName}? y/n` })
}

function sizeOf(view: View, section: Section): number {
  if (section === 'queues') return view.now.queues.length
  return section === 'running' ? runningJobs(view.now.workers).length : view.now.dead.length
}

/** How text is set off. */
export interface Styles {
  bold: (text: string) => string
  dim: (text: string) => string
  inverse: (text: string) => string
  yellow: (text: string) => string
}

type Part = Section | 'workers'
/** Who is served first where there is little room: keys act on sections, not on workers. */
const PARTS: readonly Part[] = ['queues', 'running', 'dead', 'workers']
/** The title with its empty line, messages and keys. */
const FRAME_ROWS = 4

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

/** The whole screen, line by line, no larger than it. */
export function frame(view: View, size: { rows: number; columns: number }, styles: Styles): string[] {
  const { now } = view
  const running = runningJobs(now.workers)
  const clock = new Date(now.atMs).toISOString().slice(11, 19)
  const lines = [`${styles.bold('arq-ts top')}  ${view.address}  ${styles.dim(clock)}`, '']
  const rows = roomOf(size.rows, {
    queues: now.queues.length,
    running: running.length,
    dead: now.dead.length,
    workers: now.workers.length,
  })
  const put = <T>(section: Section, title: string, items: readonly T[], columns: readonly Column<T>[]) => {
    lines.push(...sectionLines(view, section, title, items, columns, rows[section], styles), '')
  }
  put('queues', `queues ${now.queues.length}`, now.queues, queueColumns(view))
  const shown = now.workers.slice(0, rows.workers)
  const left = now.workers.length - shown.length
  lines.push(styles.bold(`workers ${now.workers.length}`) + (left > 0 ? styles.dim(`  ${left} not shown`) : ''))
  if (shown.length > 0) lines.push(...table(shown, workerColumns(now.atMs), styles.dim).split('\n'))
  lines.push('')
  put('running', `running ${countText(running.length)}`, running, runningColumns(now.atMs))
  put('dead', `dead letters ${countText(now.countDead)}`, now.dead, deadColumns(now.atMs))
  const body = lines.slice(0, Math.max(1, size.rows - 2)).map((line) => fit(line, size.columns))
  const keys = 'tab section · ↑ ↓ point · p pause/resume · a abort · r retry · q quit'
  return [
    ...body,
    view.message === '' ? '' : styles.yellow(fit(view.message, size.columns)),
    styles.dim(fit(keys, size.columns)),
  ]
}

function sectionLines<T>(
  view: View,
  section: Section,
  title: string,
  rows: readonly T[],
  columns: readonly Column<T>[],
  room: number,
  styles: Styles,
): string[] {
  const isHere = view.section === section
  const head = styles.bold(title) + (isHere ? styles.dim('  ◂') : '')
  if (rows.length === 0) return [head]
  // The selected row stays in sight.
  const first = isHere ? Math.max(0, Math.min(view.selected - room + 1, rows.length - room)) : 0
  const [titles = '', ...body] = table(rows.slice(first, first + room), columns, styles.dim).split('\n')
  return [head, titles, ...body.map((line, i) => (isHere && first + i === view.selected ? styles.inverse(line) : line))]
}

const queueColumns = (view: View): Column<QueueStats>[] => [
  ['queue', (queue) => queue.queueName + (queue.paused ? ' (paused)' : '')],
  ['pending', (queue) => countText(queue.pending), 'right'],
  ['deferred', (queue) => countText(queue.deferred), 'right'],
  ['running', (queue) => countText(queue.running), 'right'],
  ['jobs/s', (queue) => (view.rates.get(queue.queueName) ?? 0).toFixed(1), 'right'],
  ['failed', (queue) => countText(queue.failed), 'right'],
  ['oldest due', (queue) => whenText(queue.oldestDue, view.now.atMs), 'right'],
]

const workerColumns = (nowMs: number): Column<WorkerEntry>[] => [
  ['worker', (worker) => worker.id],
  ['at work', (worker) => `${worker.counters.ongoing}/${worker.maxJobs}`, 'right'],
  ['complete', (worker) => countText(worker.counters.complete), 'right'],
  ['failed', (worker) => countText(worker.counters.failed), 'right'],
  ['memory', (worker) => `${Math.round(worker.rssBytes / 1_048_576)} MB`, 'right'],
  ['up', (worker) => spanText(nowMs - worker.startedAtMs), 'right'],
]

const runningColumns = (nowMs: number): Column<RunningJob>[] => [
  ['job', (run) => run.jobId],
  ['function', (run) => run.functionName],
  ['queue', (run) => run.queueName],
  ['try', (run) => String(run.jobTry), 'right'],
  ['for', (run) => spanText(nowMs - run.startedAtMs), 'right'],
]

const deadColumns = (nowMs: number): Column<DeadLetter>[] => [
  ['job', (letter) => letter.jobId],
  ['function', (letter) => letter.functionName],
  ['failed', (letter) => whenText(letter.failedAt, nowMs), 'right'],
  ['error', (letter) => printable(letter.error).slice(0, 80)],
]

// eslint-disable-next-line no-control-regex
const STYLE = /\u001B\[[\d;]*m/g

/** A line cut to the screen's width; its styles do not count. */
function fit(line: string, columns: number): string {
  const characters = Array.from(line.replace(STYLE, ''))
  return characters.length <= columns ? line : `${characters.slice(0, columns - 1).join('')}…`
}
