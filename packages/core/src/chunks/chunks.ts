import { OptionsError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { JobContext } from '../tasks/context.ts'
import type { AnyChunk } from './chunk.ts'
import { callChunk, ChunkMember } from './chunk-call.ts'
import { chunkWaitMs } from './plan.ts'

export interface ChunksOptions {
  maxJobs: number
  /** Time a run of a task without a timeout of its own may take, in ms. */
  jobTimeoutMs: number
  /** True while the worker can start a further job. */
  canStartMore: () => boolean
  /** True for a job whose earlier tries ended with the death of their worker: it may kill this one, too. */
  isSuspect: (ctx: JobContext) => boolean
  log: Logger
}

/** A task whose jobs run in chunks. */
interface ChunkedTask {
  name: string
  chunk: AnyChunk
  timeoutMs?: number | undefined
}

/** The chunks of one worker: gathers running jobs of one function, and calls its handler with several at once. */
export class Chunks {
  readonly #options: ChunksOptions
  readonly #gatherers: Gatherer[] = []
  #isStopping = false

  constructor(options: ChunksOptions) {
    this.#options = options
  }

  /**
   * The handler that runs a job of a task as a part of a chunk.
   *
   * @throws OptionsError where a job's time would be over before its chunk runs.
   */
  handlerOf({ name, chunk, timeoutMs }: ChunkedTask): (ctx: JobContext, ...args: readonly unknown[]) => unknown {
    const { canStartMore, isSuspect, jobTimeoutMs, log, maxJobs } = this.#options
    const limitMs = timeoutMs ?? jobTimeoutMs
    if (chunk.waitMs >= limitMs)
      throw new OptionsError(
        `Worker: expected \`chunk.waitMs\` of '${name}' to be less than its timeout of ${limitMs} ms, got \`${chunk.waitMs}\``,
      )
    if (chunk.size > maxJobs)
      log.warn(`chunks of '${name}' have ${maxJobs} jobs at most (maxJobs), not the ${chunk.size} of \`chunk.size\``)
    const gatherer = new Gatherer(name, chunk, {
      canStartMore,
      isSuspect,
      isStopping: () => this.#isStopping,
      log: log.child({ function: name }),
    })
    this.#gatherers.push(gatherer)
    return (ctx, ...args) => gatherer.run(ctx, chunk.inputOf(args))
  }

  /** Runs what waits: no further job comes. Idempotent. */
  stop(): void {
    this.#isStopping = true
    for (const gatherer of this.#gatherers) gatherer.look()
  }
}

type Circumstances = Pick<ChunksOptions, 'canStartMore' | 'isSuspect' | 'log'> & { isStopping: () => boolean }

/** Gathers the jobs of one function: empty → gathering → empty, as the jobs become a chunk. */
class Gatherer {
  readonly #name: string
  readonly #chunk: AnyChunk
  readonly #circumstances: Circumstances
  #waiting = new Set<ChunkMember>()
  /** The moment the first of them began to wait, on the monotonic clock, in ms. */
  #sinceMs = 0
  #timer: NodeJS.Timeout | undefined
  #isLooking = false

  constructor(name: string, chunk: AnyChunk, circumstances: Circumstances) {
    this.#name = name
    this.#chunk = chunk
    this.#circumstances = circumstances
  }

  /**
   * Resolves or rejects as the job ends. A job that is interrupted while it waits leaves at once. A suspect is a chunk of its
   * own: it takes no other job with it.
   */
  run(ctx: JobContext, input: unknown): Promise<unknown> {
    const job = new ChunkMember(ctx, input)
    const { signal } = ctx
    if (signal.aborted) {
      job.fail(signal.reason)
      return job.ended
    }
    if (this.#circumstances.isSuspect(ctx)) {
      this.#call([job])
      return job.ended
    }
    const leave = () => {
      if (!this.#waiting.delete(job)) return
      if (this.#waiting.size === 0) clearTimeout(this.#timer)
      job.fail(signal.reason)
    }
    signal.addEventListener('abort', leave, { once: true })
    if (this.#waiting.size === 0) this.#sinceMs = performance.now()
    this.#waiting.add(job)
    if (this.#waiting.size >= this.#chunk.size) this.#flush()
    else this.#lookSoon()
    return job.ended
  }

  /** Runs the chunk if nothing is to be waited for; else waits. */
  look(): void {
    clearTimeout(this.#timer)
    if (this.#waiting.size === 0) return
    const { canStartMore, isStopping } = this.#circumstances
    const waitedMs = performance.now() - this.#sinceMs
    const gathering = { jobs: this.#waiting.size, waitedMs, canStartMore: canStartMore(), isStopping: isStopping() }
    const leftMs = chunkWaitMs(gathering, this.#chunk)
    if (leftMs <= 0) this.#flush()
    else this.#timer = setTimeout(() => this.look(), leftMs)
  }

  /** Looks once the turn is over: jobs that were claimed together start together. */
  #lookSoon(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    setImmediate(() => {
      this.#isLooking = false
      this.look()
    })
  }

  #flush(): void {
    clearTimeout(this.#timer)
    const jobs = [...this.#waiting]
    this.#waiting = new Set()
    this.#call(jobs)
  }

  #call(jobs: readonly ChunkMember[]): void {
    void callChunk(this.#name, this.#chunk, jobs, this.#circumstances.log)
  }
}
