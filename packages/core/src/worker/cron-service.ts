import type { Client } from '../client/client.ts'
import { tickJobId } from '../cron/cron.ts'
import type { CronJob } from '../cron/cron.ts'
import type { Logger } from '../logging/logger.ts'
import type { JobRecords } from '../redis/jobs.ts'
import type { TickRecords } from '../redis/ticks.ts'

/** A tick noticed later than this was missed while this worker slept; by then another may have run it. */
export const STALE_MS = 60_000

/** One tick to enqueue. */
export interface Tick {
  job: CronJob
  jobId: string | undefined
  atMs: number
}

/**
 * What one look at the clock does with one job: arq's `run_cron`, but that ticks missed by a sleeping process are left
 * out. `nextMs` is undefined before the first look, null when no tick will ever come.
 */
export function planTicks(
  job: CronJob,
  nextMs: number | null | undefined,
  nowMs: number,
  windowMs: number,
  zone: string | undefined,
): { ticks: Tick[]; nextMs: number | null; missed: number | null } {
  const tickAt = (atMs: number): Tick => ({ job, jobId: tickJobId(job, atMs), atMs })
  if (nextMs === undefined) {
    return { ticks: job.runAtStartup ? [tickAt(nowMs)] : [], nextMs: job.next(nowMs, zone), missed: null }
  }
  if (nextMs === null || nextMs >= nowMs + windowMs) return { ticks: [], nextMs, missed: null }
  if (nowMs - nextMs > STALE_MS) {
    const fresh = job.next(nowMs - STALE_MS, zone)
    return { ...planTicks(job, fresh, nowMs, windowMs, zone), missed: nextMs }
  }
  return { ticks: [tickAt(nextMs)], nextMs: job.next(nextMs, zone), missed: null }
}

export interface CronServiceOptions {
  jobs: readonly CronJob[]
  /** Redis time, unix ms. */
  now: () => number
  pollDelayMs: number
  timeZone: string | undefined
  log: Logger
  ticks: TickRecords
  jobRecords: JobRecords
  /** Enqueues the ticks, into its queue. */
  client: Client
}

/**
 * Enqueues ticks shortly before they are due. A tick that Redis is not there for waits for it; of several that wait
 * for one job the latest goes.
 *
 * stopped → started → stopped
 */
export class CronService {
  readonly #o: CronServiceOptions
  readonly #next = new Map<CronJob, number | null>()
  readonly #sending = new Set<CronJob>()
  readonly #waiting = new Map<CronJob, Tick>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: CronServiceOptions) {
    this.#o = options
  }

  start(): void {
    if (this.#o.jobs.length === 0 || this.#stopped) return
    this.#look()
    this.#timer = setInterval(() => this.#look(), Math.min(this.#o.pollDelayMs, 500))
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  /** True while a tick is on its way to its queue. */
  get isEnqueuing(): boolean {
    return this.#sending.size > 0
  }

  /** The next tick of each job, in unix ms; null when none will come. */
  next(): { name: string; nextMs: number | null }[] {
    const { jobs, now, timeZone } = this.#o
    return jobs.map((job) => {
      const known = this.#next.get(job)
      return { name: job.name, nextMs: known === undefined ? job.next(now(), timeZone) : known }
    })
  }

  #look(): void {
    const { jobs, now, pollDelayMs, timeZone, log } = this.#o
    // arq: two heart beats ahead, of half a second at least.
    const windowMs = 2 * Math.max(pollDelayMs, 500)
    const nowMs = now()
    for (const job of jobs) {
      for (;;) {
        const plan = planTicks(job, this.#next.get(job), nowMs, windowMs, timeZone)
        this.#next.set(job, plan.nextMs)
        if (plan.missed !== null)
          log.warn(
            `${job.name}: ticks since ${new Date(plan.missed).toISOString()} were missed while this worker slept`,
          )
        for (const tick of plan.ticks) this.#send(tick)
        if (plan.ticks.length === 0) break
      }
    }
  }

  #send(tick: Tick): void {
    const { job } = tick
    if (this.#sending.has(job)) {
      this.#waiting.set(job, tick)
      return
    }
    this.#sending.add(job)
    this.#enqueue(tick)
      .catch((error: unknown) => {
        if (!this.#stopped) this.#o.log.error({ err: error }, `${job.name}: a tick could not be enqueued`)
      })
      .finally(() => {
        this.#sending.delete(job)
        const latest = this.#waiting.get(job)
        this.#waiting.delete(job)
        if (latest && !this.#stopped) this.#send(latest)
      })
  }

  async #enqueue({ job, jobId, atMs }: Tick): Promise<void> {
    const { client, log, ticks, jobRecords } = this.#o
    if (job.overlap === 'skip') {
      const last = await ticks.last(job.name)
      // Queued or running: a member of the queue. (arq keeps a cron job's in-progress key after its end.)
      if (last !== null && last !== jobId && (await jobRecords.readResult(last, client.queueName)).score !== null) {
        log.info(`${job.name}: tick of ${new Date(atMs).toISOString()} left out, ${last} is still queued or runs`)
        return
      }
    }
    const options = { deferUntil: atMs, ...(jobId === undefined ? {} : { jobId }) }
    const queued = await client.enqueue(job.name, [], options)
    if (queued && job.overlap === 'skip') await ticks.record(job.name, queued.jobId)
  }
}
