import type { QueueRecords } from './queues.ts'

/** Time after which a queue is noted again, in ms. */
const AGAIN_MS = 3_600_000
/** Queues that one producer remembers to have noted. */
const MAX_QUEUES = 1_000

/** Notes the queues that a producer uses, each once an hour, so that operators see a new queue at once. */
export class QueueNotes {
  readonly #queues: Pick<QueueRecords, 'note'>
  readonly #nextMs = new Map<string, number>()

  constructor(queues: Pick<QueueRecords, 'note'>) {
    this.#queues = queues
  }

  /** Notes a queue behind the caller, who does not wait: no job depends on it. */
  note(queueName: string): void {
    const nowMs = performance.now()
    if (nowMs < (this.#nextMs.get(queueName) ?? 0)) return
    if (this.#nextMs.size >= MAX_QUEUES) this.#nextMs.clear()
    this.#nextMs.set(queueName, nowMs + AGAIN_MS)
    // After a failure, a look at the database finds the queue.
    void this.#queues.note(queueName).catch(() => {})
  }
}
