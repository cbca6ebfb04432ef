import type { RedisReplyError } from '../errors.ts'
import { withAdvice } from './reasons.ts'

/** Interval at which a trouble that lasts is logged again, in ms. */
const REPEAT_MS = 30_000

interface Log {
  warn: (...args: unknown[]) => void
  info: (...args: unknown[]) => void
}

/**
 * Refusals that calls wait out: memory is full, a replica takes no writes, a slot moves. Each kind is logged with the
 * server's reason when it begins, sparingly while it lasts, and when the call that met it has passed.
 *
 * none → met (by the first call) → passed
 */
export class Troubles {
  readonly #log: Log
  readonly #address: string
  readonly #loggedAtMs = new Map<string, number>()

  constructor(log: Log, address: string) {
    this.#log = log
    this.#address = address
  }

  /** Reports a refusal of a call that will be sent again. */
  met(error: RedisReplyError): void {
    const now = performance.now()
    const last = this.#loggedAtMs.get(error.prefix)
    if (last !== undefined && now - last < REPEAT_MS) return
    this.#loggedAtMs.set(error.prefix, now)
    const still = last === undefined ? 'refuses' : 'still refuses'
    this.#log.warn(
      { err: error },
      `Redis at ${this.#address} ${still} calls, which are sent again until it takes them: ${withAdvice(error.message)}`,
    )
  }

  /** Reports that a call which was refused for this reason has passed. */
  passed(prefix: string): void {
    if (this.#loggedAtMs.delete(prefix))
      this.#log.info(`Redis at ${this.#address} takes calls again (${prefix} is over)`)
  }
}
