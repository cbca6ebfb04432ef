import type { Book, Story } from './book.ts'
import { describeRuns } from './describe.ts'
import type { Explainer } from './explain.ts'
import type { JudgeOptions } from './judge-options.ts'
import { percentile } from './percentile.ts'

/** Delay between the due time of jobs and their start, in ms. */
export interface Pickup {
  p50Ms: number | undefined
  p99Ms: number | undefined
  maxMs: number | undefined
  /** The slowest that no fault explains, longest first. */
  slowest: string[]
}

/** Slowest pickups that are named. */
const SHOWN = 5
/** A pickup up to this is nothing to name. */
const PROMPT_MS = 2_000

/** Measures from the due time of each accepted job to its first run. */
export function measurePickup(book: Book, explainer: Explainer, { leaseMs }: JudgeOptions): Pickup {
  const waits: number[] = []
  const slow: { waitMs: number; story: Story }[] = []
  for (const story of book.stories.values()) {
    const first = story.runs[0]
    if (story.dueMs === undefined || !first) continue
    const waitMs = first.startMs - story.dueMs
    waits.push(waitMs)
    if (waitMs <= PROMPT_MS) continue
    // A worker that claimed it and died, or slept, before it began keeps it for a lease.
    if (explainer.anything(story.dueMs - leaseMs, first.startMs) === undefined) slow.push({ waitMs, story })
  }
  return {
    p50Ms: percentile(waits, 0.5),
    p99Ms: percentile(waits, 0.99),
    maxMs: percentile(waits, 1),
    slowest: slow
      .toSorted((a, b) => b.waitMs - a.waitMs)
      .slice(0, SHOWN)
      .map(({ waitMs, story }) => `${waitMs} ms: ${describeRuns(story)}`),
  }
}
