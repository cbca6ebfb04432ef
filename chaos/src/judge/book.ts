import type { LedgerEntry, RunOutcome } from './entries.ts'

/** One run of a handler. */
export interface Run {
  id: string
  nonce: string
  worker: string
  startMs: number
  endMs: number | undefined
  outcome: RunOutcome | undefined
  /** Time at which the library reported the end as stored. */
  settledMs: number | undefined
}

/** Ledger entries of one enqueued job. */
export interface Story {
  nonce: string
  /** Undefined until a producer or a run names it. */
  jobId: string | undefined
  task: string
  /** Moment a producer learned that it is queued; undefined where none did. */
  acceptedMs: number | undefined
  /** Time at which it was to run; undefined where no producer says. */
  dueMs: number | undefined
  producer: string | undefined
  runs: Run[]
}

/** Something that kept processes from working, on the ledger's clock. */
export interface Disturbance {
  kind: string
  /** Undefined: everybody. Else the slot, or the incarnation for what a worker reported itself. */
  target: string | undefined
  fromMs: number
  untilMs: number
}

/** A process that ended. */
export interface Exit {
  worker: string
  atMs: number
  status: string
  cause: string
}

/** A result that was stored for an id without a run of a handler. */
interface Unrun {
  jobId: string
  atMs: number
  outcome: string
}

/** Folds ledger entries, in their order, into stories of jobs and a list of disturbances. */
export class Book {
  readonly stories = new Map<string, Story>()
  /** Accepted nonces of each job id, oldest first. */
  readonly generations = new Map<string, string[]>()
  readonly disturbances: Disturbance[] = []
  readonly exits: Exit[] = []
  readonly unrun: Unrun[] = []
  readonly aborts = new Set<string>()
  /** Processes that enqueued each tick, in order. */
  readonly tickers = new Map<string, string[]>()
  readonly boots = new Map<string, number>()
  uncertain = 0
  leasesLost = 0
  entries = 0
  firstMs = Infinity
  lastMs = -Infinity
  readonly #runs = new Map<string, Run>()
  readonly #open = new Map<string, Disturbance>()

  add(entry: LedgerEntry): void {
    this.entries++
    this.firstMs = Math.min(this.firstMs, entry.atMs)
    this.lastMs = Math.max(this.lastMs, entry.atMs)
    switch (entry.event) {
      case 'accepted':
        return this.#accepted(entry)
      case 'uncertain':
        this.uncertain++
        return
      case 'abort':
        this.aborts.add(entry.jobId)
        return
      case 'ticked': {
        const tickers = this.tickers.get(entry.jobId)
        if (tickers) tickers.push(entry.worker)
        else this.tickers.set(entry.jobId, [entry.worker])
        return
      }
      case 'start':
        return this.#start(entry)
      case 'end': {
        const run = this.#runs.get(entry.run)
        if (!run) return
        run.endMs = entry.atMs
        run.outcome = entry.outcome
        return
      }
      case 'settled': {
        const run = this.#runs.get(entry.run)
        if (run) run.settledMs = entry.atMs
        else this.unrun.push({ jobId: entry.jobId, atMs: entry.atMs, outcome: entry.outcome })
        return
      }
      case 'leaseLost':
        this.leasesLost++
        return
      case 'boot':
        this.boots.set(entry.worker, entry.atMs)
        return
      case 'exit':
        this.exits.push({ worker: entry.worker, atMs: entry.atMs, status: entry.status, cause: entry.cause })
        this.#close(`down:${entry.worker}`, entry.atMs)
        return
      case 'down':
        return this.#openAt(`down:${entry.worker}`, 'disconnected', entry.worker, entry.atMs)
      case 'up':
        return this.#close(`down:${entry.worker}`, entry.atMs)
      case 'fault':
        return this.#openAt(`fault:${entry.fault}`, entry.kind, entry.target || undefined, entry.atMs)
      case 'healed':
        return this.#close(`fault:${entry.fault}`, entry.atMs)
    }
  }

  /** The run of this id. */
  run(id: string): Run | undefined {
    return this.#runs.get(id)
  }

  #accepted(entry: LedgerEntry & { event: 'accepted' }): void {
    const story = this.#story(entry.nonce, entry.task)
    story.acceptedMs = entry.atMs
    story.jobId = entry.jobId
    story.dueMs = entry.atMs + Number(entry.deferMs)
    story.producer = entry.producer
    const generations = this.generations.get(entry.jobId)
    if (generations) generations.push(entry.nonce)
    else this.generations.set(entry.jobId, [entry.nonce])
  }

  #start(entry: LedgerEntry & { event: 'start' }): void {
    const story = this.#story(entry.nonce, entry.task)
    story.jobId ??= entry.jobId
    const run: Run = {
      id: entry.run,
      nonce: entry.nonce,
      worker: entry.worker,
      startMs: Number(entry.at),
      endMs: undefined,
      outcome: undefined,
      settledMs: undefined,
    }
    story.runs.push(run)
    this.#runs.set(run.id, run)
  }

  #story(nonce: string, task: string): Story {
    let story = this.stories.get(nonce)
    if (!story) {
      story = { nonce, jobId: undefined, task, acceptedMs: undefined, dueMs: undefined, producer: undefined, runs: [] }
      this.stories.set(nonce, story)
    }
    return story
  }

  #openAt(key: string, kind: string, target: string | undefined, atMs: number): void {
    if (this.#open.has(key)) return
    const disturbance = { kind, target, fromMs: atMs, untilMs: Infinity }
    this.#open.set(key, disturbance)
    this.disturbances.push(disturbance)
  }

  #close(key: string, atMs: number): void {
    const disturbance = this.#open.get(key)
    if (disturbance) disturbance.untilMs = atMs
    this.#open.delete(key)
  }
}
