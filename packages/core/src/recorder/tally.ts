import { BUCKETS, finestBucket, histogramOf } from './histogram.ts'
import type { Histogram } from './histogram.ts'
import { COUNTS } from './measures.ts'
import type { CountName, Measures } from './measures.ts'

/** Number of each outcome, for the counters of a tally. */
export const OUTCOME = Object.fromEntries(COUNTS.map((name, i) => [name, i])) as Readonly<Record<CountName, number>>

/** Durations of one kind, counted in memory. */
class Durations {
  #zeros = 0
  #buckets: Uint32Array | undefined
  sumMs = 0
  maxMs = 0

  add(ms: number): void {
    if (ms < 1) this.#zeros++
    else {
      this.#buckets ??= new Uint32Array(BUCKETS)
      this.#buckets[finestBucket(ms)]!++
      this.sumMs += ms
      if (ms > this.maxMs) this.maxMs = ms
    }
  }

  histogram(): Histogram | undefined {
    if (this.#zeros === 0 && !this.#buckets) return undefined
    return histogramOf(this.#zeros, this.#buckets ?? [])
  }
}

/** The counts of one series since the last flush. Adding to it costs a few integer additions. */
export class Tally {
  readonly #counts = COUNTS.map(() => 0)
  readonly run = new Durations()
  readonly wait = new Durations()

  count(outcome: number): void {
    this.#counts[outcome]!++
  }

  measures(): Measures {
    return { sums: [...this.#counts, this.run.sumMs, this.wait.sumMs], maxima: [this.run.maxMs, this.wait.maxMs] }
  }
}
