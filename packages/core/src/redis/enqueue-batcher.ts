import { RedisUnavailableError } from '../errors.ts'
import type { Broker, EnqueueCall } from './broker.ts'

/** Jobs and payload bytes per call: Redis stores one batch while the next is made, and is never held for long. */
const MAX_JOBS = 100
const MAX_BYTES = 1_048_576

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
      const count = this.#waiting.push({ call, resolve, reject })
      if (count === MAX_JOBS) this.#flush()
      else if (count > 1) return
      else if (this.#underWay === 0) queueMicrotask(() => this.#flush())
      else setImmediate(() => this.#flush())
    })
  }

  #flush(): void {
    if (this.#waiting.length === 0) return
    void this.#send(this.#waiting)
    this.#waiting = []
    this.#bytes = 0
  }

  async #send(batch: Waiting[], resent = false): Promise<void> {
    this.#underWay++
    try {
      const queued = await this.#broker.enqueue(
        batch.map((entry) => entry.call),
        { timeoutMs: this.#timeoutMs, resent },
      )
      batch.forEach((entry, i) => entry.resolve(queued[i] === true))
    } catch (error) {
      // A script has no rollback: jobs before the bad one (its queue is no sorted set, say) are stored. One by one each
      // gets its own answer, and those that are stored already know their own payload again.
      if (batch.length > 1 && !(error instanceof RedisUnavailableError)) {
        await Promise.all(batch.map((entry) => this.#send([entry], true)))
      } else {
        for (const entry of batch) entry.reject(error)
      }
    } finally {
      this.#underWay--
    }
  }
}
