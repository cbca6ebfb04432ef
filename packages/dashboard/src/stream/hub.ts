import { measureCommands } from '@arq-ts/core'
import type { StreamMessages, StreamTopic } from '../api/types.ts'
import type { Board } from '../board.ts'
import { overview } from '../read/overview.ts'
import { queuesIn, snapshot, snapshotSeen, workersIn } from '../read/queues.ts'
import { Sight } from '../users/sight.ts'
import { EventFeed } from './event-feed.ts'
import { JobLogFeeds } from './job-log-feeds.ts'
import { Replay } from './replay.ts'
import type { Message } from './replay.ts'

/**
 * Feeds every stream of a process from one poller.
 *
 *   idle --first subscriber--> polling --last one leaves--> idle
 *
 * While it is idle it sends nothing to Redis. While it polls, its cost does not depend on the number of subscribers. A poll
 * that fails is reported to all of them, and so is the first one that succeeds again.
 */

/** Topics that the poller makes; `events` come by themselves. */
const POLLED = ['overview', 'queues', 'workers'] as const satisfies readonly StreamTopic[]
const POLL_MS = 2_000
/** The share of time that a poll may take: a slow one is followed by a longer pause. */
const SHARE = 20

/** A reader of the stream. */
export interface Subscriber {
  topics: ReadonlySet<StreamTopic>
  send(message: Message): void
  /** Sends a notice, which everybody may see and nobody needs later. */
  notify(text: string): void
  end(): void
}

/** The one poller of a dashboard. */
export class Hub {
  readonly #board: Board
  readonly #subscribers = new Set<Subscriber>()
  readonly #streams = new Set<{ end(): void }>()
  readonly #replay = new Replay()
  readonly #events: EventFeed
  /** Logs of single jobs. */
  readonly jobLogs: JobLogFeeds
  #timer: NodeJS.Timeout | undefined
  #isPolling = false
  /** True since the last poll has failed. */
  #isSilent = false

  constructor(board: Board) {
    this.#board = board
    this.jobLogs = new JobLogFeeds(board)
    this.#events = new EventFeed(board, (batch) =>
      this.#publish('events', batch, async (sight) => ({ ...batch, events: await sight.jobs(batch.events) })),
    )
    board.onClose(() => this.close())
  }

  /** The number of open streams of every kind. */
  get openStreams(): number {
    return this.#streams.size
  }

  /** Counts a stream and ends it with the dashboard. The answer takes it off the count. */
  open(stream: { end(): void }): () => void {
    this.#streams.add(stream)
    return () => void this.#streams.delete(stream)
  }

  /** Adds a reader, and sends what it missed since `lastId`, or the newest state. The answer removes it. */
  subscribe(subscriber: Subscriber, lastId: string | null): () => void {
    for (const message of this.#replay.since(lastId, subscriber.topics)) subscriber.send(message)
    if (this.#isSilent) subscriber.notify(noticeOf(true))
    this.#subscribers.add(subscriber)
    this.#arrange()
    return () => {
      this.#subscribers.delete(subscriber)
      this.#arrange()
    }
  }

  /** Ends every stream. */
  async close(): Promise<void> {
    for (const stream of this.#streams) stream.end()
    this.#arrange()
    await Promise.all([this.#events.stop(), this.jobLogs.close()])
  }

  #wants(topic: StreamTopic): boolean {
    return [...this.#subscribers].some(({ topics }) => topics.has(topic))
  }

  /** Starts and stops what the readers need. */
  #arrange(): void {
    if (this.#wants('events')) void this.#events.start()
    else void this.#events.stop()
    if (!POLLED.some((topic) => this.#wants(topic))) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#replay.forgetStates()
      this.#isSilent = false
    } else if (this.#timer === undefined && !this.#isPolling) this.#timer = setTimeout(() => void this.#poll(), 0)
  }

  async #poll(): Promise<void> {
    this.#timer = undefined
    this.#isPolling = true
    const startedMs = performance.now()
    try {
      await this.#look(startedMs)
      this.#hear(false)
    } catch (error) {
      this.#hear(true)
      // Readers keep what they have; their next requests are answered with the reason.
      this.#board.logger.warn({ err: error }, 'the dashboard could not look at the queues; it tries again')
    }
    this.#isPolling = false
    if (!POLLED.some((topic) => this.#wants(topic))) return
    // One that waited for Redis in vain has cost it nothing.
    const tookMs = this.#isSilent ? 0 : performance.now() - startedMs
    this.#timer = setTimeout(() => void this.#poll(), Math.max(POLL_MS, SHARE * tookMs))
  }

  #hear(isSilent: boolean): void {
    if (isSilent === this.#isSilent) return
    this.#isSilent = isSilent
    for (const subscriber of this.#subscribers) subscriber.notify(noticeOf(isSilent))
  }

  async #look(startedMs: number): Promise<void> {
    const board = this.#board
    const costOf = (commands: number) => ({ commands, tookMs: Math.round(performance.now() - startedMs) })
    const { value: seen, commands } = await measureCommands(() => snapshot(board))
    if (this.#wants('queues')) {
      const cost = costOf(commands)
      this.#publish('queues', { ...queuesIn(seen), cost }, async (sight) => ({
        ...queuesIn(await snapshotSeen(seen, sight)),
        cost,
      }))
    }
    if (this.#wants('workers')) {
      const cost = costOf(commands)
      this.#publish('workers', { ...workersIn(seen), cost }, async (sight) => ({
        ...workersIn(await snapshotSeen(seen, sight)),
        cost,
      }))
    }
    if (!this.#wants('overview')) return
    const made = await measureCommands(() => overview(board, Sight.whole, seen))
    const cost = costOf(commands + made.commands)
    this.#publish('overview', { ...made.value, cost }, async (sight) => ({
      ...(await overview(board, sight, seen)),
      cost,
    }))
  }

  #publish<T extends StreamTopic>(
    topic: T,
    data: StreamMessages[T],
    seen: (sight: Sight) => Promise<StreamMessages[T]>,
  ): void {
    const message = this.#replay.add(topic, data, seen)
    if (message === null) return
    for (const subscriber of this.#subscribers) if (subscriber.topics.has(topic)) subscriber.send(message)
  }
}

/** The notice that Redis does not answer, or answers again. */
function noticeOf(isSilent: boolean): string {
  return `event: redis\ndata: ${JSON.stringify({ silent: isSilent })}\n\n`
}
