import type { Logger } from '@arq-ts/core'
import { EXIT } from '../exit.ts'
import { EndedTotals } from '../metrics/ended-totals.ts'
import type { ReadMetric } from '../metrics/ended-totals.ts'
import type { WorkerPlan } from './plan.ts'
import { afterEnd, endText, LEFT_PAUSED } from './pool-rules.ts'
import type { ServedQueues } from './served.ts'
import { WorkerProcess } from './worker-process.ts'

interface Place {
  index: number
  worker: WorkerProcess | undefined
  quickCrashes: number
  timer: NodeJS.Timeout | undefined
}

/** State of a pool, for its probes. */
export interface PoolState {
  places: number
  ready: number
  /** Ready ones that have their Redis. */
  connected: number
  restarts: number
  stopping: boolean
}

/**
 * A pool of worker processes. One that ends comes back with backoff; a crash loop ends the pool.
 *
 * running ⇄ reloading (each place gets a new process, and its old one drains once that is ready) → stopping → ended
 */
export class Supervisor {
  readonly #plan: WorkerPlan
  readonly #log: Logger
  readonly #places: Place[]
  readonly #draining = new Set<WorkerProcess>()
  /** Processes whose metrics are not in the totals of ended ones yet. */
  readonly #counted = new Set<WorkerProcess>()
  readonly #ended = new EndedTotals()
  #served: ServedQueues | null | undefined
  #restarts = 0
  #stopping = false
  #exitCode: number = EXIT.ok
  #reloading: Promise<void> | undefined
  #reloadAgain = false
  #finish: (exitCode: number) => void = () => {}

  constructor(plan: WorkerPlan, size: number, log: Logger) {
    this.#plan = plan
    this.#log = log
    this.#places = Array.from({ length: size }, (_, i) => ({
      index: i + 1,
      worker: undefined,
      quickCrashes: 0,
      timer: undefined,
    }))
  }

  get state(): PoolState {
    const workers = this.#places.map((place) => place.worker)
    return {
      places: this.#places.length,
      ready: workers.filter((worker) => worker?.isReady).length,
      connected: workers.filter((worker) => worker?.isReady && worker.hasRedis).length,
      restarts: this.#restarts,
      stopping: this.#stopping,
    }
  }

  /** Queues and functions its processes serve: undefined until one has reported them, null where it cannot. */
  get served(): ServedQueues | null | undefined {
    const reported = this.#places.map((place) => place.worker?.served).find((served) => served !== undefined)
    return (this.#served = reported ?? this.#served)
  }

  /** Runs until all processes have ended for good; gives the exit code. */
  async run(): Promise<number> {
    const finished = new Promise<number>((resolve) => (this.#finish = resolve))
    this.#log.info(`starting a pool of ${this.#places.length}, supervised by ${process.pid}`)
    for (const place of this.#places) this.#start(place)
    return finished
  }

  /** Drains all; a second time does not wait for running jobs. */
  stop(): void {
    this.#stopping = true
    for (const place of this.#places) {
      clearTimeout(place.timer)
      place.timer = undefined
      place.worker?.stop()
    }
    for (const worker of this.#draining) worker.stop()
    this.#finishIfOver()
  }

  /** Gives each place a new process, one by one; jobs at work end where they are. */
  reload(): Promise<void> {
    if (this.#reloading) this.#reloadAgain = true
    this.#reloading ??= this.#reload().finally(() => {
      this.#reloading = undefined
      if (this.#reloadAgain) void this.reload()
    })
    return this.#reloading
  }

  /** The metrics of every process, those that have ended included, for prom-client to add up. */
  async metrics(): Promise<(readonly ReadMetric[])[]> {
    const ended = this.#ended.read()
    return [ended, ...(await Promise.all([...this.#counted].map((worker) => worker.metrics())))]
  }

  #start(place: Place): void {
    place.timer = undefined
    this.#hold(place, this.#fork(place))
  }

  /** Makes it the place's process, and acts on its end. */
  #hold(place: Place, worker: WorkerProcess): void {
    place.worker = worker
    void worker.ended.then((end) => {
      if (place.worker !== worker) return
      place.worker = undefined
      const { burst } = this.#plan
      // The worker has logged which queues are paused.
      if (burst && end.code === LEFT_PAUSED) this.#exitCode = EXIT.no
      const next = afterEnd(end, { stopping: this.#stopping, burst, quickCrashes: place.quickCrashes })
      if (next.kind === 'restart') {
        place.quickCrashes = next.quickCrashes
        this.#restarts++
        this.#log.error(`worker ${place.index} (${worker.pid}) ended with ${endText(end)}; again in ${next.delayMs} ms`)
        place.timer = setTimeout(() => this.#start(place), next.delayMs)
      } else if (next.kind === 'give up') this.#giveUp(next.message, next.isRefusal)
      this.#finishIfOver()
    })
  }

  #fork(place: Place): WorkerProcess {
    const worker = new WorkerProcess({ ...this.#plan, index: place.index })
    this.#counted.add(worker)
    void worker.gone.then(() => {
      this.#counted.delete(worker)
      this.#ended.add(worker.lastMetrics)
    })
    return worker
  }

  #giveUp(message: string, isRefusal: boolean): void {
    if (this.#stopping) return
    this.#log.fatal(message)
    this.#exitCode = isRefusal ? EXIT.cannot : EXIT.no
    this.stop()
  }

  async #reload(): Promise<void> {
    this.#reloadAgain = false
    if (this.#stopping) return
    this.#log.info('reloading: each worker process is replaced')
    for (const place of this.#places) {
      const fresh = this.#fork(place)
      const end = await Promise.race([fresh.ready, fresh.ended])
      if (this.#stopping) {
        fresh.stop()
        this.#drain(fresh)
        return
      }
      if (end) {
        const why = end.refused ?? `it ended with ${endText(end)}`
        this.#log.error(`reloading failed, the running processes continue: ${why}`)
        return
      }
      const old = place.worker
      clearTimeout(place.timer)
      place.timer = undefined
      place.quickCrashes = 0
      this.#hold(place, fresh)
      if (old) {
        old.stop()
        this.#drain(old)
      }
    }
    this.#log.info('reloaded')
  }

  #drain(worker: WorkerProcess): void {
    this.#draining.add(worker)
    void worker.ended.then(() => {
      this.#draining.delete(worker)
      this.#finishIfOver()
    })
  }

  #finishIfOver(): void {
    const isBusy = this.#places.some((place) => place.worker || place.timer) || this.#draining.size > 0
    if (!isBusy) this.#finish(this.#exitCode)
  }
}
