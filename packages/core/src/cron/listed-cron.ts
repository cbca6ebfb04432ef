/** Lists cron jobs with their pauses, and how far each pause reaches. Pure. */

import type { PythonWorker, WorkerInfo } from '../fleet/worker-info.ts'
import type { CronPauseRecord } from '../redis/cron-pauses.ts'
import { cronOf } from './served-cron.ts'
import type { ServedCron } from './served-cron.ts'

/** A current pause of a cron job. */
export interface CronPause {
  /** Its beginning; null where its entry in Redis does not say. */
  since: Date | null
  /**
   * `exact`: no tick is enqueued. `advisory`: workers that do not heed the pause serve the queue, or the queue is not
   * known; they enqueue the ticks where they have the cron job.
   */
  reach: 'exact' | 'advisory'
  /** Workers that still tick, in words, or what is not known of them; null where the pause is exact. */
  because: string | null
}

/** A cron job of live arq-ts workers, or a paused one that none of them has. */
export interface ListedCron extends Omit<ServedCron, 'schedule'> {
  /** Its schedule as a string; null if no live arq-ts worker has the cron job. */
  schedule: string | null
  /** Null while it ticks. */
  pause: CronPause | null
}

/** The cron jobs of live workers, each once for each schedule, and those that are paused, by name. */
export function listCron(
  workers: readonly WorkerInfo[],
  python: readonly PythonWorker[],
  pauses: ReadonlyMap<string, CronPauseRecord>,
): ListedCron[] {
  const served = cronOf(workers).map((job): ListedCron => ({
    ...job,
    pause: pauseOf(job, { workers, python, pauses }),
  }))
  const absent = [...pauses.keys()]
    .filter((name) => !served.some((job) => job.name === name))
    .map((name): ListedCron => {
      const job = { name, nextMs: null, queues: [], workers: [] }
      return { ...job, schedule: null, pause: pauseOf(job, { workers, python, pauses }) }
    })
  return [...served, ...absent.filter(({ pause }) => pause !== null)].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The pause of a cron job; null while it ticks. */
export function pauseOf(
  { name, queues, workers: having }: Pick<ServedCron, 'name' | 'queues' | 'workers'>,
  known: {
    workers: readonly WorkerInfo[]
    python: readonly PythonWorker[]
    pauses: ReadonlyMap<string, CronPauseRecord>
  },
): CronPause | null {
  const record = known.pauses.get(name)
  if (!record || record.untilMs !== null) return null
  const older = known.workers.filter(({ id, heedsCronPauses }) => having.includes(id) && heedsCronPauses !== true)
  const foreign = known.python.filter(({ queueName }) => queues.includes(queueName))
  const because =
    older.length > 0
      ? `workers of an older version have it: ${older
          .slice(0, 3)
          .map(({ id }) => id)
          .join(', ')}`
      : foreign.length > 0
        ? `a Python worker serves "${foreign[0]!.queueName}", and enqueues the ticks if it has the cron job`
        : having.length === 0
          ? 'no live arq-ts worker has it; a Python worker that has it enqueues its ticks'
          : null
  const since = record.sinceMs === null ? null : new Date(record.sinceMs)
  return { since, reach: because === null ? 'exact' : 'advisory', because }
}
