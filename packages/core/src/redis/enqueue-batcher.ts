import { RedisReplyError, RedisUnavailableError } from '../errors.ts'
import type { Broker, EnqueueCall } from './broker.ts'
import { isOfEveryCall } from './transient.ts'

/** Jobs and payload bytes per call: Redis stores one batch while the next is made, and is never held for long. */
const MAX_JOBS = 100
const MAX_BYTES = 1_048_576
/** Runs what follows it as a microtask; `queueMicrotask` makes an asynchronous resource for each. */
const settled = Promise.resolve()

/** Refusals of one batch, by the queue whose jobs were refused whatever their id and payload. */
type RefusedQueues = Map<string, RedisReplyError>

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
  #send(batch: readonly Waiting[], resent: boolean, refused: RefusedQueues = new Map()): Promise<void> {
    this.#underWay++
    const calls = batch.map((entry) => entry.call)
    return this.#broker.enqueue(calls, { timeoutMs: this.#timeoutMs, resent }).then(
      (queued) => {
        this.#underWay--
        for (const [i, entry] of batch.entries()) entry.resolve(queued[i] === true)
      },
      (error: unknown) => {
        this.#underWay--
        if (batch.length > 1 && !concernsAll(error)) return this.#sendHalves(batch, refused)
        for (const entry of batch) entry.reject(error)
        if (batch.length === 1 && isOfItsQueue(error, batch[0]!.call)) refused.set(batch[0]!.call.queueName, error)
        return undefined
      },
    )
  }

  /**
   * A script has no rollback: jobs before the bad one (its queue is no sorted set, say) are stored, and those know their own
   * payload again. Halves, one after the other, find the bad ones in few calls, and hold up nobody else's.
   */
  async #sendHalves(batch: readonly Waiting[], refused: RefusedQueues): Promise<void> {
    const middle = Math.ceil(batch.length / 2)
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      const rest = half.filter((entry) => !refuse(entry, refused))
      if (rest.length > 0) await this.#send(rest, true, refused)
    }
  }
}

function concernsAll(error: unknown): boolean {
  return error instanceof RedisUnavailableError || (error instanceof RedisReplyError && isOfEveryCall(error))
}

/** True where an id that was drawn for the job cannot be the reason: each job of the queue with such an id is refused. */
function isOfItsQueue(error: unknown, { isFreshId }: EnqueueCall): error is RedisReplyError {
  const isAboutKeys = error instanceof RedisReplyError && ['WRONGTYPE', 'NOPERM'].includes(error.prefix)
  return isAboutKeys && isFreshId === true
}

/** Rejects a job of a queue that has been refused; false for any other. */
function refuse({ call, reject }: Waiting, refused: RefusedQueues): boolean {
  const error = call.isFreshId ? refused.get(call.queueName) : undefined
  if (error) reject(error)
  return error !== undefined
}
