import type { Keys } from '@arq-ts/protocol/jobs'
import { CallPacker } from './call-packer.ts'
import { describeThrown } from './fingerprint.ts'
import type { DescribedError } from './fingerprint.ts'
import type { RecorderPart } from './recorder.ts'
import type { Language } from './series-name.ts'

/** Events kept in Redis, about. */
export const MAX_EVENTS = 10_000
const MAX_RECENT = 500
const MAX_RECENT_BYTES = 8_192
const MAX_ERRORS = 500
const MAX_TRIED_JOBS = 10_000
const MAX_TRIES = 20
const ERROR_TTL_MS = 35 * 86_400_000
const TRIES_TTL_MS = 7 * 86_400_000

/** Bounds of one flush: a storm of failures is counted, not written one by one. */
const MAX_ENTRIES = 500
const MAX_EVENTS_PER_FLUSH = 100
const MAX_RECENT_PER_FLUSH = 50
/** Characters of an error in a job's entry: its whole message is with its fingerprint. */
const MAX_ERROR_TEXT = 120

/** A job as what is recorded of it names it. */
export interface JournalJob {
  jobId: string
  functionName: string
  queueName: string
  jobTry: number
}

/** Start and end of a try; without a run there is neither. */
export interface JournalRun {
  /** Unix ms of Redis. */
  startedMs: number
  finishedMs: number
  waitMs: number
}

/** A try that did not end its job well. */
interface BadTry extends JournalJob {
  atMs: number
  kind: 'failed' | 'retried' | 'released' | 'lease-lost'
  run: JournalRun | undefined
  error: DescribedError | undefined
  delayMs: number | undefined
}

/** Keeps what single jobs did that somebody may want to see: failures, retries, lost leases, and samples of the others. */
export class Journal implements RecorderPart {
  readonly #keys: Keys
  readonly #workerId: string
  readonly #language: Language
  #bad: BadTry[] = []
  #errors = new Map<string, { error: DescribedError; count: number; job: JournalJob; atMs: number }>()
  #notes: object[] = []
  #sample: (JournalJob & JournalRun) | undefined
  #slowest: (JournalJob & JournalRun) | undefined
  #slowestMs = 0
  /** Bad tries beyond the bound of a flush. */
  #more = 0

  constructor(options: { keys: Keys; workerId: string; language: Language }) {
    this.#keys = options.keys
    this.#workerId = options.workerId
    this.#language = options.language
  }

  /** True where a success of this duration is worth keeping: the first and the slowest between two flushes. */
  wants(runMs: number): boolean {
    return runMs > this.#slowestMs || this.#sample === undefined
  }

