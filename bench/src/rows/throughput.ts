import type { Bench, MeasureRows, Row } from '../bench.ts'
import type { Contender } from '../contenders.ts'
import { drain } from '../drain.ts'
import type { DrainOptions } from '../drain.ts'
import { inRounds } from '../rounds.ts'
import type { Figures } from '../rounds.ts'
import { FLOOR, floorOf } from './floor.ts'

const FEWEST = 400
const MOST = 200_000

interface Wanted extends Partial<DrainOptions> {
  id: string
  title: string
  concurrency: number
  limit: string
}

const WANTED: readonly Wanted[] = [
  {
    id: 'work-1',
    title: 'no-op jobs, 1 in flight',
    concurrency: 1,
    limit: 'round trips: one job, one claim, one settle',
  },
  {
    id: 'work-10',
    title: 'no-op jobs, 10 in flight',
    concurrency: 10,
    limit: 'round trips, and how many jobs share one',
  },
  { id: 'work-32', title: 'no-op jobs, 32 in flight', concurrency: 32, limit: 'CPU of the worker process' },
  {
    id: 'work-100',
    title: 'no-op jobs, 100 in flight',
    concurrency: 100,
    limit: 'CPU of the worker process, and close to it CPU of Redis',
  },
  {
    id: 'pool-2',
    title: 'no-op jobs, 2 processes × 100',
    concurrency: 100,
    processes: 2,
    limit: 'CPU: three busy processes on two cores here',
  },
  {
    id: 'io-100',
    title: '1 ms I/O jobs, 100 in flight',
    concurrency: 100,
    fn: 'sleep1',
    limit: 'timers: 100 ÷ 1 ms would be 100,000',
  },
]

export const throughput: MeasureRows = async function* (bench) {
  const { contenders, quick } = bench
  const all = [...contenders.present.values()]
  for (const wanted of WANTED) {
    if (quick && !['work-10', 'work-100'].includes(wanted.id)) continue
    const { id, title, limit, ...options } = wanted
    bench.say(title)
    const measure = adaptive(bench, options)
    const cells = await inRounds(
      bench.rounds,
      [...all, FLOOR],
      (contender) => (contender === FLOOR ? floorOf('work', bench) : measure(contender)),
      bench.say,
    )
    yield row({ id, title, limit, cells })
  }
}

/** Jobs of a warm-up at least, if they take no longer than `WARM_S`, in seconds: code is compiled by calls, not by time. */
const WARM_JOBS = 20_000
const WARM_S = 2
/** Pilots in full length, at most, until a contender is no faster than in the one before. */
const PILOTS = 3
/** Growth of the rate from one pilot to the next that calls for another one. */
const GROWS = 1.1

/**
 * Fills the queue with as many jobs as last for the time that a measurement is to take: the first round finds out. The
 * warm-up takes as long, since a process compiles its code over its first ten thousand jobs and more, at several times the
 * CPU per job.
 */
export function adaptive(bench: Bench, options: Partial<DrainOptions> & { concurrency: number }, most = MOST) {
  const rates = new Map<string, number>()
  return async (contender: Contender): Promise<Figures> => {
    const { concurrency, workers = 1, processes = 1 } = options
    const { name } = contender
    const slots = concurrency * workers * processes
    const rate = () => rates.get(name) ?? 0
    const measure = async (count: number) => {
      const warm = Math.round(Math.max(slots, count, Math.min(WARM_JOBS, rate() * WARM_S, most)))
      const drained = await drain(bench.server, contender, { fn: 'noop', ...options, count, warm })
      if (Number.isFinite(drained.jobsPerSecond)) rates.set(name, drained.jobsPerSecond)
      const { jobsPerSecond, ...others } = drained
      return { value: jobsPerSecond, ...others }
    }
    const count = () => Math.round(Math.min(most, Math.max(FEWEST, slots * 2, rate() * bench.seconds)))
    if (!rates.has(name)) {
      // A fast one is done with a small pilot between two of its reports.
      for (let pilot = Math.max(FEWEST, slots * 2); !(rate() > 0); pilot *= 10) await measure(Math.min(most / 2, pilot))
      for (let pilots = 0, before = 0; pilots < PILOTS && rate() > GROWS * before; pilots++) {
        before = rate()
        await measure(count())
      }
    }
    return measure(count())
  }
}

export function row(fields: Pick<Row, 'id' | 'title' | 'limit' | 'cells'>): Row {
  return { group: 'Work', unit: 'jobs/s', better: 'higher', ...fields }
}
