import { setMaxListeners } from 'node:events'
import type { Logger } from '../logging/logger.ts'
import type { JobContext } from '../tasks/context.ts'
import type { AnyChunk, ChunkContext, ChunkJob } from './chunk.ts'
import { endsOf } from './plan.ts'

/** One job in a chunk: waiting → running → settled, each way out of which ends the promise of its run. */
export class ChunkMember implements ChunkJob {
  readonly jobId: string
  readonly input: unknown
  readonly ctx: JobContext
  /** The end of the job's run. */
  readonly ended: Promise<unknown>
  /** Called once, when the job is settled. */
  onSettled: () => void = () => {}
  #resolve!: (result: unknown) => void
  #reject!: (error: unknown) => void
  #isSettled = false

  constructor(ctx: JobContext, input: unknown) {
    this.jobId = ctx.jobId
    this.input = input
    this.ctx = ctx
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  complete(result: unknown): void {
    if (this.#settle()) this.#resolve(result)
  }

  fail(error: unknown): void {
    if (this.#settle()) this.#reject(error)
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.onSettled()
    return true
  }
}

/** Calls the handler of a chunk, and settles the jobs that it has not settled itself. Never rejects. */
export async function callChunk(
  functionName: string,
  chunk: AnyChunk,
  jobs: readonly ChunkMember[],
  log: Logger,
): Promise<void> {
  const watch = watchSignals(jobs)
  let settle: () => void
  try {
    const returned = await chunk.handler(jobs, contextOf(jobs[0]!.ctx, watch.signal, log))
    settle = () => {
      for (const [i, end] of endsOf(functionName, jobs, returned).entries()) {
        if (end.kind === 'complete') jobs[i]!.complete(end.result)
        else jobs[i]!.fail(end.error)
      }
    }
  } catch (error) {
    settle = () => jobs.forEach((job) => job.fail(error))
  }
  // The signal is for a handler at work.
  watch.end()
  settle()
}

const OWN_FIELDS: ReadonlySet<string> = new Set(['jobId', 'jobTry', 'score', 'queueName', 'kwargs'])

/** The state of the worker, without what is a job's own. */
function contextOf(ctx: JobContext, signal: AbortSignal, log: Logger): ChunkContext {
  // Members that are costly to make stand on the prototype of a context, and are no entries.
  const shared = Object.entries(ctx).filter(([name]) => !OWN_FIELDS.has(name))
  return { ...Object.fromEntries(shared), signal, log } as unknown as ChunkContext
}

/** A signal that fires once no job is left whose end counts: some were interrupted, the others are settled. */
function watchSignals(jobs: readonly ChunkMember[]): { signal: AbortSignal; end: () => void } {
  const all = new AbortController()
  setMaxListeners(0, all.signal)
  const look = () => {
    const open = jobs.filter((job) => !job.isSettled)
    if (open.length > 0 && open.every(({ ctx }) => ctx.signal.aborted)) all.abort(open.at(-1)!.ctx.signal.reason)
  }
  for (const job of jobs) {
    job.onSettled = look
    job.ctx.signal.addEventListener('abort', look)
  }
  const end = () => {
    for (const job of jobs) {
      job.onSettled = () => {}
      job.ctx.signal.removeEventListener('abort', look)
    }
  }
  return { signal: all.signal, end }
}
