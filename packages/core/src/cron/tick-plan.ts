/** Decides which ticks of a cron job are to be enqueued now. Pure. */

import { latestTick } from '@arq-ts/protocol/cron'
import { systemTimeZone } from '@arq-ts/protocol/time'
import { tickJobId } from './cron.ts'
import type { CronJob } from './cron.ts'

/**
 * Bound on the delay of a tick, in ms, unless missed ticks are caught up: arq keeps the in-progress key of a cron
 * job that long after its end, so that until then anybody can see that a tick has run.
 */
export const STALE_MS = 60_000
/** Bound on the age of a missed tick where `missed` is `latest`, in ms. */
export const MISSED_WINDOW_MS = 7 * 86_400_000

/** One tick to enqueue. */
export interface Tick {
  job: CronJob
  /** arq's id of it; undefined where each worker runs its own. */
  jobId: string | undefined
  atMs: number
  /** True for the run at a worker's start, which is no tick of the schedule. */
  isStartup: boolean
}

/** The outcome of one look at the clock. */
export interface TickPlan {
  ticks: Tick[]
  /** The next tick to look for, in unix ms; null when none will come. */
  nextMs: number | null
  /** Since when ticks were missed, in unix ms; null when none were. */
  missedMs: number | null
}

/**
 * Plans what one look at the clock does with one job: arq's `run_cron`, but that of ticks missed by a sleeping process
 * none is enqueued, or the latest. `nextMs` is undefined before the first look.
 */
export function planTicks(
  job: CronJob,
  nextMs: number | null | undefined,
  nowMs: number,
  windowMs: number,
  zone: string | undefined,
): TickPlan {
  if (nextMs === undefined) {
    return { ticks: job.runAtStartup ? [tickAt(job, nowMs, true)] : [], nextMs: job.next(nowMs, zone), missedMs: null }
  }
  if (nextMs === null || nextMs >= nowMs + windowMs) return { ticks: [], nextMs, missedMs: null }
  if (nowMs - nextMs <= STALE_MS)
    return { ticks: [tickAt(job, nextMs)], nextMs: job.next(nextMs, zone), missedMs: null }
  if (job.missed === 'latest') {
    const latest = planMissed(job, nextMs - 1, nowMs, zone)
    return { ticks: latest ? [latest] : [], nextMs: job.next(latest?.atMs ?? nowMs, zone), missedMs: nextMs }
  }
  const fresh = job.next(nowMs - STALE_MS, zone)
  return { ...planTicks(job, fresh, nowMs, windowMs, zone), missedMs: nextMs }
}

/** The latest tick after `lastMs`, within the window, that is due by now; null when there is none. */
export function planMissed(job: CronJob, lastMs: number, nowMs: number, zone: string | undefined): Tick | null {
  // Ticks are looked for from one second after an instant.
  const afterMs = Math.max(lastMs - 999, nowMs - MISSED_WINDOW_MS)
  const atMs = latestTick((ms) => job.next(ms, zone), afterMs, nowMs)
  return atMs === null || atMs <= lastMs ? null : tickAt(job, atMs)
}

/** The name under which the last tick of a schedule is recorded. A job with another schedule or zone begins anew. */
export function scheduleId(job: CronJob, zone: string | undefined): string {
  return `${job.name}@${job.timeZone ?? zone ?? systemTimeZone()} ${job.schedule}`
}

/** Time the record of a tick is kept, in ms: as long as the tick after it can still be made up for, and a day. */
export function recordLifetimeMs(job: CronJob, atMs: number, nowMs: number, zone: string | undefined): number {
  const nextMs = job.next(atMs, zone) ?? atMs
  return Math.max(nextMs - nowMs, 0) + MISSED_WINDOW_MS + 86_400_000
}

function tickAt(job: CronJob, atMs: number, isStartup = false): Tick {
  return { job, jobId: tickJobId(job, atMs), atMs, isStartup }
}
