import { RedisUnavailableError } from '../errors.ts'
import type { Broker, EnqueueCall } from './broker.ts'

/** Jobs and payload bytes per call: Redis stores one batch while the next is made, and is never held for long. */
const MAX_JOBS = 100
const MAX_BYTES = 1_048_576
/** Runs what follows it as a microtask; `queueMicrotask` makes an asynchronous resource for each. */
const settled = Promise.resolve()

interface Waiting {
  call: EnqueueCall
  resolve: (queued: boolean) => void
  reject: (error: unknown) => void
}

/**
 * Makes enqueues travel together: those of one synchronous stretch, and while calls are under way those of a turn of
 * the event loop. One that comes alone is sent at once.
 */
export class EnqueueBatcher {
  readonly #broker: Broker
  readonly #timeoutMs: number | undefined
  #waiting: Waiting[] = []
  #bytes = 0
  #underWay = 0

  constructor(broker: Broker, timeoutMs: number | undefined) {
    this.#broker = broker
    this.#timeoutMs = timeoutMs
  }

  /** False where the id is taken. */
  add(call: EnqueueCall): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.#bytes + call.payload.byteLength > MAX_BYTES) this.#flush()
      this.#bytes += call.payload.byteLength
      const waiting = { call, resolve, reject }
      if (this.#waiting.length === 0) this.#waiting = [waiting]
      else this.#waiting.push(waiting)
      if (this.#waiting.length === MAX_JOBS) this.#flush()
      else if (this.#waiting.length > 1) return
      else if (this.#underWay === 0) void settled.then(this.#flush)
      else setImmediate(this.#flush)
    })
  }

  readonly #flush = (): void => {
    if (this.#waiting.length === 0) return
    void this.#send(this.#waiting, false)
    this.#waiting = []
    this.#bytes = 0
  }

  /** Sends a batch until each of it has its answer. Never rejects. */
  #send(batch: readonly Waiting[], resent: boolean): Promise<void> {
    this.#underWay++
    const calls = batch.map((entry) => entry.call)
    return this.#broker.enqueue(calls, { timeoutMs: this.#timeoutMs, resent }).then(
      (queued) => {
        this.#underWay--
        for (const [i, entry] of batch.entries()) entry.resolve(queued[i] === true)
      },
      (error: unknown) => {
        this.#underWay--
        if (batch.length > 1 && !(error instanceof RedisUnavailableError)) return this.#sendHalves(batch)
        for (const entry of batch) entry.reject(error)
        return undefined
      },
    )
  }

  /**
   * A script has no rollback: jobs before the bad one (its queue is no sorted set, say) are stored, and those know their own
   * payload again. Halves, one after the other, find the bad ones in few calls, and hold up nobody else's.
   */
  async #sendHalves(batch: readonly Waiting[]): Promise<void> {
    const middle = Math.ceil(batch.length / 2)
    await this.#send(batch.slice(0, middle), true)
    await this.#send(batch.slice(middle), true)
  }
}
