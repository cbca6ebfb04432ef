import type { JobLogEntry } from '@arq-ts/core'
import type { JobLogMessage } from '../api/types.ts'
import type { Board } from '../board.ts'
import { inertJson } from '../http/respond.ts'
import { lineOf, progressOf } from '../read/logs.ts'
import type { Channel } from './sse.ts'

/** Entries of one job that a later reader can still be given; Redis keeps about as many in 64 KiB. */
const KEPT = 2_000

/** Logs of jobs that somebody watches: each is read once, however many tabs show it. */
export class JobLogFeeds {
  readonly #board: Board
  readonly #feeds = new Map<string, Feed>()

  constructor(board: Board) {
    this.#board = board
  }

  /** Sends what follows the entry `after`, then what comes, until the job has ended. The answer stops it. */
  subscribe(jobId: string, queueName: string | undefined, channel: Channel, after: string | null): () => void {
    const key = JSON.stringify([jobId, queueName])
    let feed = this.#feeds.get(key)
    if (!feed) {
      feed = new Feed(this.#board, jobId, queueName, () => this.#feeds.delete(key))
      this.#feeds.set(key, feed)
    }
    return feed.add(channel, after)
  }

  /** Ends all feeds; their readers are gone by then. */
  async close(): Promise<void> {
    await Promise.all([...this.#feeds.values()].map((feed) => feed.stop()))
  }
}

/** following (from the first reader on) → over (the job has ended, the last reader has left, or Redis failed) */
class Feed {
  readonly #board: Board
  readonly #jobId: string
  readonly #queueName: string | undefined
  readonly #onOver: () => void
  /** Readers with the entry that they had when they came. */
  readonly #channels = new Map<Channel, string | null>()
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  #entries: JobLogEntry[] = []

  constructor(board: Board, jobId: string, queueName: string | undefined, onOver: () => void) {
    this.#board = board
    this.#jobId = jobId
    this.#queueName = queueName
    this.#onOver = onOver
    this.#done = this.#follow()
  }

  add(channel: Channel, after: string | null): () => void {
    const missed = this.#entries.filter(({ id }) => after === null || isLater(id, after))
    if (missed.length > 0) channel.write(this.#message(missed, null))
    this.#channels.set(channel, after)
    return () => {
      this.#channels.delete(channel)
      if (this.#channels.size === 0) void this.stop()
    }
  }

  stop(): Promise<void> {
    this.#stopping.abort()
    this.#onOver()
    return this.#done
  }

  async #follow(): Promise<void> {
    try {
      const { client } = this.#board
      const job = client.job(this.#jobId, this.#queueName === undefined ? {} : { queueName: this.#queueName })
      for await (const entry of job.events({ signal: this.#stopping.signal })) {
        this.#entries = [...this.#entries, entry].slice(-KEPT)
        const ended = entry.kind === 'end' ? entry.outcome : null
        for (const [channel, after] of this.#channels) {
          // The feed may still be reading what this reader has.
          if (after === null || isLater(entry.id, after)) channel.write(this.#message([entry], ended))
        }
      }
    } catch (error) {
      this.#board.logger.warn({ err: error }, `the log of the job "${this.#jobId}" could not be followed`)
    }
    this.#onOver()
    if (this.#stopping.signal.aborted) return
    const over: JobLogMessage = { lines: [], progress: null, ended: 'over', cursor: this.#entries.at(-1)?.id ?? null }
    for (const channel of this.#channels.keys()) {
      channel.write(`event: log\ndata: ${inertJson(over)}\n\n`)
      channel.end()
    }
  }

  #message(entries: readonly JobLogEntry[], ended: JobLogMessage['ended']): string {
    const cursor = entries.at(-1)!.id
    const lines = entries.flatMap((entry) => lineOf(this.#board, this.#jobId, entry) ?? [])
    const message: JobLogMessage = { lines, progress: progressOf(entries), ended, cursor }
    return `id: ${cursor}\nevent: log\ndata: ${inertJson(message)}\n\n`
  }
}

/** True for an id of a stream after another: two numbers with a dash. */
function isLater(id: string, after: string): boolean {
  const [ms = 0, number = 0] = id.split('-').map(Number)
  const [afterMs = 0, afterNumber = 0] = after.split('-').map(Number)
  return ms > afterMs || (ms === afterMs && number > afterNumber)
}