  succeeded(job: JournalJob, run: JournalRun): void {
    const runMs = run.finishedMs - run.startedMs
    const entry = { ...job, ...run }
    this.#sample ??= entry
    if (runMs <= this.#slowestMs) return
    this.#slowestMs = runMs
    this.#slowest = entry
  }

  failed(job: JournalJob, atMs: number, run: JournalRun | undefined, error: unknown): void {
    this.#add({ ...job, atMs, kind: 'failed', run, error: this.#group(job, atMs, error), delayMs: undefined })
  }

  retried(job: JournalJob, run: JournalRun, error: unknown, delayMs: number): void {
    const atMs = run.finishedMs
    this.#add({ ...job, atMs, kind: 'retried', run, error: this.#group(job, atMs, error), delayMs })
  }

  leaseLost(job: JournalJob, atMs: number): void {
    this.#add({ ...job, atMs, kind: 'lease-lost', run: undefined, error: undefined, delayMs: undefined })
  }

  /** Adds an event that is about no job. */
  note(event: object): void {
    this.#notes.push(event)
  }

  collect(): CallPacker['calls'] {
    const packer = new CallPacker()
    const keys = this.#keys
    const [bad, errors, notes, more] = [this.#bad, this.#errors, this.#notes, this.#more]
    const [sample, slowest] = [this.#sample, this.#slowest]
    this.#bad = []
    this.#errors = new Map()
    this.#notes = []
    this.#more = 0
    this.#sample = undefined
    this.#slowest = undefined
    this.#slowestMs = 0
    const append = (key: string, most: number, how: '=' | '~', value: object) =>
      packer.add([key], (number) => ['append', number, most, how, JSON.stringify(value)])
    for (const note of notes) append(keys.obsEvents, MAX_EVENTS, '~', { ...note, workerId: this.#workerId })
    const reported = bad.slice(0, MAX_EVENTS_PER_FLUSH)
    const left = more + bad.length - reported.length
    for (const [i, each] of reported.entries()) {
      const rest = i === reported.length - 1 && left > 0 ? { more: left } : {}
      append(keys.obsEvents, MAX_EVENTS, '~', { ...this.#event(each), ...rest })
    }
    const recent = [
      ...bad
        .filter(({ kind }) => kind === 'failed')
        .slice(0, MAX_RECENT_PER_FLUSH)
        .map((each) => this.#failure(each)),
      ...(sample && sample !== slowest ? [this.#success(sample, 'sample')] : []),
      ...(slowest ? [this.#success(slowest, 'slowest')] : []),
    ]
    for (const each of recent) {
      if (JSON.stringify(each).length <= MAX_RECENT_BYTES) append(keys.obsRecent, MAX_RECENT, '=', each)
    }
    for (const { error, count, job, atMs } of errors.values()) this.#packError(packer, error, count, job, atMs)
    for (const each of bad) {
      packer.add([keys.obsTries(each.jobId), keys.obsTried], (list, index) => {
        const bounds = [MAX_TRIED_JOBS, MAX_TRIES, TRIES_TTL_MS]
        return ['try', list!, index!, ...bounds, each.jobId, JSON.stringify(this.#try(each))]
      })
    }
    return packer.calls
  }

  #add(entry: BadTry): void {
    if (this.#bad.length < MAX_ENTRIES) this.#bad.push(entry)
    else this.#more++
  }

  #group(job: JournalJob, atMs: number, thrown: unknown): DescribedError {
    const error = describeThrown(thrown, job.jobId)
    const known = this.#errors.get(error.fingerprint)
    if (known) {
      known.count++
      known.job = job
      known.atMs = atMs
    } else if (this.#errors.size < MAX_ERRORS) this.#errors.set(error.fingerprint, { error, count: 1, job, atMs })
    return error
  }

  #packError(packer: CallPacker, error: DescribedError, count: number, job: JournalJob, atMs: number): void {
    const { fingerprint, message, sample, stack, type } = error
    packer.add([this.#keys.obsError(fingerprint), this.#keys.obsErrors], (hash, index) => {
      const first = [MAX_ERRORS, ERROR_TTL_MS, fingerprint, atMs, count]
      const rest = [type, message, sample, stack, job.functionName, job.queueName, job.jobId]
      return ['error', hash!, index!, ...first, ...rest]
    })
  }

  #event({ atMs, delayMs, error, functionName, jobId, jobTry, kind, queueName }: BadTry): object {
    return { atMs, kind, jobId, functionName, queueName, workerId: this.#workerId, jobTry, ...about(error), delayMs }
  }

  #try({ atMs, delayMs, error, jobTry, kind, run }: BadTry): object {
    const runMs = run ? run.finishedMs - run.startedMs : null
    const startedMs = run?.startedMs ?? null
    return { atMs, jobTry, kind, startedMs, runMs, workerId: this.#workerId, ...about(error), delayMs }
  }

  #failure({ atMs, error, functionName, jobId, jobTry, queueName, run }: BadTry): object {
    const times = run ?? { startedMs: atMs, finishedMs: atMs, waitMs: 0 }
    return {
      ...this.#ended({ functionName, jobId, jobTry, queueName, ...times }),
      ...about(error),
      outcome: 'failed',
      why: 'failure',
    }
  }

  #success(job: JournalJob & JournalRun, why: 'sample' | 'slowest'): object {
    return { ...this.#ended(job), outcome: 'complete', why }
  }

  #ended(job: JournalJob & JournalRun): object {
    const runMs = job.finishedMs - job.startedMs
    return { ...job, runMs, language: this.#language, workerId: this.#workerId }
  }
}

function about(error: DescribedError | undefined): object {
  if (!error) return {}
  const text = `${error.type}: ${error.sample}`
  const short = text.length > MAX_ERROR_TEXT ? `${text.slice(0, MAX_ERROR_TEXT)}…` : text
  return { error: short, fingerprint: error.fingerprint }
}
