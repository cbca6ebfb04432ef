import { setTimeout as sleep } from 'node:timers/promises'
import { shortId } from '@arq-ts/protocol/jobs'
import { RedisReplyError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import { sparingLog } from '../logging/sparing-log.ts'
import type { ServiceLog } from '../logging/sparing-log.ts'
import { BoundedCalls } from '../partitions/bounded-calls.ts'
import type { Claim } from '../redis/broker.ts'
import type { Faults } from '../redis/faults.ts'
import type { RedisContext } from '../redis/context.ts'
import { BEHIND_MS, BETWEEN_PAGES_MS, Orphans } from '../redis/orphans.ts'
import type { OrphanSearch } from '../redis/orphans.ts'

/** Time between two looks, in ms: a job of a dead worker starts within it and one claim after its lease has ended. */
const LOOK_MS = 250
/**
 * Time between two looks, in ms, to which it grows while the worker could take a job and none comes late: a queue that is
 * paused, or whose first job is a long one of Python's, looks as if it were behind.
 */
const SELDOM_MS = 4_000
/** Pause after a look that failed, in ms. */
const FAULT_PAUSE_MS = 5_000

/** One queue on one Redis server. */
export interface WatchedQueue {
  queueName: string
  /** Key that the search keeps its place in. */
  key: string
  faults: Pick<Faults, 'report'>
  bringForward: (isContinued: boolean) => Promise<OrphanSearch>
}

/** The watch over the queues of a worker, in every partition. */
export function watchOrphans(
  link: RedisContext,
  queueNames: readonly string[],
  { isFull, log }: { isFull: () => boolean; log: Logger },
): OrphanWatch {
  const queues = link.parts.flatMap(({ broker, calls, keys }) => {
    const orphans = new Orphans(calls, keys)
    return queueNames.map((queueName) => ({
      queueName,
      key: keys.orphans(queueName),
      faults: broker.faults,
      bringForward: (isContinued: boolean) => orphans.bringForward(queueName, isContinued),
    }))
  })
  return new OrphanWatch({ queues, log, now: () => link.clock.now(), isFull })
}

/**
 * Brings jobs whose worker died to the head of queues that are behind, where Python's arq leaves them all along. Nothing is
 * asked of Redis unless this worker gets its jobs late: elsewhere such a job is next as soon as its lease ends.
 *
 * stopped → started → stopped
 */
export class OrphanWatch {
  readonly #queues: readonly WatchedQueue[]
  readonly #log: ServiceLog
  readonly #now: () => number
  readonly #isFull: () => boolean
  readonly #calls = new BoundedCalls<WatchedQueue>()
  #timer: NodeJS.Timeout | undefined
  #isLate = false
  #isLooking = false
  #restUntilMs = 0
  /** Time between the last look and the next one, in ms: none after news, then twice as long each time. */
  #pauseMs = 0
  #lookedAtMs = 0

  /** `now` gives Redis's time, in unix ms. `isFull`: the worker can take no further job now. */
  constructor(options: { queues: readonly WatchedQueue[]; log: Logger; now: () => number; isFull: () => boolean }) {
    this.#queues = options.queues
    this.#log = sparingLog(options.log)
    this.#now = options.now
    this.#isFull = options.isFull
  }

  /** Takes in a job that was claimed: the time for which it was due shows whether its queue is behind. */
  claimed({ score }: Claim): void {
    this.#isLate = this.#now() - score > BEHIND_MS
    if (this.#isLate) this.#pauseMs = 0
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS)
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /**
   * Looks at all queues, to the end of what is due in each. One that does not answer in time, in a partition whose node is
   * away, counts as behind and holds up no other. Never rejects.
   */
  async look(): Promise<void> {
    // While all slots are taken, no job can come late, however far behind the queue is: the next one has to be the orphan.
    if (this.#isFull()) this.#pauseMs = 0
    const dueMs = Math.max(this.#restUntilMs, this.#lookedAtMs + this.#pauseMs)
    if (!this.#isLate || this.#isLooking || performance.now() < dueMs) return
    this.#isLooking = true
    this.#pauseMs = Math.min(Math.max(2 * this.#pauseMs, LOOK_MS), SELDOM_MS)
    let isBehind = false
    for (const queue of this.#queues) {
      const search = () => this.#search(queue)
      isBehind = (await this.#calls.ask(queue, search, () => true)) || isBehind
    }
    this.#isLate &&= isBehind
    this.#lookedAtMs = performance.now()
    this.#isLooking = false
  }

  async #search({ queueName, key, faults, bringForward }: WatchedQueue): Promise<boolean> {
    try {
      for (let isContinued = false; ; isContinued = true) {
        const { moved, isBehind, isMore } = await bringForward(isContinued)
        if (moved > 0) {
          this.#pauseMs = 0
          const jobs = moved === 1 ? '1 job whose worker died goes' : `${moved} jobs whose workers died go`
          this.#log.info(`${jobs} to the head of queue '${shortId(queueName, 200)}', which is behind`)
        }
        if (!isMore || this.#timer === undefined) return isBehind
        await sleep(BETWEEN_PAGES_MS + 1, undefined, { ref: false })
      }
    } catch (error) {
      if (error instanceof RedisReplyError && error.prefix === 'WRONGTYPE')
        faults.report({ queueName, jobId: undefined, key, reason: error.message })
      else if (this.#timer !== undefined)
        this.#log.error({ err: error }, `looking for jobs of dead workers in queue '${shortId(queueName, 200)}' failed`)
      this.#restUntilMs = performance.now() + FAULT_PAUSE_MS
      return true
    }
  }
}
