import type { DeadLetter, QueueStats, WorkerInfo } from '@arq-ts/core'
import { describe, expect, test } from 'vitest'
import { oneAtATime } from '../../src/top/one-at-a-time.ts'
import { rendered, styles } from '../../src/style.ts'
import { frame as styledFrame, roomOf } from '../../src/top/frame.ts'
import { press, ratesBetween } from '../../src/top/model.ts'
import type { Snapshot, View } from '../../src/top/model.ts'

const INVERSE = styles.inverse('|').split('|')[0]!

/** The screen without colours, but with a sign before the line pointed at. */
const frame = (view: View, size: { rows: number; columns: number }) =>
  styledFrame(view, size).map((line) => rendered(line.replace(INVERSE, '>'), false))

const queue = (queueName: string, numbers: Partial<QueueStats> = {}): QueueStats => ({
  queueName,
  pending: 0,
  deferred: 0,
  running: 0,
  complete: 0,
  failed: 0,
  aborted: 0,
  dead: 0,
  oldestDue: null,
  oldestDueMs: null,
  nextDue: null,
  nextDueMs: null,
  paused: false,
  workers: 0,
  python: null,
  exact: true,
  readable: true,
  problems: [],
  ...numbers,
})

const run = (jobId: string, startedAtMs: number) => ({
  jobId,
  functionName: 'f',
  queueName: 'a',
  jobTry: 1,
  startedAtMs,
})
const worker: WorkerInfo = {
  id: 'host:1:ab',
  name: 'host',
  host: 'host',
  pid: 1,
  version: '0',
  startedAtMs: 0,
  queues: ['a'],
  functions: ['f'],
  maxJobs: 10,
  leaseMs: 30_000,
  state: 'running',
  healthLine: null,
  cron: [],
  rssBytes: 50 * 1_048_576,
  running: [run('young', 9_000), run('old', 1_000)],
  counters: { complete: 7, failed: 1, retried: 0, ongoing: 2 },
}
const letter: DeadLetter = {
  jobId: 'dead1',
  failedAt: new Date(0),
  queueName: 'a',
  functionName: 'g',
  error: 'Error: \u001B[2Jno',
  jobTry: 3,
  job: null,
  problems: [],
}
const now: Snapshot = {
  atMs: 10_000,
  queues: [queue('a', { pending: 3, complete: 30 }), queue('b', { paused: true })],
  workers: [worker],
  python: [],
  complete: true,
  incomplete: [],
  dead: [letter],
  countDead: 1,
}
const view: View = {
  address: 'redis://x/1',
  now,
  rates: new Map([['a', 12.5]]),
  mode: 'list',
  section: 'queues',
  selected: 0,
  filter: '',
  detail: [],
  message: '',
  asks: null,
}

/** Keys one after the other. */
const keys = (...names: string[]) =>
  names.reduce((at, name) => press(at.view, name), { view, action: null } as ReturnType<typeof press>)

describe('the screen', () => {
  test('shows queues with rates, workers, running jobs the longest first, dead letters and keys', () => {
    const lines = frame(view, { rows: 40, columns: 100 })
    const text = lines.join('\n')
    expect(text).toMatch(/>a +3 +0 +0 +12\.5/)
    expect(text).toContain('b (paused)')
    expect(text).toMatch(/host:1:ab +2\/10 +7 +1 +50 MB +10 s/)
    expect(text).toMatch(/old +f +a +1 +9 s[^]*young/)
    expect(text).toMatch(/dead1 +g +10 s ago +Error:/)
    expect(text).not.toContain('\u001B')
    expect(lines.at(-1)).toContain('q quit')
  })

  test.each([
    [24, 80],
    [10, 30],
    [5, 10],
  ])('is never larger than %i × %i', (rows, columns) => {
    const lines = frame({ ...view, message: 'm'.repeat(200) }, { rows, columns })
    expect(lines.length).toBeLessThanOrEqual(rows)
    expect(Math.max(...lines.map((line) => line.replace(/^>/, '').length))).toBeLessThanOrEqual(columns)
  })
})

describe('a fleet larger than the screen', () => {
  const fleet = { ...now, workers: Array.from({ length: 20 }, (_, i) => ({ ...worker, id: `host:${i}:ab` })) }

  test.each([24, 30, 50])('leaves queues, running jobs and dead letters in sight on %i rows', (rows) => {
    const lines = frame({ ...view, now: fleet }, { rows, columns: 100 })
    const text = lines.join('\n')
    expect(text).toMatch(/>a +3 +0/)
    expect(text).toMatch(/running 40\n.*\nold +f/)
    expect(text).toMatch(/dead letters 1\n.*\ndead1 +g/)
    expect(lines.length).toBeLessThanOrEqual(rows)
    const shown = lines.filter((line) => line.startsWith('host:')).length
    expect(shown).toBeGreaterThan(0)
    expect(text).toContain(`workers 20${shown === 20 ? '' : `  ${20 - shown} not shown`}\n`)
  })

  test('keeps the row pointed at in sight', () => {
    const at = { ...view, now: fleet, section: 'running', selected: 39 } as const
    expect(frame(at, { rows: 24, columns: 100 }).filter((line) => line.startsWith('>'))).toHaveLength(1)
  })

  test('shares its rows fairly, and gives on what a part does not need', () => {
    const wanted = { queues: 100, running: 2, dead: 0, workers: 100 }
    const rows = roomOf(40, wanted)
    expect(rows).toEqual({ queues: 12, running: 2, dead: 0, workers: 11 })
    expect(roomOf(5, wanted)).toEqual({ queues: 1, running: 1, dead: 0, workers: 0 })
    expect(roomOf(100, { queues: 1, running: 2, dead: 3, workers: 4 })).toEqual({
      queues: 1,
      running: 2,
      dead: 3,
      workers: 4,
    })
  })
})

