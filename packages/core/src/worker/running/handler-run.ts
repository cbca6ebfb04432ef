import { setMaxListeners } from 'node:events'
import { asError } from '@arq-ts/protocol/errors'
import type { CodecName, Interruption, JobRecord, Outcome } from '@arq-ts/protocol/jobs'
import { JobTimeoutError } from '../../errors.ts'
import type { Logger } from '../../logging/logger.ts'
import type { OnAttemptEnd } from '../../middleware/observe-side.ts'
import type { Claim } from '../../redis/broker.ts'
import { MAX_TIMER_MS } from '../../time/timer.ts'
import type { RegisteredTask } from './registered-task.ts'

/**
 * One handler at work.
 *
 * running → interrupted (its signal fires) → ended: returned, threw, or abandoned when it ignores the signal past the
 * grace. A handler cannot be killed in JavaScript: an abandoned one continues, unheard, and its slot is free.
 */
export class HandlerRun {
  readonly claim: Claim
  readonly record: JobRecord
  readonly codec: CodecName
  readonly task: RegisteredTask
  readonly timeoutMs: number
  /** Redis time at the start, in unix ms. */
  readonly startedMs: number
  readonly log: Logger
  /** The same moment on the monotonic clock, in ms, which nobody sets. */
  readonly #began = performance.now()
  interruption: Interruption | undefined
  /** Hears how the try ends; undefined where nobody observes it. */
  onEnd: OnAttemptEnd | undefined
  #controller: AbortController | undefined
  #reason: Error | undefined
  #timer: NodeJS.Timeout | undefined
  #graceTimer: NodeJS.Timeout | undefined
  #resolve: ((outcome: Outcome) => void) | undefined
  #isOver = false

  constructor(fields: Pick<HandlerRun, 'claim' | 'record' | 'codec' | 'task' | 'timeoutMs' | 'startedMs' | 'log'>) {
    this.claim = fields.claim
    this.record = fields.record
    this.codec = fields.codec
    this.task = fields.task
    this.timeoutMs = fields.timeoutMs
    this.startedMs = fields.startedMs
    this.log = fields.log
  }

  /** True once the handler has ended or was abandoned. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Made on first use: most handlers never look. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      // A handler may pass its signal to any number of calls; Node warns of a leak from the eleventh listener on.
      setMaxListeners(0, this.#controller.signal)
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Fires the signal; the first reason counts. After `graceMs` the handler is abandoned. */
  interrupt(kind: Interruption, reason: Error, graceMs: number): void {
    if (this.interruption !== undefined) return
    this.interruption = kind
    this.#reason = reason
    this.#controller?.abort(reason)
    if (!this.#isOver) this.#graceTimer = setTimeout(() => this.#end({ kind: 'abandoned' }), graceMs)
  }

  /** Calls the handler and waits for its end; never rejects. */
  execute(call: () => unknown): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      try {
        const value = call()
        if (isThenable(value)) {
          value.then(
            (result) => this.#end({ kind: 'returned', value: result }),
            (error: unknown) => this.#end({ kind: 'threw', error: asError(error) }),
          )
        } else {
          this.#end({ kind: 'returned', value })
        }
      } catch (error) {
        this.#end({ kind: 'threw', error: asError(error) })
      }
    })
  }

  /** Interrupts the handler when its time is over, which counts from its start. `now` is on the monotonic clock, in ms. */
  startTimeout(now: number, graceMs: number): void {
    if (this.#isOver) return
    const leftMs = this.#began + this.timeoutMs - now
    this.#timer = setTimeout(
      () => {
        const error = new JobTimeoutError(`the job ran longer than its timeout of ${this.timeoutMs} ms`)
        this.interrupt('timed out', error, graceMs)
      },
      Math.min(leftMs, MAX_TIMER_MS),
    )
  }

  #end(outcome: Outcome): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    clearTimeout(this.#graceTimer)
    this.#resolve?.(outcome)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as { then?: unknown }).then === 'function'
}
