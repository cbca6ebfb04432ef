import { RedisUnavailableError } from '../errors.ts'
import type { Broker, EnqueueCall } from './broker.ts'

/** Jobs and payload bytes per call: large enough for speed, small enough not to hold the server. */
const MAX_JOBS = 500
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
  #underWay = 0

  constructor(broker: Broker, timeoutMs: number | undefined) {
    this.#broker = broker
    this.#timeoutMs = timeoutMs
  }

  /** False where the id is taken. */
  add(call: EnqueueCall): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ call, resolve, reject })
      if (this.#waiting.length > 1) return
      if (this.#underWay === 0) queueMicrotask(() => this.#flush())
      else setImmediate(() => this.#flush())
    })
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const batch of batches(waiting)) void this.#send(batch)
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

function* batches(waiting: Waiting[]): Generator<Waiting[]> {
  let batch: Waiting[] = []
  let bytes = 0
  for (const entry of waiting) {
    const size = entry.call.payload.byteLength
    if (batch.length === MAX_JOBS || (batch.length > 0 && bytes + size > MAX_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(entry)
    bytes += size
  }
  if (batch.length > 0) yield batch
}
