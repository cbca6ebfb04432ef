import type { Book, Story } from './book.ts'
import { describeRuns } from './describe.ts'
import type { Explainer } from './explain.ts'
import { percentile } from './percentile.ts'

/** Time until jobs of our killed workers ran again. */
export interface Recovery {
  kills: number
  /** Jobs that ran when their worker was killed, and again later. */
  jobs: number
  /** Recoveries whose wait no other fault disturbed. */
  undisturbed: number
  p50Ms: number | undefined
  p99Ms: number | undefined
  maxMs: number | undefined
  /** The same over all of them, other faults included. */
  allP99Ms: number | undefined
  /** The slowest, longest first. */
  slowest: string[]
}

/** The kind of workers whose recovery is ours to promise. */
const OURS = /^ts-worker-/

/** Slowest recoveries that are named. */
const SHOWN = 5

/**
 * True where nothing else kept the job back. Fresh jobs that wait as well say that there are too few workers, or too little
 * of the machine. A worker of arq that dies counts, too: it may have claimed the job, and arq
 * frees a dead worker's jobs after its longest timeout + 10 s.
 */
function isCalm(
  explainer: Explainer,
  book: Book,
  fresh: FreshJobs,
  worker: string,
  fromMs: number,
  untilMs: number,
): boolean {
  if (explainer.during(worker, fromMs, untilMs).length > 0) return false
  if (fresh.waited(fromMs, untilMs)) return false
  return !book.exits.some((exit) => exit.worker.startsWith('py-worker') && exit.atMs >= fromMs && exit.atMs <= untilMs)
}

/** A machine, or a fleet, that begins fresh jobs this late would begin any job late. */
const BUSY_MS = 300

/** Waits of fresh jobs, by due time: a run of a million jobs asks for thousands of moments. */
class FreshJobs {
  readonly #jobs: { dueMs: number; waitMs: number }[] = []

  constructor(book: Book) {
    for (const { dueMs, runs } of book.stories.values()) {
      if (dueMs !== undefined) this.#jobs.push({ dueMs, waitMs: (runs[0]?.startMs ?? Infinity) - dueMs })
    }
    this.#jobs.sort((a, b) => a.dueMs - b.dueMs)
  }

  /** True where one in ten of those due then waited: then the wait of another job says nothing about leases. */
  waited(fromMs: number, untilMs: number): boolean {
    const waits: number[] = []
    for (let i = this.#firstFrom(fromMs); i < this.#jobs.length && this.#jobs[i]!.dueMs <= untilMs; i++) {
      waits.push(this.#jobs[i]!.waitMs)
    }
    return (percentile(waits, 0.9) ?? 0) > BUSY_MS
  }

  #firstFrom(fromMs: number): number {
    let low = 0
    let high = this.#jobs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#jobs[middle]!.dueMs < fromMs) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Measures from the kill of a worker to the next run of each job that it ran. */
export function measureRecovery(book: Book, explainer: Explainer): Recovery {
  const kills = new Map(
    book.exits
      .filter(({ worker, cause }) => OURS.test(worker) && cause === 'kill')
      .map((exit) => [exit.worker, exit.atMs]),
  )
  const all: { waitMs: number; calm: boolean; story: Story }[] = []
  const undisturbed: number[] = []
  const fresh = new FreshJobs(book)
  for (const story of book.stories.values()) {
    for (let i = 0; i + 1 < story.runs.length; i++) {
      const run = story.runs[i]!
      const killedMs = kills.get(run.worker)
      if (killedMs === undefined || run.endMs !== undefined) continue
      const again = story.runs[i + 1]!
      const waitMs = again.startMs - killedMs
      // A lease that was renewed late, before the kill, is no disturbance: it only lapses sooner.
      const calm = isCalm(explainer, book, fresh, again.worker, killedMs, again.startMs)
      all.push({ waitMs, calm, story })
      if (calm) undisturbed.push(waitMs)
    }
  }
  return {
    kills: kills.size,
    jobs: all.length,
    undisturbed: undisturbed.length,
    p50Ms: percentile(undisturbed, 0.5),
    p99Ms: percentile(undisturbed, 0.99),
    maxMs: percentile(undisturbed, 1),
    allP99Ms: percentile(
      all.map(({ waitMs }) => waitMs),
      0.99,
    ),
    slowest: all
      .toSorted((a, b) => b.waitMs - a.waitMs)
      .slice(0, SHOWN)
      .map(({ waitMs, calm, story }) => `${waitMs} ms${calm ? '' : ' (disturbed)'}: ${describeRuns(story)}`),
  }
}
