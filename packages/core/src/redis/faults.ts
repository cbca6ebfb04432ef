import { shortId } from '@arq-ts/protocol/jobs'
import { KEY_KINDS, kindOfKey } from './key-kinds.ts'
import { isDenied } from './reasons.ts'

/** Something in Redis that one job, or one call, stumbled on: a key of a wrong type, or a value that is no number. */
export interface Fault {
  /** The queue whose jobs the call was about; undefined where it was about jobs of several. */
  queueName: string | undefined
  /** The job that is affected; undefined where the key belongs to no job, such as `arq:abort`. */
  jobId: string | undefined
  /** The key that is wrong; the queue itself where the job's score is. */
  key: string
  /** Redis's own words, such as `WRONGTYPE Operation against a key holding the wrong kind of value`. */
  reason: string
}

/** Gets a fault that is worth a log line; `others` faults of other keys were not reported since the last one. */
export type FaultListener = (fault: Fault, others: number) => void

/** A key is reported again after this time, if it is still wrong. */
const REPORT_AGAIN_MS = 60_000
/** Keys reported in that time, at most: a flood of them is one line that counts. */
const MAX_REPORTS = 20
/** A faulty job is tried again after this time, then after twice the time, and so on up to the longest. */
const FIRST_BACKOFF_MS = 1_000
const LONGEST_BACKOFF_MS = 60_000
/** Faulty jobs whose backoff is remembered; those beyond get the longest at once. */
const MAX_REMEMBERED = 10_000

/**
 * The faults that scripts report: counted all, passed on sparingly, each with the backoff of its job.
 * A fault is passed on once, then at most once a minute for its key, and for few keys a minute.
 */
export class Faults {
  readonly #now: () => number
  readonly #counts = new Map<string, number>(KEY_KINDS.map((kind) => [kind, 0]))
  readonly #backoffs = new Map<string, number>()
  #listener: FaultListener | undefined
  /** Keys reported in this minute. */
  readonly #reported = new Set<string>()
  #minuteEndsMs = 0
  #others = 0

  /** `now` gives monotonic ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Number of faults since the start, by the kind of their key: `arq:retry`, `arq:dead`, `queue` …; 0 for the others. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Passes on from now on what is worth a log line; the one listener is replaced. */
  listen(listener: FaultListener): void {
    this.#listener = listener
  }

  report(fault: Fault): void {
    const kind = kindOfKey(fault.key)
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    const now = this.#now()
    if (now >= this.#minuteEndsMs) {
      this.#minuteEndsMs = now + REPORT_AGAIN_MS
      this.#reported.clear()
    }
    const about = fault.jobId === undefined ? fault.key : `${fault.key} ${fault.jobId}`
    if (this.#reported.has(about)) return
    if (this.#reported.size >= MAX_REPORTS) {
      this.#others++
      return
    }
    this.#reported.add(about)
    const others = this.#others
    this.#others = 0
    this.#listener?.(fault, others)
  }

  /** For how long a faulty job is now left alone, in ms: longer each time. */
  backoffMs(jobId: string): number {
    const known = this.#backoffs.get(jobId)
    if (known === undefined && this.#backoffs.size >= MAX_REMEMBERED) return LONGEST_BACKOFF_MS
    const ms = known === undefined ? FIRST_BACKOFF_MS : Math.min(2 * known, LONGEST_BACKOFF_MS)
    this.#backoffs.set(jobId, ms)
    return ms
  }

  /** Forgets the backoff of jobs that are well. Costs nothing while none was faulty. */
  forget(jobs: readonly { jobId: string }[]): void {
    if (this.#backoffs.size === 0) return
    for (const { jobId } of jobs) this.#backoffs.delete(jobId)
  }
}

/** Characters of an id, a key or a queue that the line shows: anybody can queue an id of megabytes. */
const MAX_NAME_LENGTH = 200

/** The log line about a fault: what it is, what it stops, and what to do. */
export function describeFault({ queueName, jobId, key, reason }: Fault, others: number): string {
  const queue = queueName === undefined ? '' : ` of queue '${shortId(queueName, MAX_NAME_LENGTH)}'`
  const job = jobId === undefined ? '' : `job '${shortId(jobId, MAX_NAME_LENGTH)}'${queue}: `
  const more = others === 0 ? '' : ` (and ${others} faults of other keys)`
  if (isDenied(reason))
    return `${job}the Redis user may not do what '${shortId(key, MAX_NAME_LENGTH)}' needs: ${reason}${more}`
  return `${job}Redis key '${shortId(key, MAX_NAME_LENGTH)}' is faulty and stops what needs it: ${reason}${more}; see arq-ts doctor`
}
