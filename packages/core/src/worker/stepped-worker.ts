import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../client/client.ts'
import type { RedisContext } from '../redis/context.ts'
import type { WorkerParts } from './assembly.ts'
import { Worker } from './worker.ts'

/** Time between two looks at what is still to be claimed at most, in ms; the first ones come at once. */
const MAX_LOOK_MS = 10

/**
 * A worker that runs by steps: it claims nothing of itself, only what is due at the time it is given. The test kit moves
 * that time.
 *
 * created → started (holding ⇄ claiming) → stopped
 */
export class SteppedWorker {
  readonly #worker: Worker
  readonly #parts: WorkerParts
  readonly #stuckAfterMs: number
  #running: Promise<void> | undefined

  /** `now` is Redis's time; jobs that are due count as stuck after `stuckAfterMs` without any progress. */
  constructor(worker: Worker, options: { now: () => number; stuckAfterMs: number }) {
    this.#worker = worker
    this.#stuckAfterMs = options.stuckAfterMs
    this.#parts = Worker.partsOf(worker) as WorkerParts
    this.#parts.link.clock.follow(options.now)
    this.#parts.claimLoop.setQuiet(true)
  }

  /** Starts the worker; what it holds back runs by `runDue` alone. @throws what `onStartup` throws */
  async start(): Promise<void> {
    if (this.#running) return
    const started = once(this.#worker, 'started')
    this.#running = this.#worker.run()
    await Promise.race([started, this.#running])
  }

  /** Enqueues the cron ticks that are due. */
  async look(): Promise<void> {
    await this.#parts.cron.lookNow()
  }

  /**
   * Runs what is due at `nowMs`, and what follows from that, until nothing is due. Resolves with the number of jobs that
   * are due all the same, where none of them starts.
   */
  async runDue(nowMs: number): Promise<number> {
    const { claimLoop } = this.#parts
    while (!(await this.#isDone(nowMs))) {
      claimLoop.setQuiet(false)
      try {
        const stuck = await this.#claimAll(nowMs)
        if (stuck > 0) return stuck
      } finally {
        claimLoop.setQuiet(true)
      }
    }
    return 0
  }

  /** The time of the next job or cron tick after `nowMs`, in unix ms; null when there is none. */
  async nextMs(nowMs: number): Promise<number | null> {
    const { cron, link } = this.#parts
    const times = [(await link.queues.due(await this.#queues(), nowMs)).nextMs, ...cron.next().map((job) => job.nextMs)]
    const next = Math.min(...times.map((ms) => ms ?? Infinity))
    return next === Infinity ? null : next
  }

  /** Ends the worker. */
  async stop(): Promise<void> {
    await this.#worker.stop()
  }

  /** True while nothing runs, nothing is on its way to a queue, and nothing is due; asked while the worker claims nothing. */
  async #isDone(nowMs: number): Promise<boolean> {
    const { claimLoop, cron, gates, slots } = this.#parts
    await cron.sent()
    await claimLoop.claimed()
    if (slots.size > 0) return false
    await gates.settled()
    return (await this.#due(nowMs)) === 0
  }

  /**
   * Lets the worker claim until nothing is due and nothing runs: a handler may wait for a job that it enqueued itself.
   * Resolves with the number of jobs that are stuck.
   */
  async #claimAll(nowMs: number): Promise<number> {
    const { claimLoop, reporter, slots } = this.#parts
    const progress = () => Object.values(reporter.counters).reduce((sum, count) => sum + count, 0)
    const startedMs = performance.now()
    let seen = progress()
    let seenMs = startedMs
    for (;;) {
      const count = await this.#due(nowMs)
      if (count === 0 && slots.size === 0 && !claimLoop.isClaiming) return 0
      const now = performance.now()
      if (slots.size > 0 || progress() !== seen) {
        seen = progress()
        seenMs = now
      }
      if (now - seenMs > this.#stuckAfterMs) return count
      if (count > 0) claimLoop.notify()
      await sleep(Math.min(1 + (now - startedMs) / 20, MAX_LOOK_MS))
    }
  }

  async #due(nowMs: number): Promise<number> {
    return (await this.#parts.link.queues.due(await this.#queues(), nowMs)).count
  }

  /** The queues that are not paused: jobs of the others do not start. */
  async #queues(): Promise<string[]> {
    const { link, queueNames } = this.#parts
    const paused = await link.queues.paused()
    return queueNames.filter((name) => !paused.includes(name))
  }
}

/** Lets a client take Redis's time from `now`. */
export function followTime(client: Client, now: () => number): void {
  const { clock } = Client.linkOf(client) as RedisContext
  clock.follow(now)
}
