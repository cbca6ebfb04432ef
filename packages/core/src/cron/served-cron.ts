import type { WorkerInfo } from '../fleet/worker-info.ts'
import { nextTick, parseSchedule } from '@arq-ts/protocol/cron'
import type { CronOptions, WallSchedule } from '@arq-ts/protocol/cron'
import { systemTimeZone } from '@arq-ts/protocol/time'

/** Ticks of one cron job that are computed at most. */
const MAX_TICKS = 3_000

/** A cron job of live workers. */
export interface ServedCron {
  /** Its name, which is that of its function. */
  name: string
  /** Its schedule as text: an expression, or arq's options as `hour=2 minute=0`. */
  schedule: string
  /** Its next tick in unix ms; null where none will come. */
  nextMs: number | null
  /** Queues that its ticks go to. */
  queues: string[]
  /** Ids of the workers that have it. */
  workers: string[]
}

/** Cron jobs of live workers, each once for each schedule. */
export function cronOf(workers: readonly WorkerInfo[]): ServedCron[] {
  const jobs = new Map<string, ServedCron>()
  for (const worker of workers) {
    for (const { name, schedule, nextMs } of worker.cron) {
      const key = JSON.stringify([name, schedule])
      const job = jobs.get(key) ?? { name, schedule, nextMs, queues: [], workers: [] }
      job.workers.push(worker.id)
      // A cron job goes to the first queue of its worker.
      const queue = worker.queues[0]
      if (queue !== undefined && !job.queues.includes(queue)) job.queues.push(queue)
      if (nextMs !== null && (job.nextMs === null || nextMs < job.nextMs)) job.nextMs = nextMs
      jobs.set(key, job)
    }
  }
  return [...jobs.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Ticks of a cron job within a time; `complete` is false where there are more, or the schedule could not be followed. */
export function ticksBetween(
  job: Pick<ServedCron, 'schedule' | 'nextMs'>,
  fromMs: number,
  toMs: number,
): { ticks: number[]; complete: boolean } {
  const zoned = zonedOf(job)
  if (!zoned) {
    const isWithin = job.nextMs !== null && job.nextMs >= fromMs && job.nextMs < toMs
    return { ticks: isWithin ? [job.nextMs!] : [], complete: job.nextMs === null }
  }
  const ticks: number[] = []
  let at = nextTick(zoned.wall, fromMs - 1_000, zoned.zone)
  while (at !== null && at < toMs && ticks.length < MAX_TICKS) {
    if (at >= fromMs) ticks.push(at)
    at = nextTick(zoned.wall, at, zoned.zone)
  }
  return { ticks, complete: at === null || at >= toMs }
}

const zones = new Map<string, string | null>()

/**
 * The schedule with its time zone. A worker reports the next tick and not the zone: the zone is one in which the schedule
 * has that tick, the machine's own first.
 */
function zonedOf({
  schedule,
  nextMs,
}: Pick<ServedCron, 'schedule' | 'nextMs'>): { wall: WallSchedule; zone: string } | null {
  const wall = wallOf(schedule)
  if (!wall || nextMs === null) return null
  const key = `${schedule}@${nextMs % 86_400_000}`
  let zone = zones.get(key)
  if (zone === undefined) {
    const fits = (each: string) => nextTick(wall, nextMs - 1_001, each) === nextMs
    zone = [systemTimeZone(), 'UTC', ...Intl.supportedValuesOf('timeZone')].find(fits) ?? null
    if (zones.size < 1_000) zones.set(key, zone)
  }
  return zone === null ? null : { wall, zone }
}

/** Reads a schedule as a worker writes it: an expression, or arq's options as `hour=2 minute=0,30`. */
function wallOf(text: string): WallSchedule | null {
  try {
    return parseSchedule(/[a-z]=/.test(text) ? optionsIn(text) : text)
  } catch {
    return null
  }
}

function optionsIn(text: string): CronOptions {
  const options: Record<string, number | number[] | null> = {}
  for (const [, name, value] of text.matchAll(/([a-z]+)=(\S+)/g)) {
    // All seconds are null for arq; all values of another field are what it has without the option.
    if (value === '*' && name === 'second') options[name] = null
    else if (value !== '*') {
      const values = value!.split(',').map(Number)
      options[name!] = values.length === 1 ? values[0]! : values
    }
  }
  return options as CronOptions
}
