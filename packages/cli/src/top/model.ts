import { showId } from '@arq-ts/protocol/jobs'
import type { DeadLetter, PythonWorker, QueueStats, WorkerInfo } from '@arq-ts/core'

/** Everything that one look at Redis found. */
export interface Snapshot {
  atMs: number
  queues: readonly QueueStats[]
  workers: readonly WorkerInfo[]
  python: readonly PythonWorker[]
  /** The newest dead letters. */
  dead: readonly DeadLetter[]
  countDead: number
  /** False where something was not looked at. */
  complete: boolean
  /** Parts that were not looked at, a sentence each. */
  incomplete: readonly string[]
}

export type Section = 'queues' | 'running' | 'dead'
const SECTIONS: readonly Section[] = ['queues', 'running', 'dead']

/**
 * State of the view: what the person sees, and what the next key means.
 *
 * list ⇄ help (?), list ⇄ filter (/), list ⇄ detail (enter), list → ask (p, a, r) → list
 */
export type Mode = 'list' | 'help' | 'filter' | 'detail' | 'ask'

export interface View {
  address: string
  now: Snapshot
  /** Ended jobs per second of each queue, since the look before. */
  rates: ReadonlyMap<string, number>
  mode: Mode
  section: Section
  selected: number
  /** Only rows with this text are shown. */
  filter: string
  /** Lines of `detail`, once they are there. */
  detail: readonly string[]
  /** A line of answer, or the question of `ask`. */
  message: string
  /** Act of `ask` on yes. */
  asks: Action | null
}

/** Action of a key. */
export type Action =
  | { kind: 'quit' }
  | { kind: 'pause'; queueName: string }
  | { kind: 'resume'; queueName: string }
  | { kind: 'abort'; jobId: string; queueName: string }
  | { kind: 'retry'; jobId: string }
  | { kind: 'inspect'; jobId: string; queueName: string | null }
  | { kind: 'inspect-queue'; queueName: string }

/** A key's effect on the view, and what it asks for. */
export interface Pressed {
  view: View
  action: Action | null
}

export type RunningJob = WorkerInfo['running'][number] & { workerId: string }

/** Running jobs, the longest first. */
export function runningJobs(workers: readonly WorkerInfo[]): RunningJob[] {
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

/** The rows of each section that the filter lets through. */
export function shownRows(view: View): {
  queues: readonly QueueStats[]
  running: readonly RunningJob[]
  dead: readonly DeadLetter[]
} {
  const { filter, now } = view
  const has = (...texts: readonly string[]) => filter === '' || texts.some((text) => text.includes(filter))
  return {
    queues: now.queues.filter((queue) => has(queue.queueName)),
    running: runningJobs(now.workers).filter((run) => has(run.jobId, run.functionName, run.queueName)),
    dead: now.dead.filter((letter) => has(letter.jobId, letter.functionName, letter.queueName, letter.error)),
  }
}

/** Applies a key. `text` is what it types, in `filter`. */
export function press(view: View, key: string, text = ''): Pressed {
  if (key === 'ctrl-c') return { view, action: { kind: 'quit' } }
  switch (view.mode) {
    case 'ask':
      return answered(view, key)
    case 'filter':
      return stay(view, filtered(view, key, text))
    case 'help':
    case 'detail':
      return stay(view, { mode: 'list', detail: [] })
    case 'list':
      return listed(view, key)
  }
}

function stay(view: View, changes: Partial<View>): Pressed {
  return { view: { ...view, ...changes }, action: null }
}

function answered(view: View, key: string): Pressed {
  const isYes = key === 'y'
  const next = { ...view, mode: 'list' as const, asks: null, message: isYes ? '' : 'left as it is' }
  return { view: next, action: isYes ? view.asks : null }
}

function filtered(view: View, key: string, text: string): Partial<View> {
  if (key === 'escape') return { mode: 'list', filter: '', selected: 0 }
  if (key === 'return' || key === 'enter') return { mode: 'list' }
  if (key === 'backspace') return { filter: Array.from(view.filter).slice(0, -1).join(''), selected: 0 }
  // eslint-disable-next-line no-control-regex
  const typed = text.replace(/[\u0000-\u001F\u007F-\u009F]/g, '')
  return typed === '' ? {} : { filter: view.filter + typed, selected: 0 }
}

function listed(view: View, key: string): Pressed {
  const size = shownRows(view)[view.section].length
  const move = (to: number) => stay(view, { message: '', selected: Math.max(0, Math.min(size - 1, to)) })
  switch (key) {
    case 'q':
      return { view, action: { kind: 'quit' } }
    case 'escape':
      return view.filter === '' ? { view, action: { kind: 'quit' } } : stay(view, { filter: '', selected: 0 })
    case 'up':
    case 'k':
      return move(view.selected - 1)
    case 'down':
    case 'j':
      return move(view.selected + 1)
    case 'pageup':
      return move(view.selected - 10)
    case 'pagedown':
      return move(view.selected + 10)
    case 'home':
    case 'g':
      return move(0)
    case 'end':
    case 'G':
      return move(size - 1)
    case 'tab':
      return stay(view, { message: '', section: SECTIONS[(SECTIONS.indexOf(view.section) + 1) % 3]!, selected: 0 })
    case '?':
    case 'h':
      return stay(view, { message: '', mode: 'help' })
    case '/':
      return stay(view, { message: '', mode: 'filter' })
    case 'return':
    case 'enter':
      return inspected(view)
    case 'p':
      return pauseOrResume(view)
    case 'a':
      return abortSelected(view)
    case 'r':
      return retrySelected(view)
    default:
      return { view, action: null }
  }
}

function inspected(view: View): Pressed {
  const rows = shownRows(view)
  const open = (action: Action): Pressed => ({ view: { ...view, mode: 'detail', detail: ['…'], message: '' }, action })
  if (view.section === 'queues') {
    const queue = rows.queues[view.selected]
    return queue ? open({ kind: 'inspect-queue', queueName: queue.queueName }) : { view, action: null }
  }
  const job = rows[view.section][view.selected]
  if (!job) return { view, action: null }
  return open({ kind: 'inspect', jobId: job.jobId, queueName: job.queueName || null })
}

function ask(view: View, question: string, asks: Action): Pressed {
  return stay(view, { mode: 'ask', asks, message: `${question}? y/n` })
}

function pauseOrResume(view: View): Pressed {
  const queue = view.section === 'queues' ? shownRows(view).queues[view.selected] : undefined
  if (!queue) return stay(view, { message: 'p: first point at a queue (tab, ↑ ↓)' })
  const { queueName, paused, pending, deferred } = queue
  const waiting = (pending + deferred).toLocaleString('en-US')
  const question = `${paused ? 'resume' : 'pause'} ${showId(queueName)} with ${waiting} jobs waiting`
  return ask(view, question, { kind: paused ? 'resume' : 'pause', queueName })
}

function abortSelected(view: View): Pressed {
  const run = view.section === 'running' ? shownRows(view).running[view.selected] : undefined
  if (!run) return stay(view, { message: 'a: first point at a running job (tab, ↑ ↓)' })
  const { jobId, queueName, functionName } = run
  return ask(view, `abort ${showId(jobId)}:${functionName}`, { kind: 'abort', jobId, queueName })
}

function retrySelected(view: View): Pressed {
  const letter = view.section === 'dead' ? shownRows(view).dead[view.selected] : undefined
  if (!letter) return stay(view, { message: 'r: first point at a dead letter (tab, ↑ ↓)' })
  const { jobId, functionName } = letter
  return ask(view, `retry ${showId(jobId)}:${functionName}`, { kind: 'retry', jobId })
}
