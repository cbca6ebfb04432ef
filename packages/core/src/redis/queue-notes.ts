import type { QueueRecords } from './queues.ts'

/** Time after which queues are noted again, in ms. */
const AGAIN_MS = 3_600_000
/** Queues that one producer notes in that time: Redis remembers no more of them. */
const MAX_QUEUES = 10_000

/** Notes the queues that a producer uses, each once an hour, so that operators see a new queue at once. */
export class QueueNotes {
  readonly #queues: Pick<QueueRecords, 'note'>
  readonly #noted = new Set<string>()
  #anewMs = -Infinity

  constructor(queues: Pick<QueueRecords, 'note'>) {
    this.#queues = queues
  }

  /** Notes a queue behind the caller, who does not wait: no job depends on it. `nowMs` is any clock's, always the same. */
  note(queueName: string, nowMs: number): void {
    if (nowMs >= this.#anewMs) {
      this.#noted.clear()
      this.#anewMs = nowMs + AGAIN_MS
    }
    // Beyond that, a queue would be noted at each enqueue: a look at the database finds it.
    if (this.#noted.has(queueName) || this.#noted.size >= MAX_QUEUES) return
    this.#noted.add(queueName)
    void this.#queues.note(queueName).catch(() => {})
  }
}
