import type { Client } from '../client/client.ts'
import type { CronJob } from '../cron/cron.ts'
import { MISSED_WINDOW_MS, planMissed, planTicks, recordLifetimeMs, scheduleId, STALE_MS } from '../cron/tick-plan.ts'
import type { Tick } from '../cron/tick-plan.ts'
import type { Logger } from '../logging/logger.ts'
import type { LeftOut } from '../recorder/records.ts'
import type { TickOutcome, TickRecords } from '../redis/ticks.ts'

export interface CronServiceOptions {
  jobs: readonly CronJob[]
  /** Redis time, unix ms. */
  now: () => number
  pollDelayMs: number
  timeZone: string | undefined
  log: Logger
  ticks: TickRecords
  /** Enqueues the ticks, into its queue. */
  client: Client
  /** Called for a tick that is not enqueued. */
  onLeftOut: (name: string, atMs: number, why: LeftOut) => void
}

/**
 * Enqueues ticks shortly before they are due. A tick that Redis is not there for waits for it; of several that wait
 * for one job the latest goes.
 *
 * created → started (it looks at the clock, ticks are being sent) → stopped (nothing more is sent)
 */
export class CronService {
  readonly #options: CronServiceOptions
  readonly #next = new Map<CronJob, number | null>()
  readonly #sending = new Set<CronJob>()
  readonly #sends = new Set<Promise<void>>()
  readonly #waiting = new Map<CronJob, Tick>()
  #isStopped = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: CronServiceOptions) {
    this.#options = options
  }

  start(): void {
    const { jobs, pollDelayMs } = this.#options
    if (jobs.length === 0 || this.#isStopped || this.#timer) return
    for (const job of jobs) if (job.missed === 'latest') this.#begin(job, this.#makeUpFor(job))
    this.#look()
    this.#timer = setInterval(() => this.#look(), Math.min(pollDelayMs, 500))
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  /** Looks at the clock at once, and resolves when the ticks that are due are in their queue. */
  async lookNow(): Promise<void> {
    if (this.#timer) this.#look()
    await this.sent()
  }

  /** Resolves once no tick is on its way to its queue. */
  async sent(): Promise<void> {
    while (this.#sends.size > 0) await Promise.all(this.#sends)
  }

  /** True while a tick is on its way to its queue. */
  get isEnqueuing(): boolean {
    return this.#sending.size > 0
  }

  /** The next tick of each job, in unix ms; null when none will come. */
  next(): { name: string; schedule: string; nextMs: number | null }[] {
    const { jobs, now, timeZone } = this.#options
    return jobs.map((job) => {
      const known = this.#next.get(job)
      const nextMs = known === undefined ? job.next(now(), timeZone) : known
      return { name: job.name, schedule: job.schedule, nextMs }
    })
  }

  /** arq: two heart beats ahead, of half a second at least. */
  get #windowMs(): number {
    return 2 * Math.max(this.#options.pollDelayMs, 500)
  }

  #look(): void {
    const { jobs, now, timeZone, log } = this.#options
    const nowMs = now()
    for (const job of jobs) {
      for (;;) {
        const plan = planTicks(job, this.#next.get(job), nowMs, this.#windowMs, timeZone)
        this.#next.set(job, plan.nextMs)
        if (plan.missedMs !== null) {
          const what = job.missed === 'latest' ? '; the latest is enqueued unless it has run' : ''
          log.warn(`${job.name}: ticks since ${iso(plan.missedMs)} were missed while this worker slept${what}`)
        }
        for (const tick of plan.ticks) this.#send(tick)
        if (plan.ticks.length === 0) break
      }
    }
  }

  /** Enqueues the latest tick for which no worker was there. */
  async #makeUpFor(job: CronJob): Promise<void> {
    const { ticks, now, timeZone, log } = this.#options
    const nowMs = now()
    const lastMs = await ticks.watch(scheduleId(job, timeZone), nowMs, recordLifetimeMs(job, nowMs, nowMs, timeZone))
    const tick = planMissed(job, lastMs, nowMs, timeZone)
    if (tick && (await this.#enqueue(tick)) === 'queued')
      log.info(`${job.name}: no worker was there for the tick of ${iso(tick.atMs)}; it is enqueued now`)
  }

  #send(tick: Tick): void {
    if (this.#sending.has(tick.job)) this.#waiting.set(tick.job, tick)
    else this.#begin(tick.job, this.#enqueue(tick), tick)
  }

  #begin(job: CronJob, sent: Promise<unknown>, tick?: Tick): void {
    this.#sending.add(job)
    const send = sent
      .catch((error: unknown) => this.#notSent(job, tick, error))
      .then(() => {
        this.#sends.delete(send)
        this.#sending.delete(job)
        const latest = this.#waiting.get(job)
        this.#waiting.delete(job)
        if (latest && this.#isStopped) this.#notSent(job, latest)
        else if (latest) this.#send(latest)
      })
    this.#sends.add(send)
  }

  #notSent(job: CronJob, tick: Tick | undefined, error?: unknown): void {
    const what = tick ? `the tick of ${iso(tick.atMs)}` : 'a missed tick'
    const about = error === undefined ? {} : { err: error }
    if (this.#isStopped)
      this.#options.log.warn(about, `${job.name}: ${what} was not enqueued, the worker stopped before`)
    else this.#options.log.error(about, `${job.name}: ${what} could not be enqueued`)
  }

  async #enqueue(tick: Tick): Promise<TickOutcome> {
    const { client } = this.#options
    const { job, jobId, atMs } = tick
    let outcome: TickOutcome = 'known'
    await client.enqueueBy(
      async (call) => {
        outcome = await this.#options.ticks.enqueue(call, this.#rules(tick))
        return outcome === 'queued'
      },
      job.name,
      { deferUntil: atMs, ...(jobId === undefined ? {} : { jobId }) },
    )
    this.#logOutcome(tick, outcome)
    return outcome
  }

  #rules({ job, jobId, atMs, isStartup }: Tick) {
    const { now, timeZone } = this.#options
    const isClocks = jobId !== undefined && !isStartup
    return {
      name: job.name,
      dueMs: atMs,
      record: isClocks
        ? { schedule: scheduleId(job, timeZone), lifetimeMs: recordLifetimeMs(job, atMs, now(), timeZone) }
        : null,
      lateMs: job.missed === 'latest' ? MISSED_WINDOW_MS : STALE_MS,
      aheadMs: this.#windowMs + STALE_MS,
      isFixedId: job.jobId !== undefined,
      skipOverlap: job.overlap === 'skip',
    }
  }

  #logOutcome({ job, atMs }: Tick, outcome: TickOutcome): void {
    const { log, onLeftOut } = this.#options
    if (outcome === 'queued' || outcome === 'known') return
    onLeftOut(job.name, atMs, outcome)
    if (outcome === 'paused')
      log.info(`${job.name}: the tick of ${iso(atMs)} is left out, the cron job is paused (\`arq-ts cron resume\`)`)
    if (outcome === 'overlap')
      log.info(`${job.name}: the tick of ${iso(atMs)} is left out, the one before is still queued or runs`)
    if (outcome === 'late')
      log.warn(
        `${job.name}: the tick of ${iso(atMs)} is left out, Redis could not be reached within ${STALE_MS / 1000} s`,
      )
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
