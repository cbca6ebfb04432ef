import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import { intact } from './damage.ts'

/** Orders that a worker follows. */
export type WorkerOrder = 'quiet' | 'resume'

/** Time an order waits for a worker that is away, and is kept beyond the last sign of life of one that follows it. */
const ORDER_TTL_MS = 3_600_000

/** Orders of operators to single workers. Each ends with its worker, whose id is never used again. */
export class WorkerOrders {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** Gives a worker an order, in place of the one before, and announces it. */
  async give(workerId: string, order: WorkerOrder): Promise<void> {
    await this.#calls.pipeline([
      ['set', this.#keys.workerOrder(workerId), order, 'PX', ORDER_TTL_MS],
      ['publish', this.#keys.orderChannel, workerId],
    ])
  }

  /** The order of a worker; null where none is known, or its key holds something else. */
  async read(workerId: string): Promise<WorkerOrder | null> {
    const [value] = await this.#calls.attempt([['get', this.#keys.workerOrder(workerId)]])
    const order = intact<string | null>(value, null)
    return order === 'quiet' || order === 'resume' ? order : null
  }

  /** Keeps an order alive; one that is gone is written again, unless another was given meanwhile. */
  async keep(workerId: string, order: WorkerOrder): Promise<void> {
    const key = this.#keys.workerOrder(workerId)
    await this.#calls.attempt([
      ['set', key, order, 'PX', ORDER_TTL_MS, 'NX'],
      ['pexpire', key, ORDER_TTL_MS],
    ])
  }

  /** Removes the order of a worker that ends. */
  async remove(workerId: string): Promise<void> {
    await this.#calls.pipeline([['del', this.#keys.workerOrder(workerId)]])
  }
}
