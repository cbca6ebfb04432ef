import type { ChildProcess } from 'node:child_process'
import type { ReadMetric } from '../metrics/ended-totals.ts'
import { takeChild } from './fork.ts'
import { askEveryMs, MAX_MISSED_ANSWERS, MISSED_WHEN_DEAF } from './pool-rules.ts'
import type { ProcessEnd } from './pool-rules.ts'
import type { FromChild, ToChild, WorkerPlan } from './plan.ts'
import type { ServedQueues } from './served.ts'

const METRICS_WAIT_MS = 2_000
/** Time that a worker may take to settle and to close, past the time that it allows its jobs. */
const STOP_MARGIN_MS = 15_000

/** One worker process, from the supervisor's side. */
export class WorkerProcess {
  /** Resolves when it polls; never where it ends before. */
  readonly ready: Promise<void>
  readonly ended: Promise<ProcessEnd>
  /** Resolves when it has ended, and all its messages were read. */
  readonly gone: Promise<unknown>
  /** Its last message. */
  lastMetrics: readonly ReadMetric[] = []
  /** Queues and functions it serves: undefined until it has reported them, null where it cannot. */
  served: ServedQueues | null | undefined
  hasRedis = true
  readonly #child: ChildProcess
  readonly #asked = new Map<number, () => void>()
  #refused: string | undefined
  #requests = 0
  #stops = 0
  #killTimer: NodeJS.Timeout | undefined
  /** Before it is ready there are no jobs to wait for. */
  #stopMs = 0
  #hurryMs = 0
  #hasStarted = false
  #asking: NodeJS.Timeout | undefined
  #missed = 0
  #silentMs: number | undefined

  constructor(plan: WorkerPlan) {
    const startedAt = performance.now()
    this.#child = takeChild()
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (message: FromChild) => {
        if (message.type === 'ready') {
          this.#hasStarted = true
          this.#stopMs = message.stopMs
          this.#hurryMs = message.hurryMs
          this.#askAgainAndAgain(askEveryMs(message.leaseMs))
          resolve()
        } else if (message.type === 'serves') this.served = message.served
        else if (message.type === 'pong') this.#missed = 0
        else if (message.type === 'redis') this.hasRedis = message.up
        else if (message.type === 'refused') this.#refused = message.message
        else {
          this.lastMetrics = message.metrics
          if (message.id !== undefined) this.#asked.get(message.id)?.()
        }
      })
    })
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: string | null) => {
        clearTimeout(this.#killTimer)
        clearInterval(this.#asking)
        const livedMs = performance.now() - startedAt
        resolve({ code, signal, livedMs, refused: this.#refused, silentMs: this.#silentMs })
      }
      this.#child.once('exit', end)
      this.#child.once('error', () => end(1, null))
    })
    const unheard = new Promise<void>((resolve) => {
      for (const event of ['disconnect', 'error']) this.#child.once(event, () => resolve())
    })
    this.gone = Promise.all([this.ended, unheard])
    this.#send({ type: 'start', plan })
  }

  /** It polls, and reads its messages. */
  get isReady(): boolean {
    return this.#hasStarted && this.#missed < MISSED_WHEN_DEAF
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /**
   * Asks it to drain; a second time not to wait for running jobs. A process that does not end in its time (a handler
   * computes, and lets it hear nothing) is killed; its jobs run again when their leases end.
   */
  stop(): void {
    this.#send({ type: 'stop' })
    if (++this.#stops > 2) return
    clearInterval(this.#asking)
    clearTimeout(this.#killTimer)
    const ms = (this.#stops === 1 ? this.#stopMs : this.#hurryMs) + STOP_MARGIN_MS
    if (ms < 2 ** 31) this.#killTimer = setTimeout(() => this.#child.kill('SIGKILL'), ms)
  }

  /** Its metrics; the last known ones where it does not answer in time, or has ended. */
  async metrics(): Promise<readonly ReadMetric[]> {
    const id = ++this.#requests
    const answer = new Promise<void>((resolve) => this.#asked.set(id, resolve))
    this.#send({ type: 'metrics', id })
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, METRICS_WAIT_MS)))
    await Promise.race([answer, timeout, this.gone])
    clearTimeout(timer)
    this.#asked.delete(id)
    return this.lastMetrics
  }

  /** Kills it when it has given no answer for too long. Questions are counted, not time: a machine may have slept. */
  #askAgainAndAgain(everyMs: number): void {
    if (this.#stops > 0) return
    this.#asking = setInterval(() => {
      if (this.#missed >= MAX_MISSED_ANSWERS) {
        this.#silentMs = this.#missed * everyMs
        this.#child.kill('SIGKILL')
        return
      }
      this.#missed++ // until it answers
      this.#send({ type: 'ping' })
    }, everyMs)
  }

  #send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => {}) // one that has gone hears nothing
  }
}
