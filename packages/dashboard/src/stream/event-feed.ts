import type { WorkerEventMessage } from '@arq-ts/core'
import type { StreamMessages, WorkerEventRow } from '../api/types.ts'
import type { Board } from '../board.ts'

const BATCH_MS = 500
const MAX_BATCH = 200
/** Time after which a Redis that was away is asked again for readers that came meanwhile, in ms. */
const AGAIN_MS = 2_000

/** Events of workers, in batches. They publish only while somebody listens, so it listens only while it is read. */
export class EventFeed {
  readonly #board: Board
  readonly #send: (batch: StreamMessages['events']) => void
  /** Starts and stops follow each other: a reload must not leave two listeners, or none. */
  #turn: Promise<void> = Promise.resolve()
  #isWanted = false
  #stopListening: (() => void) | undefined
  #batch: WorkerEventRow[] = []
  #missed = 0
  #timer: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined

  constructor(board: Board, send: (batch: StreamMessages['events']) => void) {
    this.#board = board
    this.#send = send
  }

  start(): Promise<void> {
    this.#isWanted = true
    return this.#arrange()
  }

  stop(): Promise<void> {
    this.#isWanted = false
    clearTimeout(this.#again)
    this.#again = undefined
    return this.#arrange()
  }

  #arrange(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#isWanted && !this.#stopListening) {
        this.#stopListening = await this.#board.client.workers.listen((event) => this.#add(event))
      } else if (!this.#isWanted && this.#stopListening) {
        this.#stopListening()
        this.#stopListening = undefined
        clearTimeout(this.#timer)
        this.#timer = undefined
        this.#batch = []
      }
    })
    this.#turn = this.#turn.catch(() => {
      if (!this.#isWanted) return
      this.#again ??= setTimeout(() => {
        this.#again = undefined
        void this.#arrange()
      }, AGAIN_MS)
    })
    return this.#turn
  }

  #add(event: WorkerEventMessage): void {
    this.#missed += event.missed ?? 0
    if (this.#batch.length < MAX_BATCH) this.#batch.push(rowOf(this.#board, event))
    else this.#missed++
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const [events, missed] = [this.#batch, this.#missed]
      this.#batch = []
      this.#missed = 0
      this.#send({ events, missed })
    }, BATCH_MS)
  }
}

function rowOf(board: Board, message: WorkerEventMessage): WorkerEventRow {
  const { event, jobId, functionName, queueName, workerId, atMs } = message
  return {
    event,
    jobId,
    functionName,
    queueName,
    workerId,
    atMs,
    jobTry: message.jobTry ?? null,
    waitMs: message.waitMs ?? null,
    runMs: message.runMs ?? null,
    delayMs: message.delayMs ?? null,
    outcome: message.outcome ?? null,
    reason: message.reason ?? null,
    error: board.redaction.error({ jobId, functionName, queueName }, message.error ?? null)?.slice(0, 300) ?? null,
  }
}
