import type { Logger } from '../logging/logger.ts'
import { maskSecrets } from '../logging/secrets.ts'
import type { JobLogStreams } from '../redis/job-logs.ts'
import type { JobLogLine } from './job-log.ts'

/** Delay after which what was logged is written, in ms: entries of that time travel together. */
const WRITE_DELAY_MS = 100
/** Entries that wait at most; those beyond are dropped. */
const MAX_WAITING = 2_000
const REPEAT_MS = 60_000

/** The try that logs. */
export interface LoggingTry {
  jobId: string
  jobTry: number
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
  /** Jobs at work that have logged. */
  readonly #logging = new Set<string>()
  #waiting = new Map<string, (JobLogLine & { atMs: number; jobTry: number })[]>()
  #size = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #loggedAtMs = -Infinity

  /** `now` gives Redis time in unix ms. */
  constructor(streams: JobLogStreams, log: Logger, now: () => number) {
    this.#streams = streams
    this.#log = log
    this.#now = now
  }

  /** True while a job at work has logged. */
  get isLogging(): boolean {
    return this.#logging.size > 0
  }

  /** Adds an entry. Of several steps of progress that wait, the last one counts. */
  add({ jobId, jobTry }: LoggingTry, line: JobLogLine): void {
    this.#logging.add(jobId)
    const waiting = this.#waiting.get(jobId) ?? []
    if (waiting.length === 0) this.#waiting.set(jobId, waiting)
    const entry = { ...line, atMs: this.#now(), jobTry }
    if (line.kind === 'progress' && waiting.at(-1)?.kind === 'progress') waiting[waiting.length - 1] = entry
    else if (this.#size < MAX_WAITING || line.kind === 'end') {
      waiting.push(entry)
      this.#size++
    }
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_DELAY_MS)
  }

  /** Ends the log of a try; a job that is over says so to its readers. */
  ended(job: LoggingTry, outcome: 'complete' | 'failed' | 'aborted' | undefined): void {
    if (!this.#logging.has(job.jobId)) return
    if (outcome !== undefined) this.add(job, { kind: 'end', outcome })
    this.#logging.delete(job.jobId)
  }

  /** Writes what waits, in order. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = new Map()
    this.#size = 0
    this.#writing = this.#writing.then(() => this.#write(waiting))
    return this.#writing
  }

  async #write(waiting: ReadonlyMap<string, readonly object[]>): Promise<void> {
    for (const [jobId, entries] of waiting) {
      try {
        await this.#streams.append(
          jobId,
          entries.map((entry) => maskSecrets(JSON.stringify(entry))),
        )
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
