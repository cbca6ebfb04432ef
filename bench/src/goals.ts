import type { Row } from './bench.ts'

/** One goal and the measurement it is compared with. */
export interface Goal {
  what: string
  wanted: string
  measured: string
  reached: boolean
}

/** `row`, ours and theirs: how many times better. `{ at }`: no worse than this many of the row's unit. */
type Wanted = { what: string; row: string; ours?: string } & ({ than: string; times: number } | { at: number })

const NOTIFIED = 'arq-ts, Python producer, notifications'
const LONG = 'arq-ts, 1,000,000 queued'
const SHORT = 'arq-ts, 1,000 queued'
const BARE = 'node, doing nothing'

const WANTED: readonly Wanted[] = [
  { what: '100 in flight, compared with BullMQ', row: 'work-100', than: 'BullMQ', times: 2.5 },
  { what: '100 in flight, compared with arq', row: 'work-100', than: 'arq', times: 20 },
  { what: '100 in flight, compared with the floor', row: 'work-100', than: 'floor', times: 0.8 },
  { what: '10 in flight, compared with BullMQ', row: 'work-10', than: 'BullMQ', times: 1.5 },
  { what: '10 in flight, compared with arq', row: 'work-10', than: 'arq', times: 60 },
  { what: 'bulk enqueue, compared with addBulk', row: 'enqueue-bulk', than: 'BullMQ', times: 4 },
  { what: '1,000 concurrent enqueues, compared with add', row: 'enqueue-concurrent', than: 'BullMQ', times: 2 },
  { what: 'one enqueue at a time, compared with arq', row: 'enqueue-one', than: 'arq', times: 2 },
  { what: 'idle pickup p50', row: 'pickup-idle-p50', at: 1 },
  { what: 'idle pickup p99', row: 'pickup-idle-p99', at: 5 },
  { what: 'idle pickup p50, compared with BullMQ', row: 'pickup-idle-p50', than: 'BullMQ', times: 1 },
  { what: 'idle pickup p99, compared with BullMQ', row: 'pickup-idle-p99', than: 'BullMQ', times: 1 },
  { what: 'idle pickup p50, Python producer', row: 'pickup-idle-p50', ours: NOTIFIED, at: 1 },
  { what: 'idle pickup p99, Python producer', row: 'pickup-idle-p99', ours: NOTIFIED, at: 5 },
  { what: 'loaded pickup p99, compared with BullMQ', row: 'pickup-load-p99', than: 'BullMQ', times: 1 },
  { what: 'a million queued, compared with a thousand', row: 'growth', ours: LONG, than: SHORT, times: 0.8 },
  {
    what: '40 workers, compared with one',
    row: 'fleet',
    ours: 'arq-ts, 40 workers × 32',
    than: 'arq-ts, 1 worker × 32',
    times: 1,
  },
  { what: 'memory per queued job, compared with arq', row: 'deferred-memory', than: 'arq', times: 1 },
  { what: 'growth of a worker over a million jobs', row: 'deferred-rss', at: 32 },
  {
    what: 'pickle, a job written and read, compared with msgpackr',
    row: 'codec-job',
    ours: 'arq-ts, pickle',
    than: 'msgpackr alone',
    times: 1 / 3,
  },
  { what: 'arq-ts --help, compared with bare node', row: 'startup', ours: 'arq-ts --help', than: BARE, times: 1 / 2 },
  {
    what: 'a worker that polls, compared with bare node',
    row: 'startup',
    ours: 'arq-ts worker, until it polls',
    than: BARE,
    times: 1 / 4,
  },
]

/** Goals whose rows were measured. */
export function judge(rows: readonly Row[]): Goal[] {
  return WANTED.flatMap((goal): Goal[] => {
    const row = rows.find(({ id }) => id === goal.row)
    const median = (name: string) => row?.cells.find(({ contender }) => contender === name)?.figures?.['value']?.median
    const ours = median(goal.ours ?? 'arq-ts')
    if (!row || ours === undefined) return []
    const { what } = goal
    if ('at' in goal) {
      const reached = row.better === 'higher' ? ours >= goal.at : ours <= goal.at
      const sign = row.better === 'higher' ? '≥' : '≤'
      return [{ what, wanted: `${sign} ${goal.at} ${row.unit}`, measured: `${show(ours)} ${row.unit}`, reached }]
    }
    const theirs = median(goal.than)
    if (theirs === undefined) return []
    const times = row.better === 'higher' ? ours / theirs : theirs / ours
    const reached = times >= goal.times
    // Where we may take longer, it reads better as how much longer.
    return goal.times <= 0.5
      ? [{ what, wanted: `≤ ${show(1 / goal.times)} × its time`, measured: `${show(1 / times)} ×`, reached }]
      : [{ what, wanted: `≥ ${goal.times} ×`, measured: `${show(times)} ×`, reached }]
  })
}

function show(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 })
}
