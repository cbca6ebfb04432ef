import type { Book } from './book.ts'
import type { Explainer } from './explain.ts'
import { percentile } from './percentile.ts'

/** How soon jobs of killed workers of ours ran again. */
export interface Recovery {
  kills: number
  /** Jobs that ran when their worker was killed, and again later. */
  jobs: number
  /** Those whose wait no other fault disturbed. */
  undisturbed: number
  p50Ms: number | undefined
  p99Ms: number | undefined
  maxMs: number | undefined
  /** The same over all of them, other faults included. */
  allP99Ms: number | undefined
}

/** The kind of workers whose recovery is ours to promise. */
const OURS = /^ts-worker-/

/** Measures from the kill of a worker to the next run of each job that it ran. */
export function measureRecovery(book: Book, explainer: Explainer): Recovery {
  const kills = new Map(
    book.exits
      .filter(({ worker, cause }) => OURS.test(worker) && cause === 'kill')
      .map((exit) => [exit.worker, exit.atMs]),
  )
  const all: number[] = []
  const undisturbed: number[] = []
  for (const story of book.stories.values()) {
    for (let i = 0; i + 1 < story.runs.length; i++) {
      const run = story.runs[i]!
      const killedMs = kills.get(run.worker)
      if (killedMs === undefined || run.endMs !== undefined) continue
      const again = story.runs[i + 1]!
      const waitMs = again.startMs - killedMs
      all.push(waitMs)
      // A lease that was renewed late, before the kill, is no disturbance: it only lapses sooner.
      if (explainer.during(again.worker, killedMs, again.startMs).length === 0) undisturbed.push(waitMs)
    }
  }
  return {
    kills: kills.size,
    jobs: all.length,
    undisturbed: undisturbed.length,
    p50Ms: percentile(undisturbed, 0.5),
    p99Ms: percentile(undisturbed, 0.99),
    maxMs: percentile(undisturbed, 1),
    allP99Ms: percentile(all, 0.99),
  }
}
