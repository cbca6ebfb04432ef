import { asError } from '../protocol/lifecycle.ts'
import type { CutShort, Outcome } from '../protocol/lifecycle.ts'
import type { CodecName, JobRecord } from '../protocol/records.ts'
import type { Claim } from '../redis/broker.ts'
import type { Logger } from '../logger.ts'
import type { RegisteredTask } from './registered-task.ts'

/**
 * One handler at work.
 *
 * running → cut short (its signal fires) → ended: returned, threw, or abandoned when it ignores the signal past the
 * grace. A handler cannot be killed in JavaScript: an abandoned one runs on, unheard, and its slot is free.
 */
export class Run {
  readonly claim: Claim
  readonly record: JobRecord
  readonly codec: CodecName
  readonly task: RegisteredTask
  readonly jobTry: number
  readonly timeoutMs: number
  /** Redis time at the start, in unix ms. */
  readonly startedMs: number
  readonly log: Logger
  cutShort: CutShort | undefined
  #controller: AbortController | undefined
  #reason: Error | undefined
  #graceTimer: NodeJS.Timeout | undefined
  #abandon: (() => void) | undefined

  constructor(fields: Pick<Run, 'claim' | 'record' | 'codec' | 'task' | 'jobTry' | 'timeoutMs' | 'startedMs' | 'log'>) {
    this.claim = fields.claim
    this.record = fields.record
    this.codec = fields.codec
    this.task = fields.task
    this.jobTry = fields.jobTry
    this.timeoutMs = fields.timeoutMs
    this.startedMs = fields.startedMs
    this.log = fields.log
  }

  /** Made on first use: most handlers never look. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Fires the signal; the first reason counts. After `graceMs` the handler is abandoned. */
  cut(kind: CutShort, reason: Error, graceMs: number): void {
    if (this.cutShort !== undefined) return
    this.cutShort = kind
    this.#reason = reason
    this.#controller?.abort(reason)
    this.#graceTimer = setTimeout(() => this.#abandon?.(), graceMs)
  }

  /** Calls the handler and waits for its end; never rejects. */
  execute(call: () => unknown, onTimeout: () => void): Promise<Outcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(onTimeout, Math.min(this.timeoutMs, 2_147_483_647))
      const end = (outcome: Outcome) => {
        clearTimeout(timer)
        clearTimeout(this.#graceTimer)
        this.#abandon = undefined
        resolve(outcome)
      }
      this.#abandon = () => end({ kind: 'abandoned' })
      try {
        const value = call()
        if (isThenable(value)) {
          value.then(
            (result) => end({ kind: 'returned', value: result }),
            (error: unknown) => end({ kind: 'threw', error: asError(error) }),
          )
        } else {
          end({ kind: 'returned', value })
        }
      } catch (error) {
        end({ kind: 'threw', error: asError(error) })
      }
    })
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as { then?: unknown }).then === 'function'
}