describe('looks', () => {
  test('do not overlap: calls made during one share one more after it', async () => {
    const ends: (() => void)[] = []
    const look = oneAtATime(() => new Promise<void>((resolve) => void ends.push(resolve)))
    const first = look()
    const second = look()
    const third = look()
    expect(ends).toHaveLength(1)
    ends[0]!()
    await first
    await Promise.resolve()
    expect(ends).toHaveLength(2)
    ends[1]!()
    await Promise.all([second, third])
    expect(ends).toHaveLength(2)
    void look()
    expect(ends).toHaveLength(3)
  })
})

describe('keys', () => {
  test('point at rows and go through the sections', () => {
    expect(keys('down').view).toMatchObject({ section: 'queues', selected: 1 })
    expect(keys('down', 'down', 'down').view.selected).toBe(1)
    expect(keys('up').view.selected).toBe(0)
    expect(keys('down', 'tab').view).toMatchObject({ section: 'running', selected: 0 })
    expect(keys('tab', 'tab', 'tab').view.section).toBe('queues')
  })

  test('ask before they pause, resume, abort or retry', () => {
    const asked = keys('p')
    expect(asked).toMatchObject({ action: null, view: { mode: 'ask', message: 'pause a with 3 jobs waiting? y/n' } })
    expect(press(asked.view, 'y').action).toEqual({ kind: 'pause', queueName: 'a' })
    expect(press(asked.view, 'return')).toMatchObject({ action: null, view: { asks: null, message: 'left as it is' } })
    expect(keys('down', 'p', 'y').action).toEqual({ kind: 'resume', queueName: 'b' })
    expect(keys('tab', 'a').view.message).toBe('abort old:f? y/n')
    expect(keys('tab', 'a', 'y').action).toEqual({ kind: 'abort', jobId: 'old', queueName: 'a' })
    expect(keys('tab', 'a', 'n')).toMatchObject({ action: null, view: { mode: 'list' } })
    expect(keys('tab', 'tab', 'r', 'y').action).toEqual({ kind: 'retry', jobId: 'dead1' })
  })

  test('open a help, and the details of the row pointed at', () => {
    const help = keys('?').view
    expect(frame(help, { rows: 40, columns: 100 }).join('\n')).toContain('pause the queue pointed at')
    expect(press(help, 'x').view.mode).toBe('list')
    expect(keys('return').action).toEqual({ kind: 'inspect-queue', queueName: 'a' })
    expect(keys('tab', 'return')).toMatchObject({
      action: { kind: 'inspect', jobId: 'old', queueName: 'a' },
      view: { mode: 'detail' },
    })
    const open = { ...view, mode: 'detail', detail: ['job  old'] } as const
    expect(frame(open, { rows: 24, columns: 80 })).toContain('job  old')
  })

  test('filter rows by what is typed, and act on what is shown', () => {
    const typed = press(keys('/').view, 'b', 'b').view
    expect(typed).toMatchObject({ mode: 'filter', filter: 'b' })
    const kept = press(typed, 'return').view
    expect(frame(kept, { rows: 40, columns: 100 }).join('\n')).not.toMatch(/^>?a +3/m)
    expect(press(press(kept, 'p').view, 'y').action).toEqual({ kind: 'resume', queueName: 'b' })
    expect(press(kept, 'escape').view.filter).toBe('')
    expect(press(typed, 'backspace').view.filter).toBe('')
  })

  test('leave the cursor alone, whatever is typed', () => {
    expect(press(keys('/').view, 'x', '\u001B[31m\n').view.filter).toBe('[31m')
  })

  test('say what to point at, where they mean nothing', () => {
    expect(keys('a').view.message).toContain('first point at a running job')
    expect(keys('r').view.message).toContain('first point at a dead letter')
    expect(keys('tab', 'p').view.message).toContain('first point at a queue')
    expect(keys('x')).toEqual({ view, action: null })
  })

  test.each(['q', 'escape', 'ctrl-c'])('%s quits', (name) => expect(keys(name).action).toEqual({ kind: 'quit' }))
})

test('rates are of what ended between two looks', () => {
  const before = { ...now, atMs: 8_000, queues: [queue('a', { complete: 10 })] }
  expect(Object.fromEntries(ratesBetween(before, now))).toEqual({ a: 10, b: 0 })
  expect(Object.fromEntries(ratesBetween(undefined, now))).toEqual({ a: 0, b: 0 })
})
