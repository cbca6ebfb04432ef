import { EncodeError, OptionsError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import { maskSecrets } from '../logging/secrets.ts'
import { MAX_LOG_BYTES, MAX_LOG_TTL_MS } from '../redis/job-logs.ts'
import type { JobLogStreams } from '../redis/job-logs.ts'
import type { JobLogLine } from './job-log.ts'
import { MAX_PIECES_BYTES, MIN_PIECE_BYTES } from './piece-bounds.ts'

/** Delay after which what was logged is written, in ms: entries of that time travel together. */
const WRITE_DELAY_MS = 100
/** Entries that wait at most; those beyond are dropped. */
const MAX_WAITING = 2_000
/** Delay after which a piece of a result is written, in ms: somebody may look at it. */
const CHUNK_DELAY_MS = 20
/** Bytes of pieces from which on a handler waits until they are written. */
const HIGH_WATER_BYTES = 32_768
/** Entries that are written by one call: Redis serves nobody else meanwhile. */
const WRITE_PAGE = 1_000
/** Bound on the bytes of an entry without its value. */
const FRAME_BYTES = 256
const REPEAT_MS = 60_000
/** Time for which the log of a job that has ended is kept at least, in ms: its readers have to hear of its end. */
const MIN_TTL_MS = 60_000

/** The try that logs. */
export interface LoggingTry {
  jobId: string
  jobTry: number
}

/** The entries of a job that wait, and the time for which its log is kept after them. */
interface Waiting {
  entries: (JobLogLine & { atMs: number; jobTry: number })[]
  ttlMs: number
}

/**
 * Collects what handlers log and how far they are, and writes it soon. A job that logs nothing costs nothing.
 *
 * idle ⇄ waiting, from an entry to the next write
 */
export class JobLogs {
  readonly #streams: JobLogStreams
  readonly #log: Logger
  readonly #now: () => number
  /** Tries that have logged or ended. A handler that was abandoned may log later: nothing here keeps its try in memory. */
  readonly #tries = new WeakMap<LoggingTry, 'logging' | 'ended'>()
  #hasLogged = false
  #waiting = new Map<string, Waiting>()
  /** Entries, other than pieces, that are not written. */
  #size = 0
  /** Entries among them that wait for the next write. */
  #newSize = 0
  /** Bytes of the pieces that are not written. */
  #chunkBytes = 0
  /** Entries among them that wait for the next write. */
  #newBytes = 0
  #isSoon = false
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  /** The write that has not begun. */
  #next: Promise<void> | undefined
  #loggedAtMs = -Infinity

  /** `now` gives Redis time in unix ms. */
  constructor(streams: JobLogStreams, log: Logger, now: () => number) {
    this.#streams = streams
    this.#log = log
    this.#now = now
  }

  /** True once a job has logged. */
  get hasLogged(): boolean {
    return this.#hasLogged
  }

  /** Adds an entry. Of several steps of progress that wait, the last one counts. */
  add(job: LoggingTry, line: JobLogLine): void {
    const { entries } = this.#waitingOf(job)
    const { jobTry } = job
    const entry = { ...line, atMs: this.#now(), jobTry }
    if (line.kind === 'progress' && entries.at(-1)?.kind === 'progress') entries[entries.length - 1] = entry
    else if (this.#size < MAX_WAITING || line.kind === 'end') {
      entries.push(entry)
      this.#size++
      this.#newSize++
    }
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_DELAY_MS)
  }

  /**
   * Adds a piece of a result; none is dropped. Resolves at once, or when what waits is written where that is much.
   *
   * @throws EncodeError for what JSON cannot write or the log cannot hold, OptionsError where too much waits or the try
   *   has ended.
   */
  emit(job: LoggingTry, value: unknown): Promise<void> {
    if (this.#tries.get(job) === 'ended') throw tryHasEnded()
    const bytes = Math.max(sizeOf(value), MIN_PIECE_BYTES)
    if (this.#chunkBytes + bytes > MAX_PIECES_BYTES)
      throw new OptionsError(`ctx.emit: ${MAX_PIECES_BYTES} bytes wait to be written; await each call`)
    this.#chunkBytes += bytes
    this.#newBytes += bytes
    // As it is now: the handler may change the object.
    this.#waitingOf(job).entries.push({
      kind: 'chunk',
      value: JSON.parse(JSON.stringify(value ?? null)),
      atMs: this.#now(),
      jobTry: job.jobTry,
    })
    if (!this.#isSoon) {
      this.#isSoon = true
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => void this.flush(), CHUNK_DELAY_MS)
    }
    return this.#chunkBytes > HIGH_WATER_BYTES ? this.flush() : Promise.resolve()
  }

  /**
   * Ends the log of a try. A job that is over says so to its readers, and its log is kept as long as what is left of it, its
   * result or its dead letter: `keepMs`, from one minute to seven days.
   */
  ended(job: LoggingTry, end?: { outcome: 'complete' | 'failed' | 'aborted'; keepMs: number }): void {
    const phase = this.#tries.get(job)
    if (phase !== 'ended') this.#tries.set(job, 'ended')
    if (phase !== 'logging') return
    if (end) {
      this.add(job, { kind: 'end', outcome: end.outcome })
      this.#waitingOf(job).ttlMs = Math.min(Math.max(end.keepMs, MIN_TTL_MS), MAX_LOG_TTL_MS)
    }
  }

  #waitingOf(job: LoggingTry): Waiting {
    const { jobId } = job
    if (!this.#tries.has(job)) this.#tries.set(job, 'logging')
    this.#hasLogged = true
    const waiting = this.#waiting.get(jobId) ?? { entries: [], ttlMs: MAX_LOG_TTL_MS }
    if (waiting.entries.length === 0) this.#waiting.set(jobId, waiting)
    return waiting
  }

  /** Writes what waits, in order; one write at a time, and those that are asked for meanwhile are one. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isSoon = false
    if (this.#next) return this.#next
    const next = this.#writing.then(() => {
      this.#next = undefined
      return this.#writeWaiting()
    })
    this.#next = next
    this.#writing = next
    return next
  }

  async #writeWaiting(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = new Map()
    // While Redis is away, what has been handed to a write waits as well.
    const size = this.#newSize
    this.#newSize = 0
    const bytes = this.#newBytes
    this.#newBytes = 0
    await this.#write(waiting)
    this.#size -= size
    this.#chunkBytes -= bytes
  }

  async #write(waiting: ReadonlyMap<string, Waiting>): Promise<void> {
    for (const [jobId, { entries, ttlMs }] of waiting) {
      try {
        for (let from = 0; from < entries.length; from += WRITE_PAGE)
          await this.#streams.append(jobId, entries.slice(from, from + WRITE_PAGE).map(textOf), ttlMs)
      } catch (error) {
        const now = performance.now()
        if (now - this.#loggedAtMs < REPEAT_MS) continue
        this.#loggedAtMs = now
        this.#log.warn(
          { err: error, jobId },
          `writing the log of job ${jobId} failed; its entries are lost, the job is not`,
        )
      }
    }
  }
}

/** The error of code that emits after its try. */
export function tryHasEnded(): OptionsError {
  return new OptionsError('ctx.emit: the try of this context has ended, and so have its readers')
}

/** An entry as it is written. A piece of a result is data, and goes as it is. */
function textOf(entry: Waiting['entries'][number]): string {
  const text = JSON.stringify(entry)
  return entry.kind === 'chunk' ? text : maskSecrets(text)
}

/** Bytes of a piece as it is written. @throws EncodeError */
function sizeOf(value: unknown): number {
  let text: string | undefined
  try {
    text = JSON.stringify(value ?? null)
  } catch (error) {
    throw new EncodeError(`ctx.emit: JSON cannot write the value: ${(error as Error).message}`)
  }
  if (text === undefined) throw new EncodeError(`ctx.emit: JSON cannot write a ${typeof value}`)
  const bytes = Buffer.byteLength(text)
  const most = MAX_LOG_BYTES - FRAME_BYTES
  if (bytes <= most) return bytes
  throw new EncodeError(`ctx.emit: the value has ${bytes} bytes as JSON, more than the ${most} that one may have`)
}
